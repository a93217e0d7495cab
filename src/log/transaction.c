/* transaction.c - open transactions and the last stable offset; aborted ones of a range of offsets.
 *
 * What it does not do: who may write in a transaction (producer.c, the broker's coordinator).
 * Rules: those of Kafka's ProducerStateManager, seen from outside.
 */
#include "log/transaction.h"

#include <string.h>

#include "base/must.h"
#include "log/log_int.h"

void transactions_fini(struct transactions *transactions)
{
    mem_free(transactions->items);
    *transactions = (struct transactions){0};
}

static enum status room(struct transactions *transactions, struct error *err)
{
    if (transactions->count < transactions->capacity)
        return OK;
    uint32_t wanted = transactions->capacity ? transactions->capacity * 2 : 4;
    struct transaction *grown = mem_realloc(transactions->items, wanted * sizeof(*grown));
    if (!grown)
        return error_memory(err, "open transactions", wanted * sizeof(*grown));
    transactions->items = grown;
    transactions->capacity = wanted;
    return OK;
}

enum status transactions_reserve(struct transactions *transactions, struct segment *segment,
                                 const struct producer *producer, const struct record_batch *batch,
                                 struct error *err)
{
    bool open = producer->txn_first_offset >= 0;
    if (!open && batch->attributes & RECORD_TRANSACTIONAL)
        return room(transactions, err);
    if (open && segment && record_batch_marker(batch) == RECORD_MARKER_ABORT)
        return segment_aborted_reserve(segment, err);
    return OK;
}

static void begin(struct transactions *transactions, int64_t producer_id, int64_t first_offset)
{
    uint32_t at = transactions->count;
    must(at < transactions->capacity);
    while (at > 0 && transactions->items[at - 1].first_offset > first_offset)
        at--;
    memmove(&transactions->items[at + 1], &transactions->items[at],
            (transactions->count - at) * sizeof(transactions->items[0]));
    transactions->items[at] = (struct transaction){producer_id, first_offset, -1};
    transactions->count++;
}

/* Where everything is decided once this one has ended: as Kafka says it in its index. */
static int64_t stable_after(const struct transactions *transactions, int64_t marker_offset)
{
    for (uint32_t i = 0; i < transactions->count; i++)
        if (transactions->items[i].marker_offset < 0)
            return transactions->items[i].first_offset;
    return marker_offset + 1;
}

void transactions_note(struct transactions *transactions, struct segment *segment,
                       struct producers *producers, struct producer *producer,
                       const struct record_batch *batch, int64_t now_ms)
{
    int64_t first_offset = producer->txn_first_offset;

    producer_note(producers, producer, batch, now_ms);
    if (first_offset < 0 && producer->txn_first_offset >= 0) {
        begin(transactions, producer->id, producer->txn_first_offset);
        return;
    }
    if (first_offset < 0 || producer->txn_first_offset >= 0)
        return;
    for (uint32_t i = 0; i < transactions->count; i++)
        if (transactions->items[i].first_offset == first_offset)
            transactions->items[i].marker_offset = batch->base_offset;
    if (segment && record_batch_marker(batch) == RECORD_MARKER_ABORT)
        segment_aborted_add(
            segment, &(struct segment_aborted){
                         .producer_id = producer->id,
                         .first_offset = first_offset,
                         .last_offset = batch->base_offset,
                         .last_stable_offset = stable_after(transactions, batch->base_offset),
                     });
}

enum status transactions_load(struct transactions *transactions, const struct producers *producers,
                              struct error *err)
{
    transactions_fini(transactions);
    for (const struct producer *producer = producers->oldest; producer; producer = producer->newer)
        if (producer->txn_first_offset >= 0) {
            TRY(room(transactions, err));
            begin(transactions, producer->id, producer->txn_first_offset);
        }
    return OK;
}

void transactions_shown(struct transactions *transactions, int64_t high_watermark)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < transactions->count; i++)
        if (transactions->items[i].marker_offset < 0 ||
            transactions->items[i].marker_offset >= high_watermark)
            transactions->items[kept++] = transactions->items[i];
    transactions->count = kept;
}

int64_t transactions_first(const struct transactions *transactions)
{
    return transactions->count ? transactions->items[0].first_offset : INT64_MAX;
}

/* ---- what was aborted ---- */

/* The first segment that ends above offset and has aborted transactions, referenced; its list when
 * that is in memory. */
static struct segment *next_aborted(struct log_partition *partition, int64_t offset,
                                    struct buf *list, bool *out_listed)
{
    struct segment *found = NULL;

    mutex_lock(&partition->lock);
    for (uint32_t i = 0; i < partition->segment_count && !found; i++) {
        struct segment *segment = partition->segments[i];
        if (segment->aborted_count && segment->next_offset > offset)
            found = segment_ref(segment);
    }
    *out_listed = found && found->index_in_memory;
    if (*out_listed)
        buf_append(list, found->aborted, found->aborted_count * sizeof(found->aborted[0]));
    mutex_unlock(&partition->lock);
    return found;
}

enum status log_aborted_list(struct log_partition *partition, int64_t from, int64_t to,
                             struct buf *out, struct error *err)
{
    struct segment *segment;
    struct buf list;
    enum status status = OK;
    int64_t offset = from;
    bool listed, over = false;

    buf_init(&list, SEGMENT_SIZE_MAX);
    while (status == OK && !over && (segment = next_aborted(partition, offset, &list, &listed))) {
        if (!listed)
            status = segment_aborted_read(segment, &list, err);
        if (status == OK)
            status = buf_check(&list, "aborted transactions", err);
        const struct segment_aborted *items = (const struct segment_aborted *)list.data;
        for (size_t i = 0; status == OK && i < list.length / sizeof(*items) && !over; i++) {
            const struct log_aborted found = {items[i].producer_id, items[i].first_offset,
                                              items[i].last_offset};
            if (found.last_offset >= from && found.first_offset < to)
                buf_append(out, &found, sizeof(found));
            over = items[i].last_stable_offset >= to;
        }
        mutex_lock(&partition->lock);
        offset = segment->next_offset;
        mutex_unlock(&partition->lock);
        buf_clear(&list);
        segment_unref(segment);
    }
    buf_fini(&list);
    return status == OK ? buf_check(out, "aborted transactions", err) : status;
}
