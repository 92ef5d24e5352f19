/* A fixed table with two chains through each entry; the entry freed last is used first, so that
 * what is touched is what was ever alive at a time. */
#include "sandbox/children.h"

#include <stddef.h>
#include <sys/mman.h>

enum { BUCKETS = CHILDREN_MAX };

struct child {
    uint64_t cookie;
    pid_t pid;
    struct patience patience;
    uint32_t next_by_cookie, next_by_pid; /* entries are 1 … CHILDREN_MAX; 0 ends a chain */
};

struct children {
    uint32_t by_cookie[BUCKETS], by_pid[BUCKETS];
    uint32_t spare, fresh, alive; /* spare: chain of freed entries, by next_by_pid */
    struct child entries[CHILDREN_MAX + 1];
};
static struct children *children;

int children_set_up(void)
{
    void *p = mmap(NULL, sizeof(*children), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || madvise(p, sizeof(*children), MADV_DONTFORK) < 0)
        return -1;
    children = p;
    return 0;
}

static uint32_t *cookie_bucket(uint64_t cookie)
{
    return &children->by_cookie[(cookie * 0x9e3779b97f4a7c15u) >> 48];
}

static uint32_t *pid_bucket(pid_t pid)
{
    return &children->by_pid[(uint32_t)pid % BUCKETS];
}

bool children_full(void)
{
    return children->alive == CHILDREN_MAX;
}

void children_add(uint64_t cookie, pid_t pid)
{
    uint32_t at = children->spare;
    if (at != 0)
        children->spare = children->entries[at].next_by_pid;
    else
        at = ++children->fresh;
    uint32_t *c = cookie_bucket(cookie), *p = pid_bucket(pid);
    children->entries[at] =
        (struct child){.cookie = cookie, .pid = pid, .next_by_cookie = *c, .next_by_pid = *p};
    *c = *p = at;
    children->alive++;
}

pid_t children_pid(uint64_t cookie)
{
    for (uint32_t at = *cookie_bucket(cookie); at != 0; at = children->entries[at].next_by_cookie)
        if (children->entries[at].cookie == cookie)
            return children->entries[at].pid;
    return 0;
}

struct patience *children_patience(pid_t pid)
{
    uint32_t at = *pid_bucket(pid);
    while (at != 0 && children->entries[at].pid != pid)
        at = children->entries[at].next_by_pid;
    return at != 0 ? &children->entries[at].patience : NULL;
}

bool children_remove(pid_t pid, uint64_t *cookie_r)
{
    uint32_t *p = pid_bucket(pid);
    while (*p != 0 && children->entries[*p].pid != pid)
        p = &children->entries[*p].next_by_pid;
    if (*p == 0)
        return false;
    uint32_t at = *p;
    struct child *child = &children->entries[at];
    uint32_t *c = cookie_bucket(child->cookie);
    while (*c != at)
        c = &children->entries[*c].next_by_cookie;
    *c = child->next_by_cookie;
    *p = child->next_by_pid;
    *cookie_r = child->cookie;
    child->next_by_pid = children->spare;
    children->spare = at;
    children->alive--;
    return true;
}
