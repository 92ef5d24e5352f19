/* The error object, its table, and UTF-8 in what it quotes. */
#include "base/error.h"

#include <errno.h>

#include "base/json.h"
#include "base/utf8.h"
#include "tap.h"

static void test_table(void)
{
    bool complete = true;
    for (int i = E_NONE + 1; i < E_COUNT_; i++) {
        const struct error_row *row = error_row((enum error_code)i);
        complete &= row->name != NULL && row->status >= 400 && row->status < 600 &&
                    row->meaning[0] != '\0' && row->action[0] != '\0';
        complete &= error_code_by_name(row->name) == (enum error_code)i;
    }
    ok(complete, "every code has a row of its own, found by its name");
    is_int(error_code_by_name("Nonsense"), E_NONE, "an unknown name is none");
    is_str(error_row(E_COUNT_)->name, "InternalError", "a code outside the table is internal");
    is_int(error_row(E_AGENT_NOT_FOUND)->status, 404, "AgentNotFound is a 404");
    ok(error_row(E_STORAGE_FAILED)->retryable, "a storage failure may be tried again");
}

static void test_fill(void)
{
    error_auto err = ERROR_INIT;
    is_int(error_set(&err, E_NOT_FOUND, "no %s", "thing"), -1, "error_set returns -1");
    is_str(err.message, "no thing", "and formats");
    is_int(err.code, E_NOT_FOUND, "and sets the code");
    error_detail(&err, "path", json_string("/x"));
    is_int(error_wrap(&err, "reading %d", 7), -1, "error_wrap returns -1");
    is_str(err.message, "reading 7: no thing", "and puts text before");
    is_str(jx_str(err.details, "path", "?"), "/x", "and keeps details");
    error_set(&err, E_INTERNAL, "again: %s", err.message);
    is_str(err.message, "again: reading 7: no thing", "arguments may point into the object");
    ok(err.details == NULL, "error_set drops the details there were");
    errno = ENOENT;
    error_errno(&err, E_INTERNAL, "open");
    is_str(err.message, "open: No such file or directory", "error_errno tells errno");
    is_int(errno, ENOENT, "and keeps it");
}

static void test_null(void)
{
    is_int(error_set(NULL, E_INTERNAL, "x"), -1, "a caller that does not care");
    is_int(error_wrap(NULL, "x"), -1, "may pass NULL");
    is_int(error_errno(NULL, E_INTERNAL, "x"), -1, "everywhere");
    error_detail(NULL, "key", json_string("released, or valgrind complains"));
    error_clear(NULL);
    struct error from = ERROR_INIT;
    error_set(&from, E_INTERNAL, "x");
    error_detail(&from, "key", json_true());
    is_int(error_move(NULL, &from), -1, "moving to nowhere");
    ok(from.details == NULL && from.code == E_NONE, "releases what there was");
}

static void test_move(void)
{
    error_auto a = ERROR_INIT, b = ERROR_INIT;
    error_set(&a, E_INTERNAL, "old");
    error_detail(&a, "old", json_true());
    error_set(&b, E_INVALID_INPUT, "new");
    error_detail(&b, "new", json_true());
    error_move(&a, &b);
    ok(a.code == E_INVALID_INPUT && json_object_get(a.details, "new") != NULL &&
           json_object_get(a.details, "old") == NULL,
       "error_move replaces what was there");
    ok(b.code == E_NONE && b.details == NULL && b.message[0] == '\0', "and empties its source");
    error_move(&a, &a);
    is_str(a.message, "new", "moving onto itself changes nothing");
}

static void test_cut(void)
{
    char text[2 * ERROR_MESSAGE_MAX];
    text[0] = 'x';
    for (size_t i = 1; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 4);
    error_auto err = ERROR_INIT;
    error_set(&err, E_INTERNAL, "%s", text);
    size_t len = strlen(err.message);
    ok(len > ERROR_MESSAGE_MAX - 5 && len < ERROR_MESSAGE_MAX && utf8_valid(err.message, len),
       "a long message is cut between characters (%zu bytes)", len);
    error_wrap(&err, "%s", text);
    ok(utf8_valid(err.message, strlen(err.message)), "also when a long text is put before it");
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    errno = EIO;
    error_errno(&err, E_INTERNAL, "%s", text);
    is_int(strlen(err.message), ERROR_MESSAGE_MAX - 1, "an overlong text before errno is cut too");
}

static void test_json(void)
{
    error_auto err = ERROR_INIT;
    error_set(&err, E_INVALID_REQUEST, "bad byte \xFF here");
    error_detail(&err, "where", json_integer(3));
    is_str(err.message, "bad byte \xEF\xBF\xBD here", "bytes that are no UTF-8 are replaced");
    jx_auto *j = error_to_json(&err);
    is_str(jx_str(j, "code", "?"), "InvalidRequest", "to JSON: the code's name");
    is_str(jx_str(j, "message", "?"), "bad byte \xEF\xBF\xBD here", "the message");
    json_t *details = json_object_get(j, "details");
    is_int(jx_int(details, "where", 0), 3, "details are there");
    ok(json_array_size(json_object_get(details, "suggestedActions")) == 1, "and what to do");
    ok(json_object_get(err.details, "suggestedActions") == NULL, "the error itself is left alone");

    error_auto none = ERROR_INIT;
    error_set(&none, E_NOT_FOUND, "%s", "");
    jx_auto *n = error_to_json(&none);
    is_str(jx_str(n, "message", "?"), error_row(E_NOT_FOUND)->meaning,
           "an empty message says what the code means");
}

static void test_utf8(void)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"", 0},
        {"a", 1},
        {"\xC2\x80", 2},
        {"\xC1\xBF", 0},
        {"\x80", 0},
        {"\xE0\xA0\x80", 3},
        {"\xE0\x9F\xBF", 0},
        {"\xED\x9F\xBF", 3},
        {"\xED\xA0\x80", 0},
        {"\xEF\xBF\xBF", 3},
        {"\xF0\x90\x80\x80", 4},
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xF4\x8F\xBF\xBF", 4},
        {"\xF4\x90\x80\x80", 0},
        {"\xF5\x80\x80\x80", 0},
        {"\xE2\x82", 0},
    };
    for (size_t i = 0; i < countof(rows); i++)
        is_int(utf8_char_len(rows[i].bytes, strlen(rows[i].bytes)), rows[i].len,
               "UTF-8 sequence %zu of the table", i);
    is_int(utf8_cut("a\xE2\x82\xAC", 4, 3), 1, "a cut moves to the start of the character");
    is_int(utf8_cut("a\xE2\x82\xAC", 4, 4), 4, "a text that fits is whole");
    is_int(utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5,
           "bytes that are no UTF-8 are cut anywhere");
}

int main(void)
{
    test_table();
    test_fill();
    test_null();
    test_move();
    test_cut();
    test_json();
    test_utf8();
    return done_testing();
}
