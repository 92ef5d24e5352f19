/* A queue that lacks operations. */
#include <c9d/plugin.h>

static const struct c9d_queue_ops ops = {.rows_are_jobs = 1};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {.abi = C9D_ABI,
                                                 .kind = C9D_KIND_QUEUE,
                                                 .name = "queue_hollow",
                                                 .version = "1",
                                                 .description = "Has nothing.",
                                                 .ops.queue = &ops};
