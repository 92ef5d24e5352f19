/* What compares versions, on any input. The first byte says what: a range of versions and a
 * version, behind a line break; two schemas as a JSON array; two texts, behind a NUL. */
#include <string.h>

#include "base/diff.h"
#include "base/json.h"
#include "service/compat.h"
#include "service/semver_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void range(const char *text, size_t len)
{
    struct semver_range range;
    autofree char *copy = xstrndup(text, len);
    char *version = strchr(copy, '\n');
    if (version != NULL)
        *version++ = '\0';
    if (!semver_range_parse(copy, &range))
        return;
    must(range.n > 0 && range.n <= SEMVER_TERMS_MAX && range.groups > 0);
    for (size_t i = 0; i < range.n; i++)
        must(semver_valid(range.terms[i].version));
    if (version != NULL && semver_valid(version))
        semver_range_has(&range, version);
}

static void schemas(const char *text, size_t len)
{
    jx_auto *both = jx_decode(text, len, "schemas", NULL);
    const json_t *from = json_array_get(both, 0), *to = json_array_get(both, 1);
    if (from == NULL || to == NULL)
        return;
    for (int side = COMPAT_INPUT; side <= COMPAT_OUTPUT; side++) {
        jx_auto *changes = compat_changes(from, to, (enum compat_side)side);
        must(json_array_size(changes) <= COMPAT_CHANGES_MAX);
        jx_auto *none = compat_changes(from, from, (enum compat_side)side);
        must(json_array_size(none) == 0);
    }
    jx_auto *patch = diff_json(from, to);
    must((json_array_size(patch) == 0) == jx_equal(from, to));
}

static void texts(const char *text, size_t len)
{
    size_t n = strnlen(text, len);
    buf_auto out = BUF_INIT;
    size_t rest = n < len ? len - n - 1 : 0;
    const char *other = n < len ? text + n + 1 : "";
    diff_unified(&out, "a", "b", text, n, other, rest);
    must((out.len == 0) == (n == rest && memcmp(text, other, n) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const char *text, size_t len) = {range, schemas, texts};
    if (size > 0)
        targets[data[0] % countof(targets)]((const char *)data + 1, size - 1);
    return 0;
}
