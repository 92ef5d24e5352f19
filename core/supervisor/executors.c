/* Who gets which executor, and how many are kept ready. */
#include "supervisor/executors.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/executors-private.h"

enum {
    SPAWNING_MAX = 64,  /* SPAWNs under way: more would only wait in the socket */
    LOCKDOWN_US = 5000, /* of CPU time at most: who had its work before says late what that took */
    REFILL_US = 5000    /* while some are forked for those in line, none are for those to come */
};

const struct config_key executors_keys[] = {
    {"executors", "ready", CONFIG_INT, "4", 0, 1000, NULL,
     "Executors kept forked and locked down ahead of need."},
    {"executors", "rate", CONFIG_SIZE, "16MiB", 4096, 1 << 30, NULL,
     "Bytes a second that one executor may send (four times as many at once, each message counts 256 "
     "more); a faster one is read no faster."},
    {"sandbox", "mode", CONFIG_CHOICE, "strict", 0, 0, "strict|best-effort",
     "Whether a layer of the sandbox that this kernel lacks is fatal."},
};
const size_t executors_keys_n = countof(executors_keys);

void executor_unready(struct executor *e)
{
    struct executor **p = &e->owner->ready;
    while (*p != NULL && *p != e)
        p = &(*p)->next_ready;
    if (*p == e) {
        *p = e->next_ready;
        e->owner->n_ready--;
    }
}

/* Asking again at once would spin. */
void spawn_pause(struct executors *x)
{
    if (x->restart.place == 0)
        loop_timer_set(x->loop, &x->restart, RESTART_MIN_US);
}

/* SPAWN is sent; NULL: not now. */
static struct executor *spawn_one(struct executors *x)
{
    struct executor *e = xcalloc(1, sizeof(*e));
    e->cookie = ++x->last_cookie;
    e->owner = x;
    e->watch.fd = e->socket = -1;
    e->warming = true;
    e->reader = (struct wire_reader){.from_executor = true, .limit = 4096};
    e->slow = (struct loop_timer){.fn = executor_slow_over, .arg = e};
    e->allowance = x->rate * BURST_S;
    e->allowance_at = loop_now(x->loop);
    HASH_ADD(hh, x->all, cookie, sizeof(e->cookie), e);
    if (executor_connect(e) < 0) {
        executor_free(e);
        spawn_pause(x);
        return NULL;
    }
    if (x->cgroup != NULL && (e->leaf = cgroup_leaf_take(x->cgroup)) == NULL)
        cgroup_give_up(x, "an executor's cgroup");
    zygote_tell(e, WIRE_CTL_SPAWN);
    return e;
}

static bool spawn_possible(const struct executors *x)
{
    return x->control >= 0 && x->n_spawning < SPAWNING_MAX && x->restart.place == 0;
}

static void line_remove(struct executors *x, struct executor_user *user)
{
    *user->place_ = user->next_;
    if (user->next_ != NULL)
        user->next_->place_ = user->place_;
    else
        x->line_end = user->place_;
    user->place_ = NULL;
    x->n_line--;
}

static void executor_give(struct executor *e, struct executor_user *user)
{
    e->user = user;
    user->ready(user, e);
}

/* For those in line, then for those to come. Who is in line and can use one that is not there yet
 * gets it at once: it finds its work when it begins. */
void spawn_more(struct executors *x)
{
    struct executor *e;
    while (spawn_possible(x) && x->line != NULL && x->line->early && (e = spawn_one(x)) != NULL) {
        struct executor_user *user = x->line;
        line_remove(x, user);
        executor_give(e, user);
        loop_timer_set(x->loop, &x->refill, REFILL_US);
    }
    size_t wanted = (x->refill.place == 0 ? (size_t)x->ready_wanted : 0) + x->n_line;
    while (spawn_possible(x) && x->n_ready + x->n_spawning < wanted && (e = spawn_one(x)) != NULL) {
        e->counted = true;
        x->n_spawning++;
        zygote_expect(x, false);
    }
}

static void refill_fire(struct loop_timer *timer)
{
    spawn_more(timer->arg);
}

void spawn_over(struct executor *e)
{
    e->owner->n_spawning -= e->counted;
    e->counted = false;
}

/* READY came: the first in line gets it, else it waits. */
void executor_is_ready(struct executor *e, const uint8_t *payload)
{
    struct executors *x = e->owner;
    struct wire_ready ready;
    wire_ready_decode(payload, &ready);
    e->cpu_before = ready.cpu_us < LOCKDOWN_US ? ready.cpu_us : LOCKDOWN_US;
    e->pid = ready.pid;
    e->warming = false;
    spawn_over(e);
    x->restart_pause = RESTART_MIN_US;
    zygote_expect(x, true);
    struct executor_user *user = x->line;
    if (e->user != NULL) {
        ; /* it has its work already */
    } else if (user != NULL) {
        line_remove(x, user);
        executor_give(e, user);
    } else {
        e->next_ready = x->ready;
        x->ready = e;
        x->n_ready++;
    }
    spawn_more(x); /* one fewer is under way: a line longer than SPAWNING_MAX goes on */
}

/* ---- public ---------------------------------------------------------------------------------- */

bool executors_strict(struct config *config)
{
    return strcmp(config_string(config, "sandbox", NULL, "mode"), "strict") == 0;
}

struct executors *executors_new(struct config *config, const char *path, bool strict,
                                int64_t memory_max, char **layers_r, struct error *err)
{
    struct executors *x = xcalloc(1, sizeof(*x));
    x->path = xstrdup(path);
    x->memory_max = memory_max;
    x->ready_wanted = config_int(config, "executors", NULL, "ready");
    x->strict = strict;
    x->rate = config_int(config, "executors", NULL, "rate");
    x->control = -1;
    x->restart_pause = RESTART_MIN_US;
    x->line_end = &x->line;
    x->unsent_end = &x->unsent;
    x->restart.fn = zygote_restart;
    x->restart.arg = x;
    x->refill = (struct loop_timer){.fn = refill_fire, .arg = x};
    x->hung.fn = zygote_hung;
    x->hung.arg = x;
    x->cgroup = cgroup_open(&x->no_cgroup);
    if (zygote_start(x, layers_r, err) == 0)
        return x;
    cgroup_close(x->cgroup);
    free(x->no_cgroup);
    free(x->path);
    free(x);
    return NULL;
}

int executors_attach(struct executors *x, struct loop *loop, struct error *err)
{
    x->loop = loop;
    if (zygote_watch(x, err) < 0)
        return -1;
    spawn_more(x);
    return 0;
}

void executors_free(struct executors *x)
{
    if (x == NULL)
        return;
    if (x->loop != NULL) {
        loop_timer_cancel(x->loop, &x->restart);
        loop_timer_cancel(x->loop, &x->refill);
        loop_timer_cancel(x->loop, &x->hung);
        if (x->control >= 0)
            loop_watch_remove(x->loop, &x->watch);
    }
    struct executor *e, *tmp;
    HASH_ITER(hh, x->all, e, tmp)
    executor_free(e);
    if (x->control >= 0)
        close(x->control);
    if (x->zygote > 0)
        waitpid(x->zygote, NULL, 0);
    cgroup_close(x->cgroup);
    free(x->no_cgroup);
    free(x->path);
    free(x);
}

void executors_ask(struct executors *x, struct executor_user *user)
{
    struct executor *e = x->ready;
    if (e != NULL) {
        x->ready = e->next_ready;
        x->n_ready--;
        user->place_ = NULL;
        executor_give(e, user);
    } else {
        user->next_ = NULL;
        user->place_ = x->line_end;
        *x->line_end = user;
        x->line_end = &user->next_;
        x->n_line++;
    }
    spawn_more(x);
}

void executors_unask(struct executors *x, struct executor_user *user)
{
    if (user->place_ != NULL)
        line_remove(x, user);
}

size_t executors_alive(const struct executors *x)
{
    return HASH_COUNT(x->all);
}
