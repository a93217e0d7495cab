/* producers.c - InitProducerId: the ids of producers, from blocks that the log has made durable, so
 * that none is given twice, whatever crashes. The rest of idempotence is the log's
 * (log/producer.h), that of a transactional id the coordinator's (txns.h). */
#include "broker/txns.h"

#include "os/logger.h"

#define ID_BLOCK 1000 /* as Kafka's brokers take from their controller */

static enum status id_take(struct broker *broker, int64_t *out, struct error *err)
{
    enum status status = OK;
    mutex_lock(&broker->ids.mutex);
    if (broker->ids.next == broker->ids.end) {
        int64_t first = 0;
        status = log_reserve_ids(broker->log, ID_BLOCK, &first, err);
        if (status == OK) {
            broker->ids.next = first;
            broker->ids.end = first + ID_BLOCK;
        }
    }
    if (status == OK)
        *out = broker->ids.next++;
    mutex_unlock(&broker->ids.mutex);
    return status;
}

/* A producer without transactions gets a new id each time, at epoch 0; it raises the epoch itself.
 * For a transactional id it is one in reserve: txn_init_producer() decides. */
static void init_work(struct call *call)
{
    struct kafka_init_producer_id_response *response =
        CALL_ARRAY(call, 1, struct kafka_init_producer_id_response);
    struct error err = {0};
    enum status status = OK;
    call->response = response;
    if (!response)
        return;
    *response = (struct kafka_init_producer_id_response){.producer_id = -1, .producer_epoch = -1};
    status = id_take(call->broker, &response->producer_id, &err);
    if (status != OK) {
        response->error_code = call_error_code(status);
        logger_write(LOG_ERROR, "broker", "no id for a producer: %s", err.text);
        return;
    }
    response->producer_epoch = 0;
}

static void init_back(struct call *call)
{
    const struct kafka_init_producer_id_request *request = call->request;
    if (request->transactional_id.data && call->response)
        txn_init_producer(call);
    else
        call_finish(call);
}

const struct handler HANDLER_INIT_PRODUCER_ID = {
    .key = KAFKA_INIT_PRODUCER_ID,
    .start = call_submit,
    .work = init_work,
    .back = init_back,
    .drop = txns_drop,
};
