/* What starts an agent beside a request: triggerMode and triggerConfig of its published version. */
#ifndef C9_SERVICE_TRIGGER_H
#define C9_SERVICE_TRIGGER_H

#include "service/service.h"

struct storage_batch;

/* What is wrong with triggerConfig, below "/triggerConfig"; config is a whole AgentConfig. */
void trigger_check(struct service *service, const json_t *config, json_t *problems);
/* Adds to the batch that makes a configuration the current one whatever keeps its triggers in step
 * with it; runs are made in the name of `who`. */
int trigger_publish(struct service *service, struct storage_batch *batch,
                    const struct principal *who, const char *agent_id, const json_t *config,
                    struct error *err);
/* Adds to the batch that archives an agent: nothing starts it any more. */
void trigger_withdraw(struct storage_batch *batch, const char *agent_id);
/* After that batch: the triggers are in force. */
void trigger_published(struct service *service);

#endif
