#include "client/term.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/utf8.h"

void term_setup(void)
{
    /* The user's own when it is UTF-8, else one that every Debian has. */
    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX < 4)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* One well-formed character of len bytes. */
static uint32_t decode(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = p[0] & masks[len];
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Unicode's bidirectional controls (UAX #9) and its two line separators. */
static bool is_reordering(uint32_t c)
{
    return c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

void term_escape(struct buf *out, const char *s, size_t len, enum term_keep keep)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_char_len(s + i, len - i);
        uint32_t c = n == 0 ? (unsigned char)s[i] : decode(s + i, n);
        bool space = c == '\n' || c == '\t';
        if (n == 0 || (is_control(c) && !space))
            buf_printf(out, "\\x%02x", (unsigned)c);
        else if (is_reordering(c))
            buf_printf(out, "\\u{%x}", (unsigned)c);
        else if (space && keep == TERM_CELL)
            buf_append_char(out, ' ');
        else
            buf_append(out, s + i, n);
        n = n == 0 ? 1 : n;
    }
}

void term_escape_json(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_char_len(s + i, len - i);
        uint32_t c = n == 0 ? 0xfffd : decode(s + i, n);
        if (n == 0 || (is_control(c) && c != '\n') || is_reordering(c))
            buf_printf(out, "\\u%04x", (unsigned)c);
        else
            buf_append(out, s + i, n);
        n = n == 0 ? 1 : n;
    }
}

size_t term_width(const char *s, size_t len)
{
    size_t width = 0;
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_char_len(s + i, len - i);
        int columns = n == 0 ? 1 : wcwidth((wchar_t)decode(s + i, n));
        width += columns < 0 ? 1 : (size_t)columns;
        n = n == 0 ? 1 : n;
    }
    return width;
}

bool term_is_tty(int fd)
{
    return isatty(fd) == 1;
}

size_t term_columns(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

const char *term_style(int fd, enum term_style style)
{
    static const char *const sequences[] = {
        [TERM_PLAIN] = "\033[0m", [TERM_DIM] = "\033[2m",     [TERM_BOLD] = "\033[1m",
        [TERM_RED] = "\033[31m",  [TERM_YELLOW] = "\033[33m", [TERM_GREEN] = "\033[32m",
        [TERM_BLUE] = "\033[34m",
    };
    const char *no = getenv("NO_COLOR"), *kind = getenv("TERM");
    bool plain = (no != NULL && *no != '\0') || (kind != NULL && strcmp(kind, "dumb") == 0);
    return plain || !term_is_tty(fd) ? "" : sequences[style];
}

void term_say(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&text, fmt, ap);
    va_end(ap);
    autofree char *owned = len < 0 ? NULL : text;
    if (owned == NULL)
        return;
    buf_auto line = BUF_INIT;
    buf_append_str(&line, "c9ctl: ");
    term_escape(&line, owned, (size_t)len, TERM_TEXT);
    buf_append_char(&line, '\n');
    term_write(STDERR_FILENO, line.data, line.len);
}

int term_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}
