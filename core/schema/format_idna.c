/* Labels of internationalized host names: Punycode (RFC 3492) of what IDNA 2008 (RFC 5891, 5892)
 * allows. What characters are comes from PCRE2's Unicode tables. Left out are the checks for
 * normal form C and the rules for mixed directions (RFC 5893), and joining types are taken from
 * the script. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <string.h>

#include "base/utf8.h"
#include "schema/schema-private.h"

enum { LABEL_MAX = 63 };

/* RFC 3492 §6.1. */
static uint32_t bias_next(uint32_t delta, uint32_t count, bool first)
{
    uint32_t bias = 0;
    delta /= first ? 700 : 2;
    delta += delta / count;
    for (; delta > 35 * 26 / 2; bias += 36)
        delta /= 35;
    return bias + 36 * delta / (delta + 38);
}

static uint32_t digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 26);
    return (uint32_t)((c | 0x20) - 'a'); /* what is none gets large */
}

/* One generalized variable-length integer, added to *i. False when it is not one. */
static bool integer_decode(const char **s, const char *end, uint32_t bias, uint32_t *i)
{
    uint32_t weight = 1;
    for (uint32_t k = 36;; k += 36) {
        if (*s == end)
            return false;
        uint32_t digit = digit_value(*(*s)++);
        if (digit >= 36 || digit > (UINT32_MAX - *i) / weight)
            return false;
        *i += digit * weight;
        uint32_t threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
        if (digit < threshold)
            return true;
        if (weight > UINT32_MAX / (36 - threshold))
            return false;
        weight *= 36 - threshold;
    }
}

/* RFC 3492 §6.2; the number of characters, 0 when s is not Punycode of at least one that is not
 * ASCII. */
static size_t punycode_decode(const char *s, size_t len, uint32_t out[LABEL_MAX])
{
    uint32_t n = 0x80, i = 0, bias = 72, count = 0;
    const char *end = s + len, *hyphen = memrchr(s, '-', len);
    if (len > LABEL_MAX)
        return 0;
    for (; hyphen != NULL && s < hyphen; s++)
        out[count++] = (unsigned char)*s;
    s += hyphen != NULL;
    if (s == end)
        return 0;
    while (s < end) {
        uint32_t before = i;
        if (count == LABEL_MAX || !integer_decode(&s, end, bias, &i))
            return 0;
        bias = bias_next(i - before, count + 1, before == 0);
        count++;
        if (i / count > 0x10ffff - n)
            return 0;
        n += i / count;
        i %= count;
        memmove(out + i + 1, out + i, (count - 1 - i) * sizeof(*out));
        out[i++] = n;
    }
    return count;
}

/* RFC 5892: categories of §2.1 with the exceptions of §2.6; contexts of appendix A. */
#define VIRAMA                                                                                     \
    "[\\x{94d}\\x{9cd}\\x{a4d}\\x{acd}\\x{b4d}\\x{bcd}\\x{c4d}\\x{ccd}\\x{d3b}\\x{d3c}\\x{d4d}"    \
    "\\x{dca}\\x{e3a}\\x{eba}\\x{f84}\\x{1039}\\x{103a}\\x{1714}\\x{1734}\\x{17d2}\\x{1a60}"       \
    "\\x{1b44}\\x{1baa}\\x{1bab}\\x{1bf2}\\x{1bf3}\\x{2d7f}\\x{a806}\\x{a8c4}\\x{a953}\\x{a9c0}"   \
    "\\x{aaf6}\\x{abed}]"
#define JOINING "[\\p{sc:Arabic}\\p{sc:Syriac}\\p{sc:Mandaic}\\p{sc:Nko}\\p{sc:Mongolian}]"

static const struct {
    const char *pattern;
    bool must;
} rules[] = {
    {"^(?:(?![\\x{640}\\x{7fa}\\x{302e}\\x{302f}\\x{3031}-\\x{3035}\\x{303b}])"
     "[A-Za-z0-9\\-\\p{Ll}\\p{Lo}\\p{Lm}\\p{Mn}\\p{Mc}\\p{Nd}\\x{b7}\\x{375}\\x{5f3}\\x{5f4}"
     "\\x{6fd}\\x{6fe}\\x{f0b}\\x{200c}\\x{200d}\\x{3007}\\x{30fb}])+$",
     true},
    {"^\\p{M}", false},
    {"^..--", false},
    {"^-|-$", false},
    {"(?<![lL])\\x{b7}|\\x{b7}(?![lL])", false},
    {"\\x{375}(?!\\p{sc:Greek})", false},
    {"(?<!\\p{sc:Hebrew})[\\x{5f3}\\x{5f4}]", false},
    {"^(?!.*[\\p{sc:Hiragana}\\p{sc:Katakana}\\p{sc:Han}]).*\\x{30fb}", false},
    {"[\\x{660}-\\x{669}].*[\\x{6f0}-\\x{6f9}]|[\\x{6f0}-\\x{6f9}].*[\\x{660}-\\x{669}]", false},
    {"(?<!" VIRAMA ")\\x{200d}", false},
    {"(?<!" VIRAMA ")(?:(?<!" JOINING ")\\x{200c}|\\x{200c}(?!" JOINING "))", false},
};
static pcre2_code *compiled[countof(rules)];
static pthread_once_t compiled_once = PTHREAD_ONCE_INIT;

static void rules_compile(void)
{
    for (size_t i = 0; i < countof(rules); i++) {
        int code;
        PCRE2_SIZE at;
        compiled[i] = pcre2_compile((PCRE2_SPTR)rules[i].pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF,
                                    &code, &at, NULL);
        if (compiled[i] == NULL) {
            fprintf(stderr, "format_idna: rule %zu: error %d at %zu\n", i, code, at);
            abort(); /* the program itself is broken */
        }
    }
}

bool format_a_label(const char *s, size_t len)
{
    uint32_t characters[LABEL_MAX];
    size_t n = punycode_decode(s, len, characters);
    buf_auto label = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        utf8_append(&label, characters[i]);
    if (n == 0 || !utf8_valid(label.data, label.len))
        return false;
    pthread_once(&compiled_once, rules_compile);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    bool valid = data != NULL;
    for (size_t i = 0; i < countof(rules) && valid; i++) {
        int rc = pcre2_match(compiled[i], (PCRE2_SPTR)label.data, label.len, 0, 0, data, NULL);
        valid = (rc >= 0) == rules[i].must;
    }
    pcre2_match_data_free(data);
    return valid;
}
