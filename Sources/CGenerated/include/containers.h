#ifndef EKSWHY_CONTAINERS_H
#define EKSWHY_CONTAINERS_H

#include "kubernetes.h"

// What container images are built on: one JSON text a line with the shell, the programs and the files there.
ekswhy_data ekswhy_container_systems(void);

// Container images by name: one JSON text a line with what they run and how that behaves.
ekswhy_data ekswhy_container_images(void);

#endif
