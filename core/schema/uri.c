/* Reference resolution, RFC 3986 §5.2 with the regular expression of its appendix B as the way to
 * take a reference apart. */
#include <string.h>

#include "schema/schema-private.h"

struct part {
    const char *s;
    size_t len;
    bool there;
};
struct parts {
    struct part scheme, authority, path, query, fragment;
};

static struct part part_until(const char **s, const char *stops)
{
    struct part part = {*s, strcspn(*s, stops), true};
    *s += part.len;
    return part;
}

static struct parts uri_split(const char *s)
{
    struct parts p = {0};
    size_t n = strcspn(s, ":/?#");
    if (n > 0 && s[n] == ':') {
        p.scheme = (struct part){s, n, true};
        s += n + 1;
    }
    if (s[0] == '/' && s[1] == '/') {
        s += 2;
        p.authority = part_until(&s, "/?#");
    }
    p.path = part_until(&s, "?#");
    if (*s == '?') {
        s++;
        p.query = part_until(&s, "#");
    }
    if (*s == '#') {
        s++;
        p.fragment = part_until(&s, "");
    }
    return p;
}

/* §5.2.4, on segments: "." goes, ".." takes the segment before it along. */
static void path_append_normal(struct buf *out, const char *path, size_t len)
{
    size_t start = out->len;
    const char *end = path + len;
    while (path < end) {
        const char *slash = memchr(path + 1, '/', (size_t)(end - path - 1));
        const char *next = slash != NULL ? slash : end;
        const char *segment = *path == '/' ? path + 1 : path;
        size_t n = (size_t)(next - segment);
        bool up = n == 2 && memcmp(segment, "..", 2) == 0;
        if (up) {
            while (out->len > start && out->data[--out->len] != '/')
                continue;
        }
        if (up || (n == 1 && *segment == '.')) {
            if (next == end)
                buf_append_char(out, '/');
        } else {
            buf_append(out, path, (size_t)(next - path));
        }
        path = next;
    }
}

/* §5.2.3: the reference's path in place of what follows the base's last slash. */
static void path_merge(struct buf *out, const struct parts *base, const struct part *path)
{
    if (base->authority.there && base->path.len == 0) {
        buf_append_char(out, '/');
    } else {
        const char *slash = memrchr(base->path.s, '/', base->path.len);
        if (slash != NULL)
            buf_append(out, base->path.s, (size_t)(slash - base->path.s) + 1);
    }
    buf_append(out, path->s, path->len);
}

static void part_append(struct buf *out, const char *before, const struct part *p,
                        const char *after)
{
    if (!p->there)
        return;
    buf_append_str(out, before);
    buf_append(out, p->s, p->len);
    buf_append_str(out, after);
}

char *uri_resolve(const char *base_text, const char *ref_text)
{
    struct parts base = uri_split(base_text), ref = uri_split(ref_text), to = ref;
    buf_auto path = BUF_INIT;
    bool keep_path = false;
    if (!ref.scheme.there) {
        to.scheme = base.scheme;
        if (!ref.authority.there) {
            to.authority = base.authority;
            if (ref.path.len == 0) {
                to.path = base.path;
                to.query = ref.query.there ? ref.query : base.query;
                keep_path = true;
            } else if (ref.path.s[0] != '/') {
                path_merge(&path, &base, &ref.path);
                to.path = (struct part){path.data, path.len, true};
            }
        }
    }
    struct buf out = BUF_INIT;
    part_append(&out, "", &to.scheme, ":");
    part_append(&out, "//", &to.authority, "");
    if (keep_path || (to.scheme.there && !to.authority.there && to.path.s != path.data &&
                      (to.path.len == 0 || to.path.s[0] != '/')))
        buf_append(&out, to.path.s, to.path.len); /* urn:… has no segments */
    else
        path_append_normal(&out, to.path.s, to.path.len);
    part_append(&out, "?", &to.query, "");
    part_append(&out, "#", &to.fragment, "");
    return buf_steal(&out);
}
