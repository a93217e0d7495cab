/* broker.c - what the broker costs: one librdkafka producer with its defaults, one partition; CPU
 * of the broker's process from /proc, wall rate and the client's CPU beside it. Content is counted
 * at the end (the high watermark must be what was sent).
 *
 *   broker [RECORDS_100] [RECORDS_1K]      default 4 million of 100 bytes, 1 million of 1 KB
 */
#include <librdkafka/rdkafka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "os/io.h"
#include "clock.h"

static pid_t start_broker(const char *program, const char *directory, char *out_server,
                          size_t out_size)
{
    int pipes[2];
    char line[256] = "";
    if (pipe(pipes) != 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 1);
        close(pipes[0]);
        execl(program, program, directory, "0", (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    FILE *out = fdopen(pipes[0], "r");
    if (!out || !fgets(line, sizeof(line), out) || strncmp(line, "listening on ", 13) != 0) {
        fprintf(stderr, "no broker: %s\n", program);
        exit(1);
    }
    snprintf(out_server, out_size, "%s", line + 13);
    out_server[strcspn(out_server, "\n")] = '\0';
    return pid;
}

static long errors;
static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    if (message->err && errors++ == 0)
        fprintf(stderr, "not delivered: %s\n", rd_kafka_err2str(message->err));
}

static void produce(const char *server, pid_t pid, const char *topic_name, const char *acks,
                    size_t value_bytes, int64_t count)
{
    char text[512], *value = malloc(value_bytes);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_conf_t *topic_conf = rd_kafka_topic_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", server, text, sizeof(text));
    rd_kafka_topic_conf_set(topic_conf, "acks", acks, text, sizeof(text));
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, topic_name, topic_conf);
    for (size_t i = 0; i < value_bytes; i++)
        value[i] = (char)('a' + i * 7 % 26);
    /* The topic and the connection are there before the clock runs. */
    rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, value_bytes, NULL, 0, NULL);
    rd_kafka_flush(client, 10000);

    double user_s, system_s, user_end_s, system_end_s;
    double start_s = now_s(), client_s = own_cpu_s();
    cpu_of(pid, &user_s, &system_s);
    for (int64_t i = 1; i < count; i++) {
        while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, value_bytes, NULL, 0, NULL) !=
               0)
            rd_kafka_poll(client, 5);
        if (i % 1000 == 0)
            rd_kafka_poll(client, 0);
    }
    rd_kafka_flush(client, 60000);
    double wall_s = now_s() - start_s;
    client_s = own_cpu_s() - client_s;
    usleep(50000); /* the last sync round belongs to it */
    cpu_of(pid, &user_end_s, &system_end_s);
    double broker_s = user_end_s - user_s + system_end_s - system_s;
    int64_t low = 0, high = 0;
    /* acks=1 is answered before the sync, and nothing unsynced is shown: it may take a moment. */
    for (int turn = 0; turn < 100 && high < count; turn++) {
        if (turn)
            usleep(100000);
        rd_kafka_query_watermark_offsets(client, topic_name, 0, &low, &high, 10000);
    }
    printf(
        "%5zu B acks=%-3s  broker CPU %.3f s per million, %.3f s per GB (user %.2f system %.2f s)"
        "  wall %.2f million/s %.0f MB/s  client CPU %.2f s per million%s\n",
        value_bytes, acks, broker_s / (double)count * 1e6,
        broker_s / ((double)count * (double)value_bytes) * 1e9, user_end_s - user_s,
        system_end_s - system_s, (double)count / wall_s / 1e6,
        (double)count * (double)value_bytes / wall_s / 1e6, client_s / (double)count * 1e6,
        errors || high != count ? "  NOT ALL DELIVERED" : "");
    fflush(stdout);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    free(value);
}

/* A virtual machine's memory costs its first touch much more than later ones, and the log's page
 * cache would pay it: as many of its pages are made and given back first. Prints what a GB written
 * to the page cache costs the first and the second time.
 */
static void warm_memory(const char *directory, size_t size_bytes)
{
    static char block[1 << 20];
    char path[4096];
    double cost_s[2] = {0};
    snprintf(path, sizeof(path), "%s/warm", directory);
    for (int turn = 0; turn < 2; turn++) {
        double start_s = now_s();
        FILE *file = fopen(path, "wb");
        for (size_t at = 0; file && at < size_bytes; at += sizeof(block))
            errors += fwrite(block, sizeof(block), 1, file) != 1;
        cost_s[turn] = (now_s() - start_s) / (double)size_bytes * 1e9;
        errors += !file || fclose(file) != 0;
        unlink(path);
    }
    printf("a GB into the page cache costs %.2f s here, once more %.2f s\n", cost_s[0], cost_s[1]);
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/leat-bench-XXXXXX", program[4096], server[256];
    int64_t count_100 = 4000000, count_1k = 1000000;
    if ((argc > 1 && !str_to_i64(str_of(argv[1]), &count_100, NULL)) ||
        (argc > 2 && !str_to_i64(str_of(argv[2]), &count_1k, NULL)))
        return 2;
    const char *build = getenv("BUILD");
    snprintf(program, sizeof(program), "%s/test/tool/broker_main", build ? build : "build");
    if (!mkdtemp(directory))
        return 1;
    warm_memory(directory, (size_t)(2 * (count_100 * 120 + count_1k * 1100)));
    pid_t pid = start_broker(program, directory, server, sizeof(server));
    produce(server, pid, "warm", "1", 100, 100000);
    produce(server, pid, "b100-1", "1", 100, count_100);
    produce(server, pid, "b100-all", "all", 100, count_100);
    produce(server, pid, "b1k-1", "1", 1024, count_1k);
    produce(server, pid, "b1k-all", "all", 1024, count_1k);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return io_remove_tree(io_real(), directory, NULL) != OK || errors != 0;
}
