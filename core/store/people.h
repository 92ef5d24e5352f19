/* Organizations, users and their memberships. */
#ifndef C9_STORE_PEOPLE_H
#define C9_STORE_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "store/list.h"

/* ---- organizations ---- */

struct organization_row {
    const char *id, *name, *settings; /* JSON text */
    int64_t at;
};
/* Conflicts when the name is taken. */
void store_organization_insert(struct storage_batch *batch, const struct organization_row *row);
/* Conflicts when it is not there, or the name is taken. */
void store_organization_update(struct storage_batch *batch, const struct organization_row *row);
/* With tokens, memberships, teams, personas and skills, and the users who are in no other. The
 * first conflicts while it has agents, the second when it is not there or the installation's own.
 */
void store_organization_delete(struct storage_batch *batch, const char *id, int64_t at);
/* As seen by a user, with his "role" where he is a member. NULL when it is not there. */
int store_organization_get(struct storage *storage, const char *id, const char *user_id,
                           json_t **organization_r, struct error *err);
/* Scope: user, 1 to have all and not only those he is a member of. */
extern const struct list store_organization_list;
/* For each that has set settings.maxRunning. */
int store_organization_running_each(struct storage *storage,
                                    void (*fn)(void *arg, const char *id, int64_t limit), void *arg,
                                    struct error *err);

/* ---- users ---- */

struct user_row {
    const char *id, *name, *email /* or NULL */, *kind;
    int64_t at;
};
/* Conflicts when the e-mail address is taken. */
void store_user_insert(struct storage_batch *batch, const struct user_row *row);
void store_user_update(struct storage_batch *batch, const struct user_row *row);
/* Conflicts while the organization has `max` members, or as many as its settings.maxUsers. */
void store_user_limit(struct storage_batch *batch, const char *organization_id, int64_t max);
/* Conflicts when he is a member already. */
void store_member_insert(struct storage_batch *batch, const char *organization_id,
                         const char *user_id, const char *role, int64_t at);
/* The first conflicts when the user is the last owner and would not be one any more; the second
 * when he is no member. */
void store_member_role_set(struct storage_batch *batch, const char *organization_id,
                           const char *user_id, const char *role);
/* Takes a user out of an organization: membership, teams, grants, tokens, and the user himself when
 * he is in no other. heir: who gets his agents, and all else that he owns there; NULL: the second
 * statement conflicts when he owns agents. The first conflicts when he is the last owner, the third
 * when he is no member. */
void store_member_remove(struct storage_batch *batch, const char *organization_id,
                         const char *user_id, const char *heir, const char *rest_heir, int64_t at);

struct user_meta {
    char id[UUID_SIZE]; /* "": no member */
    char role[8], kind[8];
    int64_t organizations; /* that he is a member of */
};
int store_user_get(struct storage *storage, const char *organization_id, const char *id,
                   struct user_meta *meta_r, json_t **user_r, struct error *err);
/* Id and kind of whoever has this address; id "": nobody. */
int store_user_by_email(struct storage *storage, const char *email, struct user_meta *meta_r,
                        struct error *err);
/* Array of {"id","name"} of the agents he owns there, at most 20. */
int store_user_agents(struct storage *storage, const char *organization_id, const char *id,
                      json_t **agents_r, struct error *err);
/* Scope: organization. */
extern const struct list store_user_list;

/* ---- identities ---- */

/* The user of a subject, and his role in the organization: 0 found (role_r "" when he is no
 * member), 1 not there. */
int store_identity_get(struct storage *storage, const char *issuer, const char *subject,
                       const char *organization_id, char user_id_r[UUID_SIZE], char role_r[8],
                       struct error *err);
/* Conflicts when the subject is known already. */
void store_identity_insert(struct storage_batch *batch, const char *issuer, const char *subject,
                           const char *user_id, int64_t at);
/* The id of an organization by id or name: 0 found, 1 not there. */
int store_organization_find(struct storage *storage, const char *ref, char id_r[UUID_SIZE],
                            struct error *err);

#endif
