/* gate.c - event queues, and gates: where the batches of an exchange arrive.
 *
 * A gate has one channel per sender, each a queue bounded in bytes (one batch beyond the bound is
 * taken, so that a sender never has to keep a part of one). Events of a channel are in order;
 * between channels the gate goes round.
 *
 * Sender: gate_send, gate_full (sender's task). Receiver: gate_take, gate_aligned (receiver's
 * task).
 */
#include "runtime/runtime_int.h"

#define QUEUE_EVENTS_MAX (1u << 20)

static struct event *last_event(struct event_queue *queue)
{
    return &queue->events[(queue->head + queue->count - 1) & (queue->capacity - 1)];
}

static enum status grow(struct event_queue *queue, struct error *err)
{
    uint32_t capacity = queue->capacity ? queue->capacity * 2 : 8;
    if (capacity > QUEUE_EVENTS_MAX)
        return error_set(err, ERR_LIMIT, "more than %u events wait between two operators",
                         QUEUE_EVENTS_MAX);
    struct event *events = mem_alloc(capacity * sizeof(*events));
    if (!events)
        return error_memory(err, "queue between operators", capacity * sizeof(*events));
    for (uint32_t i = 0; i < queue->count; i++)
        events[i] = queue->events[(queue->head + i) & (queue->capacity - 1)];
    mem_free(queue->events);
    queue->events = events;
    queue->capacity = capacity;
    queue->head = 0;
    return OK;
}

enum status event_queue_push(struct event_queue *queue, const struct event *event,
                             struct error *err)
{
    if (event->kind == EVENT_WATERMARK && queue->count &&
        last_event(queue)->kind == EVENT_WATERMARK) {
        last_event(queue)->value = event->value;
        return OK;
    }
    if (queue->count == queue->capacity)
        TRY(grow(queue, err));
    queue->count++;
    *last_event(queue) = *event;
    return OK;
}

struct event event_queue_pop(struct event_queue *queue)
{
    must(queue->count > 0);
    struct event event = queue->events[queue->head];
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    queue->count--;
    return event;
}

void event_queue_fini(struct event_queue *queue)
{
    while (queue->count) {
        struct event event = event_queue_pop(queue);
        if (event.batch)
            batch_unref(event.batch);
    }
    mem_free(queue->events);
    *queue = (struct event_queue){0};
}

enum status gate_init(struct gate *gate, uint32_t channel_count, size_t limit_bytes,
                      struct error *err)
{
    *gate = (struct gate){.limit_bytes = limit_bytes};
    mutex_init(&gate->mutex);
    gate->channels = mem_calloc(channel_count, sizeof(struct channel));
    if (!gate->channels)
        return error_memory(err, "exchange", channel_count * sizeof(struct channel));
    gate->channel_count = channel_count;
    return watermarks_init(&gate->watermarks, channel_count, err);
}

void gate_fini(struct gate *gate)
{
    for (uint32_t i = 0; i < gate->channel_count; i++)
        event_queue_fini(&gate->channels[i].queue);
    mem_free(gate->channels);
    watermarks_fini(&gate->watermarks);
    mutex_fini(&gate->mutex);
}

enum status gate_send(struct gate *gate, uint32_t number, struct event *event, struct error *err)
{
    struct channel *channel = &gate->channels[number];
    mutex_lock(&gate->mutex);
    bool was_empty = channel->queue.count == 0;
    enum status status = event_queue_push(&channel->queue, event, err);
    if (status == OK)
        atomic_fetch_add_explicit(&channel->bytes, event->bytes, memory_order_relaxed);
    mutex_unlock(&gate->mutex);
    if (status != OK && event->batch)
        batch_unref(event->batch);
    if (status == OK && was_empty)
        task_wake(gate->task);
    return status;
}

bool gate_full(struct gate *gate, uint32_t number)
{
    struct channel *channel = &gate->channels[number];
    if (atomic_load_explicit(&channel->bytes, memory_order_relaxed) < gate->limit_bytes)
        return false;
    mutex_lock(&gate->mutex);
    bool full = atomic_load_explicit(&channel->bytes, memory_order_relaxed) >= gate->limit_bytes;
    channel->sender_waits = full;
    mutex_unlock(&gate->mutex);
    return full;
}

bool gate_take(struct gate *gate, struct event *event, uint32_t *number)
{
    struct task *wake = NULL;
    bool found = false;
    mutex_lock(&gate->mutex);
    for (uint32_t i = 0; i < gate->channel_count && !found; i++) {
        uint32_t at = gate->next + i;
        at = at < gate->channel_count ? at : at - gate->channel_count;
        struct channel *channel = &gate->channels[at];
        if (channel->aligned || channel->queue.count == 0)
            continue;
        *event = event_queue_pop(&channel->queue);
        *number = at;
        found = true;
        gate->next = at + 1 < gate->channel_count ? at + 1 : 0;
        size_t left =
            atomic_fetch_sub_explicit(&channel->bytes, event->bytes, memory_order_relaxed) -
            event->bytes;
        if (channel->sender_waits && left <= gate->limit_bytes / 2) {
            channel->sender_waits = false;
            wake = channel->sender;
        }
    }
    mutex_unlock(&gate->mutex);
    if (wake)
        task_wake(wake);
    return found;
}

bool gate_aligned(const struct gate *gate)
{
    bool any = false;
    for (uint32_t i = 0; i < gate->channel_count; i++) {
        if (!gate->channels[i].aligned && !gate->channels[i].ended)
            return false;
        any |= gate->channels[i].aligned;
    }
    return any;
}
