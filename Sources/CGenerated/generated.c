#include "CGenerated.h"
