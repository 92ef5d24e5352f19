/* Launches in files: what an exported execution is run again with, on another machine. Encode and
 * decode mirror each other. */
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "schema/schema.h"
#include "service/launch-private.h"

static const struct {
    const char *name;
    size_t offset;
} limits[] = {
#define LIMIT(name, member)                                                                        \
    {                                                                                              \
        name, offsetof(struct launch_limits, member)                                               \
    }
    LIMIT("cpuTimeUs", cpu_us),
    LIMIT("wallTimeUs", wall_us),
    LIMIT("memoryBytes", memory),
    LIMIT("outputBytes", output_max),
    LIMIT("logBytes", log_bytes),
    LIMIT("logCount", log_count),
    LIMIT("emitCount", emit_count),
    LIMIT("requests", requests),
    LIMIT("tokens", tokens),
    LIMIT("costMicrocents", cost_microcents),
    LIMIT("hostMemoryBytes", host_memory),
#undef LIMIT
};

json_t *launch_to_json(const struct launch *launch)
{
    const struct launch_whole *whole = (const struct launch_whole *)launch;
    json_t *bounds = json_object(), *skills = json_array();
    for (size_t i = 0; i < countof(limits); i++)
        json_object_set_new(
            bounds, limits[i].name,
            json_integer(*(const int64_t *)((const char *)&launch->limits + limits[i].offset)));
    for (size_t i = 0; i < launch->n_skills; i++) {
        const json_t *manifest = json_object_get(json_array_get(whole->sources, i), "manifest");
        json_array_append_new(
            skills, json_pack("{s:s, s:s%, s:o*}", "name", launch->skills[i].name, "source",
                              launch->skills[i].source, launch->skills[i].source_len, "input",
                              json_deep_copy(json_object_get(manifest, "input"))));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o*, s:o*, s:s}", "agentId",
                     launch->agent_id, "organizationId", launch->organization_id, "agentName",
                     launch->agent_name, "version", launch->version, "skills", skills, "limits",
                     bounds, "needs", json_deep_copy(launch->needs), "inputSchema",
                     json_deep_copy(whole->input_document), "outputSchema",
                     json_deep_copy(whole->output_document), "context", launch->context);
}

static int schema_read(const json_t *document, struct schema **schema_r, struct error *err)
{
    if (document != NULL)
        *schema_r = schema_compile(document, NULL, err);
    return document == NULL || *schema_r != NULL ? 0 : -1;
}

static int skills_read(struct launch_whole *whole, const json_t *skills, struct error *err)
{
    size_t n = json_array_size(skills);
    if (n == 0)
        return error_set(err, E_INVALID_REQUEST, "launch.skills: there is none");
    whole->sources = json_array();
    whole->launch.skills = whole->skills = xcalloc(n, sizeof(*whole->skills));
    for (size_t i = 0; i < n; i++) {
        json_t *skill = json_deep_copy(json_array_get(skills, i));
        json_t *source = json_object_get(skill, "source");
        const char *name = jx_str(skill, "name", NULL);
        json_array_append_new(whole->sources,
                              json_pack("{s:O*, s:o*}", "source", source, "manifest", skill));
        if (name == NULL || !json_is_string(source))
            return error_set(err, E_INVALID_REQUEST, "launch.skills[%zu]: name or source lacks", i);
        struct launch_skill *s = &whole->skills[whole->launch.n_skills++];
        s->name = name;
        s->source = json_string_value(source);
        s->source_len = json_string_length(source);
        if (schema_read(json_object_get(skill, "input"), &s->input, err) < 0)
            return error_wrap(err, "launch.skills[%zu].input", i);
    }
    return 0;
}

static void limits_read(const json_t *bounds, struct launch_limits *out)
{
    for (size_t i = 0; i < countof(limits); i++) {
        int64_t value = jx_int(bounds, limits[i].name, 0);
        *(int64_t *)((char *)out + limits[i].offset) = value > 0 ? value : 0;
    }
}

static void launch_cleanup(struct launch **launch)
{
    launch_unref(*launch);
}

int launch_from_json(const json_t *json, struct launch **launch_r, struct error *err)
{
    struct launch_whole *whole = xcalloc(1, sizeof(*whole));
    cleanup(launch_cleanup) struct launch *launch = &whole->launch;
    launch->refs = 1;
    snprintf(launch->agent_id, UUID_SIZE, "%s", jx_str(json, "agentId", ""));
    snprintf(launch->organization_id, UUID_SIZE, "%s", jx_str(json, "organizationId", ""));
    launch->agent_name = whole->agent_name = xstrdup(jx_str(json, "agentName", ""));
    launch->version = whole->version = xstrdup(jx_str(json, "version", ""));
    launch->context = whole->context = xstrdup(jx_str(json, "context", "{}"));
    launch->context_len = strlen(whole->context);
    launch->retry.attempts = 1;
    limits_read(json_object_get(json, "limits"), &launch->limits);
    launch->needs = json_object_get(json, "needs") != NULL
                        ? json_deep_copy(json_object_get(json, "needs"))
                        : json_object();
    error_auto context_err = ERROR_INIT;
    jx_auto *context =
        jx_decode(launch->context, launch->context_len, "launch.context", &context_err);
    if (!json_is_object(context))
        return error_set(err, E_INVALID_REQUEST, "launch.context: is no JSON object");
    whole->input_document = json_deep_copy(json_object_get(json, "inputSchema"));
    whole->output_document = json_deep_copy(json_object_get(json, "outputSchema"));
    if (skills_read(whole, json_object_get(json, "skills"), err) < 0 ||
        schema_read(whole->input_document, &launch->input_schema, err) < 0 ||
        schema_read(whole->output_document, &launch->output_schema, err) < 0)
        return -1;
    *launch_r = move_ptr(&launch);
    return 0;
}
