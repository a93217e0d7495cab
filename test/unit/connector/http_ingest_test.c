/* http_ingest_test.c - requests to an http-ingest table: forms of the body, verdicts per row, what
 * stands in the topic afterwards, limits, many clients.
 */
#include "../check.h"

#include "connector/http-ingest/http_ingest.h"
#include "connector/kafka/kafka.h"
#include "ingest_help.h"

#define JSON  "application/json"
#define LINES "application/x-ndjson"

static struct ingest_world world;
static char answer[1 << 17];
static struct buf stored;

static const char *ask_as(const char *path, const char *type, const char *parameter,
                          const char *body, size_t length)
{
    struct ingest_client client;
    const struct endpoint_parameter atomic = {STR("atomic"), str_of(parameter ? parameter : "")};
    ingest_send(&world, &client, path, type, body, length);
    client.request.parameters = &atomic;
    client.request.parameter_count = parameter ? 1 : 0;
    ingest_submit(&client);
    ingest_receive(&client, answer, sizeof(answer));
    return answer;
}

static const char *ask(const char *path, const char *type, const char *body)
{
    return ask_as(path, type, NULL, body, strlen(body));
}

static void append_stored(void *context, const char *value, size_t length)
{
    buf_append(&stored, value, length);
    buf_append_byte(&stored, '|');
}

static const char *topic(const char *name)
{
    buf_clear(&stored);
    ingest_records(&world, name, append_stored, NULL);
    return buf_text(&stored);
}

static void open_world(const char *tables)
{
    buf_init(&stored, 1 << 26);
    ingest_open(&world, NULL);
    ingest_must(ingest_sql(&world, tables) == OK, tables, &world.err);
}

static void close_world(void)
{
    ingest_close(&world, true);
    buf_fini(&stored);
}

#define INGEST(name, options)                                                                      \
    "WITH ('connector' = 'http-ingest', 'topic' = '" name "', 'format' = 'json'" options ");"

TEST(three_forms_of_a_body)
{
    open_world("CREATE TABLE t (a INT, s STRING) " INGEST("t", ""));
    CHECK_STR(ask("t", JSON, " {\"a\": 1,  \"s\":\"x\"}\n"), "200 {\"accepted\":1}");
    CHECK_STR(ask("t", JSON, "[{\"a\":2}, {\"s\":\"]\"}]"), "200 {\"accepted\":2}");
    CHECK_STR(ask("t", LINES, "{\"a\":3}\n\n{\"b\":[1]}\r\n{}"), "200 {\"accepted\":3}");
    CHECK_STR(ask("t", "Application/JSON ; charset=\"UTF-8\"", "[]"), "200 {\"accepted\":0}");
    CHECK_STR(ask("t", LINES, ""), "200 {\"accepted\":0}");
    CHECK_STR(topic("t"),
              "{\"a\": 1,  \"s\":\"x\"}|{\"a\":2}|{\"s\":\"]\"}|{\"a\":3}|{\"b\":[1]}|{}|");
    close_world();
}

TEST(bad_rows_are_told_one_by_one)
{
    open_world("CREATE TABLE t (id INT NOT NULL, source STRING, quantity INT, CHECK (id BETWEEN 1 "
               "AND 17), CHECK (source IN ('Takeaway', 'Dine In')), "
               "CONSTRAINT some CHECK (quantity > 0)) " INGEST("t", ""));
    CHECK_STR(ask("t", JSON, "{\"id\":\"abc\"}"),
              "422 {\"accepted\":0,\"rejected\":1,\"errors\":[{\"row\":1,\"field\":\"id\","
              "\"constraint\":\"INT NOT NULL\",\"value\":\"abc\",\"message\":\"column 'id': "
              "\\\"abc\\\" is not a valid INT NOT NULL\"}]}");
    CHECK_STR(ask("t", JSON, "[{\"id\":1,\"source\":\"Dine In\",\"quantity\":1},{\"id\":18},{}]"),
              "422 {\"accepted\":1,\"rejected\":2,\"errors\":["
              "{\"row\":2,\"field\":\"id\",\"constraint\":\"CHECK (id BETWEEN 1 AND 17)\","
              "\"value\":\"18\",\"message\":\"CHECK (id BETWEEN 1 AND 17) is false for id = 18\"},"
              "{\"row\":3,\"field\":\"id\",\"constraint\":\"INT NOT NULL\",\"value\":null,"
              "\"message\":\"column 'id' is NOT NULL and has no value\"}]}");
    CHECK_STR(ask("t", LINES, "{\"id\":2}\n{\"id\":3,\"source\":\"Drone\"}\n[1]\n{\"id\":4"),
              "422 {\"accepted\":1,\"rejected\":3,\"errors\":["
              "{\"row\":2,\"field\":\"source\",\"constraint\":\"CHECK (source IN ('Takeaway', "
              "'Dine In'))\",\"value\":\"Drone\",\"message\":\"CHECK (source IN ('Takeaway', 'Dine "
              "In')) is false for source = 'Drone'\"},"
              "{\"row\":3,\"field\":null,\"constraint\":\"JSON object\",\"value\":null,"
              "\"message\":\"not a JSON object\"},"
              "{\"row\":4,\"field\":null,\"constraint\":\"JSON object\",\"value\":null,"
              "\"message\":\"not valid JSON: it ends too early, after 7 bytes\"}]}");
    CHECK(strstr(ask("t", JSON, "{\"id\":5,\"quantity\":0}"),
                 "\"field\":\"quantity\",\"constraint\":\"CONSTRAINT some CHECK (quantity > 0)\","
                 "\"value\":\"0\""));
    CHECK(strstr(ask("t", JSON, "{\"id\":5,\"quantity\":3000000000}"),
                 "\"field\":\"quantity\",\"constraint\":\"INT\",\"value\":\"3000000000\""));
    CHECK(strstr(ask("t", LINES, "{\"id\":5,\"source\":\"\xff\"}"), "not valid UTF-8"));
    CHECK_STR(topic("t"), "{\"id\":1,\"source\":\"Dine In\",\"quantity\":1}|{\"id\":2}|");
    close_world();
}

TEST(all_or_none)
{
    open_world("CREATE TABLE t (a INT NOT NULL) " INGEST("t", ""));
    static const char mixed[] = "{\"a\":1}\n{\"a\":2}\n{}\n{\"a\":3}\n{\"a\":\"x\"}\n";
    CHECK(strstr(ask_as("t", LINES, "true", mixed, strlen(mixed)),
                 "422 {\"accepted\":0,\"rejected\":2,\"errors\":[{\"row\":3,"));
    CHECK_STR(topic("t"), "");
    CHECK(strstr(ask_as("t", LINES, "false", mixed, strlen(mixed)), "{\"accepted\":3,"));
    CHECK_STR(ask_as("t", LINES, "true", "{\"a\":7}\n{\"a\":8}", 15), "200 {\"accepted\":2}");
    CHECK_STR(topic("t"), "{\"a\":1}|{\"a\":2}|{\"a\":3}|{\"a\":7}|{\"a\":8}|");
    /* a body that breaks off is none */
    CHECK(strstr(ask("t", JSON, "[{\"a\":9},{\"a\":10}"),
                 "400 {\"error\":{\"code\":\"BODY\",\"message\":\"the body is not valid JSON "
                 "at byte 17: the array does not end\""));
    CHECK(strstr(ask("t", JSON, ""), "400 "));
    CHECK(strstr(topic("t"), "8}|") && !strstr(topic("t"), "9}|"));
    close_world();
}

static char *many_rows(int count, int bad_every, bool array, size_t *length)
{
    char *body = malloc((size_t)count * 40 + 10);
    size_t at = 0;
    if (array)
        body[at++] = '[';
    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(
            body + at, 40, bad_every && i % bad_every == 0 ? "{\"a\":\"x%d\"}%s" : "{\"a\":%d}%s",
            i, array ? (i + 1 < count ? "," : "]") : "\n");
    *length = at;
    return body;
}

struct sum {
    int count;
    int64_t sum;
};

static void add_value(void *context, const char *value, size_t length)
{
    struct sum *sum = context;
    sum->count++;
    sum->sum += strtol(value + 5, NULL, 10);
}

TEST(a_hundred_thousand_rows)
{
    const int count = 100000;
    size_t length;
    struct sum sum = {0};
    open_world("CREATE TABLE t (a INT) " INGEST("t", ""));
    for (int array = 0; array < 2; array++) {
        char *body = many_rows(count, 0, array, &length);
        CHECK_STR(ask_as("t", array ? JSON : LINES, NULL, body, length),
                  "200 {\"accepted\":100000}");
        free(body);
    }
    CHECK_INT(ingest_records(&world, "t", add_value, &sum), 2 * count);
    CHECK_INT(sum.sum, (int64_t)count * (count - 1));
    /* bad ones among them: a hundred are listed, each with its reason */
    char *body = many_rows(count, 10, false, &length);
    const char *got = ask_as("t", LINES, NULL, body, length);
    CHECK(strstr(got, "422 {\"accepted\":90000,\"rejected\":10000,\"errors\":[{\"row\":1,"));
    int listed = 0;
    for (const char *at = got; (at = strstr(at, "\"field\":\"a\",\"constraint\":\"INT\"")); at++)
        listed++;
    CHECK_INT(listed, 100);
    CHECK(strstr(got, "\"row\":991,") && !strstr(got, "\"row\":1001,"));
    got = ask_as("t", LINES, "true", body, length);
    CHECK(strstr(got, "422 {\"accepted\":0,\"rejected\":10000,"));
    /* taken back over several finished batches */
    char *late = malloc(length + 20);
    free(body);
    body = many_rows(count, 0, false, &length);
    memcpy(late, body, length);
    memcpy(late + length, "{\"a\":\"x\"}\n", 10);
    CHECK(strstr(ask_as("t", LINES, "true", late, length + 10),
                 "422 {\"accepted\":0,\"rejected\":1,"));
    CHECK_STR(ask("t", JSON, "{\"a\":0}"), "200 {\"accepted\":1}");
    memset(&sum, 0, sizeof(sum));
    CHECK_INT(ingest_records(&world, "t", add_value, &sum), 2 * count + 90001);
    free(late);
    free(body);
    close_world();
}

TEST(what_is_not_understood)
{
    open_world("CREATE TABLE t (a INT) " INGEST("t", ", 'max-body-bytes' = '1 kb'"));
    CHECK(strstr(ask("t", NULL, "{}"), "415 {\"error\":{\"code\":\"CONTENT_TYPE\""));
    CHECK(strstr(ask("t", "text/plain", "{}"), "415 "));
    CHECK(strstr(ask("t", "application/jsonx", "{}"), "415 "));
    CHECK(strstr(ask("t", "application/json; charset=latin1", "{}"), "latin1"));
    CHECK(strstr(ask_as("t", JSON, "maybe", "{}", 2), "400 "));
    char big[1026];
    memset(big, ' ', sizeof(big));
    big[0] = '{', big[1] = '}';
    CHECK_STR(ask_as("t", JSON, NULL, big, 1024), "200 {\"accepted\":1}");
    CHECK(strstr(ask_as("t", JSON, NULL, big, 1025), "413 {\"error\":{\"code\":\"TOO_LARGE\""));
    /* the same before the body has come */
    struct endpoint *endpoint = engine_endpoint_find(world.engine, STR("t"));
    struct endpoint_request request = {.content_type = JSON, .body_bytes = 1024};
    CHECK(endpoint->class->check(endpoint, &request));
    request.body_bytes = 1025;
    CHECK(!endpoint->class->check(endpoint, &request));
    CHECK_INT(request.http_status, 413);
    const struct endpoint_parameter unknown = {STR("atomc"), STR("true")};
    request = (struct endpoint_request){.content_type = JSON,
                                        .parameters = &unknown,
                                        .parameter_count = 1,
                                        .answer = request.answer};
    CHECK(!endpoint->class->check(endpoint, &request));
    CHECK_INT(request.http_status, 400);
    buf_fini(&request.answer);
    endpoint_unref(endpoint);
    CHECK_STR(topic("t"), "{}|");
    close_world();
}

TEST(a_row_that_no_message_can_hold)
{
    const size_t size = 5 << 20;
    char *line = malloc(size + 100);
    open_world("CREATE TABLE t (a INT, s STRING) " INGEST("t", ""));
    size_t at = (size_t)snprintf(line, size, "{\"a\":1}\n{\"s\":\"");
    memset(line + at, 'x', size);
    memcpy(line + at + size, "\"}\n{\"a\":2}", 10);
    const char *got = ask_as("t", LINES, NULL, line, at + size + 10);
    CHECK(strstr(got, "422 {\"accepted\":2,\"rejected\":1,\"errors\":[{\"row\":2,\"field\":null,"
                      "\"constraint\":\"max.message.bytes = 1048588\",\"value\":null,"));
    CHECK_STR(topic("t"), "{\"a\":1}|{\"a\":2}|");
    /* one that just fits */
    at = (size_t)snprintf(line, size, "{\"s\":\"");
    memset(line + at, 'x', 1 << 20);
    memcpy(line + at + (1 << 20) - 200, "\"}", 2);
    CHECK_STR(ask_as("t", JSON, NULL, line, at + (1 << 20) - 198), "200 {\"accepted\":1}");
    free(line);
    close_world();
}

TEST(deep_nesting_and_truncation_are_bad_rows)
{
    static const char row[] = "{\"a\":1,\"x\":{\"y\":[1,\"\\u00e9\",{}]}}";
    open_world("CREATE TABLE t (a INT) " INGEST("t", ""));
    for (size_t length = 1; length < sizeof(row) - 1; length++)
        CHECK(strstr(ask_as("t", JSON, NULL, row, length), "422 {\"accepted\":0,"));
    char deep[20000] = "{\"x\":";
    memset(deep + 5, '[', 9000);
    memset(deep + 9005, ']', 9000);
    deep[18005] = '}';
    CHECK(strstr(ask_as("t", JSON, NULL, deep, 18006), "422 {\"accepted\":0,"));
    CHECK_STR(topic("t"), "");
    CHECK_STR(ask("t", JSON, row), "200 {\"accepted\":1}");
    /* of a name that is there twice the last counts, as for readers */
    CHECK_STR(ask("t", JSON, "{\"a\":\"x\",\"a\":2}"), "200 {\"accepted\":1}");
    close_world();
}

/* ---- many clients */

#define CLIENTS  8
#define REQUESTS 200

static void client_main(void *context)
{
    int number = (int)(intptr_t)context;
    char body[200], got[200];
    for (int i = 0; i < REQUESTS; i++) {
        struct ingest_client client;
        int at = snprintf(body, sizeof(body), "{\"a\":%d}\n{\"a\":-1}\n{\"a\":%d}",
                          number * 2 * REQUESTS + 2 * i, number * 2 * REQUESTS + 2 * i + 1);
        ingest_send(&world, &client, "t", LINES, body, (size_t)at);
        ingest_submit(&client);
        ingest_receive(&client, got, sizeof(got));
        must(strncmp(got, "422 {\"accepted\":2,\"rejected\":1,", 30) == 0);
    }
}

static void mark_value(void *context, const char *value, size_t length)
{
    ((uint8_t *)context)[strtol(value + 5, NULL, 10)]++;
}

TEST(many_clients_each_row_once)
{
    struct thread *threads[CLIENTS];
    static uint8_t seen[CLIENTS * REQUESTS * 2];
    open_world("CREATE TABLE t (a INT, CHECK (a >= 0)) " INGEST("t", ""));
    for (int i = 0; i < CLIENTS; i++)
        must(thread_start(&threads[i], "client", client_main, (void *)(intptr_t)i, &world.err) ==
             OK);
    for (int i = 0; i < CLIENTS; i++)
        thread_join(threads[i]);
    CHECK_INT(ingest_records(&world, "t", mark_value, seen), CLIENTS * REQUESTS * 2);
    for (int i = 0; i < CLIENTS * REQUESTS * 2; i++)
        CHECK_INT(seen[i], 1);
    close_world();
}

TEST(too_much_at_once_is_told_to_come_again)
{
    struct ingest_client clients[64];
    char got[1000];
    int taken = 0, refused = 0;
    char *body = malloc(200000);
    memset(body, ' ', 200000);
    open_world("CREATE TABLE t (a INT) " INGEST("t", ", 'max-pending-bytes' = '1 mb'"));
    for (int i = 0; i < 64; i++) {
        ingest_send(&world, &clients[i], "t", LINES, body, 200000);
        memcpy(clients[i].body, "{\"a\":1}\n", 8);
        ingest_submit(&clients[i]);
    }
    for (int i = 0; i < 64; i++) {
        uint32_t wait_s;
        mutex_lock(&clients[i].mutex);
        while (!clients[i].done)
            condition_wait(&clients[i].answered, &clients[i].mutex);
        wait_s = clients[i].request.retry_after_s;
        mutex_unlock(&clients[i].mutex);
        ingest_receive(&clients[i], got, sizeof(got));
        if (strcmp(got, "200 {\"accepted\":1}") == 0)
            taken++;
        else if (strstr(got, "429 {\"error\":{\"code\":\"TOO_MANY\"") && wait_s)
            refused++;
        else
            CHECK_FAIL("%s", got);
    }
    CHECK(taken >= 5);
    CHECK_INT(ingest_records(&world, "t", NULL, NULL), taken);
    CHECK_STR(ask("t", JSON, "{}"), "200 {\"accepted\":1}"); /* all is well again */
    free(body);
    close_world();
}

TEST(a_topic_of_several_partitions)
{
    struct log_offsets offsets;
    int64_t sum = 0, least = INT64_MAX;
    buf_init(&stored, 1 << 20);
    ingest_open(&world, NULL);
    struct log_topic *several;
    CHECK(log_topic_create(broker_log(world.broker), STR("p"), 3, NULL, 0, &several, &world.err) ==
          OK);
    CHECK(ingest_sql(&world, "CREATE TABLE t (a INT) " INGEST("p", "")) == OK);
    for (int i = 0; i < 30; i++)
        CHECK_STR(ask("t", JSON, "[{},{}]"), "200 {\"accepted\":2}");
    for (uint32_t i = 0; i < 3; i++) {
        log_partition_offsets(log_topic_partition(several, i), &offsets);
        sum += offsets.high_watermark;
        least = offsets.high_watermark < least ? offsets.high_watermark : least;
    }
    CHECK_INT(sum, 60);
    CHECK(least > 0);
    log_topic_unref(several);
    close_world();
}

/* ---- coming and going */

TEST(dropped_deleted_and_made_again)
{
    open_world("CREATE TABLE t (a INT) " INGEST("t", "") "CREATE TABLE u (a INT) " INGEST("u", ""));
    struct endpoint *held = engine_endpoint_find(world.engine, STR("t"));
    CHECK_STR(ask("t", JSON, "{\"a\":1}"), "200 {\"accepted\":1}");
    CHECK(ingest_sql(&world, "DROP TABLE t") == OK);
    struct endpoint_request request = {.content_type = JSON};
    CHECK(!held->class->check(held, &request));
    CHECK_INT(request.http_status, 404);
    buf_fini(&request.answer);
    endpoint_unref(held);
    CHECK(ingest_sql(&world, "CREATE TABLE t (a INT) " INGEST("t", "")) == OK);
    CHECK_STR(ask("t", JSON, "{\"a\":2}"), "200 {\"accepted\":1}");
    CHECK_STR(topic("t"), "{\"a\":1}|{\"a\":2}|");
    CHECK(log_topic_delete(broker_log(world.broker), STR("u"), &world.err) == OK);
    CHECK(strstr(ask("u", JSON, "{\"a\":2}"), "503 {\"error\":{\"code\":\"NOT_DURABLE\""));
    CHECK_STR(ask("t", JSON, "{\"a\":3}"), "200 {\"accepted\":1}");
    close_world();
}

TEST(what_is_answered_is_there_after_a_restart)
{
    char directory[64];
    open_world("CREATE TABLE t (a INT) " INGEST("t", ""));
    CHECK_STR(ask("t", JSON, "{\"a\":1}"), "200 {\"accepted\":1}");
    snprintf(directory, sizeof(directory), "%s", world.directory);
    ingest_close(&world, false);
    ingest_open(&world, directory);
    CHECK(ingest_sql(&world, "CREATE TABLE t (a INT) " INGEST("t", "")) == OK);
    CHECK_STR(ask("t", JSON, "{\"a\":2}"), "200 {\"accepted\":1}");
    CHECK_STR(topic("t"), "{\"a\":1}|{\"a\":2}|");
    close_world();
}

TEST(tables_that_cannot_be)
{
    open_world("CREATE TABLE t (a INT) " INGEST("t", ""));
    CHECK_INT(ingest_sql(&world, "CREATE TABLE a (a INT) WITH ('connector' = 'http-ingest', "
                                 "'format' = 'json')"),
              ERR_OPTION);
    CHECK(strstr(world.err.text, "topic"));
    CHECK_INT(ingest_sql(&world, "CREATE TABLE a (a INT) WITH ('connector' = 'http-ingest', "
                                 "'topic' = 'a')"),
              ERR_OPTION);
    CHECK(strstr(world.err.text, "format"));
    CHECK_INT(ingest_sql(&world, "CREATE TABLE `a b` (a INT) " INGEST("a", "")), ERR_OPTION);
    CHECK(strstr(world.err.hint, "'path'"));
    CHECK_INT(ingest_sql(&world, "CREATE TABLE a (a INT) " INGEST("a", ", 'path' = 't'")),
              ERR_EXISTS);
    CHECK_INT(ingest_sql(&world, "CREATE TABLE a (a INT) " INGEST("a", ", 'path' = '../t'")),
              ERR_OPTION);
    CHECK_INT(ingest_sql(&world, "CREATE TABLE a (a INT) " INGEST("no/topic", "")), ERR_NAME);
    CHECK_INT(ingest_sql(&world, "CREATE TABLE a (a ARRAY<INT>) " INGEST("a", "")),
              ERR_UNSUPPORTED);
    CHECK(ingest_sql(&world, "CREATE TABLE a (a INT) " INGEST("a", ", 'path' = 'x-1.y_Z'")) == OK);
    CHECK_STR(ask("x-1.y_Z", JSON, "{}"), "200 {\"accepted\":1}");
    close_world();
}

/* The table's source is the topic's: what connector/kafka does for a split this one must do too. */
TEST(the_source_passes_everything_on)
{
    const struct source_class *ours = CONNECTOR_HTTP_INGEST.source, *kafka = CONNECTOR_KAFKA.source;
    const size_t first = offsetof(struct source_class, open) / sizeof(void *);
    void *own[sizeof(*ours) / sizeof(void *)], *theirs[sizeof(*kafka) / sizeof(void *)];
    memcpy(own, ours, sizeof(own));
    memcpy(theirs, kafka, sizeof(theirs));
    for (size_t i = first; i < COUNT_OF(own); i++)
        CHECK((own[i] != NULL) == (theirs[i] != NULL));
}
