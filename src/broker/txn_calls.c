/* txn_calls.c - InitProducerId of a transactional id, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn.
 *
 * Each is a function that looks at the transaction as it is and answers, asks for a change, or
 * waits for the one that is under way and is called again.
 */
#include "broker/txns.h"

#include "os/logger.h"

#define VERSION_FENCED                                                                             \
    2 /* from here on these say PRODUCER_FENCED, before INVALID_PRODUCER_EPOCH                     \
       */
#define VERSION_INIT_FENCED 4
#define EPOCH_LAST          (INT16_MAX - 1) /* the one above is left to fence with */

static bool id_valid(struct str id)
{
    return id.length > 0 && id.length <= TXN_ID_MAX_BYTES;
}

static int16_t fenced(const struct call *call, int16_t since)
{
    return call->version >= since ? KAFKA_PRODUCER_FENCED : KAFKA_INVALID_PRODUCER_EPOCH;
}

/* ---- InitProducerId ---- */

static void init_settle(struct call *call, int16_t error_code)
{
    struct kafka_init_producer_id_response *response = call->response;
    response->error_code = error_code;
    if (error_code != KAFKA_NONE) {
        response->producer_id = -1;
        response->producer_epoch = -1;
    }
}

static void init_answer(struct txns *txns, struct call *call, int16_t error_code)
{
    init_settle(call, error_code);
    txns_done(txns, call);
}

/* What the request says it has must be what it was given last. */
static bool init_may(const struct txn_data *data,
                     const struct kafka_init_producer_id_request *request)
{
    bool retry = request->producer_id == data->last_producer_id &&
                 request->producer_epoch >= EPOCH_LAST; /* the answer to a new id was lost */
    return request->producer_id < 0 || data->epoch < 0 ||
           request->producer_id == data->producer_id || retry;
}

/* The next epoch, or a new id when they are used up. False: the request's epoch is an old one. */
static bool init_next(const struct txn_data *data, struct txn_data *next,
                      const struct kafka_init_producer_id_request *request, int64_t spare_id)
{
    bool given = request->producer_id >= 0;
    if (given && data->epoch >= 0 && request->producer_epoch != data->epoch)
        return false;
    next->last_epoch = given ? data->epoch : -1;
    next->last_producer_id = -1;
    if (data->epoch >= 0 && data->epoch < EPOCH_LAST) {
        next->epoch++;
        return true;
    }
    if (given && data->epoch >= 0)
        next->last_producer_id = data->producer_id;
    next->last_epoch = -1;
    next->producer_id = spare_id;
    next->epoch = 0;
    return true;
}

static void init_run(struct call *call);

static void init_change(struct txns *txns, struct txn *txn, struct call *call)
{
    const struct kafka_init_producer_id_request *request = call->request;
    struct kafka_init_producer_id_response *response = call->response;
    bool given = request->producer_id >= 0 && txn->data.epoch >= 0;
    bool retry = given && request->producer_epoch >= 0 &&
                 request->producer_epoch != txn->data.epoch &&
                 (request->producer_epoch == txn->data.last_epoch ||
                  request->producer_id == txn->data.last_producer_id);
    if (retry) { /* the answer was lost: the same again */
        response->producer_id = txn->data.producer_id;
        response->producer_epoch = txn->data.epoch;
        init_answer(txns, call, KAFKA_NONE);
        return;
    }
    if (!txn_change(txn)) {
        init_answer(txns, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    if (!init_next(&txn->data, &txn->next, request, response->producer_id)) {
        txn_change_drop(txn);
        init_answer(txns, call, fenced(call, VERSION_INIT_FENCED));
        return;
    }
    txn->next.state = TXN_EMPTY;
    txn->next.timeout_ms = request->transaction_timeout_ms;
    txn->next.start_ms = -1;
    response->producer_id = txn->next.producer_id;
    response->producer_epoch = txn->next.epoch;
    txn_change_submit(txn, call, init_settle, NULL);
}

static void init_run(struct call *call)
{
    const struct kafka_init_producer_id_request *request = call->request;
    struct txns *txns = call->broker->txns;
    struct txn *txn = txns_make(txns, request->transactional_id);
    int16_t code = txn ? txn_refusal(txns, txn) : KAFKA_COORDINATOR_NOT_AVAILABLE;
    if (code != KAFKA_NONE) {
        init_answer(txns, call, code);
        return;
    }
    if (txn_is_busy(txn)) {
        txn_wait(txn, call, init_run);
        return;
    }
    if (!init_may(&txn->data, request)) {
        init_answer(txns, call, fenced(call, VERSION_INIT_FENCED));
        return;
    }
    if (txn->data.state != TXN_ONGOING) {
        init_change(txns, txn, call);
        return;
    }
    /* what its last producer has begun is aborted first */
    code = txn_fence(txn, call, init_settle, init_run);
    if (code != KAFKA_NONE)
        init_answer(txns, call, code);
}

void txn_init_producer(struct call *call)
{
    const struct kafka_init_producer_id_request *request = call->request;
    struct txns *txns = txns_enter(call->broker);
    int16_t code = ((struct kafka_init_producer_id_response *)call->response)->error_code;
    if (!id_valid(request->transactional_id))
        code = KAFKA_INVALID_REQUEST;
    else if (request->transaction_timeout_ms <= 0 ||
             request->transaction_timeout_ms > TXN_TIMEOUT_MAX_MS)
        code = KAFKA_INVALID_TRANSACTION_TIMEOUT;
    else if (!state_log_ready(&txns->log))
        code = KAFKA_NOT_COORDINATOR;
    if (code != KAFKA_NONE)
        init_answer(txns, call, code);
    else
        init_run(call);
    txns_leave(txns);
}

/* ---- what the others share ---- */

/* The transaction of a request whose producer is the present one. NULL: *out_code says why. */
static struct txn *find(struct call *call, struct str id, int64_t producer_id, int16_t epoch,
                        int16_t *out_code)
{
    struct txns *txns = call->broker->txns;
    struct txn *txn = txns_find(txns, id);
    *out_code = txn_refusal(txns, txn);
    if (!id_valid(id))
        *out_code = KAFKA_INVALID_REQUEST;
    else if (*out_code != KAFKA_NONE)
        return NULL;
    else if (!txn || txn->data.producer_id != producer_id)
        *out_code = KAFKA_INVALID_PRODUCER_ID_MAPPING;
    else if (!txn_is_busy(txn) && txn->data.epoch != epoch)
        *out_code = fenced(call, VERSION_FENCED);
    return *out_code == KAFKA_NONE ? txn : NULL;
}

/* Ongoing from now on, if it was not. */
static void begin(struct txn_data *next)
{
    if (next->state != TXN_ONGOING)
        next->start_ms = next->update_ms;
    next->state = TXN_ONGOING;
}

/* ---- AddPartitionsToTxn ---- */

static void add_settle(struct call *call, int16_t error_code)
{
    struct kafka_add_partitions_response *response = call->response;
    for (int32_t i = 0; i < response->topics.count; i++)
        for (int32_t k = 0; k < response->topics.items[i].partitions.count; k++) {
            int16_t *code = &response->topics.items[i].partitions.items[k].error_code;
            *code = *code == KAFKA_NONE ? error_code : *code;
        }
}

static bool add_response(struct call *call)
{
    const struct kafka_add_partitions_request *request = call->request;
    struct kafka_add_partitions_response *response =
        CALL_ARRAY(call, 1, struct kafka_add_partitions_response);
    call->response = response;
    if (!response)
        return false;
    response->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_add_partitions_topic_result);
    for (int32_t i = 0; response->topics.items && i < request->topics.count; i++) {
        const struct kafka_add_partitions_topic *in = &request->topics.items[i];
        struct kafka_add_partitions_topic_result *out =
            &response->topics.items[response->topics.count++];
        out->name = in->name;
        out->partitions.items =
            CALL_ARRAY(call, in->partitions.count, struct kafka_add_partitions_partition_result);
        for (int32_t k = 0; out->partitions.items && k < in->partitions.count; k++)
            out->partitions.items[out->partitions.count++] =
                (struct kafka_add_partitions_partition_result){.index = in->partitions.items[k]};
    }
    return !call->arena.failed;
}

/* False: some partition is not there, or not for producers; then none is added. */
static bool add_check(struct call *call)
{
    struct kafka_add_partitions_response *response = call->response;
    bool good = true;
    for (int32_t i = 0; i < response->topics.count; i++) {
        struct kafka_add_partitions_topic_result *out = &response->topics.items[i];
        struct log_topic *topic = log_topic_find(call->broker->log, out->name);
        for (int32_t k = 0; k < out->partitions.count; k++) {
            int32_t index = out->partitions.items[k].index;
            int16_t *code = &out->partitions.items[k].error_code;
            if (!topic || index < 0 || !log_topic_partition(topic, (uint32_t)index))
                *code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
            else if (is_internal_topic(out->name))
                *code = KAFKA_INVALID_TOPIC;
            good &= *code == KAFKA_NONE;
        }
        log_topic_unref(topic);
    }
    return good;
}

/* All of them into the transaction's list; *out_new: some were not there. */
static bool add_all(struct txns *txns, struct txn_data *next,
                    const struct kafka_add_partitions_response *response, bool *out_new)
{
    uint32_t before = next->partition_count;
    for (int32_t i = 0; i < response->topics.count; i++)
        for (int32_t k = 0; k < response->topics.items[i].partitions.count; k++)
            if (!txn_add_partition(txns, next, response->topics.items[i].name,
                                   response->topics.items[i].partitions.items[k].index))
                return false;
    *out_new = next->partition_count > before;
    return true;
}

static void add_run(struct call *call)
{
    const struct kafka_add_partitions_request *request = call->request;
    struct txns *txns = call->broker->txns;
    int16_t code;
    bool any_new = false;
    struct txn *txn =
        find(call, request->transactional_id, request->producer_id, request->producer_epoch, &code);
    if (txn && txn_is_busy(txn)) {
        txn_wait(txn, call, add_run);
        return;
    }
    if (txn && !add_check(call))
        code = KAFKA_OPERATION_NOT_ATTEMPTED; /* to those that are there */
    else if (txn && !txn_change(txn))
        code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    else if (txn && !add_all(txns, &txn->next, call->response, &any_new)) {
        txn_change_drop(txn);
        code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    } else if (txn && any_new) {
        begin(&txn->next);
        txn_change_submit(txn, call, add_settle, NULL);
        return;
    } else if (txn)
        txn_change_drop(txn);
    add_settle(call, code);
    txns_done(txns, call);
}

static void add_start(struct call *call)
{
    if (!add_response(call)) {
        call_break(call, "an AddPartitionsToTxn request that is too large to answer");
        return;
    }
    struct txns *txns = txns_enter(call->broker);
    add_run(call);
    txns_leave(txns);
}

/* ---- AddOffsetsToTxn: the topic of committed offsets is one more partition ---- */

static void offsets_settle(struct call *call, int16_t error_code)
{
    ((struct kafka_add_offsets_response *)call->response)->error_code = error_code;
}

static void offsets_run(struct call *call)
{
    const struct kafka_add_offsets_request *request = call->request;
    struct txns *txns = call->broker->txns;
    int16_t code;
    struct txn *txn =
        find(call, request->transactional_id, request->producer_id, request->producer_epoch, &code);
    if (txn && txn_is_busy(txn)) {
        txn_wait(txn, call, offsets_run);
        return;
    }
    if (txn && !groups_id_valid(request->group_id)) {
        code = KAFKA_INVALID_GROUP_ID;
    } else if (txn && !txn_has_partition(&txn->data, STR(GROUPS_TOPIC), 0)) {
        bool changes = txn_change(txn);
        if (changes && txn_add_partition(txns, &txn->next, STR(GROUPS_TOPIC), 0)) {
            begin(&txn->next);
            txn_change_submit(txn, call, offsets_settle, NULL);
            return;
        }
        if (changes)
            txn_change_drop(txn);
        code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
    offsets_settle(call, code);
    txns_done(txns, call);
}

/* Pool or loop: the topic is made where no group has asked for it yet. */
static void offsets_work(struct call *call)
{
    struct error err = {0};
    struct kafka_add_offsets_response *response =
        CALL_ARRAY(call, 1, struct kafka_add_offsets_response);
    call->response = response;
    if (state_log_make_topic(call->broker, GROUPS_TOPIC, &err) != OK) {
        logger_write(LOG_WARN, "broker", "topic '" GROUPS_TOPIC "' not made: %s", err.text);
        if (response)
            response->error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
}

static void offsets_back(struct call *call)
{
    const struct kafka_add_offsets_response *response = call->response;
    struct txns *txns = txns_enter(call->broker);
    if (response && response->error_code == KAFKA_NONE)
        offsets_run(call);
    else
        txns_done(txns, call);
    txns_leave(txns);
}

static void offsets_start(struct call *call)
{
    struct log_topic *topic = log_topic_find(call->broker->log, STR(GROUPS_TOPIC));
    bool missing = !topic;
    log_topic_unref(topic);
    if (missing) {
        call_submit(call);
        return;
    }
    call->response = CALL_ARRAY(call, 1, struct kafka_add_offsets_response);
    offsets_back(call);
}

/* ---- EndTxn ---- */

static void end_settle(struct call *call, int16_t error_code)
{
    ((struct kafka_end_txn_response *)call->response)->error_code = error_code;
}

static void end_run(struct call *call)
{
    const struct kafka_end_txn_request *request = call->request;
    struct txns *txns = call->broker->txns;
    int16_t code;
    struct txn *txn =
        find(call, request->transactional_id, request->producer_id, request->producer_epoch, &code);
    if (txn && txn_is_busy(txn)) {
        txn_wait(txn, call, end_run);
        return;
    }
    if (txn && txn->data.state == TXN_ONGOING) {
        if (txn_change(txn)) {
            txn->next.state = request->committed ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT;
            txn_change_submit(txn, call, end_settle, end_run);
            return;
        }
        code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    } else if (txn &&
               txn->data.state != (request->committed ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT)) {
        code = KAFKA_INVALID_TXN_STATE;
    }
    end_settle(call, code);
    txns_done(txns, call);
}

static void end_start(struct call *call)
{
    struct txns *txns = txns_enter(call->broker);
    call->response = CALL_ARRAY(call, 1, struct kafka_end_txn_response);
    if (call->response)
        end_run(call);
    else
        txns_done(txns, call);
    txns_leave(txns);
}

const struct handler HANDLER_ADD_PARTITIONS_TO_TXN = {
    .key = KAFKA_ADD_PARTITIONS_TO_TXN,
    .start = add_start,
    .drop = txns_drop,
};
const struct handler HANDLER_ADD_OFFSETS_TO_TXN = {
    .key = KAFKA_ADD_OFFSETS_TO_TXN,
    .start = offsets_start,
    .work = offsets_work,
    .back = offsets_back,
    .drop = txns_drop,
};
const struct handler HANDLER_END_TXN = {
    .key = KAFKA_END_TXN,
    .start = end_start,
    .drop = txns_drop,
};
