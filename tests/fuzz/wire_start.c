/* The executor's end: headers from the engine, START and stats. What decodes encodes to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_start start;
    buf_auto again = BUF_INIT;
    if (wire_start_decode(data, size, &start) == NULL) {
        wire_start_encode(&start, &again);
        if (again.len != size || memcmp(again.data, data, size) != 0)
            abort();
    }
    if (size < WIRE_HEADER_SIZE)
        return 0;
    struct wire_header header;
    uint8_t bytes[WIRE_HEADER_SIZE];
    for (int side = 0; side < 2; side++) {
        if (wire_header_decode(data, side, &header) != NULL)
            continue;
        wire_header_encode(&header, bytes);
        if (memcmp(bytes, data, sizeof(bytes)) != 0 || header.length > WIRE_PAYLOAD_MAX)
            abort();
    }
    return 0;
}
