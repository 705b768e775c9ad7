#include "CGenerated.h"

#include <string.h>

size_t ekswhy_line_starts(const unsigned char *text, size_t size, uint32_t *starts, size_t room) {
  size_t count = 0;
  size_t at = 0;
  while (at < size) {
    if (count < room) starts[count] = (uint32_t)at;
    count++;
    const unsigned char *end = memchr(text + at, '\n', size - at);
    if (!end) break;
    at = (size_t)(end - text) + 1;
  }
  return count;
}
