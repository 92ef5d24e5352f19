/* A cgroup for each executor, where c9d's own (version 2) was delegated to it: by systemd
 * (Delegate=yes), or as a folder that belongs to its user. The kernel then counts and bounds what
 * the process holds beside Lua's memory, and no executor can take what others were promised. Not to
 * be had elsewhere; no isolation hangs on it.
 *
 * - NAME.service: c9d is started here, and moves itself one down, since a cgroup with controllers
 *   has no processes;
 * - NAME.service/supervisor: c9d;
 * - NAME.service/executors.1: of the first zygote, the root of its cgroup namespace;
 * - NAME.service/executors.1/zygote: the zygote;
 * - NAME.service/executors.1/0, 1, 2 …: an executor each, used again when it has ended.
 *
 * Engine thread only. */
#ifndef C9_SUPERVISOR_CGROUP_H
#define C9_SUPERVISOR_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

struct cgroup;
struct cgroup_leaf;

/* Enters it. NULL where it is not delegated or cannot be used: why_r (a new string) says it. */
struct cgroup *cgroup_open(char **why_r);
/* Leaves it as it was found, as far as that is possible. NULL is fine. */
void cgroup_close(struct cgroup *cgroup);
const char *cgroup_controllers(const struct cgroup *cgroup); /* "memory, pids"; "no controllers" */

/* A zygote was started: before it enters its namespaces, and when it is up. 0, or -1: no leaves
 * under this one. */
int cgroup_zygote_enter(struct cgroup *cgroup, pid_t pid);
int cgroup_zygote_settle(struct cgroup *cgroup, pid_t pid);
void cgroup_zygote_gone(
    struct cgroup *cgroup); /* with all its executors; their leaves were given back */

/* One that is empty; NULL: there is none to be had. */
struct cgroup_leaf *cgroup_leaf_take(struct cgroup *cgroup);
/* A new descriptor of it, for the zygote's clone3; -1 with errno. */
int cgroup_leaf_open(struct cgroup *cgroup, const struct cgroup_leaf *leaf);
/* The memory of the process in it, all that it touches and that the kernel holds for it. */
void cgroup_leaf_limit(struct cgroup *cgroup, struct cgroup_leaf *leaf, uint64_t bytes);
void cgroup_leaf_give(struct cgroup *cgroup, struct cgroup_leaf *leaf); /* its process has ended */

#endif
