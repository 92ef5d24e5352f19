/* Keys and first answers. */
#include "api/idempotency.h"

#include <string.h>

#include "api/api-private.h"
#include "api/conditional.h"
#include "api/media.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "service/idempotency.h"

enum {
    PATIENCE_US = 30 * 1000 * 1000
}; /* how long a request of the pool waits for the key's first */

struct idempotency {
    struct api *api;
    struct principal who;
    struct idempotency_claim claim;
    char *key;
    char digest[SHA256_HEX_SIZE];
};

/* What makes two requests the same: who asks, for which operation on what, with which body. */
static void digest_make(const struct request *request, char digest_r[SHA256_HEX_SIZE])
{
    buf_auto text = BUF_INIT;
    buf_printf(&text, "%s\n%s", request->who.user_id, request->operation->id);
    for (size_t i = 0; i < request->target.n_segments; i++)
        buf_printf(&text, "/%s", request->target.segments[i]);
    buf_printf(&text, "\n%s\n", request->body_type != NULL ? request->body_type->media : "");
    buf_append(&text, request->body_text.data != NULL ? request->body_text.data : "",
               request->body_text.len);
    hash_sha256_hex(text.data, text.len, digest_r);
}

static const char *key_of(const struct request *request)
{
    const struct header *h = request_header(request, "Idempotency-Key");
    return h != NULL && request->operation->keyed ? h->value : NULL;
}

/* The key is ours: was it used before? */
static int key_look_up(struct request *request, const char *value, struct idempotency **key_r,
                       struct stored_answer *answer_r, struct error *err)
{
    struct idempotency *key = xcalloc(1, sizeof(*key));
    key->api = request->api;
    key->who = request->who;
    key->key = xstrdup(value);
    digest_make(request, key->digest);
    key->claim = (struct idempotency_claim){key->key, key->digest};
    int seen =
        idempotency_get(request->api->service, &request->who, key->key, key->digest, answer_r, err);
    if (seen != 0) {
        idempotency_free(key);
        return seen;
    }
    request->who.claim = &key->claim;
    *key_r = key;
    return 0;
}

int idempotency_begin(struct request *request, struct idempotency **key_r,
                      struct stored_answer *answer_r, struct error *err)
{
    const char *value = key_of(request);
    *key_r = NULL;
    if (value == NULL)
        return 0;
    if (!keys_begin_wait(request->api->keys, request->who.organization_id, value, PATIENCE_US))
        return idempotency_busy(value, err);
    return key_look_up(request, value, key_r, answer_r, err);
}

int idempotency_begin_async(struct request *request, struct keys_waiter *w,
                            struct idempotency **key_r, struct stored_answer *answer_r,
                            struct error *err)
{
    const char *value = key_of(request);
    *key_r = NULL;
    if (value == NULL)
        return 0;
    keys_forget(request->api->keys, w);
    if (!keys_begin(request->api->keys, request->who.organization_id, value, w))
        return IDEMPOTENCY_BUSY;
    return key_look_up(request, value, key_r, answer_r, err);
}

void idempotency_store(struct idempotency *key, const struct reply *reply)
{
    error_auto err = ERROR_INIT;
    if (key == NULL || reply->status < 200 || reply->status >= 300)
        return;
    if (idempotency_answer(key->api->service, &key->who, key->key, key->digest, reply->status,
                           reply_header_get(reply, "Location"),
                           reply->text.data != NULL ? reply->text.data : "", &err) < 0)
        log_warn("http.idempotency", "the answer was not kept: %s", err.message);
}

static int answer_add(struct reply *reply, const char *added, struct error *err)
{
    jx_auto *more = jx_decode(added, strlen(added), "stored answer", err);
    jx_auto *answer = jx_decode(reply->text.data, reply->text.len, "answer", err);
    if (more == NULL || answer == NULL)
        return -1;
    json_object_update(answer, more);
    buf_reset(&reply->text);
    jx_append(&reply->text, answer);
    return 0;
}

/* The work was done, but a crash came before its answer was kept: what it made answers, as it is
 * now. */
static int answer_from_location(const struct request *request, const struct stored_answer *first,
                                struct reply *reply, struct error *err)
{
    const char *location = first->location;
    struct request get = {.api = request->api,
                          .method = "GET",
                          .target_text = xstrdup(location),
                          .accept = MEDIA_JSON,
                          .who = request->who};
    get.who.claim = NULL;
    int result = request_check(&get, err);
    if (result == 0 && get.operation->handler->mode != HANDLER_INLINE &&
        get.operation->handler->mode != HANDLER_KEPT)
        result = error_set(err, E_INTERNAL, "nothing answers at %s", location);
    if (result == 0)
        result = get.operation->handler->fn(&get, reply, err);
    if (result == 0 && first->added != NULL)
        result = answer_add(reply, first->added, err);
    request_clear(&get);
    return result;
}

static int answer_from_body(const struct request *request, const char *body, struct reply *reply)
{
    jx_auto *resource = jx_decode(body, strlen(body), "stored answer", NULL);
    reply->media = MEDIA_JSON;
    buf_append_str(&reply->text, body);
    reply_revision(reply, request, resource);
    return 0;
}

int idempotency_replay(const struct request *request, const struct stored_answer *first,
                       struct reply *reply, struct error *err)
{
    int result = first->body != NULL || first->location == NULL
                     ? answer_from_body(request, first->body != NULL ? first->body : "", reply)
                     : answer_from_location(request, first, reply, err);
    reply->status = first->status;
    if (first->location != NULL && (first->status == 201 || first->status == 202))
        reply_header(reply, "Location", "%s", first->location);
    reply_header(reply, "Idempotent-Replayed", "true");
    return result;
}

void idempotency_free(void *arg)
{
    struct idempotency *key = arg;
    if (key == NULL)
        return;
    keys_end(key->api->keys, key->who.organization_id, key->key);
    free(key->key);
    free(key);
}
