/* fetch.c - Fetch: read blocks below the high watermark; wait for appends when there is too little.
 *
 * With read_committed a read ends at the last stable offset, and the answer says which transactions
 * of what it gives were aborted: clients skip those. The last stable offset moves only when the
 * high watermark does, so a watch for that is enough.
 *
 * A waiting call has a watch on each of its partitions and one timer. The first watch that fires
 * posts the call's message (the watch may fire on any thread); then all is read again. Fetch
 * sessions (KIP-227) are answered with session id 0: each request is complete, as the protocol
 * allows. Blocks go to the socket as they are; nothing is decompressed or copied.
 */
#include "broker/broker_int.h"

#include "base/must.h"
#include "os/logger.h"

struct fetch_part {
    struct log_watch watch;
    struct call *call;
    struct log_partition *partition; /* a reference; NULL: the partition has an error */
    const struct kafka_fetch_partition *request;
    struct kafka_fetch_partition_result *result;
    struct buffer *block; /* what result->records points into */
    bool failed;          /* the result has an error; it is not read again */
};

struct fetch_wait {
    int64_t deadline_us;
    _Atomic bool fired; /* the message is posted */
    bool watching;
    uint32_t count;
    struct fetch_part parts[];
};

static void part_fail(struct fetch_part *part, int16_t code)
{
    struct kafka_fetch_partition_result *result = part->result;
    part->failed = true;
    result->error_code = code;
    result->high_watermark = -1;
    result->last_stable_offset = -1;
    result->log_start_offset = -1;
}

static void part_drop_block(struct fetch_part *part)
{
    buffer_unref(part->block);
    part->block = NULL;
    part->result->records = (struct kafka_records){(uint8_t *)"", 0, NULL};
    part->result->aborted.count = 0;
}

static int16_t read_error(struct call *call, enum status status, const struct error *err)
{
    if (status != ERR_RANGE && status != ERR_NOT_FOUND)
        logger_write(LOG_ERROR, "broker", "fetch for %s: %s",
                     call->session ? call->session->peer : "?", err->text);
    return status == ERR_RANGE ? KAFKA_OFFSET_OUT_OF_RANGE : call_error_code(status);
}

/* Which transactions were aborted of those in what was read. */
static enum status list_aborted(struct call *call, struct fetch_part *part,
                                const struct log_read *read, struct error *err)
{
    struct kafka_fetch_partition_result *result = part->result;
    struct buf list;
    buf_init(&list, FETCH_RESPONSE_MAX_BYTES);
    enum status status =
        log_aborted_list(part->partition, read->offset, read->next_offset, &list, err);
    const struct log_aborted *found = (const struct log_aborted *)list.data;
    int32_t count = (int32_t)(list.length / sizeof(*found));
    if (status == OK && count)
        result->aborted.items = CALL_ARRAY(call, count, struct kafka_fetch_aborted);
    for (int32_t i = 0; status == OK && result->aborted.items && i < count; i++)
        result->aborted.items[result->aborted.count++] =
            (struct kafka_fetch_aborted){found[i].producer_id, found[i].first_offset};
    buf_fini(&list);
    return status;
}

/* Read one partition; the bytes it gives. */
static size_t part_read(struct call *call, struct fetch_part *part, size_t room_bytes, bool first)
{
    struct error err = {0};
    struct kafka_fetch_partition_result *result = part->result;
    struct log_offsets offsets;
    log_partition_offsets(part->partition, &offsets);
    bool committed =
        ((const struct kafka_fetch_request *)call->request)->isolation_level == READ_COMMITTED;
    struct log_read read = {
        .offset = part->request->fetch_offset,
        .limit_offset = committed ? offsets.last_stable : INT64_MAX,
        .max_bytes = (size_t)(part->request->max_bytes > 0 ? part->request->max_bytes : 0),
        .whole_batch = first,
        .high_watermark = offsets.high_watermark,
        .log_start = offsets.log_start,
    };
    if (read.max_bytes > room_bytes)
        read.max_bytes = room_bytes;
    if (read.max_bytes == 0 && !first)
        read.offset = offsets.high_watermark; /* no room: only tell the offsets */
    /* Nothing new is the common case of a waiting consumer: no reader is needed to say so. */
    if (read.offset != offsets.high_watermark || offsets.deleted) {
        struct log_reader *reader = session_reader(call->session, part->partition, &err);
        enum status status = reader ? log_read(reader, &read, &err) : ERR_MEMORY;
        if (status == OK && committed && read.block)
            status = list_aborted(call, part, &read, &err);
        if (status == ERR_BUDGET) {
            buffer_unref(read.block);
            read.block = NULL; /* a slower answer, not an error: others will give memory back */
        } else if (status != OK) {
            buffer_unref(read.block);
            part_fail(part, read_error(call, status, &err));
            return 0;
        }
    }
    result->error_code = KAFKA_NONE;
    result->high_watermark = read.high_watermark;
    result->last_stable_offset = offsets.last_stable;
    result->log_start_offset = read.log_start;
    if (!read.block)
        return 0;
    part->block = read.block;
    result->records = (struct kafka_records){
        .data = read.block->data,
        .size_bytes = read.block->size_bytes,
        .source = read.block->size_bytes > FETCH_COPY_MAX_BYTES ? read.block : NULL,
    };
    return read.block->size_bytes;
}

static void unwatch(struct call *call)
{
    struct fetch_wait *wait = call->fetch;
    if (!wait->watching)
        return;
    wait->watching = false;
    for (uint32_t i = 0; i < wait->count; i++)
        if (!wait->parts[i].failed)
            log_watch_cancel(wait->parts[i].partition, &wait->parts[i].watch);
}

static void fetch_release(struct call *call)
{
    struct fetch_wait *wait = call->fetch;
    if (!wait)
        return;
    unwatch(call);
    if (atomic_load(&wait->fired)) { /* the message is on its way: the call must be there for it */
        call->held = true;
        call->broker->held_count++;
    }
    for (uint32_t i = 0; i < wait->count; i++) {
        buffer_unref(wait->parts[i].block);
        log_partition_unref(wait->parts[i].partition);
    }
    call->fetch = NULL;
}

/* Any thread, under the log's watch lock. The call stays until the message has run. */
static void watch_fired(struct log_watch *watch)
{
    struct call *call = container_of(watch, struct fetch_part, watch)->call;
    if (!atomic_exchange(&call->fetch->fired, true))
        loop_post(call->broker->loop, &call->message);
}

/* A partition that can no longer be synced never gets further: there is nothing to watch. */
static bool is_stuck(const struct fetch_part *part)
{
    struct log_offsets offsets;
    log_partition_offsets(part->partition, &offsets);
    return offsets.failed && !offsets.deleted &&
           offsets.high_watermark <= part->result->high_watermark;
}

/* Arm all watches. False: something is there already and nothing is armed. */
static bool watch(struct call *call)
{
    struct fetch_wait *wait = call->fetch;
    wait->watching = true;
    for (uint32_t i = 0; i < wait->count; i++) {
        struct fetch_part *part = &wait->parts[i];
        part->watch.fire = watch_fired;
        if (part->failed ||
            log_watch_arm(part->partition, &part->watch, part->result->high_watermark) ||
            is_stuck(part))
            continue;
        unwatch(call);
        return false;
    }
    return true;
}

/* Read everything; true when that is to be the answer. */
static bool read_all(struct call *call)
{
    const struct kafka_fetch_request *request = call->request;
    struct fetch_wait *wait = call->fetch;
    size_t room_bytes = FETCH_RESPONSE_MAX_BYTES, total_bytes = 0;
    bool failed = false;
    if (request->max_bytes < (int32_t)room_bytes)
        room_bytes = request->max_bytes > 0 ? (size_t)request->max_bytes : 0;
    for (uint32_t i = 0; i < wait->count; i++) {
        struct fetch_part *part = &wait->parts[i];
        if (!part->failed) {
            part_drop_block(part);
            size_t read_bytes = part_read(call, part, room_bytes, total_bytes == 0);
            room_bytes -= read_bytes < room_bytes ? read_bytes : room_bytes;
            total_bytes += read_bytes;
        }
        failed |= part->failed;
    }
    return failed || (total_bytes > 0 && (int64_t)total_bytes >= request->min_bytes) ||
           request->min_bytes <= 0;
}

static void fetch_try(struct call *call)
{
    struct fetch_wait *wait = call->fetch;
    for (;;) {
        bool late = call->broker->closing || wait->count == 0 ||
                    io_monotonic_us(call->broker->io) >= wait->deadline_us;
        if (read_all(call) || late) {
            call_finish(call);
            return;
        }
        if (watch(call))
            return;
        if (atomic_load(&wait->fired)) /* one was armed and fired before another was refused */
            return;
    }
}

/* On the loop's thread, after a watch. */
static void fetch_woken(struct loop_message *message)
{
    struct call *call = container_of(message, struct call, message);
    if (!call->session) {
        call_release(call);
        return;
    }
    unwatch(call);
    atomic_store(&call->fetch->fired, false);
    fetch_try(call);
}

void fetch_hurry(struct call *call)
{
    call->fetch->deadline_us = INT64_MIN;
    unwatch(call);
    if (!atomic_load(&call->fetch->fired)) /* else the message will see the deadline */
        fetch_try(call);
}

static void fetch_expired(struct loop_timer *timer)
{
    fetch_hurry(container_of(timer, struct call, timer));
}

/* ---- the request ---- */

static void part_open(struct call *call, struct fetch_part *part, struct log_topic *topic)
{
    int32_t index = part->request->index;
    int16_t code = offsets_check_epoch(call->broker, part->request->current_leader_epoch);
    struct log_partition *partition =
        topic && index >= 0 ? log_topic_partition(topic, (uint32_t)index) : NULL;
    part->call = call;
    part->result->index = index;
    part->result->preferred_read_replica = -1;
    part->result->records = (struct kafka_records){(uint8_t *)"", 0, NULL};
    if (!partition)
        code = !topic && call->version >= 13 ? KAFKA_UNKNOWN_TOPIC_ID
                                             : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (partition && part->request->last_fetched_epoch >= 0) {
        int32_t epoch;
        int64_t end_offset;
        log_epoch_end(partition, part->request->last_fetched_epoch, &epoch, &end_offset);
        if (epoch != part->request->last_fetched_epoch || end_offset < part->request->fetch_offset)
            code = KAFKA_OFFSET_OUT_OF_RANGE; /* what it has read is no more */
    }
    if (code != KAFKA_NONE) {
        part_fail(part, code);
        return;
    }
    part->partition = log_partition_ref(partition);
}

static bool parts_open(struct call *call, const struct kafka_fetch_request *request,
                       struct kafka_fetch_response *response)
{
    uint32_t part_count = 0;
    for (int32_t i = 0; i < request->topics.count; i++)
        part_count += (uint32_t)request->topics.items[i].partitions.count;
    struct fetch_wait *wait =
        call_alloc(call, 1, sizeof(*wait) + part_count * sizeof(struct fetch_part));
    response->topics.count = request->topics.count;
    response->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_fetch_topic_result);
    if (!wait || !response->topics.items)
        return false;
    call->fetch = wait;
    for (int32_t i = 0; i < request->topics.count; i++) {
        const struct kafka_fetch_topic *in = &request->topics.items[i];
        struct kafka_fetch_topic_result *out = &response->topics.items[i];
        out->name = in->name;
        out->id = in->id;
        out->partitions.count = in->partitions.count;
        out->partitions.items =
            CALL_ARRAY(call, in->partitions.count, struct kafka_fetch_partition_result);
        if (!out->partitions.items)
            return false;
        struct log_topic *topic = call->version >= 13
                                      ? log_topic_find_id(call->broker->log, in->id.bytes)
                                      : log_topic_find(call->broker->log, in->name);
        for (int32_t j = 0; j < in->partitions.count; j++) {
            struct fetch_part *part = &wait->parts[wait->count++];
            part->request = &in->partitions.items[j];
            part->result = &out->partitions.items[j];
            part_open(call, part, topic);
        }
        log_topic_unref(topic);
    }
    return true;
}

static void fetch_start(struct call *call)
{
    const struct kafka_fetch_request *request = call->request;
    struct kafka_fetch_response *response = CALL_ARRAY(call, 1, struct kafka_fetch_response);
    call->response = response;
    call->message = (struct loop_message){.run = fetch_woken};
    if (response && request->session_id != 0) {
        /* No session was ever given out. */
        response->error_code = KAFKA_FETCH_SESSION_ID_NOT_FOUND;
        call_finish(call);
        return;
    }
    if (!response || !parts_open(call, request, response)) {
        call_break(call, "a Fetch request that is too large to answer");
        return;
    }
    int64_t wait_us = request->max_wait_ms > 0 ? (int64_t)request->max_wait_ms * 1000 : 0;
    call->fetch->deadline_us = io_monotonic_us(call->broker->io) + wait_us;
    call->timer.fire = fetch_expired;
    if (wait_us && loop_timer_arm(call->broker->loop, &call->timer, wait_us, NULL) != OK)
        call->fetch->deadline_us = INT64_MIN;
    fetch_try(call);
}

const struct handler HANDLER_FETCH = {
    .key = KAFKA_FETCH,
    .start = fetch_start,
    .drop = fetch_release,
};
