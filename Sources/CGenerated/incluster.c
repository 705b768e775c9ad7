#include "CGenerated.h"

static const unsigned char default_addons[] = {
#embed "incluster/default-addons.jsonl"
};

ekswhy_data ekswhy_default_addons(void) { return (ekswhy_data){default_addons, sizeof default_addons}; }
