/* Any bytes: decoded or refused with a message; what is decoded survives encoding. */
#include "base/json.h"

#include <string.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error_auto err = ERROR_INIT;
    jx_auto *value = jx_decode((const char *)data, size, "input", &err);
    if (value == NULL) {
        must(err.code == E_INVALID_REQUEST && utf8_valid(err.message, strlen(err.message)));
        return 0;
    }
    size_t len, sorted_len;
    autofree char *text = jx_encode(value, &len), *sorted = jx_encode_sorted(value, &sorted_len);
    must(len == sorted_len && utf8_valid(text, len));
    jx_auto *back = jx_decode(text, len, "text", NULL);
    must(back != NULL && json_equal(value, back) && jx_equal(value, back));
    jx_auto *sorted_back = jx_decode(sorted, sorted_len, "sorted", NULL);
    autofree char *again = jx_encode_sorted(sorted_back, NULL);
    must(jx_equal(value, sorted_back) && strcmp(sorted, again) == 0);
    jx_auto *merged = jx_merge_patch(value, value);
    json_decref(jx_merge_patch(merged, value));
    return 0;
}
