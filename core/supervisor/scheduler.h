/* The scheduler: a thread that sleeps until the next schedule is due, by the wall clock, also when
 * that is set; what is to be done then is service/schedule.h's. */
#ifndef C9_SUPERVISOR_SCHEDULER_H
#define C9_SUPERVISOR_SCHEDULER_H

#include "base/error.h"
#include "service/service.h"

struct scheduler;

/* Starts it. NULL on failure. */
struct scheduler *scheduler_start(struct service *service, struct error *err);
/* Ends it: what is being started is finished. NULL is fine. */
void scheduler_stop(struct scheduler *scheduler);

#endif
