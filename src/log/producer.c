/* producer.c - the table of a partition's idempotent producers and the rules of their sequences.
 *
 * A hash table by id whose entries hang in a list by last use, so that expiry and the bound take
 * from its end. What it does not do: files (producer_file.c). Rules: those of Kafka's
 * ProducerStateManager, seen from outside.
 */
#include "log/producer.h"

#include <inttypes.h>
#include <string.h>

#include "base/must.h"

#define BUCKETS_FIRST  16
#define PRODUCER_BYTES (sizeof(struct producer) + 2 * sizeof(void *)) /* with its bucket */

/* ---- the table ---- */

static struct producer **bucket_of(const struct producers *producers, int64_t id)
{
    uint64_t mixed = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return &producers->buckets[(mixed >> 32) & (producers->bucket_count - 1)];
}

static void list_take(struct producers *producers, struct producer *producer)
{
    *(producer->older ? &producer->older->newer : &producers->oldest) = producer->newer;
    *(producer->newer ? &producer->newer->older : &producers->newest) = producer->older;
    producer->older = producer->newer = NULL;
}

static void list_put(struct producers *producers, struct producer *producer)
{
    producer->older = producers->newest;
    *(producers->newest ? &producers->newest->newer : &producers->oldest) = producer;
    producers->newest = producer;
}

static void forget(struct producers *producers, struct producer *producer)
{
    struct producer **at = bucket_of(producers, producer->id);
    while (*at != producer)
        at = &(*at)->chain;
    *at = producer->chain;
    list_take(producers, producer);
    producers->count--;
    mem_free(producer);
    mem_release(producers->owner, PRODUCER_BYTES);
}

static struct producer *oldest_idle(const struct producers *producers)
{
    struct producer *producer = producers->oldest;
    while (producer && producer->txn_first_offset >= 0)
        producer = producer->newer;
    return producer;
}

void producers_fini(struct producers *producers)
{
    while (producers->oldest)
        forget(producers, producers->oldest);
    mem_free(producers->buckets);
    *producers = (struct producers){.owner = producers->owner};
}

static enum status grow(struct producers *producers, struct error *err)
{
    uint32_t wanted = producers->bucket_count ? producers->bucket_count * 2 : BUCKETS_FIRST;
    struct producer **buckets = mem_calloc(wanted, sizeof(*buckets));
    if (!buckets)
        return error_memory(err, "a table of producers", wanted * sizeof(*buckets));
    mem_free(producers->buckets);
    producers->buckets = buckets;
    producers->bucket_count = wanted;
    for (struct producer *producer = producers->oldest; producer; producer = producer->newer) {
        struct producer **at = bucket_of(producers, producer->id);
        producer->chain = *at;
        *at = producer;
    }
    return OK;
}

static enum status reserve_memory(struct producers *producers, struct error *err)
{
    struct error local = {0};
    struct producer *idle = oldest_idle(producers);
    if (producers->count >= PRODUCERS_MAX) {
        if (!idle)
            return error_set(err, ERR_LIMIT, "%d producers have an open transaction in a partition",
                             PRODUCERS_MAX);
        forget(producers, idle);
        idle = oldest_idle(producers);
    }
    if (mem_reserve(producers->owner, PRODUCER_BYTES, &local) == OK)
        return OK;
    if (!idle)
        return error_set(err, local.code, "%s", local.text);
    forget(producers, idle);
    return mem_reserve(producers->owner, PRODUCER_BYTES, err);
}

static enum status make(struct producers *producers, int64_t id, int64_t now_ms,
                        struct producer **out, struct error *err)
{
    TRY(reserve_memory(producers, err));
    enum status status = producers->count >= producers->bucket_count ? grow(producers, err) : OK;
    struct producer *producer = status == OK ? mem_calloc(1, sizeof(*producer)) : NULL;
    if (!producer) {
        mem_release(producers->owner, PRODUCER_BYTES);
        return status == OK ? error_memory(err, "a producer", sizeof(*producer)) : status;
    }
    producer->id = id;
    producer->seen_ms = now_ms;
    producer->txn_first_offset = -1;
    producer->epoch = -1;
    struct producer **at = bucket_of(producers, id);
    producer->chain = *at;
    *at = producer;
    producers->count++;
    list_put(producers, producer);
    *out = producer;
    return OK;
}

enum status producers_reserve(struct producers *producers, int64_t id, int64_t now_ms,
                              struct producer **out, struct error *err)
{
    struct producer *producer = producers->bucket_count ? *bucket_of(producers, id) : NULL;
    while (producer && producer->id != id)
        producer = producer->chain;
    *out = producer;
    return producer ? OK : make(producers, id, now_ms, out, err);
}

void producers_expire(struct producers *producers, int64_t before_ms, int64_t *out_next)
{
    struct producer *idle;
    while ((idle = oldest_idle(producers)) && idle->seen_ms < before_ms)
        forget(producers, idle);
    *out_next = idle ? idle->seen_ms : INT64_MAX;
}

/* ---- sequences: 0 .. INT32_MAX, then 0 again ---- */

static int32_t sequence_add(int32_t sequence, int32_t count)
{
    return (int32_t)(((int64_t)sequence + count) & INT32_MAX);
}

static int32_t first_sequence(const struct producer_batch *batch)
{
    return (int32_t)(((int64_t)batch->last_sequence - batch->offset_delta) & INT32_MAX);
}

static const struct producer_batch *find_duplicate(const struct producer *producer,
                                                   const struct record_batch *batch)
{
    int32_t last_sequence = sequence_add(batch->base_sequence, batch->last_offset_delta);
    for (uint32_t i = producer->batch_count; i > 0; i--)
        if (producer->batches[i - 1].last_sequence == last_sequence &&
            first_sequence(&producer->batches[i - 1]) == batch->base_sequence)
            return &producer->batches[i - 1];
    return NULL;
}

static enum status check_sequence(const struct producer *producer, const struct record_batch *batch,
                                  struct error *err)
{
    if (producer->epoch < 0)
        return OK;
    if (batch->producer_epoch > producer->epoch) {
        if (batch->base_sequence == 0)
            return OK;
        return error_set(err, ERR_SEQUENCE,
                         "producer %" PRId64 " begins its epoch %d with sequence %d instead of 0",
                         producer->id, batch->producer_epoch, batch->base_sequence);
    }
    int32_t wanted = 0; /* a marker has told the epoch, no batch has come */
    if (producer->batch_count)
        wanted = sequence_add(producer->batches[producer->batch_count - 1].last_sequence, 1);
    if (batch->base_sequence == wanted)
        return OK;
    return error_set(err, ERR_SEQUENCE,
                     "producer %" PRId64 " (epoch %d) sends sequence %d, the next is %d",
                     producer->id, producer->epoch, batch->base_sequence, wanted);
}

enum status producer_check(const struct producer *producer, const struct record_batch *batch,
                           const struct producer_batch **out_duplicate, struct error *err)
{
    *out_duplicate = NULL;
    if (batch->producer_epoch < producer->epoch)
        return error_set(err, ERR_FENCED,
                         "producer %" PRId64 " has epoch %d, a newer one has epoch %d",
                         producer->id, batch->producer_epoch, producer->epoch);
    if (batch->attributes & RECORD_CONTROL)
        return OK;
    if (batch->base_sequence >= 0) {
        if (batch->producer_epoch == producer->epoch)
            *out_duplicate = find_duplicate(producer, batch);
        if (*out_duplicate)
            return OK;
        TRY(check_sequence(producer, batch, err));
    }
    if (producer->txn_first_offset >= 0 && !(batch->attributes & RECORD_TRANSACTIONAL))
        return error_set(err, ERR_TRANSACTION,
                         "producer %" PRId64 " writes outside of its open transaction",
                         producer->id);
    return OK;
}

static void note_batch(struct producer *producer, const struct record_batch *batch)
{
    if (producer->batch_count == PRODUCER_BATCHES_MAX)
        memmove(producer->batches, producer->batches + 1,
                --producer->batch_count * sizeof(producer->batches[0]));
    producer->batches[producer->batch_count++] = (struct producer_batch){
        .last_offset = record_batch_last_offset(batch),
        .timestamp_ms = batch->max_timestamp_ms,
        .last_sequence = sequence_add(batch->base_sequence, batch->last_offset_delta),
        .offset_delta = batch->last_offset_delta,
    };
}

void producer_note(struct producers *producers, struct producer *producer,
                   const struct record_batch *batch, int64_t now_ms)
{
    list_take(producers, producer);
    list_put(producers, producer);
    producer->seen_ms = now_ms;
    if (batch->attributes & RECORD_CONTROL && record_batch_marker(batch) == RECORD_MARKER_NONE)
        return;
    if (producer->epoch != batch->producer_epoch)
        producer->batch_count = 0;
    producer->epoch = batch->producer_epoch;
    if (batch->attributes & RECORD_CONTROL) {
        producer->txn_first_offset = -1;
        return;
    }
    if (batch->base_sequence >= 0)
        note_batch(producer, batch);
    if (batch->attributes & RECORD_TRANSACTIONAL && producer->txn_first_offset < 0)
        producer->txn_first_offset = batch->base_offset;
}
