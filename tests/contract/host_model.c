/* The contract of model plugins, against every backend: what a request is, and that a reply is told
 * the same however its bytes were cut, in order, and ends exactly once.
 *
 * model_openai's replies are tests/data/openai/NAME.http, what they must tell is NAME.txt. With
 * C9_MODEL_RECORD=1 the .txt files are written instead of compared: read the difference. */
#include <dirent.h>
#include <limits.h>
#include <unistd.h>

#include "tap.h"

#include "lib/model_transcript.h"

#define RECORDINGS "tests/data/openai"

static struct host *host;
static struct config *config;

static void backends_open(void)
{
    static const char text[] = "[model openai]\nbase_url = http://localhost:1/v1/\n"
                               "api_key = sk-test-0123456789\nmodel = gpt\nmax_reply = 8KiB\n"
                               "[model fake]\nplugin = fake\n";
    autofree char *path = tap_temporary();
    error_auto err = ERROR_INIT;
    const char *build = getenv("C9_BUILD");
    autofree char *folder = xasprintf("%s/plugins", build != NULL ? build : "build");
    int fd = mkstemp(path);
    ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "a configuration");
    close(fd);
    host = host_new(folder, "/tmp");
    config = config_load(path, &err);
    ok(config != NULL, "is loaded %s", err.message);
    unlink(path);
}

/* ---- what every reply must keep -------------------------------------------------------------- */

/* Plays it whole, cut in two at every place, and byte by byte. Returns the transcript of the
 * whole. */
static char *recording_check(const struct recording *r, struct model *model, const char *name)
{
    struct transcript whole = {.text = BUF_INIT};
    recording_play(r, model, r->body_len, 1, &whole);
    ok(transcript_orderly(&whole), "%s: ends once, with nothing behind the end", name);
    if (!transcript_orderly(&whole))
        note("%s", whole.text.len > 0 ? whole.text.data : "(nothing)");
    char *text = buf_steal(&whole.text);
    size_t wrong = 0, bad_cut = 0;
    for (size_t cut = 0; cut <= r->body_len; cut++) {
        struct transcript t = {.text = BUF_INIT};
        /* The last round is byte by byte. */
        recording_play(r, model, cut < r->body_len ? cut : 1, cut < r->body_len ? SIZE_MAX : 1, &t);
        if (!transcript_orderly(&t) || t.text.len == 0 || strcmp(t.text.data, text) != 0) {
            wrong++;
            bad_cut = cut;
        }
        buf_free(&t.text);
    }
    ok(wrong == 0, "%s: is told the same cut at each of its %zu bytes", name, r->body_len);
    if (wrong > 0)
        note("%zu cuts differ, the last at %zu", wrong, bad_cut);
    return text;
}

/* A reply that is given up at any byte is freed, and one that ends there ends once. */
static void recording_abandon(const struct recording *r, struct model *model, const char *name)
{
    const struct c9d_model_ops *ops = model_ops(model);
    size_t wrong = 0;
    for (size_t stop = 0; stop <= r->body_len; stop++) {
        struct transcript t = {.text = BUF_INIT};
        struct c9d_model_sink sink = transcript_sink(&t);
        struct c9d_reply *reply = model_reply_new(model, &sink);
        recording_feed_head(r, ops, reply);
        ops->reply_feed(reply, r->body, stop);
        if (stop % 2 == 0) {
            ops->reply_end(reply);
            ops->reply_end(reply);
            ops->reply_feed(reply, "more", 4);
            wrong += !transcript_orderly(&t);
        }
        ops->reply_free(reply);
        buf_free(&t.text);
    }
    ok(wrong == 0, "%s: may break off or be left anywhere", name);
}

/* ---- model_openai: recorded bytes ------------------------------------------------------------ */

static char *file_read(const char *path, size_t *len_r)
{
    autofile FILE *f = fopen(path, "rb");
    buf_auto content = BUF_INIT;
    char part[4096];
    size_t n;
    if (f == NULL)
        return NULL;
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_append(&content, part, n);
    *len_r = content.len;
    return buf_steal(&content);
}

static void expected_compare(const char *path, const char *name, const char *got)
{
    size_t len;
    if (getenv("C9_MODEL_RECORD") != NULL) {
        autofile FILE *f = fopen(path, "w");
        if (f != NULL)
            fputs(got, f);
    }
    autofree char *want = file_read(path, &len);
    is_str(got, want, "%s: tells what it must", name);
}

static void recording_test(struct model *model, const char *file)
{
    char path[PATH_MAX];
    size_t len;
    snprintf(path, sizeof(path), "%s/%s", RECORDINGS, file);
    autofree char *data = file_read(path, &len);
    struct recording r = recording_parse(data, len);
    autofree char *got = recording_check(&r, model, file);
    recording_abandon(&r, model, file);
    memcpy(strrchr(path, '.'), ".txt", 5);
    expected_compare(path, file, got);
    ok(strstr(got, "sk-test-0123456789") == NULL, "%s: does not tell the key", file);
    free(r.memory);
}

static int is_recording(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".http") == 0;
}

static void openai_recordings(struct model *model)
{
    struct dirent **entries = NULL;
    int n = scandir(RECORDINGS, &entries, is_recording, alphasort);
    ok(n > 40, "there are recordings (%d)", n);
    for (int i = 0; i < n; i++) {
        recording_test(model, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

/* ---- both: requests -------------------------------------------------------------------------- */

static const char *const good_chats[] = {
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Say hello\"}]}",
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Grüße 🌍 to all\"}],\"stream\":true}",
    "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief\"},"
    "{\"role\":\"user\",\"content\":\"call add {\\\"a\\\":1}\\ncall add {\\\"a\\\":2}\"}],"
    "\"tools\":[{\"name\":\"add\",\"description\":\"adds\",\"parameters\":{\"type\":\"object\"}}],"
    "\"tool_choice\":\"auto\",\"stream\":true}",
    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":null,"
    "\"tool_calls\":[{\"id\":\"c1\",\"name\":\"add\",\"arguments\":{\"a\":1}}]},"
    "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"3\"}],\"tools\":[{\"name\":\"add\"}]"
    "}",
    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"response_schema\":{\"type\":"
    "\"object\","
    "\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":3}}},"
    "\"temperature\":0.5,\"top_p\":1,\"max_tokens\":10,\"stop\":[\"a\"],\"seed\":7}",
};

static const char *const bad_chats[] = {
    "",
    "[]",
    "{",
    "{}",
    "nonsense",
    "{\"messages\":[]}",
    "{\"messages\":\"x\"}",
    "{\"messages\":[7]}",
    "{\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]}",
    "{\"messages\":[{\"role\":\"user\"}]}",
    "{\"messages\":[{\"role\":\"user\",\"content\":7}]}",
    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"messages\":[]}",
    "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
};

static void requests_test(struct model *model)
{
    for (size_t i = 0; i < countof(good_chats); i++) {
        struct c9d_http_request request;
        error_auto err = ERROR_INIT;
        int rc = model_request(model, good_chats[i], strlen(good_chats[i]), &request, &err);
        if (!ok(rc == 0, "%s: request %zu is made %s", model_name(model), i, err.message))
            continue;
        ok(request.body != NULL && request.memory != NULL && request.delay >= 0,
           "%s: request %zu has a body", model_name(model), i);
        model_request_free(model, &request);
        ok(request.memory == NULL, "%s: request %zu is released", model_name(model), i);
    }
    for (size_t i = 0; i < countof(bad_chats); i++) {
        struct c9d_http_request request;
        error_auto err = ERROR_INIT;
        int rc = model_request(model, bad_chats[i], strlen(bad_chats[i]), &request, &err);
        ok(rc == -1 && err.code == E_INVALID_REQUEST && strlen(err.message) > 10,
           "%s: bad request %zu is refused: %s", model_name(model), i, err.message);
    }
}

/* ---- model_fake: its own replies ------------------------------------------------------------- */

static void fake_replies(struct model *model)
{
    for (size_t i = 0; i < countof(good_chats); i++) {
        struct c9d_http_request request;
        char name[64];
        if (model_request(model, good_chats[i], strlen(good_chats[i]), &request, NULL) < 0)
            continue;
        snprintf(name, sizeof(name), "fake reply %zu", i);
        ok(request.url == NULL, "%s: needs no network", name);
        char head[] = "";
        struct recording r = {
            .status = 200, .head = head, .body = request.body, .body_len = request.body_len};
        autofree char *got = recording_check(&r, model, name);
        recording_abandon(&r, model, name);
        ok(strstr(got, "\nfinish ") != NULL && strstr(got, "\nusage ") != NULL,
           "%s: finishes and says its usage", name);
        model_request_free(model, &request);
    }
}

static struct model *backend_open(const char *instance)
{
    error_auto err = ERROR_INIT;
    struct model *model = model_open(host, config, instance, &err);
    ok(model != NULL, "%s opens %s", instance, err.message);
    return model;
}

int main(void)
{
    backends_open();
    struct model *openai = backend_open("openai"), *fake = backend_open("fake");
    if (openai != NULL && fake != NULL) {
        requests_test(openai);
        requests_test(fake);
        openai_recordings(openai);
        fake_replies(fake);
    }
    model_close(openai);
    model_close(fake);
    config_free(config);
    host_free(host);
    return done_testing();
}
