/* What the log writes, read back through a pipe in place of stderr. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tap.h"

static int reader = -1, real_stderr = -1;

static void capture_begin(void)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        abort();
    fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
    real_stderr = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    reader = fds[0];
}

/* What was written since capture_begin; to be freed. */
static char *capture_end(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    struct buf b = BUF_INIT;
    for (;;) {
        buf_reserve(&b, 4096);
        ssize_t n = read(reader, b.data + b.len, 4096);
        if (n <= 0)
            break;
        b.len += (size_t)n;
        b.data[b.len] = '\0';
    }
    close(reader);
    return buf_steal(&b);
}

static void test_text(void)
{
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_begin();
    errno = EBADF;
    log_info("execution.start", "agent %s", "a1");
    bool kept = errno == EBADF;
    log_debug("execution.hidden", "x");
    autofree char *line = capture_end();
    ok(kept, "logging keeps errno");
    ok(strlen(line) > 27 && line[4] == '-' && line[10] == 'T' && line[26] == 'Z', "a time first");
    is_str(strchr(line, ' '), " info  execution.start agent a1\n",
           "then level, event and message; debug is left out");

    capture_begin();
    log_bind("agent", "a1");
    log_bind("request", "r 1");
    log_bind("agent", "a2");
    log_warn("x.y", "m");
    log_bind("agent", NULL);
    log_bind("unbound", NULL);
    log_error("x.y", "m");
    log_bind("request", NULL);
    autofree char *bound = capture_end();
    ok(strstr(bound, " warn  x.y agent=a2 request=\"r 1\" m\n") != NULL, "bound fields, quoted");
    ok(strstr(bound, " error x.y request=\"r 1\" m\n") != NULL, "are gone when unbound");
}

static void test_escapes(void)
{
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_begin();
    log_info("e", "%s", "a\nb\tc\x1b[31m\x7F\\ \xC2\x9B \xFF \xC3\xA9 \"q\"");
    autofree char *line = capture_end();
    is_str(strstr(line, " e ") + 3, "a\\nb\\tc\\x1b[31m\\x7f\\\\ \\u009b \\xff \xC3\xA9 \"q\"\n",
           "controls, C1 controls, and what is no UTF-8 are escaped");
    capture_begin();
    log_bind("k", "v\"=\n");
    log_info("e", "m");
    log_bind("k", NULL);
    autofree char *field = capture_end();
    ok(strstr(field, " e k=\"v\\\"=\\n\" m\n") != NULL, "a bound value cannot forge a field");
}

static void test_json(void)
{
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    capture_begin();
    log_bind("execution", "e1");
    log_debug("a.b", "%s", "x\"y\\z\n\x01\x7F \xFF \xC2\x85 \xC3\xA9");
    log_bind("execution", NULL);
    autofree char *line = capture_end();
    jx_auto *j = jx_decode(line, strlen(line), "log", NULL);
    ok(j != NULL, "a JSON record is JSON");
    is_str(jx_str(j, "level", "?"), "debug", "level");
    is_str(jx_str(j, "event", "?"), "a.b", "event");
    is_str(jx_str(j, "execution", "?"), "e1", "a bound field");
    is_str(jx_str(j, "message", "?"), "x\"y\\z\n\x01\x7F \xEF\xBF\xBD \xC2\x85 \xC3\xA9",
           "the message, foreign bytes replaced");
    is_int(strlen(jx_str(j, "time", "")), 27, "time");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void test_bounds(void)
{
    static char text[20001];
    text[0] = 'x';
    for (size_t i = 1; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    capture_begin();
    log_info("e", "%s", text);
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    for (size_t i = 0; i < countof(keys); i++)
        log_bind(keys[i], "1");
    log_info("many", "m");
    for (size_t i = 0; i < countof(keys); i++)
        log_bind(keys[i], NULL);
    autofree char *out = capture_end();
    char *end = strchr(out, '\n');
    size_t len = (size_t)(end - out);
    ok(len < 4200 && utf8_valid(out, len) && memcmp(end - 3, "…", 3) == 0,
       "a long message is cut at a character, with an ellipsis");
    ok(strstr(end, " h=1 m\n") != NULL, "the ninth bound key is ignored");
}

static void *write_many(void *arg)
{
    log_bind("thread", arg);
    for (int i = 0; i < 500; i++)
        log_info("t", "%s%s%s", (char *)arg, (char *)arg, (char *)arg);
    return NULL;
}

static void test_threads(void)
{
    capture_begin();
    pthread_t a, b;
    static char first[] = "aaaa", second[] = "bbbb";
    pthread_create(&a, NULL, write_many, first);
    pthread_create(&b, NULL, write_many, second);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    autofree char *out = capture_end();
    int whole = 0, lines = 0;
    for (char *save, *line = strtok_r(out, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        lines++;
        whole += strcmp(strchr(line, ' '), " info  t thread=aaaa aaaaaaaaaaaa") == 0 ||
                 strcmp(strchr(line, ' '), " info  t thread=bbbb bbbbbbbbbbbb") == 0;
    }
    ok(lines == 1000 && whole == 1000, "records of two threads do not mix, nor do their fields");
}

int main(void)
{
    test_text();
    test_escapes();
    test_json();
    test_bounds();
    test_threads();
    enum log_level level = LOG_LEVEL_ERROR;
    ok(log_level_parse("warn", &level) == 0 && level == LOG_LEVEL_WARN, "a level by its name");
    ok(log_level_parse("loud", &level) == -1 && level == LOG_LEVEL_WARN, "an unknown level");
    return done_testing();
}
