/* Zones by name. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cron/zone.h"

enum { NAME_MAX_BYTES = 64, FILE_MAX = 65536, KEPT_MAX = 64 };

struct entry {
    char name[NAME_MAX_BYTES + 1];
    struct timespec changed; /* of the file, when it was read */
    struct zone *zone;
    uint64_t used;
};

struct zones {
    char *folder;
    pthread_mutex_t lock;
    struct entry *entries;
    size_t n;
    uint64_t clock;
};

struct zones *zones_new(const char *folder)
{
    struct zones *zones = xcalloc(1, sizeof(*zones));
    zones->folder = xstrdup(folder);
    pthread_mutex_init(&zones->lock, NULL);
    return zones;
}

void zones_free(struct zones *zones)
{
    if (zones == NULL)
        return;
    for (size_t i = 0; i < zones->n; i++)
        zone_unref(zones->entries[i].zone);
    pthread_mutex_destroy(&zones->lock);
    free(zones->entries);
    free(zones->folder);
    free(zones);
}

/* Names are paths below the folder: no part of one is empty or begins with a dot. */
static bool name_valid(const char *name)
{
    size_t len = strlen(name);
    char before = '/';
    if (len == 0 || len > NAME_MAX_BYTES)
        return false;
    for (const char *c = name; *c != '\0'; before = *c++) {
        if (!isalnum((unsigned char)*c) && strchr("_+-/", *c) == NULL)
            return false;
        if (*c == '/' && before == '/')
            return false;
    }
    return before != '/';
}

static int unknown(const struct zones *zones, const char *name, struct error *err)
{
    if (access(zones->folder, R_OK | X_OK) < 0)
        return error_errno(
            err, E_UNAVAILABLE,
            "the time zone database %s cannot be read ([schedules] zoneinfo; install "
            "tzdata)",
            zones->folder);
    return error_set(err, E_INVALID_REQUEST,
                     "there is no time zone '%.64s'; zones have names such as Europe/Berlin or UTC",
                     name);
}

static struct zone *zone_load(int fd, const char *name, struct error *err)
{
    buf_auto text = BUF_INIT;
    if (file_read_fd(fd, name, FILE_MAX, E_UNAVAILABLE, &text, err) < 0) {
        error_wrap(err, "time zone");
        return NULL;
    }
    struct zone *zone = zone_decode(text.data, text.len, err);
    if (zone == NULL)
        error_wrap(err, "time zone '%s'", name);
    return zone;
}

/* With the lock held: the entry of that name, or the one to give up for it. */
static struct entry *entry_place(struct zones *zones, const char *name)
{
    struct entry *oldest = NULL;
    for (size_t i = 0; i < zones->n; i++) {
        struct entry *e = &zones->entries[i];
        if (strcmp(e->name, name) == 0)
            return e;
        if (oldest == NULL || e->used < oldest->used)
            oldest = e;
    }
    if (zones->n == KEPT_MAX)
        return oldest;
    if (zones->entries == NULL)
        zones->entries = xcalloc(KEPT_MAX, sizeof(*zones->entries));
    return &zones->entries[zones->n++];
}

static struct zone *get_locked(struct zones *zones, const char *name, int fd,
                               const struct stat *file, struct error *err)
{
    struct entry *entry = entry_place(zones, name);
    bool known = entry->zone != NULL && strcmp(entry->name, name) == 0 &&
                 entry->changed.tv_sec == file->st_mtim.tv_sec &&
                 entry->changed.tv_nsec == file->st_mtim.tv_nsec;
    struct zone *fresh = known ? NULL : zone_load(fd, name, err);
    if (!known && fresh == NULL) {
        if (entry->zone == NULL)
            zones->n--; /* it was the new one, the last */
        return NULL;
    }
    if (!known) {
        zone_unref(entry->zone);
        *entry = (struct entry){.zone = fresh, .changed = file->st_mtim};
        snprintf(entry->name, sizeof(entry->name), "%s", name);
    }
    entry->used = ++zones->clock;
    return zone_ref(entry->zone);
}

struct zone *zones_get(struct zones *zones, const char *name, struct error *err)
{
    struct stat file;
    if (!name_valid(name)) {
        unknown(zones, name, err);
        return NULL;
    }
    autofree char *path = xasprintf("%s/%s", zones->folder, name);
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &file) < 0 || !S_ISREG(file.st_mode)) {
        unknown(zones, name, err);
        return NULL;
    }
    pthread_mutex_lock(&zones->lock);
    struct zone *zone = get_locked(zones, name, fd, &file, err);
    pthread_mutex_unlock(&zones->lock);
    return zone;
}
