/* txns_test.c - transactions through the protocol, on a simulated disk and clock: their states,
 * fencing, time-outs, offsets, restarts, and a crash at every step. */
#include "broker/txns.h"
#include "check.h"
#include "txn_help.h"

static void pass(struct rig *rig, int64_t ms)
{
    struct error err = {0};
    for (int64_t i = 0; i < ms; i += 1000) {
        simio_advance_us(rig->io, 1000000);
        CHECK_OK(loop_step(rig->loop, 0, &err));
    }
}

#define IS(call, code)                                                                             \
    do {                                                                                           \
        int16_t code_ = -2;                                                                        \
        CHECK_OK(call);                                                                            \
        CHECK_INT(code_, code);                                                                    \
    } while (0)

static struct buf seen;
static struct error seen_error;

/* The committed values of a topic, or why there are none. */
static const char *read_topic(struct rig *rig, const char *topic)
{
    return txn_read(rig, topic, &seen, &seen_error) == OK ? (const char *)seen.data
                                                          : seen_error.text;
}

static void begin(struct rig *rig, struct io *io, struct producer_client *client)
{
    struct error err = {0};
    buf_init(&seen, 1 << 20);
    CHECK_OK(rig_open(rig, io, &err));
    CHECK_OK(rig_topic(rig, "t", &err));
    CHECK_OK(rig_topic(rig, "u", &err));
    CHECK_OK(txn_find(rig, "x", &err));
    IS(txn_init(rig, "x", 60000, false, client, &code_, &err), KAFKA_NONE);
}

static void end(struct rig *rig, struct io *io)
{
    rig_close(rig);
    simio_free(io);
    buf_fini(&seen);
}

TEST(what_is_committed_is_shown_and_what_is_aborted_never)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    begin(&rig, io, &client);
    CHECK_INT(client.epoch, 0);
    IS(txn_send(&rig, &client, "t", "early", &code_, &err), KAFKA_INVALID_TXN_STATE);
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_INVALID_TXN_STATE); /* none is open */
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE); /* again */
    IS(txn_add(&rig, &client, "t", 7, &code_, &err), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    IS(txn_add(&rig, &client, "__consumer_offsets", 0, &code_, &err),
       KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    IS(txn_send(&rig, &client, "u", "elsewhere", &code_, &err), KAFKA_INVALID_TXN_STATE);
    IS(txn_send_at(&rig, &client, "u", "elsewhere", 0, 11, &code_, &err),
       KAFKA_TRANSACTION_ABORTABLE);
    IS(txn_send(&rig, &client, "t", "a", &code_, &err), KAFKA_NONE);
    CHECK_STR(read_topic(&rig, "t"), "");
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_NONE);
    CHECK_STR(read_topic(&rig, "t"), "a ");
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_NONE); /* the answer was lost */
    IS(txn_end(&rig, &client, false, &code_, &err), KAFKA_INVALID_TXN_STATE);
    IS(txn_send(&rig, &client, "t", "late", &code_, &err), KAFKA_INVALID_TXN_STATE);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_send(&rig, &client, "t", "b", &code_, &err), KAFKA_NONE);
    IS(txn_end(&rig, &client, false, &code_, &err), KAFKA_NONE);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_send(&rig, &client, "t", "c", &code_, &err), KAFKA_NONE);
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_NONE);
    CHECK_STR(read_topic(&rig, "t"), "a c ");
    end(&rig, io);
}

TEST(a_newer_producer_fences_and_aborts)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client old, client, retry;
    begin(&rig, io, &old);
    IS(txn_add(&rig, &old, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_send(&rig, &old, "t", "old", &code_, &err), KAFKA_NONE);
    IS(txn_init(&rig, "x", 60000, false, &client, &code_, &err), KAFKA_NONE);
    CHECK_INT(client.producer_id, old.producer_id);
    CHECK_INT(client.epoch, 2); /* one to fence it, one to go on with */
    IS(txn_send(&rig, &old, "t", "zombie", &code_, &err), KAFKA_INVALID_PRODUCER_EPOCH);
    IS(txn_add(&rig, &old, "t", 0, &code_, &err), KAFKA_PRODUCER_FENCED);
    IS(txn_end(&rig, &old, true, &code_, &err), KAFKA_PRODUCER_FENCED);
    IS(txn_init(&rig, "x", 60000, true, &old, &code_, &err), KAFKA_PRODUCER_FENCED);
    CHECK_STR(read_topic(&rig, "t"), "");
    retry = client;
    IS(txn_init(&rig, "x", 60000, true, &client, &code_, &err), KAFKA_NONE);
    CHECK_INT(client.epoch, 3);
    IS(txn_init(&rig, "x", 60000, true, &retry, &code_, &err), KAFKA_NONE);
    CHECK_INT(retry.epoch, 3); /* its answer was lost: the same */
    retry.producer_id = 999;
    IS(txn_end(&rig, &retry, true, &code_, &err), KAFKA_INVALID_PRODUCER_ID_MAPPING);
    retry = (struct producer_client){.id = "nobody", .producer_id = client.producer_id};
    IS(txn_add(&rig, &retry, "t", 0, &code_, &err), KAFKA_INVALID_PRODUCER_ID_MAPPING);
    IS(txn_init(&rig, "x", 0, false, &retry, &code_, &err), KAFKA_INVALID_TRANSACTION_TIMEOUT);
    IS(txn_init(&rig, "x", 900001, false, &retry, &code_, &err), KAFKA_INVALID_TRANSACTION_TIMEOUT);
    IS(txn_init(&rig, "", 60000, false, &retry, &code_, &err), KAFKA_INVALID_REQUEST);
    end(&rig, io);
}

TEST(epochs_that_are_used_up_give_a_new_id)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    begin(&rig, io, &client);
    int64_t first_id = client.producer_id;
    txns_find(rig.broker->txns, STR("x"))->data.epoch = INT16_MAX - 2;
    IS(txn_init(&rig, "x", 60000, false, &client, &code_, &err), KAFKA_NONE);
    CHECK_INT(client.epoch, INT16_MAX - 1);
    CHECK_INT(client.producer_id, first_id);
    struct producer_client last = client;
    IS(txn_init(&rig, "x", 60000, true, &client, &code_, &err), KAFKA_NONE);
    CHECK_INT(client.epoch, 0);
    CHECK(client.producer_id != first_id);
    IS(txn_init(&rig, "x", 60000, true, &last, &code_, &err), KAFKA_NONE); /* lost answer */
    CHECK_INT(last.producer_id, client.producer_id);
    CHECK_INT(last.epoch, 0);
    end(&rig, io);
}

TEST(a_transaction_that_is_open_for_too_long_is_aborted)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    begin(&rig, io, &client);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_send(&rig, &client, "t", "slow", &code_, &err), KAFKA_NONE);
    pass(&rig, 55000);
    IS(txn_send(&rig, &client, "t", "slow", &code_, &err), KAFKA_NONE);
    pass(&rig, 10000);
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_PRODUCER_FENCED);
    IS(txn_send(&rig, &client, "t", "slow", &code_, &err), KAFKA_INVALID_PRODUCER_EPOCH);
    CHECK_STR(read_topic(&rig, "t"), "");
    /* the time goes on while the broker does not run */
    IS(txn_init(&rig, "x", 60000, false, &client, &code_, &err), KAFKA_NONE);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_send(&rig, &client, "t", "slow", &code_, &err), KAFKA_NONE);
    rig_close(&rig);
    simio_advance_us(io, 70 * INT64_C(1000000));
    CHECK_OK(rig_open(&rig, io, &err));
    pass(&rig, 2000);
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_PRODUCER_FENCED);
    CHECK_STR(read_topic(&rig, "t"), "");
    end(&rig, io);
}

TEST(ids_that_nobody_uses_are_forgotten)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    begin(&rig, io, &client);
    simio_advance_us(io, TXN_EXPIRY_MS * 1000 + 1000);
    pass(&rig, 2000);
    rig_close(&rig);
    CHECK_OK(rig_open(&rig, io, &err));
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_INVALID_PRODUCER_ID_MAPPING);
    end(&rig, io);
}

TEST(offsets_are_part_of_a_transaction)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    int64_t offset = -2;
    begin(&rig, io, &client);
    IS(txn_offset(&rig, &client, "g", "", -1, 5, &code_, &err), KAFKA_NOT_COORDINATOR);
    IS(txn_add_offsets(&rig, &client, "g", &code_, &err), KAFKA_NONE);
    IS(txn_offset(&rig, &client, "g", "", -1, 5, &code_, &err), KAFKA_NONE);
    IS(txn_offset(&rig, &client, "g", "nobody", 3, 5, &code_, &err), KAFKA_ILLEGAL_GENERATION);
    IS(txn_committed(&rig, "g", &offset, &code_, &err), KAFKA_UNSTABLE_OFFSET_COMMIT);
    rig_close(&rig); /* they are still pending after a restart */
    CHECK_OK(rig_open(&rig, io, &err));
    IS(txn_committed(&rig, "g", &offset, &code_, &err), KAFKA_UNSTABLE_OFFSET_COMMIT);
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_NONE);
    IS(txn_committed(&rig, "g", &offset, &code_, &err), KAFKA_NONE);
    CHECK_INT(offset, 5);
    IS(txn_offset(&rig, &client, "g", "", -1, 6, &code_, &err), KAFKA_INVALID_TXN_STATE);
    IS(txn_add_offsets(&rig, &client, "g", &code_, &err), KAFKA_NONE);
    IS(txn_offset(&rig, &client, "g", "", -1, 6, &code_, &err), KAFKA_NONE);
    IS(txn_end(&rig, &client, false, &code_, &err), KAFKA_NONE);
    IS(txn_committed(&rig, "g", &offset, &code_, &err), KAFKA_NONE);
    CHECK_INT(offset, 5);
    rig_close(&rig);
    CHECK_OK(rig_open(&rig, io, &err));
    IS(txn_committed(&rig, "g", &offset, &code_, &err), KAFKA_NONE);
    CHECK_INT(offset, 5);
    end(&rig, io);
}

/* Both topics are written anew again and again; an open transaction keeps what it has. */
TEST(snapshots_keep_open_transactions)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client, other;
    struct log_offsets ends;
    int64_t offset = -2;
    begin(&rig, io, &client);
    rig.broker->txns->log.snapshot_min_bytes = 3000;
    rig.broker->groups->log.snapshot_min_bytes = 3000;
    IS(txn_add_offsets(&rig, &client, "g", &code_, &err), KAFKA_NONE);
    IS(txn_offset(&rig, &client, "g", "", -1, 77, &code_, &err), KAFKA_NONE);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_send(&rig, &client, "t", "kept", &code_, &err), KAFKA_NONE);
    IS(txn_init(&rig, "y", 60000, false, &other, &code_, &err), KAFKA_NONE);
    for (int i = 0; i < 300; i++) {
        IS(txn_add_offsets(&rig, &other, "h", &code_, &err), KAFKA_NONE);
        IS(txn_offset(&rig, &other, "h", "", -1, i, &code_, &err), KAFKA_NONE);
        IS(txn_end(&rig, &other, i % 2, &code_, &err), KAFKA_NONE);
    }
    log_partition_offsets(rig.broker->txns->log.partition, &ends);
    CHECK(ends.end > 900 && ends.end - ends.log_start < 300);
    log_partition_offsets(rig.broker->groups->log.partition, &ends);
    CHECK(ends.end > 600 && ends.end - ends.log_start < 300);
    rig_close(&rig);
    CHECK_OK(rig_open(&rig, io, &err));
    IS(txn_committed(&rig, "g", &offset, &code_, &err), KAFKA_UNSTABLE_OFFSET_COMMIT);
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_NONE);
    IS(txn_committed(&rig, "g", &offset, &code_, &err), KAFKA_NONE);
    CHECK_INT(offset, 77);
    IS(txn_committed(&rig, "h", &offset, &code_, &err), KAFKA_NONE);
    CHECK_INT(offset, 299);
    CHECK_STR(read_topic(&rig, "t"), "kept ");
    end(&rig, io);
}

TEST(a_deleted_topic_does_not_hold_a_transaction_up)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    begin(&rig, io, &client);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_add(&rig, &client, "u", 0, &code_, &err), KAFKA_NONE);
    IS(txn_send_at(&rig, &client, "u", "here", 0, 9, &code_, &err), KAFKA_NONE);
    CHECK_OK(log_topic_delete(broker_log(rig.broker), STR("t"), &err));
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_NONE);
    CHECK_STR(read_topic(&rig, "u"), "here ");
    end(&rig, io);
}

/* A full disk: what is prepared is ended later, the client asks again. */
TEST(a_full_disk_delays_the_end)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    int16_t code = 0;
    begin(&rig, io, &client);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    IS(txn_send(&rig, &client, "t", "a", &code_, &err), KAFKA_NONE);
    simio_set_capacity(io, 1);
    CHECK_OK(txn_end(&rig, &client, true, &code, &err));
    CHECK(code == KAFKA_NOT_COORDINATOR || code == KAFKA_COORDINATOR_NOT_AVAILABLE);
    CHECK_STR(read_topic(&rig, "t"), "");
    simio_set_capacity(io, 0);
    IS(txn_end(&rig, &client, true, &code_, &err), KAFKA_NONE);
    CHECK_STR(read_topic(&rig, "t"), "a ");
    end(&rig, io);
}

TEST(what_an_administrator_is_shown)
{
    struct io *io = simio_new(1);
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    begin(&rig, io, &client);
    IS(txn_add(&rig, &client, "t", 0, &code_, &err), KAFKA_NONE);
    struct str states[] = {STR("Ongoing"), STR("Nothing")}, ids[] = {STR("x"), STR("z")};
    struct kafka_list_transactions_request list = {.states = {states, 2}, .longer_than_ms = -1};
    struct kafka_list_transactions_response listed;
    CHECK_OK(rig_call(&rig, KAFKA_LIST_TRANSACTIONS, 1, &list, &listed, &err));
    CHECK_INT(listed.transactions.count, 1);
    CHECK(str_eq(listed.transactions.items[0].id, STR("x")));
    CHECK_INT(listed.unknown_states.count, 1);
    int64_t producer_id = 12345;
    list.producer_ids.items = &producer_id;
    list.producer_ids.count = 1;
    CHECK_OK(rig_call(&rig, KAFKA_LIST_TRANSACTIONS, 1, &list, &listed, &err));
    CHECK_INT(listed.transactions.count, 0);
    struct kafka_describe_transactions_request describe = {.ids = {ids, 2}};
    struct kafka_describe_transactions_response described;
    CHECK_OK(rig_call(&rig, KAFKA_DESCRIBE_TRANSACTIONS, 0, &describe, &described, &err));
    CHECK_INT(described.transactions.count, 2);
    const struct kafka_described_transaction *one = &described.transactions.items[0];
    CHECK(str_eq(one->state, STR("Ongoing")));
    CHECK_INT(one->producer_id, client.producer_id);
    CHECK_INT(one->topics.count, 1);
    CHECK(str_eq(one->topics.items[0].name, STR("t")));
    CHECK_INT(described.transactions.items[1].error_code, KAFKA_TRANSACTIONAL_ID_NOT_FOUND);
    IS(txn_send(&rig, &client, "t", "a", &code_, &err), KAFKA_NONE);
    int32_t index = 0;
    struct kafka_describe_producers_topic topic = {.name = STR("t"), .partitions = {&index, 1}};
    struct kafka_describe_producers_request producers = {.topics = {&topic, 1}};
    struct kafka_describe_producers_response shown;
    CHECK_OK(rig_call(&rig, KAFKA_DESCRIBE_PRODUCERS, 0, &producers, &shown, &err));
    const struct kafka_describe_producers_partition_result *there =
        &shown.topics.items[0].partitions.items[0];
    CHECK_INT(there->producers.count, 1);
    CHECK_INT(there->producers.items[0].transaction_start_offset, 0);
    IS(txn_end(&rig, &client, false, &code_, &err), KAFKA_NONE);
    CHECK_OK(rig_call(&rig, KAFKA_DESCRIBE_PRODUCERS, 0, &producers, &shown, &err));
    CHECK_INT(shown.topics.items[0].partitions.items[0].producers.items[0].transaction_start_offset,
              -1);
    end(&rig, io);
}

/* ---- a crash at every step ---- */

enum fate { NOTHING, UNKNOWN, COMMITTED, ABORTED };
#define TXN_MAX 40
static enum fate fates[TXN_MAX];

static bool has_offset(int i)
{
    return i % 2;
}

/* Transaction i writes "i" to both topics and, every other one, commits offset i; the client always
 * dies with the broker. */
static enum status one_transaction(struct rig *rig, struct producer_client *client, int i,
                                   struct error *err)
{
    char value[16];
    int16_t codes[6] = {0};
    bool commit = i % 3 != 2;
    snprintf(value, sizeof(value), "%d", i);
    TRY(txn_add(rig, client, "t", 0, &codes[0], err));
    TRY(txn_add(rig, client, "u", 0, &codes[1], err));
    if (has_offset(i))
        TRY(txn_add_offsets(rig, client, "g", &codes[2], err));
    TRY(txn_send_at(rig, client, "t", value, client->sequence, 9, &codes[3], err));
    TRY(txn_send_at(rig, client, "u", value, client->sequence, 9, &codes[4], err));
    if (has_offset(i))
        TRY(txn_offset(rig, client, "g", "", -1, i, &codes[5], err));
    client->sequence++;
    for (int k = 0; k < 6; k++)
        if (codes[k])
            return error_set(err, ERR_IO, "transaction %d, request %d: error %d", i, k, codes[k]);
    fates[i] = commit ? UNKNOWN : ABORTED;
    TRY(txn_end(rig, client, commit, &codes[0], err));
    if (codes[0])
        return error_set(err, ERR_IO, "the end of transaction %d: error %d", i, codes[0]);
    fates[i] = commit ? COMMITTED : ABORTED;
    return OK;
}

static enum status life(struct rig *rig, int first, struct error *err)
{
    struct producer_client client;
    int16_t code = -2;
    rig->broker->txns->log.snapshot_min_bytes = 900;
    rig->broker->groups->log.snapshot_min_bytes = 900;
    TRY(rig_topic(rig, "t", err));
    TRY(rig_topic(rig, "u", err));
    TRY(txn_find(rig, "x", err));
    TRY(txn_init(rig, "x", 60000, false, &client, &code, err));
    if (code)
        return error_set(err, ERR_IO, "init: error %d", code);
    for (int i = first; i < first + 5; i++)
        TRY(one_transaction(rig, &client, i, err));
    return OK;
}

/* Which transactions the text shows; false: one twice or something else. */
static bool shown(const char *text, bool out[TXN_MAX])
{
    int number, length;
    memset(out, 0, TXN_MAX * sizeof(*out));
    for (; sscanf(text, "%d %n", &number, &length) == 1; text += length) {
        if (number < 0 || number >= TXN_MAX || out[number])
            return false;
        out[number] = true;
    }
    return *text == '\0';
}

static void verify(struct io *io, uint64_t step)
{
    struct rig rig;
    struct error err = {0};
    struct producer_client client;
    bool in_t[TXN_MAX], in_u[TXN_MAX];
    int64_t offset = -1, last = -1;
    begin(&rig, io, &client); /* what was open is aborted, what was prepared has ended */
    CHECK(shown(read_topic(&rig, "t"), in_t) && shown(read_topic(&rig, "u"), in_u));
    IS(txn_committed(&rig, "g", &offset, &code_, &err), KAFKA_NONE);
    for (int i = 0; i < TXN_MAX; i++) {
        if (in_t[i] != in_u[i] || (fates[i] == COMMITTED && !in_t[i]) ||
            (fates[i] != COMMITTED && fates[i] != UNKNOWN && in_t[i]))
            CHECK_FAIL("step %d: transaction %d (%d) is shown in t: %d, in u: %d", (int)step, i,
                       (int)fates[i], in_t[i], in_u[i]);
        if (in_t[i] && has_offset(i))
            last = i;
    }
    if (offset != last)
        CHECK_FAIL("step %d: the offset is %d, the last transaction %d", (int)step, (int)offset,
                   (int)last);
    rig_close(&rig);
}

/* True: the run ended before the step. */
static bool run(uint64_t step, uint64_t seed)
{
    struct io *io = simio_new(seed);
    struct error err = {0};
    bool crashed = false;
    memset(fates, 0, sizeof(fates));
    simio_crash_at(io, step);
    for (int turn = 0; turn < 3 && !crashed; turn++) {
        struct rig rig;
        enum status status = rig_open(&rig, io, &err);
        if (status == OK)
            status = life(&rig, turn * 10, &err);
        rig_close(&rig);
        crashed = simio_crashed(io);
        if (status != OK && !crashed) {
            printf("# step %d: %s\n", (int)step, err.text);
            check_failed = true;
        }
    }
    if (seed % 2)
        simio_kill(io);
    else
        simio_crash(io);
    simio_crash_at(io, 0);
    verify(io, step);
    simio_free(io);
    buf_fini(&seen);
    return !crashed;
}

TEST(transactions_are_whole_after_a_crash_at_every_step)
{
    uint64_t step = 1, steps = 0;
    for (bool ended = false; !ended && !check_failed; step++) {
        ended = true;
        for (uint64_t seed = 1; seed <= 2 && !check_failed; seed++, steps++)
            ended &= run(step, seed * 1001 + step);
    }
    printf("# %d crashes at %d steps\n", (int)steps, (int)step);
    CHECK(step > 100);
}

/* ---- every single failing call or allocation ---- */

/* After it the broker is started anew: whatever it has promised holds. *out_reached: there were
 * that many. */
static void run_fault(enum simio_fault kind, uint64_t countdown, int errno_value, bool *out_reached)
{
    struct io *io = simio_new(countdown);
    struct error err = {0};
    struct rig rig;
    memset(fates, 0, sizeof(fates));
    CHECK_OK(rig_open(&rig, io, &err));
    uint64_t allocations = mem_alloc_count();
    if (kind == SIMIO_FAULT_COUNT)
        mem_fail_after(countdown);
    else
        simio_fail(io, kind, countdown, errno_value);
    enum status status = life(&rig, 0, &err);
    if (kind == SIMIO_FAULT_COUNT)
        mem_fail_after(0);
    else
        simio_fail(io, kind, 0, 0);
    *out_reached =
        kind == SIMIO_FAULT_COUNT ? mem_alloc_count() - allocations >= countdown : status != OK;
    rig_close(&rig);
    verify(io, countdown);
    simio_free(io);
    buf_fini(&seen);
    if (check_failed)
        printf("# fault %d, call %d: %s\n", (int)kind, (int)countdown, err.text);
}

TEST(each_failing_call_or_allocation_leaves_transactions_whole)
{
    static const struct {
        enum simio_fault kind;
        int errno_value;
    } faults[] = {{SIMIO_WRITE, 28}, {SIMIO_WRITE, 5}, {SIMIO_SYNC, 5},
                  {SIMIO_RENAME, 5}, {SIMIO_OPEN, 24}, {SIMIO_FAULT_COUNT, 0}};
    int runs = 0;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        int without_effect = 0; /* some failures are made good: go on a while */
        for (uint64_t countdown = 1; without_effect < 10 && !check_failed;
             countdown += 1 + countdown / 60) {
            bool reached;
            run_fault(faults[i].kind, countdown, faults[i].errno_value, &reached);
            without_effect = reached ? 0 : without_effect + 1;
            runs++;
        }
    }
    printf("# %d faults\n", runs);
}
