/* registry_test.c - names of connectors and formats; whose options a table's options are. */
#include "../check.h"

#include <stddef.h>

#include "plugin/connector.h"

struct fake_options {
    const char *topic;
    int64_t count;
    struct option_pair *properties;
};
static const struct option_def CONNECTOR_OPTIONS[] = {
    {.key = "topic",
     .kind = OPTION_STRING,
     .required = true,
     .offset = offsetof(struct fake_options, topic)},
    {.key = "count", .kind = OPTION_INT, .offset = offsetof(struct fake_options, count)},
    {.key = "properties.",
     .kind = OPTION_PREFIX,
     .offset = offsetof(struct fake_options, properties)},
};
static const struct option_def FORMAT_OPTIONS[] = {
    {.key = "ignore-parse-errors", .kind = OPTION_BOOL, .offset = 0},
};
static const struct source_class SOURCE = {.size = sizeof(SOURCE), .needs_format = true};
static const struct connector_class QUEUE = {.size = sizeof(QUEUE),
                                             .name = "queue",
                                             .options = CONNECTOR_OPTIONS,
                                             .option_count = 3,
                                             .source = &SOURCE};
static const struct connector_class PLAIN = {.size = sizeof(PLAIN), .name = "plain"};
static const struct format_class JSON = {
    .size = sizeof(JSON), .name = "json", .options = FORMAT_OPTIONS, .option_count = 1};
static const struct connector_class *const CONNECTORS[] = {&QUEUE, &PLAIN, NULL};
static const struct format_class *const FORMATS[] = {&JSON, NULL};
static const struct plugin_registry REGISTRY = {CONNECTORS, FORMATS};

static struct error err;

/* "key=value key=value" */
static enum status validate(const char *connector, const char *text)
{
    struct option_given options[16];
    struct table_description table = {.name = "t", .connector = connector, .options = options};
    struct str rest = str_of(text);
    error_clear(&err);
    while (rest.length && table.option_count < 16) {
        const char *equal = memchr(rest.data, '=', rest.length);
        const char *blank = memchr(rest.data, ' ', rest.length);
        const char *end = blank ? blank : rest.data + rest.length;
        options[table.option_count++] = (struct option_given){
            {rest.data, (size_t)(equal - rest.data)},
            {equal + 1, (size_t)(end - equal - 1)},
            {.line = 1, .column = (uint32_t)(rest.data - text) + 1, .length = 1}};
        rest = (struct str){end + (blank != NULL),
                            (size_t)(text + strlen(text) - end) - (blank != NULL)};
    }
    return plugin_validate(&REGISTRY, &table, &err);
}

TEST(names_and_nearest_names)
{
    CHECK(plugin_connector(&REGISTRY, STR("queue"), &err) == &QUEUE);
    CHECK(!plugin_connector(&REGISTRY, STR("queu"), &err));
    CHECK_INT(err.code, ERR_NAME);
    CHECK_STR(err.hint, "did you mean 'queue'?");
    error_clear(&err);
    CHECK(!plugin_connector(&REGISTRY, STR("zzzzzz"), &err));
    CHECK_STR(err.hint, "there are: queue, plain");
    error_clear(&err);
    CHECK(plugin_format(&REGISTRY, STR("json"), &err) == &JSON);
    CHECK(!plugin_format(&REGISTRY, STR("jsn"), &err));
    CHECK_STR(err.hint, "did you mean 'json'?");
}

TEST(options_of_connector_and_format)
{
    CHECK_OK(validate("queue", "topic=a format=json json.ignore-parse-errors=true count=3"));
    CHECK_OK(validate("queue", "topic=a value.format=json value.json.ignore-parse-errors=true"));
    CHECK_OK(validate("queue", "topic=a format=json properties.x=y leat.bad-rows=skip"));
    CHECK_OK(validate("plain", ""));
}

TEST(wrong_options_have_their_place)
{
    CHECK_INT(validate("queue", "format=json"), ERR_OPTION); /* topic is missing */
    CHECK_INT(validate("queue", "topic=a"), ERR_OPTION);     /* format is missing */
    CHECK(strstr(err.text, "'format'"));
    CHECK_INT(validate("queue", "topic=a format=json coun=3"), ERR_OPTION);
    CHECK_INT(err.pos.column, 21);
    CHECK_STR(err.hint, "did you mean 'count'?");
    CHECK_INT(validate("queue", "topic=a format=jsn"), ERR_NAME);
    CHECK_INT(err.pos.column, 9);
    CHECK_INT(validate("queue", "topic=a format=json json.ignore=1"), ERR_OPTION);
    CHECK(err.pos.line == 1);
    CHECK_INT(validate("queue", "topic=a format=json count=x"), ERR_OPTION);
    CHECK_INT(validate("plain", "format=json"), ERR_OPTION);
    CHECK_INT(validate("plan", ""), ERR_NAME);
}

TEST(format_options_lose_their_prefix)
{
    struct option_given options[] = {
        {STR("value.format"), STR("json"), {0}},
        {STR("value.json.ignore-parse-errors"), STR("true"), {0}},
        {STR("topic"), STR("a"), {0}},
    };
    struct table_description table = {.connector = "queue", .options = options, .option_count = 3};
    const struct format_class *format;
    const struct option_given *found;
    size_t count;
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    CHECK_OK(plugin_table_format(&REGISTRY, &table, &arena, &format, &found, &count, &err));
    CHECK(format == &JSON);
    CHECK_INT(count, 1);
    CHECK(str_eq(found[0].key, STR("ignore-parse-errors")));
    table.option_count = 0;
    CHECK_OK(plugin_table_format(&REGISTRY, &table, &arena, &format, &found, &count, &err));
    CHECK(!format);
    arena_fini(&arena);
}
