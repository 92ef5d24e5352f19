/* The engine's end: whatever an executor sends is cut into frames, or refused. The first byte says
 * in which pieces it arrives; the result must not depend on them. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    uint64_t frames, sum;
    bool refused;
};

static struct outcome run(const uint8_t *data, size_t size, size_t step)
{
    struct wire_reader reader = {.from_executor = true, .limit = 1 << 16};
    struct outcome outcome = {0};
    for (size_t at = 0; at < size && !outcome.refused; at += step) {
        struct wire_header header;
        const uint8_t *payload;
        const char *why = NULL;
        buf_append(&reader.in, data + at, size - at < step ? size - at : step);
        int rc;
        while ((rc = wire_reader_next(&reader, &header, &payload, &why)) == 1) {
            outcome.frames++;
            for (uint32_t i = 0; i < header.length; i++)
                outcome.sum = outcome.sum * 31 + payload[i];
            struct wire_stats stats;
            if (wire_row(header.type)->final && header.type != WIRE_LOCKFAIL &&
                wire_stats_decode(payload, header.length, &stats) != NULL)
                abort(); /* the bounds of a final frame leave room for them */
        }
        outcome.refused = rc < 0;
        if (outcome.refused && why == NULL)
            abort();
    }
    buf_free(&reader.in);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    struct outcome whole = run(data + 1, size - 1, size);
    struct outcome pieces = run(data + 1, size - 1, (size_t)data[0] + 1);
    if (whole.frames != pieces.frames || whole.sum != pieces.sum || whole.refused != pieces.refused)
        abort();
    return 0;
}
