/* What the engine says about an execution, kept until the connection's thread looks. */
#include "api/follow.h"

#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

#include "api/api-private.h"
#include "api/idempotency.h"
#include "base/json.h"
#include "base/log.h"

static void on_accepted(struct execution_watch *watch, struct error *err)
{
    struct follow *follow = watch->arg;
    pthread_mutex_lock(&follow->waiter.lock);
    if (err != NULL) {
        follow->refused = true;
        error_set(&follow->refusal, err->code, "%s", err->message);
        /* jansson counts references for threads, but looks at the count as if there were one. */
        follow->refusal.details = json_deep_copy(err->details);
        waiter_wake_locked(&follow->waiter);
    } else {
        follow->accepted = true;
        if (follow->wake_on_accept)
            waiter_wake_locked(&follow->waiter);
    }
    void *key = move_ptr(&follow->key);
    pthread_mutex_unlock(&follow->waiter.lock);
    idempotency_free(key); /* it is stored with the row, or free again: others may look */
}

static void on_news(struct execution_watch *watch, int64_t seq)
{
    struct follow *follow = watch->arg;
    pthread_mutex_lock(&follow->waiter.lock);
    follow->news = seq;
    if (!follow->keeps_result)
        waiter_wake_locked(&follow->waiter);
    pthread_mutex_unlock(&follow->waiter.lock);
}

static void on_ended(struct execution_watch *watch, const struct execution_outcome *outcome)
{
    struct follow *follow = watch->arg;
    pthread_mutex_lock(&follow->waiter.lock);
    if (follow->keeps_result)
        execution_result_append(&follow->result, follow->id, outcome);
    follow->ended = true;
    waiter_wake_locked(&follow->waiter);
    pthread_mutex_unlock(&follow->waiter.lock);
}

static void on_left(struct execution_watch *watch)
{
    struct follow *follow = watch->arg;
    pthread_mutex_lock(&follow->waiter.lock);
    follow->left = true;
    waiter_wake_locked(&follow->waiter);
    pthread_mutex_unlock(&follow->waiter.lock);
}

struct follow *follow_new(struct api *api, struct MHD_Connection *connection)
{
    struct follow *follow = xcalloc(1, sizeof(*follow));
    follow->api = api;
    atomic_init(&follow->refs, 1);
    follow->watch = (struct execution_watch){.accepted = on_accepted,
                                             .news = on_news,
                                             .ended = on_ended,
                                             .left = on_left,
                                             .arg = follow};
    waiter_init(&follow->waiter, api->keeper, connection);
    return follow;
}

static struct follow *follow_ref(struct follow *follow)
{
    atomic_fetch_add(&follow->refs, 1);
    return follow;
}

void follow_unref(struct follow *follow)
{
    if (atomic_fetch_sub(&follow->refs, 1) != 1)
        return;
    waiter_clear(&follow->waiter);
    idempotency_free(follow->key);
    error_clear(&follow->refusal);
    buf_free(&follow->result);
    free(follow);
}

bool follow_has_left(struct follow *follow)
{
    pthread_mutex_lock(&follow->waiter.lock);
    bool left = follow->left;
    pthread_mutex_unlock(&follow->waiter.lock);
    bool news = left && follow->watching;
    if (left)
        follow->watching = false;
    return news;
}

void follow_detach(struct follow *follow)
{
    pthread_mutex_lock(&follow->waiter.lock);
    /* `ended`, `left` and a refusal are the last callbacks: nothing is left to take back. */
    bool watching = follow->watching && !follow->ended && !follow->left && !follow->refused;
    pthread_mutex_unlock(&follow->waiter.lock);
    follow->watching = false;
    if (watching)
        execution_unwatch(follow->api->service, &follow->watch);
}

static void cancel_job(void *arg)
{
    struct follow *follow = arg;
    jx_auto *execution = NULL;
    error_auto err = ERROR_INIT;
    if (execution_cancel(follow->api->service, &follow->who, follow->id, &execution, &err) < 0 &&
        err.code != E_INVALID_STATE)
        log_warn("http.disconnect", "execution %s was not cancelled: %s", follow->id, err.message);
    follow_unref(follow);
}

void follow_abandoned(struct follow *follow)
{
    pthread_mutex_lock(&follow->waiter.lock);
    bool goes_on = follow->accepted && !follow->ended && !follow->refused;
    pthread_mutex_unlock(&follow->waiter.lock);
    if (follow->cancels && goes_on && !keeper_interrupted(follow->api->keeper))
        work_submit(follow->api->pool, cancel_job, follow_ref(follow));
}

bool follow_client_left(const struct follow *follow)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(follow->waiter.connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char byte;
    return follow->cancels && info != NULL &&
           recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

int follow_watch(struct follow *follow, const char *id)
{
    memcpy(follow->id, id, UUID_SIZE);
    follow->accepted = true;
    follow->watching = execution_watch(follow->api->service, id, &follow->watch) == 1;
    return follow->watching;
}
