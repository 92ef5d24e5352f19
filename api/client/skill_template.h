/* The skill that `c9ctl skill new` writes. */
#ifndef C9_CLIENT_SKILL_TEMPLATE_H
#define C9_CLIENT_SKILL_TEMPLATE_H

#include "base/buf.h"

/* Appends the Lua file of a skill with that name (a valid one). */
void skill_template(struct buf *out, const char *name);

#endif
