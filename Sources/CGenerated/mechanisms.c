#include "CGenerated.h"

static const unsigned char managed[] = {
#embed "policies/managed.json"
};
static const unsigned char access_policies[] = {
#embed "policies/access.json"
};
static const unsigned char instances[] = {
#embed "limits/instances.txt"
};

ekswhy_data ekswhy_managed_policies(void) { return (ekswhy_data){managed, sizeof managed}; }
ekswhy_data ekswhy_access_policies(void) { return (ekswhy_data){access_policies, sizeof access_policies}; }
ekswhy_data ekswhy_instance_limits(void) { return (ekswhy_data){instances, sizeof instances}; }
