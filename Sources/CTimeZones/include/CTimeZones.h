#ifndef EKSWHY_TIME_ZONES_H
#define EKSWHY_TIME_ZONES_H

#include <stddef.h>

// The rules of time zones, written by Tools/time_zones.py, which describes the lines.
const unsigned char *ekswhy_time_zones(void);
size_t ekswhy_time_zones_size(void);

#endif
