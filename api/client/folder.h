/* A folder of resources, as `c9ctl apply` takes it and `c9ctl export` writes it:
 *
 * - skills/NAME.lua: a skill, whose name is NAME;
 * - personas/FILE.json: {"name", "description"?, "prompt"} or, for long ones, "promptFile": the
 * name of a text file beside it;
 * - agents/FILE.json: an AgentConfig, with "persona" (a name) in the place of "personaId", and two
 *   members more: "version", which is to be published, and its "changelog";
 * - chains/FILE.json: {"name", "description"?, "chainConfig", "status"?}; steps name agents and
 * other chains, by name or id.
 *
 * Other files are left alone. One thread. */
#ifndef C9_CLIENT_FOLDER_H
#define C9_CLIENT_FOLDER_H

#include <jansson.h>

#include "base/error.h"

/* Arrays in the order of the files' names. */
struct folder {
    json_t *skills;   /* [{"name","file","source","sha256"}] */
    json_t *personas; /* [{"name","file","prompt","description"?}] */
    json_t *agents;   /* [{"name","file","config","persona"?,"version"?,"changelog"?}] */
    json_t *chains;   /* [{"name","file","body"}] */
};
void folder_free(struct folder *folder);
#define folder_auto cleanup(folder_free) struct folder

/* -1 with E_INVALID_REQUEST and the file that is wrong. On failure there is nothing to free. */
int folder_read(const char *path, struct folder *folder_r, struct error *err);

/* A file's name for a resource's: what a file system or a shell may not like is percent-encoded,
 * what is too long is cut and made unique. To be freed. */
char *folder_file_name(const char *name, const char *suffix);

/* The members of an AgentConfig, with the defaults of those that are not given: what two
 * configurations are compared by. New object. */
json_t *folder_config(const json_t *given);
/* What a client decides of a chain, with the defaults of what is not given. New object. */
json_t *folder_chain(const json_t *given);
/* The skill's, persona's, agent's or chain's entry of that name, borrowed, or NULL. */
json_t *folder_find(const json_t *list, const char *name);

#endif
