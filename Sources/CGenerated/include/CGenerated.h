#ifndef CGENERATED_H
#define CGENERATED_H

#include "kubernetes.h"

#endif
