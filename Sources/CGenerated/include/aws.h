#ifndef EKSWHY_AWS_H
#define EKSWHY_AWS_H

#include <stddef.h>
#include <stdint.h>

// Where the lines of a text start: fills `starts` up to `room` and returns how many lines there are.
// A last start past the final line break is not counted.
size_t ekswhy_line_starts(const unsigned char *text, size_t size, uint32_t *starts, size_t room);

// The AWS service models, packed by Tools/aws_models.py, in alphabetical order of their services.
size_t ekswhy_aws_model_count(void);
const unsigned char *ekswhy_aws_model(size_t index);
size_t ekswhy_aws_model_size(size_t index);

#endif
