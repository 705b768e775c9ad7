#ifndef EKSWHY_KUBERNETES_H
#define EKSWHY_KUBERNETES_H

#include <stddef.h>

/// Bytes embedded in the program.
typedef struct {
  const unsigned char *bytes;
  size_t count;
} ekswhy_data;

// Written by Tools/kubernetes_schemas.py, which describes the lines of each.
ekswhy_data ekswhy_kubernetes_schemas(void);
ekswhy_data ekswhy_kubernetes_resources(void);
ekswhy_data ekswhy_kubernetes_protobuf(void);
ekswhy_data ekswhy_kubernetes_columns(void);

// Kept by hand; the file says how its lines read.
ekswhy_data ekswhy_kubernetes_rbac(void);

#endif
