#ifndef CGENERATED_H
#define CGENERATED_H

#include "aws.h"
#include "containers.h"
#include "incluster.h"
#include "kubernetes.h"
#include "mechanisms.h"

#endif
