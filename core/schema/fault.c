/* Faults of a schema itself, and where they are. */
#include <string.h>

#include "schema/schema-private.h"

/* Finds `wanted` below value; its pointer is in path then. Only used to tell about a fault. */
static bool find_pointer(const json_t *value, const json_t *wanted, struct buf *path)
{
    if (value == wanted)
        return true;
    size_t start = path->len, i, len;
    const char *key;
    json_t *member;
    if (json_is_object(value)) {
        json_object_keylen_foreach((json_t *)value, key, len, member)
        {
            pointer_append(path, STEP_KEY(key, len));
            if (find_pointer(member, wanted, path))
                return true;
            path->len = start;
        }
    } else if (json_is_array(value)) {
        json_array_foreach (value, i, member) {
            pointer_append(path, STEP_INDEX(i));
            if (find_pointer(member, wanted, path))
                return true;
            path->len = start;
        }
    }
    return false;
}

char *document_path(struct schema_document *doc, const json_t *value,
                    const struct source **source_r)
{
    struct buf path = BUF_INIT;
    *source_r = NULL;
    for (const struct source *s = doc->sources; s != NULL; s = s->next) {
        if (find_pointer(s->root, value, &path)) {
            *source_r = s;
            break;
        }
        buf_reset(&path);
    }
    return buf_steal(&path);
}

int document_error(struct schema_document *doc, const json_t *schema, const char *keyword,
                   struct error *err, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    const struct source *source;
    buf_auto path = BUF_INIT;
    autofree char *base = document_path(doc, schema, &source);
    buf_append_str(&path, base);
    if (keyword != NULL)
        pointer_append(&path, STEP_KEY(keyword, strlen(keyword)));
    const char *where = path.len > 0 ? path.data : "";
    bool own = source == NULL || source->next == NULL;
    error_set(err, E_INVALID_REQUEST, "%s%s\"%s\" in the schema %s", own ? "" : source->uri,
              own ? "" : ": ", where, message);
    error_detail(err, "validationErrors",
                 json_pack("[{s:s, s:s, s:s, s:s}]", "path", where, "schemaPath", "", "keyword",
                           keyword != NULL ? keyword : "", "message", message));
    return -1;
}
