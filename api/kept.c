/* A question has one place in a table, and takes it from who is there. */
#include "api/kept.h"

#include <pthread.h>
#include <string.h>

#include "api/api-private.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/hash.h"
#include "base/json.h"

enum {
    PLACES = 256, /* a power of two */
    LOCKS = 16,
    BODY_MAX = 32 * 1024, /* bytes of an answer, a page of fifty: with PLACES, what all can take */
    QUESTION_SIZE = 512,
    HEADERS_KEPT = 4,
};

struct answer {
    uint64_t version; /* of the store; 0: nothing is here */
    /* The question: */
    const struct operation *operation;
    const char *accept; /* the document's own text, so the address will do */
    char question[QUESTION_SIZE];
    struct principal who;
    /* The answer: */
    const char *media;
    bool cacheable;
    struct buf text;
    size_t n_headers;
    struct {
        const char *name;
        char *value;
    } headers[HEADERS_KEPT];
};

struct kept {
    pthread_mutex_t locks[LOCKS]; /* a place's is its number's rest: */
    struct answer places[PLACES]; /* not written, and so no memory, before they are used */
};

struct kept *kept_new(void)
{
    struct kept *kept = xcalloc(1, sizeof(*kept));
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&kept->locks[i], NULL);
    return kept;
}

static void answer_clear(struct answer *answer)
{
    answer->version = 0;
    buf_free(&answer->text);
    for (size_t i = 0; i < answer->n_headers; i++)
        free(answer->headers[i].value);
    answer->n_headers = 0;
}

void kept_free(struct kept *kept)
{
    for (size_t i = 0; kept != NULL && i < PLACES; i++)
        answer_clear(&kept->places[i]);
    for (size_t i = 0; kept != NULL && i < LOCKS; i++)
        pthread_mutex_destroy(&kept->locks[i]);
    free(kept);
}

static bool question_add(char question[QUESTION_SIZE], size_t *len, char separator,
                         const char *text, size_t text_len)
{
    if (text_len + 1 >= QUESTION_SIZE - *len)
        return false;
    question[(*len)++] = separator;
    memcpy(question + *len, text, text_len);
    *len += text_len;
    return true;
}

/* What is asked: the decoded path, in which no segment has a slash, and the query as it was
 * understood. False for what is not kept, a long one. */
static bool question_of(const struct request *request, char question_r[QUESTION_SIZE])
{
    const struct target *target = &request->target;
    size_t len = 0;
    for (size_t i = 0; i < target->n_segments; i++)
        if (!question_add(question_r, &len, '/', target->segments[i], strlen(target->segments[i])))
            return false;
    if (request->query != NULL) {
        buf_auto query = BUF_INIT;
        jx_append(&query, request->query);
        if (!question_add(question_r, &len, '?', query.data, query.len))
            return false;
    }
    question_r[len] = '\0';
    return true;
}

/* Who asks, byte for byte but for what is the request's own: whatever a principal is, another one
 * is another question. */
static void who_of(const struct request *request, struct principal *who_r)
{
    memcpy(who_r, &request->who, sizeof(*who_r));
    who_r->claim = NULL;
    who_r->origin = NULL;
}

/* Locked. */
static struct answer *place_take(struct kept *kept, const char *question, const char *user_id)
{
    uint32_t hash = hash_fnv1a(HASH_FNV1A, question, strlen(question));
    hash = hash_fnv1a(hash, user_id, strlen(user_id));
    pthread_mutex_lock(&kept->locks[hash % LOCKS]);
    return &kept->places[hash % PLACES];
}

static void place_give(struct kept *kept, const struct answer *answer)
{
    pthread_mutex_unlock(&kept->locks[(size_t)(answer - kept->places) % LOCKS]);
}

static void answer_give(const struct answer *answer, const struct request *request,
                        struct reply *reply)
{
    reply->status = 200;
    reply->media = answer->media;
    reply->cacheable = answer->cacheable;
    buf_append(&reply->text, answer->text.data, answer->text.len);
    for (size_t i = 0; i < answer->n_headers; i++)
        reply_header_copy(reply, answer->headers[i].name, answer->headers[i].value);
    reply_revalidate(reply, request);
}

bool kept_find(struct kept *kept, const struct request *request, uint64_t version,
               struct reply *reply)
{
    struct principal who;
    char question[QUESTION_SIZE];
    if (version == 0 || !question_of(request, question))
        return false;
    who_of(request, &who);
    struct answer *answer = place_take(kept, question, who.user_id);
    bool found = answer->version == version && answer->operation == request->operation &&
                 answer->accept == request->accept && strcmp(answer->question, question) == 0 &&
                 /* NOLINTNEXTLINE(*-memory-comparison,cert-*): other padding is another question */
                 memcmp(&answer->who, &who, sizeof(who)) == 0;
    if (found)
        answer_give(answer, request, reply);
    place_give(kept, answer);
    return found;
}

static void answer_take(struct answer *answer, const struct reply *reply)
{
    answer->media = reply->media;
    answer->cacheable = reply->cacheable;
    buf_append(&answer->text, reply->text.data, reply->text.len);
    for (size_t i = 0; i < reply->n_headers; i++) {
        answer->headers[i].name = reply->headers[i].name;
        answer->headers[i].value = xstrdup(reply->headers[i].value);
    }
    answer->n_headers = reply->n_headers;
}

void kept_put(struct kept *kept, const struct request *request, uint64_t version,
              const struct reply *reply)
{
    char question[QUESTION_SIZE];
    if (version == 0 || reply->status != 200 || reply->stream != NULL || reply->fixed != NULL ||
        reply->text.len == 0 || reply->text.len > BODY_MAX || reply->n_headers > HEADERS_KEPT ||
        !question_of(request, question))
        return;
    struct answer *answer = place_take(kept, question, request->who.user_id);
    answer_clear(answer);
    answer->version = version;
    answer->operation = request->operation;
    answer->accept = request->accept;
    memcpy(answer->question, question, sizeof(answer->question));
    who_of(request, &answer->who);
    answer_take(answer, reply);
    place_give(kept, answer);
}
