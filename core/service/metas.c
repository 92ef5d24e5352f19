#include "service/metas.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"

enum {
    PLACES = 256, /* a power of two; a question has one place and takes it from who is there */
    STALE_US = CLOCK_SECOND,
};

/* An agent and a user, or an agent and a version ("": the current one). */
struct question {
    char agent_id[UUID_SIZE], of[STORE_VERSION_SIZE];
};

struct entry {
    uint64_t definitions; /* 0: nothing is here */
    int64_t until;        /* monotonic µs */
    struct question question;
    union {
        struct agent_meta agent;
        struct version_meta version;
    } meta;
};

struct metas {
    pthread_mutex_t lock;
    struct entry agents[PLACES], versions[PLACES];
};

struct metas *metas_new(void)
{
    struct metas *metas = xcalloc(1, sizeof(*metas));
    pthread_mutex_init(&metas->lock, NULL);
    return metas;
}

void metas_free(struct metas *metas)
{
    if (metas == NULL)
        return;
    pthread_mutex_destroy(&metas->lock);
    free(metas);
}

/* False: what is asked for cannot be one of these. */
static bool question_set(struct question *question, const char *agent_id, const char *of)
{
    size_t id_len = strlen(agent_id), of_len = strlen(of);
    *question = (struct question){.of = ""};
    if (id_len >= sizeof(question->agent_id) || of_len >= sizeof(question->of))
        return false;
    memcpy(question->agent_id, agent_id, id_len);
    memcpy(question->of, of, of_len);
    return true;
}

static struct entry *place(struct entry places[PLACES], const struct question *question)
{
    uint32_t hash = hash_fnv1a(HASH_FNV1A, question, sizeof(*question));
    return &places[(hash ^ hash >> 16) % PLACES];
}

/* What is known now about a question, or is to be. */
struct look {
    struct entry *entry;
    struct question question;
    uint64_t definitions; /* 0: nothing is kept */
};

/* True when the answer was there. */
static bool look_up(struct metas *metas, struct look *look, void *meta_r, size_t size)
{
    struct entry *entry = look->entry;
    pthread_mutex_lock(&metas->lock);
    bool known = look->definitions != 0 && entry->definitions == look->definitions &&
                 clock_monotonic_us() < entry->until &&
                 memcmp(&entry->question, &look->question, sizeof(look->question)) == 0;
    if (known)
        memcpy(meta_r, &entry->meta, size);
    pthread_mutex_unlock(&metas->lock);
    return known;
}

static void look_keep(struct metas *metas, const struct look *look, const void *meta, size_t size)
{
    struct entry *entry = look->entry;
    pthread_mutex_lock(&metas->lock);
    entry->definitions = look->definitions;
    entry->until = clock_monotonic_us() + STALE_US;
    entry->question = look->question;
    memcpy(&entry->meta, meta, size);
    pthread_mutex_unlock(&metas->lock);
}

int metas_agent(struct metas *metas, struct storage *storage, const char *id, const char *user_id,
                struct agent_meta *meta_r, struct error *err)
{
    struct look look = {.definitions = storage_definitions(storage)};
    if (!question_set(&look.question, id, user_id))
        return store_agent_get(storage, id, user_id, meta_r, NULL, err);
    look.entry = place(metas->agents, &look.question);
    if (look_up(metas, &look, meta_r, sizeof(*meta_r)))
        return 0;
    if (store_agent_get(storage, id, user_id, meta_r, NULL, err) < 0)
        return -1;
    if (meta_r->id[0] != '\0')
        look_keep(metas, &look, meta_r, sizeof(*meta_r));
    return 0;
}

int metas_version(struct metas *metas, struct storage *storage, const char *agent_id,
                  const char *version, struct version_meta *meta_r, struct error *err)
{
    struct look look = {.definitions = storage_definitions(storage)};
    if (!question_set(&look.question, agent_id, version != NULL ? version : ""))
        return store_version_meta(storage, agent_id, version, meta_r, err);
    look.entry = place(metas->versions, &look.question);
    if (look_up(metas, &look, meta_r, sizeof(*meta_r)))
        return 0;
    if (store_version_meta(storage, agent_id, version, meta_r, err) < 0)
        return -1;
    if (meta_r->version[0] != '\0')
        look_keep(metas, &look, meta_r, sizeof(*meta_r));
    return 0;
}
