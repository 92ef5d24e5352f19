/* If-Match into, ETag out of, the services' revisions. */
#include "api/conditional.h"

#include <stdio.h>

#include "base/json.h"

int request_if_match(const struct request *request, struct if_match *condition_r, struct error *err)
{
    const struct header *h = request_header(request, "If-Match");
    condition_r->tag = NULL;
    if (h == NULL)
        return 0;
    int named = etag_if_match(h->value, h->value_len, condition_r->text, err);
    if (named == 1)
        condition_r->tag = condition_r->text;
    return named < 0 ? -1 : 0;
}

int request_only_new(const struct request *request, bool *only_new_r, struct error *err)
{
    const struct header *h = request_header(request, "If-None-Match");
    *only_new_r = h != NULL;
    if (h != NULL && (h->value_len != 1 || h->value[0] != '*'))
        return error_set(
            err, E_INVALID_REQUEST,
            "If-None-Match: of this request it can be * only: not to change what is there");
    return 0;
}

void reply_revision(struct reply *reply, const struct request *request, const json_t *resource)
{
    const json_t *revision = json_object_get(resource, "revision");
    char tag[24];
    if (revision == NULL)
        return;
    snprintf(tag, sizeof(tag), "%lld", (long long)json_integer_value(revision));
    reply_etag(reply, request, tag);
}

void reply_resource(struct reply *reply, const struct request *request, int status,
                    const json_t *resource)
{
    reply_json(reply, status, resource);
    reply_revision(reply, request, resource);
}
