#include "CGenerated.h"

static const unsigned char addons[] = {
#embed "incluster/addons.jsonl"
};

static const unsigned char addon_catalogue[] = {
#embed "incluster/addon-catalogue.jsonl"
};

ekswhy_data ekswhy_addons(void) { return (ekswhy_data){addons, sizeof addons}; }
ekswhy_data ekswhy_addon_catalogue(void) { return (ekswhy_data){addon_catalogue, sizeof addon_catalogue}; }
