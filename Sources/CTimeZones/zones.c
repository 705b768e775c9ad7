#include "CTimeZones.h"

static const unsigned char zones[] = {
#embed "zones.txt"
};

const unsigned char *ekswhy_time_zones(void) { return zones; }
size_t ekswhy_time_zones_size(void) { return sizeof zones; }
