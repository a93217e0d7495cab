/* ingest.c - what rows over HTTP cost behind the HTTP server: an http-ingest endpoint over a broker
 * in this process, CPU of all threads but the clients' bodies, which are made before.
 *
 *   ingest [ROWS] [POSTS]      default 4 million rows in bodies of 1,000; 200,000 single rows
 *
 * Rows are orders of three fields with four constraints. Every answer is looked at, and the topic
 * is counted at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../test/unit/connector/ingest_help.h"
#include "base/str.h"
#include "clock.h"

#define BODY_ROWS 1000
#define BODIES    64 /* different ones */
#define IN_FLIGHT 64

#define TABLE                                                                                      \
    "CREATE TABLE t (customer_id INT NOT NULL, source STRING NOT NULL, quantity INT NOT NULL, "    \
    "CHECK (customer_id BETWEEN 1 AND 17), CHECK (source IN ('Takeaway', 'Dine In', "              \
    "'Home Delivery')), CHECK (quantity > 0)) WITH ('connector' = 'http-ingest', 'topic' = 't', "  \
    "'format' = 'json')"

static size_t make_row(char *dest, size_t room, int number)
{
    static const char *const sources[] = {"Takeaway", "Dine In", "Home Delivery"};
    return (size_t)snprintf(dest, room,
                            "{\"customer_id\": %d, \"source\": \"%s\", \"quantity\": %d}",
                            1 + number % 17, sources[number % 3], 1 + number % 100);
}

/* Clients that always have a request under way: each answer sends the next one, from a thread of
 * their own. */
struct bench_client {
    struct endpoint_request request;
    struct bench *bench;
    struct bench_client *next;
};
struct bench {
    struct endpoint *endpoint;
    struct mutex mutex;
    struct condition answered;
    struct bench_client *ready; /* answered, to be sent again */
    const char *wanted;         /* the answer */
    long wrong;
};

static void bench_done(struct endpoint_request *request)
{
    struct bench_client *client = container_of(request, struct bench_client, request);
    struct bench *bench = client->bench;
    mutex_lock(&bench->mutex);
    client->next = bench->ready;
    bench->ready = client;
    condition_signal(&bench->answered);
    mutex_unlock(&bench->mutex);
}

struct bodies {
    uint8_t *data[BODIES];
    size_t length[BODIES];
};

static void run(const char *what, struct bench *bench, const struct bodies *bodies,
                const char *type, long requests, int rows, uint32_t in_flight, const char *wanted)
{
    static struct bench_client clients[IN_FLIGHT];
    long sent = 0, answered = 0;
    double bytes = 0;
    bench->wanted = wanted;
    for (uint32_t i = 0; i < in_flight; i++) {
        clients[i] = (struct bench_client){.bench = bench, .next = bench->ready};
        bench->ready = &clients[i];
    }
    double start_s = now_s(), start_cpu_s = own_cpu_s();
    while (answered < requests) {
        mutex_lock(&bench->mutex);
        while (!bench->ready)
            condition_wait(&bench->answered, &bench->mutex);
        struct bench_client *client = bench->ready;
        bench->ready = NULL;
        mutex_unlock(&bench->mutex);
        for (struct bench_client *next; client; client = next) {
            next = client->next;
            if (client->request.done) {
                answered++;
                if (strcmp(buf_text(&client->request.answer), wanted) != 0 && bench->wrong++ == 0)
                    printf("answer: %s\n", buf_text(&client->request.answer));
                buf_fini(&client->request.answer);
            }
            if (sent == requests)
                continue;
            uint32_t body = (uint32_t)(sent++ % BODIES);
            bytes += (double)bodies->length[body];
            client->request = (struct endpoint_request){.content_type = type,
                                                        .body = bodies->data[body],
                                                        .body_bytes = bodies->length[body],
                                                        .done = bench_done};
            bench->endpoint->class->submit(bench->endpoint, &client->request);
        }
    }
    bench->ready = NULL;
    double wall_s = now_s() - start_s, used_s = own_cpu_s() - start_cpu_s;
    printf("%-44s %7.2f million rows per CPU second, %6.0f MB/s wall, %7.0f requests/s wall\n",
           what, (double)(requests * rows) / used_s / 1e6, bytes / wall_s / 1e6,
           (double)requests / wall_s);
}

static void make_bodies(struct bodies *bodies, int rows, bool array)
{
    for (int b = 0; b < BODIES; b++) {
        size_t room = (size_t)rows * 100 + BUFFER_PADDING + 2, at = 0;
        char *body = calloc(1, room);
        if (array)
            body[at++] = '[';
        for (int i = 0; i < rows; i++) {
            at += make_row(body + at, room - at, b * rows + i);
            body[at++] = array ? (i + 1 < rows ? ',' : ']') : '\n';
        }
        bodies->data[b] = (uint8_t *)body;
        bodies->length[b] = at;
    }
}

static long argument(int argc, char **argv, int at, long otherwise)
{
    int64_t value;
    return argc > at && str_to_i64(str_of(argv[at]), &value, NULL) ? (long)value : otherwise;
}

int main(int argc, char **argv)
{
    static struct ingest_world world;
    long rows = argument(argc, argv, 1, 4000000), posts = argument(argc, argv, 2, 200000);
    long bodies_sent = rows / BODY_ROWS;
    struct bench bench = {0};
    struct bodies lines, array, single;
    mutex_init(&bench.mutex);
    condition_init(&bench.answered);
    make_bodies(&lines, BODY_ROWS, false);
    make_bodies(&array, BODY_ROWS, true);
    make_bodies(&single, 1, false);
    ingest_open(&world, NULL);
    ingest_must(ingest_sql(&world, TABLE) == OK, "table", &world.err);
    bench.endpoint = engine_endpoint_find(world.engine, STR("t"));
    run("NDJSON, 1,000 rows a body", &bench, &lines, "application/x-ndjson", bodies_sent, BODY_ROWS,
        8, "{\"accepted\":1000}");
    run("JSON arrays, 1,000 rows a body", &bench, &array, "application/json", bodies_sent,
        BODY_ROWS, 8, "{\"accepted\":1000}");
    run("one row a request, 64 at once", &bench, &single, "application/json", posts, 1, 64,
        "{\"accepted\":1}");
    endpoint_unref(bench.endpoint);
    long found = ingest_records(&world, "t", NULL, NULL),
         want = 2 * bodies_sent * BODY_ROWS + posts;
    if (found != want || bench.wrong)
        printf("wrong: %ld rows in the topic, not %ld; %ld wrong answers\n", found, want,
               bench.wrong);
    ingest_close(&world, true);
    return found != want || bench.wrong;
}
