/* Idempotency keys in flight: few at a time, so a list. */
#include "api/keys.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/uuid.h"

struct entry {
    struct entry *next;
    char organization_id[UUID_SIZE];
    char key[];
};

struct keys {
    pthread_mutex_t lock;
    struct entry *first;
};

struct keys *keys_new(void)
{
    struct keys *keys = xcalloc(1, sizeof(*keys));
    pthread_mutex_init(&keys->lock, NULL);
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

bool keys_begin(struct keys *keys, const char *organization_id, const char *key)
{
    pthread_mutex_lock(&keys->lock);
    struct entry **place = entry_place(keys, organization_id, key);
    bool begun = *place == NULL;
    if (begun) {
        size_t len = strlen(key) + 1;
        struct entry *entry = xcalloc(1, sizeof(*entry) + len);
        strncpy(entry->organization_id, organization_id, UUID_SIZE - 1);
        memcpy(entry->key, key, len);
        *place = entry;
    }
    pthread_mutex_unlock(&keys->lock);
    return begun;
}

void keys_end(struct keys *keys, const char *organization_id, const char *key)
{
    pthread_mutex_lock(&keys->lock);
    struct entry **place = entry_place(keys, organization_id, key), *entry = *place;
    if (entry != NULL)
        *place = entry->next;
    pthread_mutex_unlock(&keys->lock);
    free(entry);
}
