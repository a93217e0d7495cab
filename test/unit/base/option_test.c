#include "base/option.h"
#include "base/must.h"

#include "../check.h"

static struct error err;

enum startup { EARLIEST, LATEST, GROUP };
static const char *const startups[] = {"earliest-offset", "latest-offset", "group-offsets", NULL};

struct kafka_options {
    const char *topic;
    bool password;
    bool exact;
    int64_t partitions;
    double ratio;
    uint64_t buffer_bytes;
    int64_t interval_ms;
    int startup;
    const char *brokers;
    struct option_pair *properties;
};

#define FIELD(name) offsetof(struct kafka_options, name)
static const struct option_def defs[] = {
    {"topic", OPTION_STRING, FIELD(topic), .required = true, .help = "Name of the topic."},
    {"password", OPTION_BOOL, FIELD(password), .secret = true},
    {"exact", OPTION_BOOL, FIELD(exact), "true"},
    {"partitions", OPTION_INT, FIELD(partitions), "1", .min_value = 1, .max_value = 100},
    {"ratio", OPTION_DOUBLE, FIELD(ratio), "0.5"},
    {"buffer", OPTION_BYTES, FIELD(buffer_bytes), "64 kb", .min_value = 1024,
     .max_value = INT64_MAX},
    {"interval", OPTION_DURATION, FIELD(interval_ms), "10 s"},
    {"scan.startup.mode", OPTION_ENUM, FIELD(startup), "group-offsets", .choices = startups},
    {"brokers", OPTION_LIST, FIELD(brokers)},
    {"properties.", OPTION_PREFIX, FIELD(properties)},
};

static struct arena arena;

static enum status parse(struct kafka_options *out, const char *const *pairs)
{
    static const char *const others[] = {"json.", "csv.", NULL};
    struct option_given given[16];
    size_t count = 0;
    for (; pairs[count * 2]; count++)
        given[count] = (struct option_given){
            str_of(pairs[count * 2]), str_of(pairs[count * 2 + 1]), {.line = (uint32_t)count + 1}};
    memset(out, 0, sizeof(*out));
    error_clear(&err);
    return option_parse(defs, COUNT_OF(defs), given, count, others, "connector 'kafka'", out,
                        &arena, &err);
}

#define PAIRS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(values_and_defaults)
{
    struct kafka_options options;
    arena_init(&arena, NULL, 1 << 20);
    CHECK_OK(parse(&options, PAIRS("topic", "orders", "json.x", "ignored")));
    CHECK_STR(options.topic, "orders");
    CHECK(options.exact);
    CHECK_INT(options.partitions, 1);
    CHECK(options.ratio == 0.5);
    CHECK_INT(options.buffer_bytes, 65536);
    CHECK_INT(options.interval_ms, 10000);
    CHECK_INT(options.startup, GROUP);
    CHECK(!options.brokers && !options.properties);
    CHECK_OK(
        parse(&options, PAIRS("topic", "a", "exact", "FALSE", "partitions", "100", "ratio", "1e3",
                              "buffer", "1 mb", "interval", "250 ms", "scan.startup.mode",
                              "Earliest-Offset", "brokers", "a;b", "properties.x.y", "1",
                              "properties.z", "2", "properties.x.y", "3", "topic", "b")));
    CHECK_STR(options.topic, "b"); /* the last one counts */
    CHECK(!options.exact);
    CHECK_INT(options.partitions, 100);
    CHECK(options.ratio == 1000);
    CHECK_INT(options.buffer_bytes, 1 << 20);
    CHECK_INT(options.interval_ms, 250);
    CHECK_INT(options.startup, EARLIEST);
    CHECK_STR(options.brokers, "a;b");
    CHECK_STR(options.properties->key, "x.y");
    CHECK_STR(options.properties->value, "3");
    CHECK_STR(options.properties->next->key, "z");
    CHECK(options.properties->next->next == NULL);
    arena_fini(&arena);
}

TEST(bad_input_is_explained)
{
    static const struct {
        const char *key, *value, *text, *hint;
    } rows[] = {
        {"tpoic", "x", "connector 'kafka' has no option 'tpoic'", "did you mean 'topic'?"},
        {"zzzzzz", "x", "has no option 'zzzzzz'", "it has topic, password"},
        {"properties.", "x", "has no option 'properties.'", ""},
        {"exact", "yes", "option 'exact' is 'yes', but must be true or false", ""},
        {"partitions", "0", "must be from 1 to 100", ""},
        {"partitions", "101", "must be from 1 to 100", ""},
        {"partitions", "many", "must be a whole number", ""},
        {"ratio", "half", "must be a number", ""},
        {"buffer", "1 b", "must be at least 1024 bytes", ""},
        {"buffer", "big", "such as '64 kb'", ""},
        {"interval", "soon", "such as '500 ms'", ""},
        {"scan.startup.mode", "latest-ofset",
         "must be earliest-offset, latest-offset or group-offsets",
         "did you mean 'latest-offset'?"},
        {"password", "hunter2", "option 'password' is '******'", ""},
        {"brokers", "a;;b", "non-empty", ""},
        {"brokers", "", "non-empty", ""},
        {"buffer", "18446744073709551615", NULL, ""},
    };
    struct kafka_options options;
    arena_init(&arena, NULL, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum status status = parse(&options, PAIRS("topic", "t", rows[i].key, rows[i].value));
        if (!rows[i].text ? status != ERR_OPTION && status != OK
                          : status != ERR_OPTION || !strstr(err.text, rows[i].text) ||
                                !strstr(err.hint, rows[i].hint))
            CHECK_FAIL("row %zu: %s (%s)", i, err.text, err.hint);
        CHECK(status == OK || err.pos.line == 2);
        CHECK(strstr(err.text, "hunter2") == NULL);
    }
    CHECK_INT(parse(&options, PAIRS("exact", "true")), ERR_OPTION);
    CHECK(strstr(err.text, "connector 'kafka' needs the option 'topic'") != NULL);
    CHECK_STR(err.hint, "Name of the topic.");
    arena_fini(&arena);
}

TEST(exact_keys_come_before_prefixes)
{
    static const struct option_def two[] = {{"a.", OPTION_PREFIX}, {"a.b", OPTION_STRING}};
    CHECK(option_find(two, 2, STR("a.b")) == &two[1]);
    CHECK(option_find(two, 2, STR("a.c")) == &two[0]);
    CHECK(option_find(two, 2, STR("a.")) == NULL);
    CHECK(option_find(two, 2, STR("b")) == NULL);
}

TEST(every_failing_allocation)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct kafka_options options;
        arena_init(&arena, NULL, 1 << 20);
        char big[6000];
        memset(big, 'x', sizeof(big) - 1);
        big[sizeof(big) - 1] = '\0';
        mem_fail_after(n);
        enum status status =
            parse(&options, PAIRS("topic", big, "properties.a", big, "brokers", big));
        mem_fail_after(0);
        failed = status != OK;
        if (failed)
            CHECK_INT(status, ERR_MEMORY);
        arena_fini(&arena);
    }
}
