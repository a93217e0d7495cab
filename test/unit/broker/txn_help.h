/* txn_help.h - a transactional producer and a consumer of committed records over a rig's socket.
 * The consumer skips what is aborted as Kafka's clients do, from what the broker tells in its
 * answer. */
#ifndef LEAT_TEST_TXN_HELP_H
#define LEAT_TEST_TXN_HELP_H

#include "broker_help.h"

struct producer_client {
    const char *id;
    int64_t producer_id;
    int16_t epoch;
    int32_t sequence; /* next, of one partition; tests send to each topic through txn_send_at */
};

static inline enum status txn_find(struct rig *rig, const char *id, struct error *err)
{
    struct str key = str_of(id);
    struct kafka_find_coordinator_request request = {.key_type = 1, .keys = {&key, 1}};
    struct kafka_find_coordinator_response response;
    TRY(rig_call(rig, KAFKA_FIND_COORDINATOR, 4, &request, &response, err));
    return response.coordinators.items[0].error_code
               ? error_set(err, ERR_IO, "coordinator: %d",
                           response.coordinators.items[0].error_code)
               : OK;
}

/* A new producer, or (again) one that asks for the next epoch of its own. */
static inline enum status txn_init(struct rig *rig, const char *id, int32_t timeout_ms, bool again,
                                   struct producer_client *client, int16_t *out_code,
                                   struct error *err)
{
    struct kafka_init_producer_id_request request = {.transactional_id = str_of(id),
                                                     .transaction_timeout_ms = timeout_ms,
                                                     .producer_id = -1,
                                                     .producer_epoch = -1};
    struct kafka_init_producer_id_response response;
    if (again) {
        request.producer_id = client->producer_id;
        request.producer_epoch = client->epoch;
    }
    TRY(rig_call(rig, KAFKA_INIT_PRODUCER_ID, 4, &request, &response, err));
    *out_code = response.error_code;
    if (response.error_code == KAFKA_NONE)
        *client = (struct producer_client){id, response.producer_id, response.producer_epoch, 0};
    return OK;
}

static inline enum status txn_add(struct rig *rig, const struct producer_client *client,
                                  const char *topic_name, int32_t index, int16_t *out_code,
                                  struct error *err)
{
    struct kafka_add_partitions_topic topic = {.name = str_of(topic_name),
                                               .partitions = {&index, 1}};
    struct kafka_add_partitions_request request = {.transactional_id = str_of(client->id),
                                                   .producer_id = client->producer_id,
                                                   .producer_epoch = client->epoch,
                                                   .topics = {&topic, 1}};
    struct kafka_add_partitions_response response;
    TRY(rig_call(rig, KAFKA_ADD_PARTITIONS_TO_TXN, 3, &request, &response, err));
    *out_code = response.topics.items[0].partitions.items[0].error_code;
    return OK;
}

/* One record as the batch with this sequence. */
static inline enum status txn_send_at(struct rig *rig, const struct producer_client *client,
                                      const char *topic_name, const char *value, int32_t sequence,
                                      int16_t version, int16_t *out_code, struct error *err)
{
    struct buf batch;
    struct record_builder builder;
    buf_init(&batch, 1 << 20);
    record_builder_begin(&builder, &batch, NULL, COMPRESSION_NONE);
    builder.attributes |= RECORD_TRANSACTIONAL;
    builder.producer_id = client->producer_id;
    builder.producer_epoch = client->epoch;
    builder.base_sequence = sequence;
    record_builder_add(&builder, 1000, NULL, -1, value, (int32_t)strlen(value), NULL, 0);
    enum status status = record_builder_finish(&builder, err);
    struct kafka_produce_partition partition = {.records = {batch.data, batch.length, NULL}};
    struct kafka_produce_topic topic = {.name = str_of(topic_name), .partitions = {&partition, 1}};
    struct kafka_produce_request request = {.transactional_id = str_of(client->id),
                                            .acks = -1,
                                            .timeout_ms = 10000,
                                            .topics = {&topic, 1}};
    struct kafka_produce_response response;
    if (status == OK)
        status = rig_call(rig, KAFKA_PRODUCE, version, &request, &response, err);
    if (status == OK)
        *out_code = response.topics.items[0].partitions.items[0].error_code;
    buf_fini(&batch);
    return status;
}

static inline enum status txn_send(struct rig *rig, struct producer_client *client,
                                   const char *topic_name, const char *value, int16_t *out_code,
                                   struct error *err)
{
    TRY(txn_send_at(rig, client, topic_name, value, client->sequence, 9, out_code, err));
    client->sequence += *out_code == KAFKA_NONE;
    return OK;
}

static inline enum status txn_end(struct rig *rig, const struct producer_client *client,
                                  bool commit, int16_t *out_code, struct error *err)
{
    struct kafka_end_txn_request request = {.transactional_id = str_of(client->id),
                                            .producer_id = client->producer_id,
                                            .producer_epoch = client->epoch,
                                            .committed = commit};
    struct kafka_end_txn_response response;
    TRY(rig_call(rig, KAFKA_END_TXN, 4, &request, &response, err));
    *out_code = response.error_code;
    return OK;
}

static inline enum status txn_add_offsets(struct rig *rig, const struct producer_client *client,
                                          const char *group, int16_t *out_code, struct error *err)
{
    struct kafka_add_offsets_request request = {.transactional_id = str_of(client->id),
                                                .producer_id = client->producer_id,
                                                .producer_epoch = client->epoch,
                                                .group_id = str_of(group)};
    struct kafka_add_offsets_response response;
    TRY(rig_call(rig, KAFKA_ADD_OFFSETS_TO_TXN, 3, &request, &response, err));
    *out_code = response.error_code;
    return OK;
}

/* The group's offset of partition 0 of topic t. */
static inline enum status txn_offset(struct rig *rig, const struct producer_client *client,
                                     const char *group, const char *member, int32_t generation,
                                     int64_t offset, int16_t *out_code, struct error *err)
{
    struct kafka_txn_offset_commit_partition partition = {.offset = offset, .leader_epoch = -1};
    struct kafka_txn_offset_commit_topic topic = {.name = STR("t"), .partitions = {&partition, 1}};
    struct kafka_txn_offset_commit_request request = {.transactional_id = str_of(client->id),
                                                      .group_id = str_of(group),
                                                      .producer_id = client->producer_id,
                                                      .producer_epoch = client->epoch,
                                                      .generation = generation,
                                                      .member_id = str_of(member),
                                                      .topics = {&topic, 1}};
    struct kafka_txn_offset_commit_response response;
    TRY(rig_call(rig, KAFKA_TXN_OFFSET_COMMIT, 3, &request, &response, err));
    *out_code = response.topics.items[0].partitions.items[0].error_code;
    return OK;
}

/* What the group has committed; *out_code: KAFKA_UNSTABLE_OFFSET_COMMIT while that is undecided. */
static inline enum status txn_committed(struct rig *rig, const char *group_id, int64_t *out,
                                        int16_t *out_code, struct error *err)
{
    int32_t index = 0;
    struct kafka_offset_fetch_topic topic = {.name = STR("t"), .partitions = {&index, 1}};
    struct kafka_offset_fetch_group group = {
        .group_id = str_of(group_id), .member_epoch = -1, .topics = {&topic, 1}};
    struct kafka_offset_fetch_request request = {.groups = {&group, 1}, .require_stable = true};
    struct kafka_offset_fetch_response response;
    TRY(rig_call(rig, KAFKA_OFFSET_FETCH, 9, &request, &response, err));
    const struct kafka_offset_fetch_partition_result *result =
        &response.groups.items[0].topics.items[0].partitions.items[0];
    *out = result->offset;
    *out_code = result->error_code;
    return OK;
}

/* ---- the consumer ---- */

struct aborted_set { /* producers whose transaction is aborted where the consumer stands */
    int64_t ids[64];
    int count;
};

static inline void aborted_begin(struct aborted_set *set,
                                 struct kafka_fetch_partition_result *result, int64_t base_offset)
{
    for (int32_t i = 0; i < result->aborted.count; i++)
        if (result->aborted.items[i].first_offset <= base_offset) {
            must(set->count < 64);
            set->ids[set->count++] = result->aborted.items[i].producer_id;
            result->aborted.items[i].first_offset = INT64_MAX;
        }
}

static inline bool aborted_has(struct aborted_set *set, int64_t id, bool remove)
{
    for (int i = 0; i < set->count; i++)
        if (set->ids[i] == id) {
            if (remove)
                set->ids[i] = set->ids[--set->count];
            return true;
        }
    return false;
}

static inline enum status committed_batch(const struct record_batch *batch, struct buf *out,
                                          struct error *err)
{
    struct record_cursor cursor;
    struct record record;
    uint32_t count;
    TRY(record_cursor_open(&cursor, batch, NULL, 0, err));
    for (;;) {
        TRY(record_cursor_read(&cursor, &record, 1, &count, err));
        if (!count)
            return OK;
        buf_append(out, record.value, (size_t)record.value_bytes);
        buf_append_byte(out, ' ');
    }
}

/* All committed values of a topic, each followed by a blank; from offset 0. */
static inline enum status txn_read(struct rig *rig, const char *topic_name, struct buf *out,
                                   struct error *err)
{
    buf_clear(out);
    for (int64_t offset = 0, stable = INT64_MAX; offset < stable;) {
        struct kafka_fetch_partition partition = {.fetch_offset = offset,
                                                  .max_bytes = 300,
                                                  .current_leader_epoch = -1,
                                                  .last_fetched_epoch = -1};
        struct kafka_fetch_topic topic = {.name = str_of(topic_name),
                                          .partitions = {&partition, 1}};
        struct kafka_fetch_request request = {.min_bytes = 1,
                                              .max_bytes = 1 << 20,
                                              .isolation_level = 1,
                                              .session_epoch = -1,
                                              .topics = {&topic, 1}};
        struct kafka_fetch_response response;
        struct aborted_set set = {.count = 0};
        TRY(rig_call(rig, KAFKA_FETCH, 12, &request, &response, err));
        struct kafka_fetch_partition_result *result = &response.topics.items[0].partitions.items[0];
        if (result->error_code)
            return error_set(err, ERR_IO, "fetch: error %d", result->error_code);
        stable = result->last_stable_offset;
        for (size_t at = 0; at < result->records.size_bytes;) {
            struct record_batch batch;
            TRY(record_batch_parse(&batch, result->records.data + at,
                                   result->records.size_bytes - at, err));
            at += batch.size_bytes;
            aborted_begin(&set, result, batch.base_offset);
            offset = record_batch_last_offset(&batch) + 1;
            if (offset > stable)
                return error_set(err, ERR_DATA, "a batch past the last stable offset");
            if (batch.attributes & RECORD_CONTROL)
                aborted_has(&set, batch.producer_id,
                            record_batch_marker(&batch) == RECORD_MARKER_ABORT);
            else if (!(batch.attributes & RECORD_TRANSACTIONAL) ||
                     !aborted_has(&set, batch.producer_id, false))
                TRY(committed_batch(&batch, out, err));
        }
    }
    buf_append_byte(out, '\0');
    return OK;
}

#endif
