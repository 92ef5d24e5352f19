/* Idempotency keys in flight: few at a time, so a list. */
#include "api/keys.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/sync.h"
#include "base/uuid.h"

struct entry {
    struct entry *next;
    struct keys_waiter *waiting;
    char organization_id[UUID_SIZE];
    char key[];
};

struct keys {
    pthread_mutex_t lock;
    pthread_cond_t ended; /* some key was */
    struct entry *first;
};

struct keys *keys_new(void)
{
    struct keys *keys = xcalloc(1, sizeof(*keys));
    pthread_mutex_init(&keys->lock, NULL);
    cond_init(&keys->ended);
    return keys;
}

void keys_free(struct keys *keys)
{
    if (keys == NULL)
        return;
    for (struct entry *e; (e = keys->first) != NULL;) {
        keys->first = e->next;
        free(e);
    }
    pthread_cond_destroy(&keys->ended);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}

/* With the lock held: where the pointer to the entry is, or the end of the list. */
static struct entry **entry_place(struct keys *keys, const char *organization_id, const char *key)
{
    struct entry **place = &keys->first;
    while (*place != NULL && (strcmp((*place)->key, key) != 0 ||
                              strcmp((*place)->organization_id, organization_id) != 0))
        place = &(*place)->next;
    return place;
}

/* With the lock held: takes the key, or returns the entry that has it. */
static struct entry *entry_begin(struct keys *keys, const char *organization_id, const char *key)
{
    struct entry **place = entry_place(keys, organization_id, key);
    if (*place != NULL)
        return *place;
    size_t len = strlen(key) + 1;
    struct entry *entry = xcalloc(1, sizeof(*entry) + len);
    strncpy(entry->organization_id, organization_id, UUID_SIZE - 1);
    memcpy(entry->key, key, len);
    *place = entry;
    return NULL;
}

bool keys_begin(struct keys *keys, const char *organization_id, const char *key,
                struct keys_waiter *w)
{
    pthread_mutex_lock(&keys->lock);
    struct entry *busy = entry_begin(keys, organization_id, key);
    if (busy != NULL && w != NULL) {
        w->next = busy->waiting;
        w->place = &busy->waiting;
        if (w->next != NULL)
            w->next->place = &w->next;
        busy->waiting = w;
    }
    pthread_mutex_unlock(&keys->lock);
    return busy == NULL;
}

bool keys_begin_wait(struct keys *keys, const char *organization_id, const char *key,
                     int64_t timeout_us)
{
    int64_t until = clock_monotonic_us() + timeout_us;
    pthread_mutex_lock(&keys->lock);
    struct entry *busy = entry_begin(keys, organization_id, key);
    while (busy != NULL && cond_wait_until(&keys->ended, &keys->lock, until))
        busy = entry_begin(keys, organization_id, key);
    pthread_mutex_unlock(&keys->lock);
    return busy == NULL;
}

/* With the lock held. */
static void waiter_remove(struct keys_waiter *w)
{
    *w->place = w->next;
    if (w->next != NULL)
        w->next->place = w->place;
    w->place = NULL;
}

void keys_forget(struct keys *keys, struct keys_waiter *w)
{
    pthread_mutex_lock(&keys->lock);
    if (w->place != NULL)
        waiter_remove(w);
    pthread_mutex_unlock(&keys->lock);
}

void keys_end(struct keys *keys, const char *organization_id, const char *key)
{
    pthread_mutex_lock(&keys->lock);
    struct entry **place = entry_place(keys, organization_id, key), *entry = *place;
    if (entry != NULL) {
        *place = entry->next;
        for (struct keys_waiter *w = entry->waiting, *next; w != NULL; w = next) {
            next = w->next;
            waiter_remove(w);
            waiter_wake(w->waiter); /* its owner calls keys_forget, so it is still there */
        }
        pthread_cond_broadcast(&keys->ended);
    }
    pthread_mutex_unlock(&keys->lock);
    free(entry);
}
