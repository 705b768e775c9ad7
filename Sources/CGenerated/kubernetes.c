#include "CGenerated.h"

static const unsigned char schemas[] = {
#embed "kubernetes/schemas.txt"
};
static const unsigned char resources[] = {
#embed "kubernetes/resources.txt"
};
static const unsigned char protobuf[] = {
#embed "kubernetes/protobuf.txt"
};
static const unsigned char columns[] = {
#embed "kubernetes/columns.txt"
};
static const unsigned char rbac[] = {
#embed "kubernetes/rbac.txt"
};

ekswhy_data ekswhy_kubernetes_schemas(void) { return (ekswhy_data){schemas, sizeof schemas}; }
ekswhy_data ekswhy_kubernetes_resources(void) { return (ekswhy_data){resources, sizeof resources}; }
ekswhy_data ekswhy_kubernetes_protobuf(void) { return (ekswhy_data){protobuf, sizeof protobuf}; }
ekswhy_data ekswhy_kubernetes_columns(void) { return (ekswhy_data){columns, sizeof columns}; }
ekswhy_data ekswhy_kubernetes_rbac(void) { return (ekswhy_data){rbac, sizeof rbac}; }
