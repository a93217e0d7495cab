/* endpoint_test.c - the contract of endpoints, by a fake one: it counts lines on a thread of its
 * own and refuses what is too large.
 */
#include "../check.h"

#include "base/must.h"
#include "os/thread.h"
#include "plugin/endpoint.h"

struct fake {
    struct endpoint base;
    struct io_pool *pool;
    struct io_job job;
    struct endpoint_request *taken; /* one at a time */
    bool *closed;
};

static bool fake_check(struct endpoint *endpoint, struct endpoint_request *request)
{
    if (request->body_bytes <= endpoint->max_body_bytes)
        return true;
    endpoint_refuse(request, 413, "too_large", "send less", "the body has more than %zu bytes",
                    endpoint->max_body_bytes);
    return false;
}

static void fake_work(struct io_job *job)
{
    struct fake *fake = container_of(job, struct fake, job);
    struct endpoint_request *request = fake->taken;
    uint32_t lines = 0;
    for (size_t i = 0; i < request->body_bytes; i++)
        lines += request->body[i] == '\n';
    buf_init(&request->answer, 100);
    buf_printf(&request->answer, "{\"accepted\":%u}", lines);
    request->http_status = 200;
    request->done(request);
}

static void fake_submit(struct endpoint *endpoint, struct endpoint_request *request)
{
    struct fake *fake = (struct fake *)endpoint;
    if (!fake_check(endpoint, request)) {
        request->done(request);
        return;
    }
    fake->taken = request;
    fake->job = (struct io_job){.run = fake_work};
    io_pool_submit(fake->pool, &fake->job);
}

static void fake_close(struct endpoint *endpoint)
{
    *((struct fake *)endpoint)->closed = true;
    io_pool_free(((struct fake *)endpoint)->pool);
}

static const struct endpoint_class FAKE = {
    .size = sizeof(FAKE), .check = fake_check, .submit = fake_submit, .close = fake_close};

struct client {
    struct endpoint_request request;
    struct mutex mutex;
    struct condition answered;
    uint32_t answers;
};

static void client_done(struct endpoint_request *request)
{
    struct client *client = container_of(request, struct client, request);
    mutex_lock(&client->mutex);
    client->answers++;
    condition_signal(&client->answered);
    mutex_unlock(&client->mutex);
}

static void ask(struct fake *fake, struct client *client, const char *body)
{
    *client = (struct client){0};
    mutex_init(&client->mutex);
    condition_init(&client->answered);
    client->request = (struct endpoint_request){
        .content_type = "application/x-ndjson",
        .body = (const uint8_t *)body,
        .body_bytes = strlen(body),
        .done = client_done,
    };
    fake->base.class->submit(&fake->base, &client->request);
    mutex_lock(&client->mutex);
    while (!client->answers)
        condition_wait(&client->answered, &client->mutex);
    mutex_unlock(&client->mutex);
    condition_fini(&client->answered);
    mutex_fini(&client->mutex);
}

TEST(asked_answered_and_given_back)
{
    bool closed = false;
    struct fake fake = {.base = {.class = &FAKE, .refs = 1, .max_body_bytes = 10},
                        .closed = &closed};
    struct client client;
    struct error err = {0};
    CHECK_OK(io_pool_new(&fake.pool, "fake", 1, &err));
    CHECK(endpoint_ref(&fake.base) == &fake.base);
    ask(&fake, &client, "a\nb\nc\n");
    CHECK_INT(client.answers, 1);
    CHECK_INT(client.request.http_status, 200);
    CHECK_STR(buf_text(&client.request.answer), "{\"accepted\":3}");
    buf_fini(&client.request.answer);
    ask(&fake, &client, "elevenbytes");
    CHECK_INT(client.request.http_status, 413);
    CHECK_STR(buf_text(&client.request.answer),
              "{\"error\":{\"code\":\"too_large\",\"message\":\"the body has more than 10 "
              "bytes\",\"hint\":\"send less\"}}");
    buf_fini(&client.request.answer);
    endpoint_unref(&fake.base);
    CHECK(!closed);
    endpoint_unref(&fake.base);
    CHECK(closed);
    endpoint_unref(NULL);
}

TEST(parameters)
{
    const struct endpoint_parameter list[] = {{STR("atomic"), STR("true")}, {STR("x"), STR("")}};
    struct endpoint_request request = {.parameters = list, .parameter_count = 2};
    CHECK(endpoint_parameter(&request, "x") == &list[1]);
    CHECK(endpoint_parameter(&request, "atomi") == NULL);
    CHECK(str_eq(endpoint_parameter(&request, "atomic")->value, STR("true")));
}

TEST(an_answer_is_json_whatever_it_quotes)
{
    struct endpoint_request request = {0};
    endpoint_refuse(&request, 400, "bad", NULL, "'%s' is no number", "a\"\xff\n");
    CHECK_STR(buf_text(&request.answer),
              "{\"error\":{\"code\":\"bad\",\"message\":\"'a\\\"\xef\xbf\xbd\\n' is no "
              "number\"}}");
    endpoint_refuse(&request, 404, "gone", NULL, "another"); /* the last one stands */
    CHECK_INT(request.http_status, 404);
    CHECK(strstr(buf_text(&request.answer), "another"));
    buf_fini(&request.answer);
}
