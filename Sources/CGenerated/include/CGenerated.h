#ifndef CGENERATED_H
#define CGENERATED_H
#endif
