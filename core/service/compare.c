#include "service/compare.h"

#include <inttypes.h>
#include <string.h>

#include "base/diff.h"
#include "service/agent_config.h"
#include "service/compat.h"
#include "service/launch.h"
#include "service/manifest.h"
#include "service/semver.h"
#include "service/service-private.h"
#include "store/version.h"

/* One version, with all that it runs. */
struct side {
    json_t *config, *pins;
    json_t *sources;      /* as launch_sources gives them */
    json_t *capabilities; /* ["model:default", …] */
    char label[SEMVER_MAX + 1];
};

static void side_clear(struct side *side)
{
    json_decref(side->config);
    json_decref(side->pins);
    json_decref(side->sources);
    json_decref(side->capabilities);
}

/* ---- reading ---- */

static int side_config(struct service *service, const char *agent_id, const json_t *agent,
                       const char *ref, struct side *side, struct error *err)
{
    jx_auto *version = NULL;
    if (strcmp(ref, VERSION_DRAFT) == 0) {
        side->config = agent_config_of(agent);
        snprintf(side->label, sizeof(side->label), "%s", VERSION_DRAFT);
        return 0;
    }
    if (version_find(service, agent_id, ref, &version, err) < 0)
        return -1;
    side->config = json_incref(json_object_get(version, "config"));
    side->pins = json_incref(json_object_get(version, "pins"));
    snprintf(side->label, sizeof(side->label), "%s", jx_str(version, "version", ""));
    return 0;
}

static int side_read(struct service *service, const struct agent_meta *meta, const json_t *agent,
                     const char *ref, struct side *side, struct error *err)
{
    jx_auto *needs = NULL;
    if (side_config(service, meta->id, agent, ref, side, err) < 0)
        return -1;
    if (side->pins == NULL &&
        launch_pins(service, meta->organization_id, side->config, &side->pins, err) < 0)
        return error_wrap(err, "%s", side->label);
    if (launch_sources(service, side->config, side->pins, &side->sources, err) < 0 ||
        launch_needs(service, side->config, side->pins, &needs, err) < 0)
        return error_wrap(err, "%s", side->label);
    side->capabilities = manifest_capabilities(needs);
    return 0;
}

/* ---- texts ---- */

struct comparison {
    struct side from, to;
    bool texts;         /* may be shown */
    size_t diffs_bytes; /* shown so far */
    bool skills_came_or_went, anything;
};

/* Sets "diff", unless there is too much of it already: then "truncated". */
static void diff_set(struct comparison *c, json_t *entry, const char *what, const char *from,
                     const char *to)
{
    if (!c->texts)
        return;
    autofree char *from_name = xasprintf("%s (%s)", what, c->from.label);
    autofree char *to_name = xasprintf("%s (%s)", what, c->to.label);
    buf_auto text = BUF_INIT;
    diff_unified(&text, from != NULL ? from_name : "/dev/null", to != NULL ? to_name : "/dev/null",
                 from != NULL ? from : "", from != NULL ? strlen(from) : 0, to != NULL ? to : "",
                 to != NULL ? strlen(to) : 0);
    if (c->diffs_bytes + text.len > COMPARE_DIFF_MAX) {
        json_object_set_new(entry, "truncated", json_true());
        return;
    }
    c->diffs_bytes += text.len;
    json_object_set_new(entry, "diff", jx_text(text.data != NULL ? text.data : "", text.len));
}

static const char *change_name(const void *from, const void *to)
{
    return from == NULL ? "added" : to == NULL ? "removed" : "changed";
}

static json_t *persona_compare(struct comparison *c)
{
    const char *from = jx_str(json_object_get(c->from.pins, "persona"), "prompt", NULL);
    const char *to = jx_str(json_object_get(c->to.pins, "persona"), "prompt", NULL);
    if (from == to || (from != NULL && to != NULL && strcmp(from, to) == 0))
        return json_null();
    c->anything = true;
    json_t *entry = json_pack("{s:s}", "change", change_name(from, to));
    diff_set(c, entry, "persona", from, to);
    return entry;
}

/* ---- skills ---- */

/* The pin of a skill, the agent loop among them. */
static const json_t *pin_find(const json_t *pins, const char *name)
{
    const json_t *loop = json_object_get(pins, "loop"), *skills = json_object_get(pins, "skills");
    if (strcmp(jx_str(loop, "name", ""), name) == 0)
        return loop;
    for (size_t i = 0; i < json_array_size(skills); i++)
        if (strcmp(jx_str(json_array_get(skills, i), "name", ""), name) == 0)
            return json_array_get(skills, i);
    return NULL;
}

static const char *source_find(const struct side *side, const char *name)
{
    for (size_t i = 0; i < json_array_size(side->sources); i++) {
        const json_t *entry = json_array_get(side->sources, i);
        if (strcmp(jx_str(json_object_get(entry, "manifest"), "name", ""), name) == 0)
            return jx_str(entry, "source", "");
    }
    return NULL;
}

static json_t *pin_brief(const json_t *pin)
{
    return pin != NULL ? json_pack("{s:s, s:s}", "version", jx_str(pin, "version", ""), "sha256",
                                   jx_str(pin, "sha256", ""))
                       : NULL;
}

static void skill_compare(struct comparison *c, const char *name, json_t *skills)
{
    const json_t *from = pin_find(c->from.pins, name), *to = pin_find(c->to.pins, name);
    if (strcmp(jx_str(from, "sha256", ""), jx_str(to, "sha256", "")) == 0)
        return;
    c->anything = true;
    c->skills_came_or_went |= from == NULL || to == NULL;
    json_t *entry = json_pack("{s:s, s:s, s:o*, s:o*}", "name", name, "change",
                              change_name(from, to), "from", pin_brief(from), "to", pin_brief(to));
    diff_set(c, entry, name, source_find(&c->from, name), source_find(&c->to, name));
    json_array_append_new(skills, entry);
}

static void skills_of(struct comparison *c, const json_t *pins, const json_t *but, json_t *skills)
{
    const json_t *loop = json_object_get(pins, "loop"), *list = json_object_get(pins, "skills");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = jx_str(json_array_get(list, i), "name", "");
        if (but == NULL || pin_find(but, name) == NULL)
            skill_compare(c, name, skills);
    }
    if (loop != NULL && (but == NULL || json_object_get(but, "loop") == NULL))
        skill_compare(c, LOOP_NAME, skills);
}

static json_t *skills_compare(struct comparison *c)
{
    json_t *skills = json_array();
    skills_of(c, c->from.pins, NULL, skills);
    skills_of(c, c->to.pins, c->from.pins, skills);
    return skills;
}

/* ---- callers ---- */

/* The agent's own schema, or its entry point's. */
static const json_t *schema_find(const struct side *side, const char *member, const char *of_skill)
{
    const json_t *own = json_object_get(side->config, member);
    const json_t *entry = json_array_get(side->sources, 0);
    return own != NULL ? own : json_object_get(json_object_get(entry, "manifest"), of_skill);
}

static json_t *compatibility(const struct comparison *c)
{
    json_t *input = compat_changes(schema_find(&c->from, "inputSchema", "input"),
                                   schema_find(&c->to, "inputSchema", "input"), COMPAT_INPUT);
    json_t *output = compat_changes(schema_find(&c->from, "outputSchema", "output"),
                                    schema_find(&c->to, "outputSchema", "output"), COMPAT_OUTPUT);
    return json_pack("{s:b, s:o, s:o}", "compatible", compat_kept(input) && compat_kept(output),
                     "input", input, "output", output);
}

/* ---- the next version ---- */

enum bump { BUMP_NONE, BUMP_PATCH, BUMP_MINOR, BUMP_MAJOR };

static enum bump bump_of(const struct comparison *c, const json_t *compatible,
                         const json_t *capabilities)
{
    bool noticed = json_array_size(json_object_get(compatible, "input")) > 0 ||
                   json_array_size(json_object_get(compatible, "output")) > 0 ||
                   json_array_size(json_object_get(capabilities, "gained")) > 0 ||
                   json_array_size(json_object_get(capabilities, "lost")) > 0 ||
                   c->skills_came_or_went;
    if (!jx_bool(compatible, "compatible", true))
        return BUMP_MAJOR;
    return noticed ? BUMP_MINOR : c->anything ? BUMP_PATCH : BUMP_NONE;
}

static void highest_see(void *arg, const struct version_meta *meta)
{
    char *highest = arg;
    if (highest[0] == '\0' || semver_compare(meta->version, highest) > 0)
        snprintf(highest, SEMVER_MAX + 1, "%s", meta->version);
}

/* Above every version that there is. */
static int suggested(struct service *service, const char *agent_id, enum bump bump,
                     json_t **version_r, struct error *err)
{
    char highest[SEMVER_MAX + 1] = "", next[SEMVER_MAX + 1] = "1.0.0";
    int64_t major = 0, minor = 0;
    if (store_version_each(service->storage, agent_id, highest_see, highest, err) < 0)
        return -1;
    bool fits = highest[0] == '\0' || semver_next(highest, next);
    bool prerelease = strchr(highest, '-') != NULL && strcspn(highest, "-") < strcspn(highest, "+");
    if (fits && bump > BUMP_PATCH && !prerelease &&
        sscanf(highest, "%18" SCNd64 ".%18" SCNd64, &major, &minor) == 2)
        snprintf(next, sizeof(next), "%" PRId64 ".%" PRId64 ".0",
                 bump == BUMP_MAJOR ? major + 1 : major, bump == BUMP_MAJOR ? 0 : minor + 1);
    *version_r = fits && bump != BUMP_NONE ? json_string(next) : json_null();
    return 0;
}

/* ---- all of it ---- */

static int diff_make(struct service *service, const char *agent_id, struct comparison *c,
                     json_t **diff_r, struct error *err)
{
    static const char *const bumps[] = {"none", "patch", "minor", "major"};
    jx_auto *patch = diff_json(c->from.config, c->to.config);
    c->anything = json_array_size(patch) > 0;
    jx_auto *persona = persona_compare(c), *skills = skills_compare(c);
    jx_auto *compatible = compatibility(c), *version = NULL;
    jx_auto *capabilities = json_pack(
        "{s:o, s:o}", "gained", manifest_difference(c->to.capabilities, c->from.capabilities),
        "lost", manifest_difference(c->from.capabilities, c->to.capabilities));
    enum bump bump = bump_of(c, compatible, capabilities);
    if (suggested(service, agent_id, bump, &version, err) < 0)
        return -1;
    *diff_r = json_pack("{s:s, s:s, s:s, s:O, s:O, s:O, s:O, s:O, s:s, s:O}", "agentId", agent_id,
                        "from", c->from.label, "to", c->to.label, "patch", patch, "persona",
                        persona, "skills", skills, "capabilities", capabilities, "compatibility",
                        compatible, "suggestedBump", bumps[bump], "suggestedVersion", version);
    return 0;
}

int version_compare(struct service *service, const struct principal *who, const char *agent_id,
                    const char *from, const char *to, json_t **diff_r, struct error *err)
{
    struct agent_meta meta;
    jx_auto *agent = NULL;
    struct comparison c = {.texts = false};
    int result = -1;
    if (agent_find(service, who, agent_id, ACTION_READ, &meta, &agent, err) < 0)
        return -1;
    c.texts = strcmp(who->organization_id, meta.organization_id) == 0;
    if (side_read(service, &meta, agent, from != NULL ? from : "latest", &c.from, err) == 0 &&
        side_read(service, &meta, agent, to != NULL ? to : VERSION_DRAFT, &c.to, err) == 0)
        result = diff_make(service, meta.id, &c, diff_r, err);
    side_clear(&c.from);
    side_clear(&c.to);
    return result;
}
