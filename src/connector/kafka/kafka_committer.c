/* kafka_committer.c - the exactly-once kafka sink's committer: a transactional producer that takes
 * rows from the sink's log into the topic, with the ledger, in one transaction (rule 29).
 *
 * Taking over is init_transactions: it aborts what another producer of this transactional id has
 * begun and fences it. Whether another has taken over since is seen in the ledger, which has the
 * fence of whoever did it last: so a process that has lost its connection for a while does not
 * fence its successor when it comes back. After any error there is a new producer.
 * Owner thread: the committer's; it blocks, at most CALL_MS a call.
 */
#include <stdio.h>

#include "base/must.h"
#include "connector/kafka/kafka_exact.h"

#define CALL_MS         10000
#define CHUNK_BYTES_MAX (1u << 30)
#define POLL_MS         50

struct sink_committer {
    struct kafka_sink *sink;
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    int32_t partition_count;
    uint64_t turn;
    struct sink_ledger ledger;
    struct buf chunk;
};

/* ---- opening and closing ---- */

void kafka_committer_close(struct sink_committer *committer)
{
    if (committer->topic)
        rd_kafka_topic_destroy(committer->topic);
    if (committer->client) {
        rd_kafka_purge(committer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(committer->client);
    }
    buf_fini(&committer->chunk);
    mem_free(committer);
}

static enum status client_open(struct sink_committer *committer, struct error *err)
{
    struct kafka_sink *sink = committer->sink;
    rd_kafka_conf_t *conf = NULL;
    char text[256];

    TRY(kafka_exact_conf(sink, true, &conf, err));
    if (rd_kafka_conf_set(conf, "transactional.id", sink->transactional_id, text, sizeof(text)) !=
        RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERR_OPTION, "%s", text);
    }
    TRY(kafka_exact_client(RD_KAFKA_PRODUCER, conf, &committer->client, err));
    committer->topic = rd_kafka_topic_new(committer->client, sink->topic_name, NULL);
    return committer->topic
               ? OK
               : error_set(err, ERR_NAME, "'%s' is not a topic name", sink->topic_name);
}

enum status kafka_committer_open(struct sink *base, struct sink_committer **out, struct error *err)
{
    struct sink_committer *committer = mem_calloc(1, sizeof(*committer));

    if (!committer)
        return error_memory(err, "a kafka committer", sizeof(*committer));
    committer->sink = (struct kafka_sink *)base;
    buf_init(&committer->chunk, CHUNK_BYTES_MAX);
    enum status status = client_open(committer, err);
    if (status != OK) {
        kafka_committer_close(committer);
        return status;
    }
    *out = committer;
    return OK;
}

/* ---- transactions ---- */

/* A transactional call's error; takes it. */
static enum status failed(rd_kafka_error_t *error, const char *what, struct error *err)
{
    if (!error)
        return OK;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    enum status status =
        kafka_client_error(code, err, "%s (%s)", what, rd_kafka_error_string(error));
    bool fatal = code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
                 code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT ||
                 code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;
    rd_kafka_error_destroy(error);
    if (err) { /* else a new producer and the ledger tell what came of it */
        err->fatal |= fatal;
        err->retriable = !err->fatal;
    }
    return status;
}

/* The ledger's offset goes into the transaction. A list without a valid offset would be ignored by
 * librdkafka without a word: an epoch is one. */
static enum status send_ledger(struct sink_committer *committer, const struct sink_ledger *ledger,
                               struct error *err)
{
    struct kafka_sink *sink = committer->sink;
    char text[KAFKA_LEDGER_TEXT_MAX];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *partition =
        rd_kafka_topic_partition_list_add(list, sink->topic_name, 0);
    rd_kafka_consumer_group_metadata_t *group =
        rd_kafka_consumer_group_metadata_new(sink->ledger_group);

    must(ledger->position.epoch <= INT64_MAX);
    kafka_ledger_text(ledger, sink->fence, text);
    partition->offset = (int64_t)ledger->position.epoch;
    partition->metadata = text;
    partition->metadata_size = strlen(text);
    enum status status =
        failed(rd_kafka_send_offsets_to_transaction(committer->client, list, group, CALL_MS),
               "the ledger cannot be written", err);
    partition->metadata = NULL; /* ours; the list would free it */
    partition->metadata_size = 0;
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static int32_t partition_of(struct sink_committer *committer, uint32_t subtask)
{
    switch (committer->sink->options.partitioner) {
    case PARTITIONER_FIXED:
        return (int32_t)(subtask % (uint32_t)committer->partition_count);
    case PARTITIONER_ROUND_ROBIN:
        return (int32_t)(committer->turn++ % (uint32_t)committer->partition_count);
    default:
        return RD_KAFKA_PARTITION_UA;
    }
}

static enum status send_row(void *context, uint32_t subtask, const void *value, size_t size_bytes,
                            struct error *err)
{
    struct sink_committer *committer = context;
    int32_t partition = partition_of(committer, subtask);

    while (rd_kafka_produce(committer->topic, partition, RD_KAFKA_MSG_F_COPY, (void *)value,
                            size_bytes, NULL, 0, NULL) != 0) {
        rd_kafka_resp_err_t code = rd_kafka_last_error();
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            rd_kafka_poll(committer->client, POLL_MS);
            continue;
        }
        enum status status = kafka_client_error(code, err, "a record for topic '%s' was not taken",
                                                committer->sink->topic_name);
        if (err) {
            err->fatal |= code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
            err->retriable = !err->fatal;
        }
        return status;
    }
    rd_kafka_poll(committer->client, 0);
    return OK;
}

/* One transaction: rows (commit NULL: none), then the ledger. */
static enum status transaction(struct sink_committer *committer, const struct sink_commit *commit,
                               const struct sink_ledger *after, struct error *err)
{
    TRY(failed(rd_kafka_begin_transaction(committer->client), "no transaction can be begun", err));
    for (uint32_t i = 0; commit && i < commit->count; i++) {
        buf_clear(&committer->chunk);
        TRY(sink_log_read(committer->sink->log, &commit->committables[i], &committer->chunk, err));
        TRY(kafka_exact_rows(&committer->chunk, send_row, committer, err));
    }
    TRY(send_ledger(committer, after, err));
    return failed(rd_kafka_commit_transaction(committer->client, CALL_MS),
                  "a transaction was not committed", err);
}

/* ---- taking over ---- */

/* The topic's partitions; asking makes it, where the cluster makes topics on first use. */
static enum status find_topic(struct sink_committer *committer, struct error *err)
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(committer->client, 0, committer->topic, &metadata, CALL_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        must(metadata->topic_cnt == 1);
        code = metadata->topics[0].err;
        committer->partition_count = metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && committer->partition_count > 0)
        return OK;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    enum status status =
        kafka_client_error(code, err, "topic '%s' cannot be written", committer->sink->topic_name);
    if (err)
        err->retriable = !err->fatal; /* it may be being made */
    return status;
}

static enum status superseded(struct sink_committer *committer, struct error *err)
{
    error_set(err, ERR_FENCED,
              "another process has taken over the writing to topic '%s' (transactional id '%s')",
              committer->sink->topic_name, committer->sink->transactional_id);
    error_hint(err, "let one job of this name and prefix run at a time");
    if (err)
        err->fatal = true;
    return ERR_FENCED;
}

enum status kafka_committer_ledger(struct sink_committer *committer, struct sink_ledger *out,
                                   struct error *err)
{
    struct kafka_sink *sink = committer->sink;
    uint64_t fence = 0;

    if (sink->has_taken_over) { /* before anybody is fenced: is it still ours? */
        TRY(kafka_ledger_read(sink, false, CALL_MS, out, &fence, err));
        if (out->found && fence != sink->fence)
            return superseded(committer, err);
    }
    TRY(failed(rd_kafka_init_transactions(committer->client, CALL_MS),
               "the transactions of this sink cannot be taken over", err));
    TRY(find_topic(committer, err));
    TRY(kafka_ledger_read(sink, true, CALL_MS, out, &fence, err));
    if (sink->has_taken_over && out->found && fence != sink->fence)
        return superseded(committer, err);
    if (out->found && fence != sink->fence)
        TRY(transaction(committer, NULL, out, err));
    sink->has_taken_over = true;
    committer->ledger = *out;
    return OK;
}

static bool same_ledger(const struct sink_ledger *a, const struct sink_ledger *b)
{
    return a->found == b->found &&
           (!a->found ||
            (memcmp(a->lineage, b->lineage, SINK_LINEAGE_BYTES) == 0 &&
             a->position.epoch == b->position.epoch && a->position.chunk == b->position.chunk));
}

enum status kafka_committer_commit(struct sink_committer *committer,
                                   const struct sink_commit *commit, struct error *err)
{
    if (!same_ledger(&committer->ledger, &commit->before))
        return superseded(committer, err);
    struct sink_ledger after = commit->after;
    after.found = true;
    TRY(transaction(committer, commit, &after, err));
    committer->ledger = after;
    return OK;
}

void kafka_committer_forget(struct sink_committer *committer,
                            const struct sink_committable *committable)
{
    sink_log_forget(committer->sink->log, committable);
}
