/* What the supervisor holds for one execution, against one budget: hostMemoryMb. The kernel counts
 * the executor's own memory; this is the other side of its socket. */
#include "supervisor/hold.h"

#include "supervisor/engine-private.h"

int64_t run_held(const struct run *run)
{
    int64_t held = run->held + (int64_t)run->delta.len;
    if (run->input != NULL)
        held += (int64_t)run->input_len;
    if (run->next != NULL)
        held += (int64_t)run->next->bytes;
    if (run->flying != NULL)
        held += (int64_t)run->flying->bytes;
    if (run->executor != NULL)
        held += (int64_t)(executor_unsent(run->executor) + executor_received(run->executor));
    return held;
}

int run_hold_check(const struct run *run, size_t bytes, const char *what, struct error *err)
{
    int64_t limit = run->launch->limits.host_memory, held = run_held(run);
    if (held <= limit && bytes <= (size_t)(limit - held))
        return 0;
    error_set(
        err, E_RESOURCE_EXHAUSTED,
        "the server would hold more than %ld MiB for the execution: %s needs %zu bytes beside "
        "the %ld that it holds already",
        (long)(limit >> 20), what, bytes, (long)held);
    error_detail(err, "limit", json_string("hostMemoryMb"));
    error_detail(err, "limitBytes", json_integer(limit));
    error_detail(err, "heldBytes", json_integer(held));
    error_detail(err, "what", json_string(what));
    return -1;
}

int effect_hold(struct effect *effect, size_t bytes, const char *what, struct error *err)
{
    if (run_hold_check(effect->run, bytes, what, err) < 0)
        return -1;
    effect->held += (int64_t)bytes;
    effect->run->held += (int64_t)bytes;
    return 0;
}

void effect_release(struct effect *effect, size_t bytes)
{
    effect->held -= (int64_t)bytes;
    effect->run->held -= (int64_t)bytes;
}
