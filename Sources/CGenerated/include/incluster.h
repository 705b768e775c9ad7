#ifndef EKSWHY_INCLUSTER_H
#define EKSWHY_INCLUSTER_H

#include "kubernetes.h"

// The objects that EKS puts into a new cluster, one JSON text a line; words in capitals are filled in:
// REGION, CLUSTER, VPC, ENDPOINT, KUBERNETES (its version), DNS (address of kube-dns).
ekswhy_data ekswhy_default_addons(void);

#endif
