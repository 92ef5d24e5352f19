/* Patterns, with PCRE2. Three things keep a hostile pattern from taking long. A match starts with
 * a low match limit and is tried again with a higher one, after a look at the CPU time used so
 * far. In a long text only some starting points are tried at a time, with the same look between
 * them, since the match limit counts for each starting point anew. And what all slow matches
 * of one validation may take together is bounded. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <time.h>

#include "base/clock.h"
#include "schema/schema-private.h"

enum {
    PATTERN_MAX = 16384,          /* bytes of one pattern */
    PATTERNS_SIZE_MAX = 16 << 20, /* bytes of all the compiled ones of a document */
    JIT_SIZE_MAX = 8192,          /* larger patterns are interpreted */
    HEAP_KIB_MAX = 32 << 10,
    MATCH_LIMIT_LEAST = 1000,
    MATCH_LIMIT_FIRST = 100000,
    MATCH_LIMIT_MAX = 4000000,
    SHORT_TEXT = 256,   /* bytes; all starting points are tried in one go */
    STARTS_LEAST = 4,   /* starting points of a longer one tried first */
    SCAN_MAX = 1 << 20, /* bytes that they may look at, one after the other */
    SLOW_US = 50,       /* from here on the CPU time is looked at */
};

struct pattern {
    struct pattern *next;
    pcre2_code *code;
    bool anchored; /* can only match at the start */
};
struct matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    int64_t cpu_start;
};

static int64_t cpu_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * CLOCK_SECOND + ts.tv_nsec / 1000;
}

static size_t code_size(const pcre2_code *code, uint32_t what)
{
    size_t size = 0;
    pcre2_pattern_info(code, what, &size);
    return size;
}

struct pattern *pattern_compile(struct schema_document *doc, const char *text, size_t len,
                                char why[256])
{
    buf_auto translated = BUF_INIT;
    if (len > PATTERN_MAX) {
        snprintf(why, 256, "it is longer than %d bytes", PATTERN_MAX);
        return NULL;
    }
    if (ecma_translate(text, len, &translated, why) < 0)
        return NULL;
    int code;
    PCRE2_SIZE at;
    pcre2_code *compiled = pcre2_compile(
        (PCRE2_SPTR)(translated.len > 0 ? translated.data : ""), translated.len,
        PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF | PCRE2_ALLOW_EMPTY_CLASS |
            PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT,
        &code, &at, NULL);
    if (compiled == NULL) {
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, 256);
        return NULL;
    }
    if (code_size(compiled, PCRE2_INFO_SIZE) <= JIT_SIZE_MAX)
        (void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* without it, it is interpreted */
    doc->pattern_size +=
        code_size(compiled, PCRE2_INFO_SIZE) + code_size(compiled, PCRE2_INFO_JITSIZE);
    if (doc->pattern_size > PATTERNS_SIZE_MAX) {
        pcre2_code_free(compiled);
        snprintf(why, 256, "the document's patterns take more than %d MiB",
                 PATTERNS_SIZE_MAX >> 20);
        return NULL;
    }
    uint32_t options = 0;
    pcre2_pattern_info(compiled, PCRE2_INFO_ALLOPTIONS, &options);
    struct pattern *pattern = xcalloc(1, sizeof(*pattern));
    pattern->code = compiled;
    pattern->anchored = (options & PCRE2_ANCHORED) != 0;
    pattern->next = doc->patterns;
    doc->patterns = pattern;
    return pattern;
}

void pattern_free_all(struct pattern *pattern)
{
    while (pattern != NULL) {
        struct pattern *next = pattern->next;
        pcre2_code_free(pattern->code);
        free(pattern);
        pattern = next;
    }
}

static struct matcher *matcher_of(struct run *run)
{
    if (run->matcher != NULL)
        return run->matcher;
    struct matcher *m = xcalloc(1, sizeof(*m));
    m->data = pcre2_match_data_create(1, NULL);
    m->context = pcre2_match_context_create(NULL);
    if (m->data != NULL && m->context != NULL)
        pcre2_set_heap_limit(m->context, HEAP_KIB_MAX);
    m->cpu_start = cpu_us();
    run->matcher = m;
    return m;
}

void matcher_free(struct matcher *m)
{
    if (m == NULL)
        return;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    free(m);
}

/* One call of the matcher: starting points from `start` to `last`. */
static int match_once(struct matcher *m, const struct pattern *pattern, const char *s, size_t len,
                      size_t start, size_t last, uint32_t limit)
{
    /* The text is checked to be UTF-8 once, in the first call. */
    uint32_t options = start > 0 ? PCRE2_NO_UTF_CHECK : 0;
    pcre2_set_match_limit(m->context, limit);
    pcre2_set_offset_limit(m->context, last);
    int rc = pcre2_match(pattern->code, (PCRE2_SPTR)s, len, start, options, m->data, m->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(pattern->code, (PCRE2_SPTR)s, len, start, options | PCRE2_NO_JIT, m->data,
                         m->context);
    return rc;
}

static uint32_t first_limit(size_t len)
{
    size_t limit = (size_t)20000000 / (len + 1);
    return limit > MATCH_LIMIT_FIRST   ? MATCH_LIMIT_FIRST
           : limit < MATCH_LIMIT_LEAST ? MATCH_LIMIT_LEAST
                                       : (uint32_t)limit;
}

static size_t first_starts(const struct pattern *pattern, size_t len)
{
    if (pattern->anchored || len <= SHORT_TEXT)
        return len + 1;
    return SCAN_MAX / len > STARTS_LEAST ? SCAN_MAX / len : STARTS_LEAST;
}

bool pattern_matches(struct run *run, const struct frame *frame, const struct pattern *pattern,
                     const char *s, size_t len)
{
    if (!run_charge(run, frame, 1 + len / 64))
        return false;
    struct matcher *m = matcher_of(run);
    if (m->data == NULL || m->context == NULL)
        return run_stop(run, frame, "cannot be checked: no memory for the pattern's match");
    uint32_t limit = first_limit(len);
    size_t starts = first_starts(pattern, len);
    for (size_t start = 0; start <= len;) {
        size_t last = len - start < starts ? len : start + starts - 1;
        int64_t before = clock_monotonic_us();
        int rc = match_once(m, pattern, s, len, start, last, limit);
        if (rc >= 0)
            return true;
        int64_t took = clock_monotonic_us() - before;
        if (took > SLOW_US && cpu_us() - m->cpu_start > run->document->opts.pattern_us_max)
            return run_stop(run, frame, "takes too long to match against a pattern");
        if (rc == PCRE2_ERROR_MATCHLIMIT && limit < MATCH_LIMIT_MAX) {
            limit *= 4;
        } else if (rc == PCRE2_ERROR_NOMATCH) {
            for (start = last + 1; start < len && (s[start] & 0xc0) == 0x80; start++)
                continue;
            if (took < SLOW_US && starts < len)
                starts *= 2;
            else if (took > 20 * SLOW_US && starts > 1)
                starts /= 2;
        } else if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT ||
                   rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_NOMEMORY) {
            return run_stop(run, frame, "takes too much work to match against a pattern");
        } else {
            return false; /* not UTF-8: no pattern describes it */
        }
    }
    return false;
}
