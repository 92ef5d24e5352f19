/* Two versions of an agent side by side. */
#ifndef C9_SERVICE_COMPARE_H
#define C9_SERVICE_COMPARE_H

#include "service/service.h"

#define COMPARE_DIFF_MAX (1 << 20) /* bytes of line differences in one answer */

/* from, to: references of version.h but aliases, or draft; NULL: latest, draft.
 *
 *     {"agentId","from","to",
 *      "patch": RFC 6902, from one configuration to the other,
 *      "persona": {"change","diff"} or null, "skills": [{"name","change","from","to","diff"}],
 *      "capabilities": {"gained","lost"},
 *      "compatibility": {"compatible", "input": [compat.h], "output": […]},
 *      "suggestedBump": "major", "minor", "patch" or "none", "suggestedVersion"}
 *
 * Skills and persona are those that are pinned; of drafts, those of this moment. A break of callers
 * is major; what else they can notice (schemas, capabilities, skills that came or went) is minor.
 * Who is not of the agent's organization gets no diffs of skills and persona. */
int version_compare(struct service *service, const struct principal *who, const char *agent_id,
                    const char *from, const char *to, json_t **diff_r, struct error *err);

#endif
