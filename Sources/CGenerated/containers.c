#include "CGenerated.h"

static const unsigned char container_systems[] = {
#embed "containers/systems.jsonl"
};

static const unsigned char container_images[] = {
#embed "containers/images.jsonl"
};

ekswhy_data ekswhy_container_systems(void) { return (ekswhy_data){container_systems, sizeof container_systems}; }
ekswhy_data ekswhy_container_images(void) { return (ekswhy_data){container_images, sizeof container_images}; }
