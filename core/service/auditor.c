/* The sealer: one thread, that exists from the first row on and sleeps while nothing is written. */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sync.h"
#include "service/audit-private.h"
#include "service/service-private.h"

enum { SEAL_MAX = 200, QUIET_ROUNDS = 5 };
#define SAY_EVERY (60 * CLOCK_SECOND)
#define ROUND     (CLOCK_SECOND / 2) /* rows of this time are sealed together */

struct auditor {
    struct storage *storage;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    pthread_t thread;
    bool started, stopping, woken;
    int64_t denied_per_minute, denied_left, denied_minute, missed;
    pthread_mutex_t sealing; /* one at a time */
    int64_t said_at;         /* when a head was logged at info; the sealer's */
};

void audit_hash(const char *before, int64_t position, const json_t *content,
                char hash_r[SHA256_HEX_SIZE])
{
    size_t len;
    autofree char *text = jx_encode(content, &len);
    autofree char *all = xasprintf("%s\n%lld\n%s", before, (long long)position, text);
    hash_sha256_hex(all, strlen(all), hash_r);
}

/* ---- sealing ---- */

struct sealing {
    struct storage_batch *batch;
    int64_t position, n;
    char hash[SHA256_HEX_SIZE];
};

static int seal_row(void *arg, const char *id, int64_t position, const char *hash,
                    const json_t *content)
{
    (void)position, (void)hash;
    struct sealing *s = arg;
    char next[SHA256_HEX_SIZE];
    audit_hash(s->hash, ++s->position, content, next);
    memcpy(s->hash, next, sizeof(next));
    store_audit_seal(s->batch, id, s->position, s->hash);
    s->n++;
    return 0;
}

/* Often enough for a copy of the log elsewhere to hold the chain, and no oftener: any change moves
 * it. */
static void head_say(struct auditor *auditor, const char *head)
{
    int64_t now = clock_monotonic_us();
    if (auditor->said_at != 0 && now - auditor->said_at < SAY_EVERY) {
        log_debug("audit.sealed", "%s", head);
    } else {
        log_info("audit.sealed", "%s", head);
        auditor->said_at = now;
    }
}

/* The next rows: 1 done and there may be more, 0 there are none, -1 error. */
static int seal_some(struct auditor *auditor, struct error *err)
{
    char head[AUDIT_HEAD_MAX], after[AUDIT_HEAD_MAX], *colon;
    struct sealing s = {.batch = storage_batch_new()};
    error_auto failure = ERROR_INIT;
    if (store_audit_head(auditor->storage, head, err) < 0)
        goto failed;
    s.position = strtoll(head, &colon, 10);
    snprintf(s.hash, sizeof(s.hash), "%s", *colon == ':' ? colon + 1 : "");
    if (store_audit_unsealed(auditor->storage, SEAL_MAX, seal_row, &s, err) < 0)
        goto failed;
    if (s.n == 0) {
        storage_batch_free(s.batch);
        return 0;
    }
    snprintf(after, sizeof(after), "%lld:%s", (long long)s.position, s.hash);
    store_audit_head_move(s.batch, head, after);
    if (storage_commit(auditor->storage, s.batch, &failure) < 0)
        return failure.code == E_INVALID_STATE ? 1 : error_move(err, &failure);
    head_say(auditor, after);
    return s.n == SEAL_MAX;
failed:
    storage_batch_free(s.batch);
    return -1;
}

int auditor_seal(struct auditor *auditor, struct error *err)
{
    enum { TRIES = 1000 };
    pthread_mutex_lock(&auditor->sealing);
    int more = 1;
    for (int i = 0; i < TRIES && more > 0; i++)
        more = seal_some(auditor, err);
    pthread_mutex_unlock(&auditor->sealing);
    return more < 0 ? -1 : 0;
}

static void seal_logged(struct auditor *auditor)
{
    error_auto err = ERROR_INIT;
    if (auditor_seal(auditor, &err) < 0)
        log_warn("audit.seal", "the audit log was not sealed, and will be tried again: %s",
                 err.message);
}

/* ---- the thread ---- */

static void wait_round(struct auditor *auditor)
{
    int64_t until = clock_monotonic_us() + ROUND;
    while (!auditor->stopping && cond_wait_until(&auditor->changed, &auditor->lock, until))
        continue;
}

/* A row may become durable a while after it was told of, so it goes on for some rounds. */
static void *run(void *arg)
{
    struct auditor *auditor = arg;
    pthread_mutex_lock(&auditor->lock);
    while (!auditor->stopping) {
        while (!auditor->woken && !auditor->stopping)
            pthread_cond_wait(&auditor->changed, &auditor->lock);
        for (int quiet = 0; quiet < QUIET_ROUNDS && !auditor->stopping; quiet++) {
            if (auditor->woken)
                quiet = 0;
            auditor->woken = false;
            wait_round(auditor);
            pthread_mutex_unlock(&auditor->lock);
            seal_logged(auditor);
            pthread_mutex_lock(&auditor->lock);
        }
    }
    pthread_mutex_unlock(&auditor->lock);
    return NULL;
}

void auditor_wake(struct auditor *auditor)
{
    pthread_mutex_lock(&auditor->lock);
    auditor->woken = true;
    if (!auditor->started)
        auditor->started = pthread_create(&auditor->thread, NULL, run, auditor) == 0;
    pthread_cond_signal(&auditor->changed);
    pthread_mutex_unlock(&auditor->lock);
}

bool auditor_admits(struct auditor *auditor, int64_t *missed_r)
{
    int64_t minute = clock_monotonic_us() / (60 * CLOCK_SECOND);
    pthread_mutex_lock(&auditor->lock);
    if (minute != auditor->denied_minute) {
        auditor->denied_minute = minute;
        auditor->denied_left = auditor->denied_per_minute;
    }
    bool admits = auditor->denied_left > 0;
    if (admits) {
        auditor->denied_left--;
        *missed_r = auditor->missed;
        auditor->missed = 0;
    } else {
        auditor->missed++;
    }
    pthread_mutex_unlock(&auditor->lock);
    return admits;
}

struct auditor *auditor_new(struct storage *storage, int64_t denied_per_minute)
{
    struct auditor *auditor = xcalloc(1, sizeof(*auditor));
    auditor->storage = storage;
    auditor->denied_per_minute = denied_per_minute;
    auditor->denied_minute = -1;
    pthread_mutex_init(&auditor->lock, NULL);
    pthread_mutex_init(&auditor->sealing, NULL);
    cond_init(&auditor->changed);
    return auditor;
}

void auditor_free(struct auditor *auditor)
{
    if (auditor == NULL)
        return;
    pthread_mutex_lock(&auditor->lock);
    auditor->stopping = true;
    pthread_cond_signal(&auditor->changed);
    pthread_mutex_unlock(&auditor->lock);
    if (auditor->started) {
        pthread_join(auditor->thread, NULL);
        seal_logged(auditor);
    }
    pthread_cond_destroy(&auditor->changed);
    pthread_mutex_destroy(&auditor->lock);
    pthread_mutex_destroy(&auditor->sealing);
    free(auditor);
}
