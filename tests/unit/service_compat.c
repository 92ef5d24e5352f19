/* Changes of schemas: what breaks whom. */
#include "service/compat.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "tap.h"

/* What is said for each side: "" nothing, else the changes' paths, '!' before those that break. */
static const struct {
    const char *from, *to, *input, *output;
} rows[] = {
    {"{'type':'string'}", "{'type':'string','title':'x','description':'y','default':'z'}", "", ""},
    {"{'type':'string'}", "{'type':'number'}", "!/type", "!/type"},
    {"{'type':'string'}", "{'type':['string','null']}", "/type", "!/type"},
    {"{'type':['string','null']}", "{'type':'string'}", "!/type", "/type"},
    {"{'type':'integer'}", "{'type':'number'}", "/type", "!/type"},
    {"{'type':['integer','number']}", "{'type':'number'}", "", ""},
    {"{}", "{'type':'object'}", "!/type", "/type"},
    {"null", "{'type':'object'}", "!/type", "/type"},
    {"{'type':'object'}", "null", "/type", "!/type"},
    {"true", "{}", "", ""},
    {"true", "false", "!", ""},
    {"{'enum':[1,2]}", "{'enum':[1,2,3]}", "/enum", "!/enum"},
    {"{'enum':[1,2]}", "{'enum':[1.0,2]}", "", ""},
    {"{'enum':[1,2]}", "{'enum':[2,3]}", "!/enum /enum", "/enum !/enum"},
    {"{'enum':[1]}", "{}", "/enum", "!/enum"},
    {"{'const':1}", "{'const':2}", "!/const /const", "/const !/const"},
    {"{'required':['a']}", "{'required':['a','b']}", "!/required", "/required"},
    {"{'required':['a','b']}", "{'required':['b']}", "/required", "!/required"},
    {"{'properties':{}}", "{'properties':{'a':{'type':'string'}}}", "/properties/a",
     "/properties/a"},
    {"{'properties':{'a':{}}}", "{}", "/properties/a", "!/properties/a"},
    {"{'properties':{'a':{}},'additionalProperties':false}", "{'additionalProperties':false}",
     "!/properties/a", "!/properties/a"},
    {"{'properties':{'a':{'type':'string'}}}", "{'properties':{'a':{'type':'null'}}}",
     "!/properties/a/type", "!/properties/a/type"},
    {"{'properties':{'a/b':{'minLength':1}}}", "{'properties':{'a/b':{'minLength':2}}}",
     "!/properties/a~1b/minLength", "/properties/a~1b/minLength"},
    {"{}", "{'additionalProperties':false}", "!/additionalProperties", "/additionalProperties"},
    {"{'additionalProperties':false}", "{}", "/additionalProperties", "/additionalProperties"},
    {"{'additionalProperties':{'type':'string'}}", "{'additionalProperties':{'type':'null'}}",
     "!/additionalProperties/type", "!/additionalProperties/type"},
    {"{'items':{'maximum':5}}", "{'items':{'maximum':4}}", "!/items/maximum", "/items/maximum"},
    {"{'items':{'maximum':5}}", "{}", "/items/maximum", "!/items/maximum"},
    {"{'minimum':1}", "{'minimum':0.5}", "/minimum", "!/minimum"},
    {"{'minimum':1}", "{'minimum':1.0}", "", ""},
    {"{'maxItems':3}", "{'maxItems':2}", "!/maxItems", "/maxItems"},
    {"{}", "{'pattern':'a'}", "!/pattern", "/pattern"},
    {"{'pattern':'a'}", "{'pattern':'b'}", "!/pattern", "!/pattern"},
    {"{'format':'uuid'}", "{}", "/format", "!/format"},
    {"{'uniqueItems':false}", "{'uniqueItems':true}", "!/uniqueItems", "/uniqueItems"},
    {"{'uniqueItems':false}", "{}", "", ""},
    {"{'anyOf':[{'type':'null'},{'type':'string'}]}", "{'anyOf':[{'type':'string'}]}", "!/anyOf",
     "/anyOf"},
    {"{'oneOf':[{'const':1}]}", "{'oneOf':[{'const':1},{'const':2}]}", "/oneOf", "!/oneOf"},
    {"{'anyOf':[{'const':1}]}", "{'anyOf':[{'const':2}]}", "!/anyOf", "!/anyOf"},
    {"{'not':{'const':1}}", "{'not':{'const':2}}", "!/not", "!/not"},
    {"{'$ref':'#/$defs/a','$defs':{'a':{'type':'string'}}}",
     "{'$ref':'#/$defs/a','$defs':{'a':{'type':'null'}}}", "!/type", "!/type"},
    {"{'properties':{'a':{'$ref':'#/$defs/x'}},'$defs':{'x':{'minimum':1}}}",
     "{'properties':{'a':{'minimum':1}}}", "", ""},
    {"{'items':{'$ref':'#/$defs/x'},'$defs':{'x':{'minimum':1}}}",
     "{'items':{'$ref':'#/$defs/x'},'$defs':{'x':{'minimum':2}}}", "!/items/minimum",
     "/items/minimum"},
    {"{'properties':{'next':{'$ref':'#'}},'type':'object'}",
     "{'properties':{'next':{'$ref':'#'}},'type':['object','null']}", "/type", "!/type"},
    {"{'$ref':'#/nowhere'}", "{'$ref':'#/elsewhere'}", "!/$ref", "!/$ref"},
    {"{'$ref':'#'}", "{'$ref':'#','type':'string'}", "!/type", "/type"},
};

static json_t *value_of(const char *text)
{
    autofree char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    return json_loads(copy, JSON_DECODE_ANY, NULL);
}

static char *said(const json_t *from, const json_t *to, enum compat_side side)
{
    buf_auto text = BUF_INIT;
    jx_auto *changes = compat_changes(from, to, side);
    bool kept = true;
    buf_append_str(&text, "");
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        bool breaking = jx_bool(change, "breaking", false);
        kept &= !breaking;
        buf_printf(&text, "%s%s%s", i > 0 ? " " : "", breaking ? "!" : "",
                   jx_str(change, "path", "?"));
    }
    if (kept != compat_kept(changes))
        buf_append_str(&text, " but compat_kept disagrees");
    return buf_steal(&text);
}

static void bounds_test(void)
{
    jx_auto *from = json_object(), *to = json_object();
    json_t *inner_from = from, *inner_to = to;
    for (int i = 0; i < 120; i++) {
        json_object_set_new(inner_from, "items", json_object());
        json_object_set_new(inner_to, "items", json_object());
        inner_from = json_object_get(inner_from, "items");
        inner_to = json_object_get(inner_to, "items");
    }
    json_object_set_new(inner_to, "type", json_string("null"));
    jx_auto *deep = compat_changes(from, to, COMPAT_INPUT);
    ok(!compat_kept(deep), "what is too deep to be compared counts as a break");
    jx_auto *many = json_object();
    json_t *properties = json_object();
    json_object_set_new(many, "properties", properties);
    for (int i = 0; i < 500; i++) {
        char name[16];
        snprintf(name, sizeof(name), "p%d", i);
        json_object_set_new(properties, name, json_object());
    }
    jx_auto *changes = compat_changes(NULL, many, COMPAT_INPUT);
    is_int(json_array_size(changes), COMPAT_CHANGES_MAX, "the number of changes is bounded");
}

int main(void)
{
    for (size_t i = 0; i < countof(rows); i++) {
        jx_auto *from = value_of(rows[i].from), *to = value_of(rows[i].to);
        autofree char *input = said(from, to, COMPAT_INPUT),
                      *output = said(from, to, COMPAT_OUTPUT);
        is_str(input, rows[i].input, "input from %s to %s", rows[i].from, rows[i].to);
        is_str(output, rows[i].output, "output from %s to %s", rows[i].from, rows[i].to);
    }
    bounds_test();
    return done_testing();
}
