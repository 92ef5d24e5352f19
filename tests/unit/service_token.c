/* Tokens: made once, found by their hash, gone at once when revoked. */
#include "lib/service_world.h"

#include <unistd.h>

#include "base/clock.h"

static int authenticate(const char *token, struct error *err)
{
    struct principal who;
    return token_authenticate(service, token, strlen(token), &who, err);
}

static void init_test(void)
{
    char again[TOKEN_SIZE];
    is_int(strlen(owner_token), TOKEN_SIZE - 1, "a token has its length");
    is_int(strncmp(owner_token, "c9d_", 4), 0, "and its prefix");
    is_str(owner.role, "owner", "the first one is the owner's");
    is_int(scope_require(&owner, SCOPE_SKILLS_WRITE, NULL), 0, "admin holds every scope");
    fails(token_init(w.storage, "Org", "Ann", false, again, &err), E_INVALID_STATE, "--again",
          "a second first one");
    works(token_init(w.storage, "Org", "Ann", true, again, &err), "another for the same owner");
    struct principal who;
    works(token_authenticate(service, again, strlen(again), &who, &err), "which is good");
    is_str(who.user_id, owner.user_id, "and the same user's");
    is_int(world_int(&w, "SELECT count(*) FROM organizations"), 1, "one organization");
}

static void refused_test(void)
{
    char bent[TOKEN_SIZE];
    snprintf(bent, sizeof(bent), "%s", owner_token);
    bent[20] = bent[20] == 'A' ? 'B' : 'A';
    fails(authenticate(bent, &err), E_AUTHENTICATION_REQUIRED, "not known", "a bent token");
    fails(authenticate("", &err), E_AUTHENTICATION_REQUIRED, "", "no token");
    fails(authenticate("c9d_short", &err), E_AUTHENTICATION_REQUIRED, "", "a short one");
    bent[0] = 'x';
    fails(authenticate(bent, &err), E_AUTHENTICATION_REQUIRED, "", "another prefix");
    is_int(world_int(&w, "SELECT count(*) FROM tokens WHERE hash LIKE 'c9d%'"), 0,
           "none is stored as it is");
}

static void create_test(void)
{
    jx_auto *token = NULL;
    jx_auto *body = js("{'name':'ci','scopes':['agents:read','agents:execute','agents:read']}");
    works(token_create(service, &owner, body, &token, &err), "a token is made");
    const char *text = jx_str(token, "token", "");
    struct principal who;
    works(token_authenticate(service, text, strlen(text), &who, &err), "and is good");
    is_int(json_array_size(json_object_get(token, "scopes")), 2, "each scope once");
    is_int(scope_require(&who, SCOPE_AGENTS_EXECUTE, NULL), 0, "it has what it was given");
    error_auto lacks = ERROR_INIT;
    is_int(scope_require(&who, SCOPE_AGENTS_WRITE, &lacks), -1, "and nothing else");
    is_str(jx_str(lacks.details, "requiredScope", ""), "agents:write", "which the error names");
    jx_auto *more = js("{'name':'x','scopes':['admin']}");
    jx_auto *none = NULL;
    fails(token_create(service, &who, more, &none, &err), E_AGENT_ACCESS_DENIED, "only scopes",
          "giving what one has not");

    error_auto refusal = ERROR_INIT;
    jx_auto *wrong = js("{'name':'','scopes':['agents:reed'],'expiresAt':'2001-01-01T00:00:00Z'}");
    is_int(token_create(service, &owner, wrong, &none, &refusal), -1, "a wrong one is refused");
    const json_t *problems = json_object_get(refusal.details, "validationErrors");
    is_int(json_array_size(problems), 3, "with all that is wrong");
    ok(strstr(jx_str(json_array_get(problems, 2), "message", ""), "did you mean 'agents:read'?") !=
           NULL,
       "and the nearest scope");

    works(token_revoke(service, &owner, jx_str(token, "id", ""), &err), "it is revoked");
    fails(authenticate(text, &err), E_AUTHENTICATION_REQUIRED, "", "and no good at once");
    works(token_revoke(service, &owner, jx_str(token, "id", ""), &err), "again, to no effect");
    fails(token_revoke(service, &member, owner.token_id, &err), E_TOKEN_NOT_FOUND, "",
          "another's token, for a member");
    fails(token_revoke(service, &owner, "nothing", &err), E_TOKEN_NOT_FOUND, "",
          "what is not there");
}

static void expiry_test(void)
{
    char at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_us() + 300000, at);
    jx_auto *body =
        json_pack("{s:s, s:[s], s:s}", "name", "soon", "scopes", "agents:read", "expiresAt", at);
    jx_auto *token = NULL;
    works(token_create(service, &owner, body, &token, &err), "a token that expires soon");
    const char *text = jx_str(token, "token", "");
    works(authenticate(text, &err), "is good now, and cached");
    usleep(350000);
    fails(authenticate(text, &err), E_AUTHENTICATION_REQUIRED, "", "and not after");
}

static void list_test(void)
{
    const struct list_query query = {.limit = 10};
    jx_auto *all = NULL, *own = NULL;
    works(token_list(service, &owner, &query, &all, &err), "the owner lists tokens");
    ok(json_array_size(json_object_get(all, "items")) == 4, "of all");
    works(token_list(service, &member, &query, &own, &err), "a member too");
    is_int(json_array_size(json_object_get(own, "items")), 0, "his own");
    autofree char *text = jx_encode(all, NULL);
    ok(strstr(text, "c9d_") == NULL && strstr(text, "hash") == NULL, "without a secret");
    ok(strstr(text, "lastUsedAt") != NULL, "with the last use");
}

int main(void)
{
    service_world_new("");
    init_test();
    refused_test();
    create_test();
    expiry_test();
    list_test();
    service_world_free();
    return done_testing();
}
