#ifndef EKSWHY_INCLUSTER_H
#define EKSWHY_INCLUSTER_H

#include "kubernetes.h"

// What EKS puts into clusters, `{"addon":NAME,"object":OBJECT}` a line in the order in which it is applied; the name
// is empty for what every cluster has. Words in capitals are filled in: REGION, CLUSTER, VPC, ENDPOINT, DNS (address
// of kube-dns), and of the add-on's version v1.2.3-eksbuild.4 ADDON_VERSION, ADDON_RELEASE (v1.2.3),
// ADDON_NUMBER (1.2.3) and ADDON_BUILD (eksbuild.4).
ekswhy_data ekswhy_addons(void);

// The add-ons that EKS offers, one a line: versions, newest first, with the versions of Kubernetes they are for and
// are the default of, and the schema of their configuration.
ekswhy_data ekswhy_addon_catalogue(void);

#endif
