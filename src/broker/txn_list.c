/* txn_list.c - DescribeTransactions, ListTransactions: what kafka-transactions shows. */
#include "broker/txns.h"

static bool state_is(enum txn_state state, struct str text)
{
    return str_eq(str_of(txn_state_text(state)), text);
}

static void describe_topics(struct call *call, const struct txn_data *data,
                            struct kafka_described_transaction *out)
{
    uint32_t count = data->partition_count;
    out->topics.items = CALL_ARRAY(call, count, struct kafka_described_transaction_topic);
    int32_t *indexes = CALL_ARRAY(call, count, int32_t);
    for (uint32_t i = 0; out->topics.items && indexes && i < count; i++) {
        struct kafka_described_transaction_topic *last = out->topics.items + out->topics.count - 1;
        if (i == 0 || !str_eq(last->name, data->partitions[i].topic)) {
            last = &out->topics.items[out->topics.count++];
            last->name = call_copy(call, data->partitions[i].topic);
            last->partitions.items = indexes + i;
        }
        last->partitions.items[last->partitions.count++] = data->partitions[i].index;
    }
}

static void describe(struct call *call, struct str id, struct kafka_described_transaction *out)
{
    const struct txn *txn = txns_find(call->broker->txns, id);
    *out = (struct kafka_described_transaction){
        .error_code = KAFKA_TRANSACTIONAL_ID_NOT_FOUND, .id = id, .state = STR(""), .start_ms = -1};
    if (!txn || txn->data.epoch < 0)
        return;
    out->error_code = KAFKA_NONE;
    out->state = str_of(txn_state_text(txn->data.state));
    out->timeout_ms = txn->data.timeout_ms;
    out->start_ms = txn->data.start_ms;
    out->producer_id = txn->data.producer_id;
    out->producer_epoch = txn->data.epoch;
    describe_topics(call, &txn->data, out);
}

static void describe_start(struct call *call)
{
    const struct kafka_describe_transactions_request *request = call->request;
    struct kafka_describe_transactions_response *response =
        CALL_ARRAY(call, 1, struct kafka_describe_transactions_response);
    call->response = response;
    if (response)
        response->transactions.items =
            CALL_ARRAY(call, request->ids.count, struct kafka_described_transaction);
    for (int32_t i = 0; !call->arena.failed && i < request->ids.count; i++)
        describe(call, request->ids.items[i],
                 &response->transactions.items[response->transactions.count++]);
    call_finish(call);
}

static bool is_wanted(const struct txn *txn, const struct kafka_list_transactions_request *request,
                      int64_t wall_ms)
{
    bool state = request->states.count == 0, id = request->producer_ids.count == 0;
    for (int32_t i = 0; i < request->states.count; i++)
        state |= state_is(txn->data.state, request->states.items[i]);
    for (int32_t i = 0; i < request->producer_ids.count; i++)
        id |= txn->data.producer_id == request->producer_ids.items[i];
    bool longer =
        request->longer_than_ms < 0 ||
        (txn->data.start_ms >= 0 && wall_ms - txn->data.start_ms > request->longer_than_ms);
    return txn->data.epoch >= 0 && state && id && longer;
}

/* Names of states that are none. */
static void unknown_states(struct call *call, const struct kafka_list_transactions_request *request,
                           struct kafka_list_transactions_response *response)
{
    response->unknown_states.items = CALL_ARRAY(call, request->states.count, struct str);
    for (int32_t i = 0; response->unknown_states.items && i < request->states.count; i++) {
        bool known = false;
        for (int state = 0; state < TXN_STATE_COUNT; state++)
            known |= state_is((enum txn_state)state, request->states.items[i]);
        if (!known)
            response->unknown_states.items[response->unknown_states.count++] =
                request->states.items[i];
    }
}

static void list_start(struct call *call)
{
    const struct kafka_list_transactions_request *request = call->request;
    struct txns *txns = call->broker->txns;
    struct kafka_list_transactions_response *response =
        CALL_ARRAY(call, 1, struct kafka_list_transactions_response);
    int64_t wall_ms = io_wall_us(call->broker->io) / 1000;
    call->response = response;
    if (response) {
        unknown_states(call, request, response);
        response->transactions.items =
            CALL_ARRAY(call, txns->count, struct kafka_listed_transaction);
    }
    for (uint32_t i = 0; !call->arena.failed && i < txns->count; i++) {
        const struct txn *txn = txns->items[i];
        if (is_wanted(txn, request, wall_ms))
            response->transactions.items[response->transactions.count++] =
                (struct kafka_listed_transaction){
                    .id = call_copy(call, txn->id),
                    .producer_id = txn->data.producer_id,
                    .state = str_of(txn_state_text(txn->data.state)),
                };
    }
    call_finish(call);
}

const struct handler HANDLER_DESCRIBE_TRANSACTIONS = {
    .key = KAFKA_DESCRIBE_TRANSACTIONS,
    .start = describe_start,
};
const struct handler HANDLER_LIST_TRANSACTIONS = {
    .key = KAFKA_LIST_TRANSACTIONS,
    .start = list_start,
};
