/* Keys and first answers. */
#include "api/idempotency.h"

#include <string.h>

#include "api/api-private.h"
#include "api/follow.h"
#include "base/hash.h"
#include "base/log.h"
#include "service/execution.h"

struct idempotency {
    struct api *api;
    struct principal who;
    char *key;
    char digest[SHA256_HEX_SIZE];
};

void stored_answer_clear(struct stored_answer *answer)
{
    free(answer->location);
    free(answer->body);
    *answer = (struct stored_answer){0};
}

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

int idempotency_begin(struct request *request, struct idempotency **key_r,
                      struct stored_answer *answer_r, struct error *err)
{
    const struct header *h = request_header(request, "Idempotency-Key");
    *key_r = NULL;
    if (h == NULL || !request->operation->keyed)
        return 0;
    if (!keys_begin(request->api->keys, request->who.organization_id, h->value))
        return error_set(err, E_INVALID_STATE,
                         "a request with this Idempotency-Key is still being handled");
    struct idempotency *key = xcalloc(1, sizeof(*key));
    key->api = request->api;
    key->who = request->who;
    key->key = xstrdup(h->value);
    digest_make(request, key->digest);
    int seen = idempotency_get(request->api->service, &request->who, key->key, key->digest,
                               &answer_r->status, &answer_r->location, &answer_r->body, err);
    if (seen == 0)
        *key_r = key;
    else
        idempotency_free(key);
    return seen;
}

static void store(struct idempotency *key, int status, const char *location, const char *body)
{
    error_auto err = ERROR_INIT;
    if (idempotency_put(key->api->service, &key->who, key->key, key->digest, status, location, body,
                        &err) < 0)
        log_warn("http.idempotency", "the key was not kept: %s", err.message);
}

void idempotency_store(struct idempotency *key, const struct reply *reply)
{
    if (key != NULL && reply->status >= 200 && reply->status < 300)
        store(key, reply->status, reply_header_get(reply, "Location"),
              reply->text.data != NULL ? reply->text.data : "");
}

void idempotency_store_execution(struct follow *follow, void *key)
{
    autofree char *location = xasprintf("/v1/executions/%s", follow->id);
    store(key, 202, location, "");
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
