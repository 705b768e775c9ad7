#ifndef EKSWHY_MECHANISMS_H
#define EKSWHY_MECHANISMS_H

#include "kubernetes.h"

// AWS managed policies, as JSON: [{arn, name, path, version, isApproximate, document}].
ekswhy_data ekswhy_managed_policies(void);
// Access policies of EKS, as JSON: {name: [rules as in a ClusterRole]}.
ekswhy_data ekswhy_access_policies(void);
// Instance types, a line each: type, vCPU, MiB, ENIs, IPv4 per ENI, hypervisor, trunking, branch ENIs, max-pods file.
ekswhy_data ekswhy_instance_limits(void);

#endif
