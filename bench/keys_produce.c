/* keys_produce.c - writes {"k":KEY,"v":1} to a topic with librdkafka. Arguments: BOOTSTRAP TOPIC
 * KEYS: each key once, as fast as it goes. Then RATE SECONDS: random ones at that rate, instead.
 * Then DATABASE: with a probe (k = -1) every 5 ms, until its row in the SQLite table `buckets`
 * (bucket, n) has counted it; prints median, 99th of a hundred and largest of the milliseconds from
 * the acknowledgement of acks=all (the record is visible by then) to the row, and from produce().
 */
#include <librdkafka/rdkafka.h>
#include <sqlite3.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROBES_MAX 100000
#define PROBE_US   5000

static _Atomic uint64_t sent_us[PROBES_MAX], visible_us[PROBES_MAX], seen_us[PROBES_MAX];
static _Atomic uint64_t probe_count, seen_count, failed, is_over;

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void sleep_us(uint64_t us)
{
    struct timespec wait = {(time_t)(us / 1000000), (long)(us % 1000000 * 1000)};
    nanosleep(&wait, NULL);
}

static void delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    if (message->err && !failed++)
        fprintf(stderr, "not delivered: %s\n", rd_kafka_err2str(message->err));
    if (message->_private)
        visible_us[(uintptr_t)message->_private - 1] = now_us();
}

static void *poll_kafka(void *kafka)
{
    while (!is_over)
        rd_kafka_poll(kafka, 1);
    return NULL;
}

/* Watches the row of the probes. */
static void *watch(void *path)
{
    sqlite3 *db;
    sqlite3_stmt *query;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT n FROM buckets WHERE bucket = -1", -1, &query, NULL) !=
            SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        failed++;
        return NULL;
    }
    int64_t before = -1; /* of probes by earlier runs */
    while (!is_over || (seen_count < probe_count && !failed)) {
        int64_t count = sqlite3_step(query) == SQLITE_ROW ? sqlite3_column_int64(query, 0) : 0;
        uint64_t at = now_us();
        sqlite3_reset(query);
        before = before < 0 ? count : before;
        while (seen_count < (uint64_t)(count - before))
            seen_us[seen_count++] = at;
        sleep_us(100);
    }
    sqlite3_finalize(query);
    sqlite3_close(db);
    return NULL;
}

static void produce(rd_kafka_t *kafka, rd_kafka_topic_t *topic, int64_t key, uintptr_t probe)
{
    char line[64];
    int length = snprintf(line, sizeof(line), "{\"k\":%lld,\"v\":1}", (long long)key);
    while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, line, (size_t)length, NULL, 0,
                            (void *)probe) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            exit(1);
        sleep_us(1000);
    }
}

static uint64_t random_state = 1;
static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static void produce_at_rate(rd_kafka_t *kafka, rd_kafka_topic_t *topic, uint64_t keys,
                            uint64_t rate, uint64_t seconds, int probes)
{
    uint64_t start = now_us(), total = rate * seconds, next_probe = start + PROBE_US;
    random_state = start;
    for (uint64_t i = 0; i < total && !failed;) {
        uint64_t now = now_us(), due = (now - start) * rate / 1000000;
        for (; i < due && i < total; i++)
            produce(kafka, topic, (int64_t)draw(keys), 0);
        if (probes && now >= next_probe && probe_count < PROBES_MAX) {
            sent_us[probe_count++] = now_us();
            produce(kafka, topic, -1, probe_count);
            next_probe = now + PROBE_US;
        }
        sleep_us(500);
    }
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static void report(const char *what, const _Atomic uint64_t *from)
{
    static int64_t waits[PROBES_MAX];
    uint64_t count = seen_count;
    for (uint64_t i = 0; i < count; i++)
        waits[i] = (int64_t)(seen_us[i] - from[i]);
    qsort(waits, count, sizeof(*waits), compare);
    printf("%s %.2f %.2f %.2f %llu\n", what, (double)waits[count / 2] / 1e3,
           (double)waits[count * 99 / 100] / 1e3, (double)waits[count - 1] / 1e3,
           (unsigned long long)count);
}

int main(int argc, char **argv)
{
    char text[512];
    if (argc != 4 && argc != 6 && argc != 7) {
        fprintf(stderr, "BOOTSTRAP TOPIC KEYS [RATE SECONDS [DATABASE]]\n");
        return 2;
    }
    uint64_t keys = strtoull(argv[3], NULL, 10);
    pthread_t poller, watcher;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof(text)) ||
        rd_kafka_conf_set(conf, "queue.buffering.max.messages", "1000000", text, sizeof(text)) ||
        rd_kafka_conf_set(conf, "linger.ms", "1", text, sizeof(text)) ||
        rd_kafka_conf_set(conf, "acks", "all", text, sizeof(text)))
        return 2;
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    rd_kafka_topic_t *topic = kafka ? rd_kafka_topic_new(kafka, argv[2], NULL) : NULL;
    if (!topic || pthread_create(&poller, NULL, poll_kafka, kafka) != 0 ||
        (argc == 7 && pthread_create(&watcher, NULL, watch, argv[6]) != 0))
        return 1;
    if (argc == 4)
        for (uint64_t k = 0; k < keys && !failed; k++)
            produce(kafka, topic, (int64_t)k, 0);
    else
        produce_at_rate(kafka, topic, keys, strtoull(argv[4], NULL, 10),
                        strtoull(argv[5], NULL, 10), argc == 7);
    if (rd_kafka_flush(kafka, 120000) != 0)
        failed++;
    is_over = 1;
    pthread_join(poller, NULL);
    if (argc == 7) {
        pthread_join(watcher, NULL);
        if (!seen_count)
            return 1;
        report("visible", visible_us);
        report("sent", sent_us);
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka);
    return failed != 0;
}
