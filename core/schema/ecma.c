/* ECMA-262 patterns (with the u flag, and annex B's leniency for characters escaped or left bare
 * without need) rewritten for PCRE2. What ECMA-262 does not have, and PCRE2 would understand in its
 * own way, is refused here: (?i), (?>…), (*VERB), \A, possessive quantifiers. */
#include <limits.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "schema/schema-private.h"

enum { GROUPS_MAX = 200, CODE_POINT_MAX = 0x10ffff };

struct ecma {
    const char *s, *end, *begin;
    struct buf *out; /* NULL: only checked */
    char *why;
    bool assertion[GROUPS_MAX]; /* is the open group one that may not be repeated? */
    unsigned open;
};
/* What stands before a quantifier. */
enum atom { ATOM_NONE, ATOM_CHARACTER, ATOM_ASSERTION };

__attribute__((format(printf, 2, 3))) static int refuse(struct ecma *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->why, 200, fmt, ap);
    va_end(ap);
    if (n > 0 && n < 200)
        snprintf(e->why + n, 256 - (size_t)n, " (at byte %zu)", (size_t)(e->s - e->begin));
    return -1;
}

static void emit(struct ecma *e, const char *text)
{
    if (e->out != NULL)
        buf_append_str(e->out, text);
}

/* A character that stands for itself, in a class or not. */
static void emit_character(struct ecma *e, uint32_t c)
{
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 c <= ' ' || c >= 0x7f;
    if (!plain)
        emit(e, "\\");
    if (e->out != NULL)
        utf8_append(e->out, c);
}

/* The next whole character; the text is known to be UTF-8. */
static uint32_t next_character(struct ecma *e)
{
    unsigned char c = (unsigned char)*e->s;
    size_t n = utf8_char_len(e->s, (size_t)(e->end - e->s));
    if (n <= 1) {
        e->s++;
        return c;
    }
    uint32_t cp = c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        cp = cp << 6 | ((unsigned char)e->s[i] & 0x3fu);
    e->s += n;
    return cp;
}

static int hex_digits(struct ecma *e, size_t n, uint32_t *value_r)
{
    uint32_t value = 0;
    if ((size_t)(e->end - e->s) < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int digit = hash_hex_value(e->s[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | (uint32_t)digit;
    }
    e->s += n;
    *value_r = value;
    return 0;
}

static bool take(struct ecma *e, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(e->end - e->s) < n || memcmp(e->s, text, n) != 0)
        return false;
    e->s += n;
    return true;
}

/* Behind "\u": four digits, two such as a surrogate pair, or {digits}. */
static int unicode_escape(struct ecma *e, uint32_t *c_r)
{
    if (take(e, "{")) {
        const char *close = memchr(e->s, '}', (size_t)(e->end - e->s));
        size_t n = close != NULL ? (size_t)(close - e->s) : 0;
        if (n < 1 || n > 6 || hex_digits(e, n, c_r) < 0 || *c_r > CODE_POINT_MAX)
            return refuse(e, "\\u{…} takes a code point in hexadecimal digits");
        e->s++;
    } else {
        if (hex_digits(e, 4, c_r) < 0)
            return refuse(e, "\\u takes four hexadecimal digits, or some in braces");
        uint32_t low;
        if (*c_r >= 0xd800 && *c_r < 0xdc00 && take(e, "\\u") && hex_digits(e, 4, &low) == 0 &&
            low >= 0xdc00 && low < 0xe000)
            *c_r = 0x10000 + ((*c_r - 0xd800) << 10) + (low - 0xdc00);
    }
    if (*c_r >= 0xd800 && *c_r < 0xe000)
        return refuse(e, "a lone surrogate matches nothing in JSON");
    return 0;
}

/* ECMA-262's names of general categories and what PCRE2 calls them (table "PropertyValueAliases"
 * of the standard's Unicode annex). */
static const struct {
    const char *name, *code;
} categories[] = {
    {"Letter", "L"},
    {"Cased_Letter", "L&"},
    {"LC", "L&"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Surrogate", "Cs"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
};
static const struct {
    const char *name, *code;
} property_kinds[] = {
    {"General_Category=", ""},      {"gc=", ""},      {"Script=", "sc:"}, {"sc=", "sc:"},
    {"Script_Extensions=", "scx:"}, {"scx=", "scx:"}, {"", ""},
};

/* Behind "\p" or "\P". Whether PCRE2 knows the name is seen when it compiles. */
static int property_escape(struct ecma *e, bool negated)
{
    const char *close = take(e, "{") ? memchr(e->s, '}', (size_t)(e->end - e->s)) : NULL;
    char name[64];
    size_t n = close != NULL ? (size_t)(close - e->s) : 0;
    if (n == 0 || n >= sizeof(name))
        return refuse(e, "\\p takes the name of a Unicode property in braces");
    memcpy(name, e->s, n);
    name[n] = '\0';
    if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=") != n)
        return refuse(e, "\"%s\" is not the name of a Unicode property", name);
    e->s = close + 1;
    size_t kind = 0;
    while (strncmp(name, property_kinds[kind].name, strlen(property_kinds[kind].name)) != 0)
        kind++;
    const char *value = name + strlen(property_kinds[kind].name);
    if (strcmp(value, "Assigned") == 0) {
        negated = !negated;
        value = "Unassigned";
    }
    for (size_t i = 0; i < countof(categories); i++)
        if (strcmp(value, categories[i].name) == 0)
            value = categories[i].code;
    emit(e, negated ? "\\P{" : "\\p{");
    emit(e, property_kinds[kind].code);
    emit(e, value);
    emit(e, "}");
    return 0;
}

#define WHITE_SPACE                                                                                \
    "\\t\\n\\x0b\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}"                      \
    "\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_WHITE_SPACE                                                                            \
    "\\x00-\\x08\\x0e-\\x1f!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"                          \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}"                                    \
    "\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

/* An escape that stands for a set of characters: 1 when c is one (emitted), 0, or -1. */
static int set_escape(struct ecma *e, char c, bool in_class)
{
    switch (c) {
    case 'd':
        emit(e, "\\d");
        return 1;
    case 'D':
        emit(e, "\\D");
        return 1;
    case 'w':
        emit(e, "\\w");
        return 1;
    case 'W':
        emit(e, "\\W");
        return 1;
    case 's':
        emit(e, in_class ? WHITE_SPACE : "[" WHITE_SPACE "]");
        return 1;
    case 'S':
        emit(e, in_class ? NOT_WHITE_SPACE : "[" NOT_WHITE_SPACE "]");
        return 1;
    case 'p':
        return property_escape(e, false) < 0 ? -1 : 1;
    case 'P':
        return property_escape(e, true) < 0 ? -1 : 1;
    default:
        return 0;
    }
}

/* An escape that stands for one character, behind the backslash and the character `c`. */
static int character_escape(struct ecma *e, uint32_t c, uint32_t *c_r)
{
    static const char controls[] = "t\tn\nv\vf\fr\r";
    for (size_t i = 0; i + 1 < sizeof(controls); i += 2) {
        if (c == (uint32_t)controls[i]) {
            *c_r = (uint32_t)controls[i + 1];
            return 0;
        }
    }
    *c_r = c;
    if (c == '0') {
        *c_r = 0;
        if (e->s < e->end && *e->s >= '0' && *e->s <= '9')
            return refuse(e, "octal escapes are not ECMA-262's");
        return 0;
    }
    if (c == 'c') {
        char letter = e->s < e->end ? (char)(*e->s | 0x20) : 0;
        if (letter < 'a' || letter > 'z')
            return refuse(e, "\\c takes a letter");
        e->s++;
        *c_r = (uint32_t)(letter & 0x1f);
        return 0;
    }
    if (c == 'x')
        return hex_digits(e, 2, c_r) < 0 ? refuse(e, "\\x takes two hexadecimal digits") : 0;
    if (c == 'u')
        return unicode_escape(e, c_r);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9'))
        return refuse(e, "\\%c is not an escape of ECMA-262", (int)c);
    return 0;
}

/* One member of a class: 1 and *c_r for a character, 0 for a set (emitted), -1. */
static int class_member(struct ecma *e, uint32_t *c_r)
{
    *c_r = next_character(e);
    if (*c_r != '\\')
        return 1;
    if (e->s == e->end)
        return refuse(e, "a backslash at the end");
    uint32_t c = next_character(e);
    int set = c < 0x80 ? set_escape(e, (char)c, true) : 0;
    if (set != 0)
        return set < 0 ? -1 : 0;
    if (c == 'b') {
        *c_r = '\b';
        return 1;
    }
    return character_escape(e, c, c_r) < 0 ? -1 : 1;
}

/* Behind the "[". */
static int class(struct ecma *e)
{
    emit(e, take(e, "^") ? "[^" : "[");
    while (!take(e, "]")) {
        if (e->s == e->end)
            return refuse(e, "a class without its \"]\"");
        uint32_t low, high;
        int is_character = class_member(e, &low);
        if (is_character < 0)
            return -1;
        if (is_character > 0)
            emit_character(e, low);
        bool range = e->end - e->s >= 2 && e->s[0] == '-' && e->s[1] != ']';
        if (!range)
            continue;
        e->s++;
        int high_is_character = class_member(e, &high);
        if (high_is_character < 0)
            return -1;
        if (is_character == 0 || high_is_character == 0) {
            emit(e, "\\-"); /* annex B: next to a set the hyphen is one */
            if (high_is_character > 0)
                emit_character(e, high);
            continue;
        }
        if (low > high)
            return refuse(e, "a range that ends before it begins");
        emit(e, "-");
        emit_character(e, high);
    }
    emit(e, "]");
    return 0;
}

static size_t identifier_len(const struct ecma *e)
{
    size_t n = 0;
    for (const char *s = e->s; s < e->end; s++, n++) {
        bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_' ||
                      (n > 0 && *s >= '0' && *s <= '9');
        if (!letter)
            break;
    }
    return n;
}

/* "name>", for (?<name> and \k<name>. */
static int group_name(struct ecma *e, const char *before)
{
    size_t n = identifier_len(e);
    if (n == 0 || n > 32 || e->s + n == e->end || e->s[n] != '>')
        return refuse(e, "a group's name is up to 32 letters, digits and _ between < and >");
    emit(e, before);
    if (e->out != NULL)
        buf_append(e->out, e->s, n + 1);
    e->s += n + 1;
    return 0;
}

/* Behind the "(". */
static int group_open(struct ecma *e)
{
    static const struct {
        const char *text;
        bool assertion;
    } kinds[] = {{"?:", false}, {"?=", false}, {"?!", false}, {"?<=", true}, {"?<!", true}};
    if (e->open == GROUPS_MAX)
        return refuse(e, "more than %d groups inside each other", GROUPS_MAX);
    e->assertion[e->open] = false;
    if (e->s == e->end || *e->s != '?') {
        emit(e, "(");
        e->open++;
        return 0;
    }
    for (size_t i = 0; i < countof(kinds); i++) {
        if (take(e, kinds[i].text)) {
            emit(e, "(");
            emit(e, kinds[i].text);
            e->assertion[e->open++] = kinds[i].assertion;
            return 0;
        }
    }
    e->open++;
    if (take(e, "?<"))
        return group_name(e, "(?<");
    return refuse(e, "ECMA-262 has no group of the kind \"(%.2s\"", e->s);
}

/* A quantifier behind an atom: * + ? {n} {n,} {n,m}, each with a ? behind it or not. Returns
 * the bytes it takes, 0 when there is none. */
static size_t quantifier_len(const struct ecma *e, unsigned long *least, unsigned long *most)
{
    *least = *most = 0;
    if (e->s == e->end)
        return 0;
    if (*e->s == '*' || *e->s == '+' || *e->s == '?')
        return 1;
    if (*e->s != '{')
        return 0;
    const char *s = e->s + 1;
    unsigned long *numbers[] = {least, most};
    bool comma = false;
    for (int i = 0; i < 2; i++) {
        const char *digits = s;
        for (; s < e->end && *s >= '0' && *s <= '9'; s++)
            if (*numbers[i] < 1000000)
                *numbers[i] = *numbers[i] * 10 + (unsigned long)(*s - '0');
        if (s == digits) {
            if (i == 0)
                return 0;
            *most = ULONG_MAX;
        }
        if (i == 0) {
            comma = s < e->end && *s == ',';
            if (!comma) {
                *most = *least;
                break;
            }
            s++;
        }
    }
    return s < e->end && *s == '}' ? (size_t)(s - e->s) + 1 : 0;
}

static int quantifier(struct ecma *e, enum atom atom)
{
    unsigned long least, most;
    size_t n = quantifier_len(e, &least, &most);
    if (n == 0)
        return 0;
    if (atom != ATOM_CHARACTER)
        return refuse(e, "a quantifier with nothing to repeat");
    if (least > most)
        return refuse(e, "a quantifier whose least is more than its most");
    if (e->out != NULL)
        buf_append(e->out, e->s, n);
    e->s += n;
    if (take(e, "?"))
        emit(e, "?");
    if (quantifier_len(e, &least, &most) > 0)
        return refuse(e, "a quantifier behind a quantifier");
    return 0;
}

/* Behind the backslash, outside a class. */
static int escape(struct ecma *e, enum atom *atom_r)
{
    if (e->s == e->end)
        return refuse(e, "a backslash at the end");
    *atom_r = ATOM_CHARACTER;
    char c = *e->s;
    if (c == 'b' || c == 'B') {
        e->s++;
        emit(e, c == 'b' ? "\\b" : "\\B");
        *atom_r = ATOM_ASSERTION;
        return 0;
    }
    if (c == 'k') {
        e->s++;
        return take(e, "<") ? group_name(e, "\\k<") : refuse(e, "\\k takes a group's <name>");
    }
    if (c >= '1' && c <= '9') {
        const char *digits = e->s;
        while (e->s < e->end && *e->s >= '0' && *e->s <= '9' && e->s - digits < 4)
            e->s++;
        emit(e, "\\g{");
        if (e->out != NULL)
            buf_append(e->out, digits, (size_t)(e->s - digits));
        emit(e, "}");
        return 0;
    }
    uint32_t cp = next_character(e);
    int set = cp < 0x80 ? set_escape(e, (char)cp, false) : 0;
    if (set != 0)
        return set < 0 ? -1 : 0;
    if (character_escape(e, cp, &cp) < 0)
        return -1;
    emit_character(e, cp);
    return 0;
}

/* One term without its quantifier. */
static int term(struct ecma *e, enum atom *atom_r)
{
    *atom_r = ATOM_NONE;
    char c = *e->s;
    switch (c) {
    case '^':
    case '$':
        *atom_r = ATOM_ASSERTION;
        /* fall through */
    case '|':
        e->s++;
        emit(e, (char[]){c, '\0'});
        return 0;
    case '(':
        e->s++;
        return group_open(e);
    case ')':
        if (e->open == 0)
            return refuse(e, "a \")\" without its \"(\"");
        e->s++;
        e->open--;
        emit(e, ")");
        *atom_r = e->assertion[e->open] ? ATOM_ASSERTION : ATOM_CHARACTER;
        return 0;
    case '[':
        e->s++;
        *atom_r = ATOM_CHARACTER;
        return class(e);
    case '.':
        e->s++;
        *atom_r = ATOM_CHARACTER;
        emit(e, "[^\\n\\r\\x{2028}\\x{2029}]");
        return 0;
    case '\\':
        e->s++;
        return escape(e, atom_r);
    default: {
        unsigned long least, most;
        if (quantifier_len(e, &least, &most) > 0)
            return refuse(e, "a quantifier with nothing to repeat");
        *atom_r = ATOM_CHARACTER;
        emit_character(e, next_character(e));
        return 0;
    }
    }
}

int ecma_translate(const char *text, size_t len, struct buf *out, char why[256])
{
    struct ecma e = {.s = text, .end = text + len, .begin = text, .out = out, .why = why};
    if (!utf8_valid(text, len))
        return refuse(&e, "it is not UTF-8");
    while (e.s < e.end) {
        enum atom atom;
        if (term(&e, &atom) < 0 || quantifier(&e, atom) < 0)
            return -1;
    }
    if (e.open > 0)
        return refuse(&e, "a \"(\" without its \")\"");
    return 0;
}
