/* Organizations, users, memberships and tokens. */
#ifndef C9_STORE_TOKEN_H
#define C9_STORE_TOKEN_H

#include <stdint.h>

#include "base/hash.h"
#include "base/uuid.h"
#include "store/list.h"

struct token_row {
    char id[UUID_SIZE];
    const char *name, *user_id, *organization_id;
    const char *hash;   /* SHA-256, hex */
    const char *scopes; /* JSON text: array of names */
    int64_t expires_at; /* 0: never */
    int64_t created_at;
};
void store_token_insert(struct storage_batch *batch, const struct token_row *row);
/* Conflicts when the token is not there or revoked already. */
void store_token_revoke(struct storage_batch *batch, const char *id, int64_t at);
/* Lets it end at `at`, unless it ends before, in favour of another. Conflicts when it is not there,
 * revoked, or has a successor. */
void store_token_end(struct storage_batch *batch, const char *id, const char *successor,
                     int64_t at);
void store_token_used(struct storage_batch *batch, const char *id, int64_t at);

/* What authenticating needs; only tokens that are not revoked, of users that are members. */
struct token_owner {
    char id[UUID_SIZE], user_id[UUID_SIZE], organization_id[UUID_SIZE];
    char role[8];
    char scopes[1024];                /* JSON text */
    int64_t expires_at, last_used_at; /* 0: never */
};
/* 0 found, 1 not there, -1 error. */
int store_token_owner(struct storage *storage, const char *hash, struct token_owner *owner_r,
                      struct error *err);
/* The token as JSON, NULL in *token_r when it is not there. */
int store_token_get(struct storage *storage, const char *id, const char *organization_id,
                    json_t **token_r, struct error *err);
/* Scope: organization, user, 1 for all users' tokens. */
extern const struct list store_token_list;

/* 0 member (role_r filled), 1 not a member, -1 error. */
int store_member_role(struct storage *storage, const char *organization_id, const char *user_id,
                      char role_r[8], struct error *err);

/* Four statements, of which the first conflicts when there is an owner already. The names of the
 * facts: STORE_OWNER and STORE_ORGANIZATION (store_instance_get). */
#define STORE_OWNER        "owner"
#define STORE_ORGANIZATION "organization"
struct owner_row {
    const char *organization_id, *organization_name, *user_id, *user_name;
    int64_t at;
};
void store_owner_insert(struct storage_batch *batch, const struct owner_row *row);

#endif
