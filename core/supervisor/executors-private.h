/* Shared by zygote.c, executor.c and executors.c only. Engine thread. */
#ifndef C9_SUPERVISOR_EXECUTORS_PRIVATE_H
#define C9_SUPERVISOR_EXECUTORS_PRIVATE_H

#include <sys/types.h>
#include <uthash.h>

#include "supervisor/cgroup.h"
#include "supervisor/executors.h"

enum {
    RESTART_MIN_US = 100000, /* pause before a zygote is started again, doubled each time */
    BURST_S = 4,             /* seconds' worth of the rate that may come at once */
};

struct executor {
    uint64_t cookie;
    struct loop_watch watch; /* fd -1 until spawned, and after the end of file */
    struct wire_reader reader;
    struct buf out;
    struct executors *owner;
    struct executor_user *user; /* NULL while ready or warming */
    struct executor *next_ready;
    uint64_t cpu_before; /* µs used before START: not the user's */
    bool warming;        /* READY has not come … */
    bool counted;        /* … and it is counted in n_spawning: it was not given away before */
    bool unlocked;       /* LOCKFAIL came: it has read nothing */
    uint32_t pid;        /* as other executors see it */
    pid_t pid_here;      /* as the kernel said to whom its last bytes belong; 0: not known */
    bool final, killed, writing, paused;
    bool reaped;                     /* its pid may be another's by now */
    bool closed;                     /* to reading: paused, or throttled */
    int64_t allowance, allowance_at; /* bytes that it may send; below 0 it is not read */
    bool throttled;
    struct loop_timer slow;
    struct cgroup_leaf *leaf; /* NULL: none */
    int socket;               /* its own end, until the zygote has it; -1 then */
    /* The message to the zygote that its socket had no room for; 0: none. */
    unsigned unsent;
    struct executor *next_unsent, **unsent_place;
    bool refused;      /* it could not be forked: again after a pause */
    UT_hash_handle hh; /* by cookie */
};

struct executors {
    struct loop *loop;
    char *path;
    struct cgroup *cgroup; /* NULL: no leaves for executors */
    char *no_cgroup;       /* why */
    int64_t memory_max, ready_wanted, rate;
    bool strict;
    int control; /* -1 while there is no zygote */
    pid_t zygote;
    struct loop_watch watch;
    struct loop_timer restart, refill;
    int64_t restart_pause;
    uint64_t last_cookie;
    struct executor *all;   /* hash */
    struct executor *ready; /* stack: the warmest first */
    struct executor *unsent,
        **unsent_end; /* their messages, in order: as many as executors at most */
    size_t n_ready, n_spawning, n_killed; /* n_killed: KILL was sent, EXITED has not come */
    struct loop_timer hung;               /* runs while the zygote owes an answer */
    struct executor_user *line, **line_end;
    size_t n_line;
};

/* ---- zygote.c: its process, its control socket, its news ---- */

/* Starts it and waits for UP. layers_r: as executors_new has it. */
int zygote_start(struct executors *x, char **layers_r, struct error *err);
int zygote_watch(struct executors *x, struct error *err);
/* SPAWN or KILL of this executor: now, or when the socket has room. */
void zygote_tell(struct executor *e, unsigned type);
void zygote_untell(struct executor *e); /* what waits for room */
/* It owes an answer, or it has given one (heard): silent for too long, it is killed. */
void zygote_expect(struct executors *x, bool heard);
void zygote_hung(struct loop_timer *timer);
void zygote_restart(struct loop_timer *timer);
/* Executors go on without leaves. */
void cgroup_give_up(struct executors *x, const char *what);

/* ---- executor.c: one of them, its socket, its frames ---- */

int executor_connect(struct executor *e);
void executor_close(struct executor *e);
bool executor_read_some(struct executor *e); /* one read; false: end of file or error */
void executor_free(struct executor *e);
void executor_gone(struct executor *e, const struct executor_exit *how); /* and its user is told */
void executor_slow_over(struct loop_timer *timer);

/* ---- executors.c: who gets which ---- */

void spawn_more(struct executors *x);
void spawn_pause(struct executors *x); /* none for a while */
void spawn_over(struct executor *e);   /* it came, or will not */
void executor_is_ready(struct executor *e, const uint8_t *payload);
void executor_unready(struct executor *e);

#endif
