/* partitions.c - what is asked and done about partitions: DeleteRecords, DescribeLogDirs,
 * DescribeProducers, DescribeTopicPartitions. */
#include "broker/broker_int.h"

#include <stdlib.h>

#include "os/logger.h"
#include "os/path.h"

static struct log_partition *partition_at(struct log_topic *topic, int32_t index)
{
    return topic && index >= 0 ? log_topic_partition(topic, (uint32_t)index) : NULL;
}

/* ---- DeleteRecords: the log start is made durable, so on the pool ---- */

static void records_delete(struct call *call, const struct kafka_delete_records_topic *in,
                           struct kafka_delete_records_topic_result *out)
{
    struct log_topic *topic = log_topic_find(call->broker->log, in->name);
    out->name = in->name;
    out->partitions.count = in->partitions.count;
    out->partitions.items =
        CALL_ARRAY(call, in->partitions.count, struct kafka_delete_records_partition_result);
    for (int32_t i = 0; out->partitions.items && i < in->partitions.count; i++) {
        struct kafka_delete_records_partition_result *result = &out->partitions.items[i];
        struct log_partition *partition = partition_at(topic, in->partitions.items[i].index);
        struct error err = {0};
        enum status status = is_internal_topic(in->name) ? ERR_NAME : ERR_NOT_FOUND;
        result->index = in->partitions.items[i].index;
        if (partition && status == ERR_NOT_FOUND)
            status = log_delete_records(partition, in->partitions.items[i].offset,
                                        &result->log_start_offset, &err);
        result->error_code = call_error_code(status);
        if (status != OK)
            result->log_start_offset = -1;
        if (status != OK && status != ERR_NOT_FOUND && status != ERR_RANGE && status != ERR_NAME)
            logger_write(LOG_ERROR, "broker", "DeleteRecords: %s", err.text);
    }
    log_topic_unref(topic);
}

static void delete_work(struct call *call)
{
    const struct kafka_delete_records_request *request = call->request;
    struct kafka_delete_records_response *response =
        CALL_ARRAY(call, 1, struct kafka_delete_records_response);
    call->response = response;
    if (!response)
        return;
    response->topics.count = request->topics.count;
    response->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_delete_records_topic_result);
    for (int32_t i = 0; !call->arena.failed && i < request->topics.count; i++)
        records_delete(call, &request->topics.items[i], &response->topics.items[i]);
}

/* ---- DescribeLogDirs: there is one ---- */

static void size_set(struct log_topic *topic, int32_t index,
                     struct kafka_log_dirs_topic_result *out)
{
    struct log_offsets offsets;
    struct log_partition *partition = partition_at(topic, index);
    if (!partition)
        return; /* as Kafka: what is not there is not listed */
    log_partition_offsets(partition, &offsets);
    out->partitions.items[out->partitions.count++] =
        (struct kafka_log_dirs_partition_result){index, (int64_t)offsets.size_bytes, 0, false};
}

struct dirs_list {
    struct call *call;
    struct kafka_log_dirs_result *result;
    int32_t room;
};

static enum status dirs_count(void *context, struct log_topic *topic, struct error *err)
{
    ((struct dirs_list *)context)->room++;
    return OK;
}

static enum status dirs_topic(void *context, struct log_topic *topic, struct error *err)
{
    struct dirs_list *list = context;
    struct log_topic_info info = log_topic_info(topic);
    if (list->result->topics.count == list->room)
        return OK; /* made between the two lists */
    struct kafka_log_dirs_topic_result *out =
        &list->result->topics.items[list->result->topics.count++];
    out->name = call_text(list->call, info.name);
    out->partitions.items =
        CALL_ARRAY(list->call, info.partition_count, struct kafka_log_dirs_partition_result);
    for (uint32_t i = 0; out->partitions.items && i < info.partition_count; i++)
        size_set(topic, (int32_t)i, out);
    return OK;
}

static void dirs_all(struct call *call, struct kafka_log_dirs_result *result)
{
    struct dirs_list list = {call, result, 0};
    struct error err = {0};
    enum status status = log_topic_list(call->broker->log, dirs_count, &list, &err);
    result->topics.items = CALL_ARRAY(call, list.room, struct kafka_log_dirs_topic_result);
    if (status == OK && result->topics.items)
        status = log_topic_list(call->broker->log, dirs_topic, &list, &err);
    if (status != OK)
        logger_write(LOG_WARN, "broker", "list of topics: %s", err.text);
}

static void dirs_named(struct call *call, const struct kafka_log_dirs_request *request,
                       struct kafka_log_dirs_result *result)
{
    result->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_log_dirs_topic_result);
    for (int32_t i = 0; result->topics.items && i < request->topics.count; i++) {
        const struct kafka_log_dirs_topic *in = &request->topics.items[i];
        struct log_topic *topic = log_topic_find(call->broker->log, in->name);
        if (!topic)
            continue;
        struct kafka_log_dirs_topic_result *out = &result->topics.items[result->topics.count++];
        out->name = in->name;
        out->partitions.items =
            CALL_ARRAY(call, in->partitions.count, struct kafka_log_dirs_partition_result);
        for (int32_t k = 0; out->partitions.items && k < in->partitions.count; k++)
            size_set(topic, in->partitions.items[k], out);
        log_topic_unref(topic);
    }
}

static void dirs_start(struct call *call)
{
    const struct kafka_log_dirs_request *request = call->request;
    struct kafka_log_dirs_response *response = CALL_ARRAY(call, 1, struct kafka_log_dirs_response);
    struct kafka_log_dirs_result *result = CALL_ARRAY(call, 1, struct kafka_log_dirs_result);
    call->response = response;
    if (response && result) {
        char path[4096];
        const char *directory = log_directory(call->broker->log);
        response->results.items = result;
        response->results.count = 1;
        path_absolute(directory, path, sizeof(path));
        result->directory = call_text(call, path);
        path_space(directory, &result->total_bytes, &result->usable_bytes);
        if (request->topics.count < 0)
            dirs_all(call, result);
        else
            dirs_named(call, request, result);
    }
    call_finish(call);
}

/* ---- DescribeProducers ---- */

struct producer_list {
    struct kafka_describe_producers_state *items;
    int32_t count, room;
};

static enum status producer_listed(void *context, const struct log_producer *producer,
                                   struct error *err)
{
    struct producer_list *list = context;
    if (list->items && list->count < list->room)
        list->items[list->count] = (struct kafka_describe_producers_state){
            .producer_id = producer->id,
            .producer_epoch = producer->epoch,
            .last_sequence = producer->last_sequence,
            .last_timestamp_ms = producer->last_timestamp_ms,
            .coordinator_epoch = -1,
            .transaction_start_offset = producer->txn_first_offset,
        };
    list->count++;
    return OK;
}

static void producers_describe(struct call *call, struct log_partition *partition,
                               struct kafka_describe_producers_partition_result *result)
{
    struct producer_list list = {0};
    struct error err = {0};
    enum status status = log_producer_list(partition, producer_listed, &list, &err);
    list.room = list.count;
    list.count = 0;
    list.items = CALL_ARRAY(call, list.room, struct kafka_describe_producers_state);
    if (status == OK && list.items)
        status = log_producer_list(partition, producer_listed, &list, &err);
    if (status != OK) {
        result->error_code = call_error_code(status);
        result->error_message = call_text(call, err.text);
        return;
    }
    result->producers.items = list.items;
    result->producers.count = list.count < list.room ? list.count : list.room;
}

static void producers_start(struct call *call)
{
    const struct kafka_describe_producers_request *request = call->request;
    struct kafka_describe_producers_response *response =
        CALL_ARRAY(call, 1, struct kafka_describe_producers_response);
    call->response = response;
    if (response) {
        response->topics.count = request->topics.count;
        response->topics.items =
            CALL_ARRAY(call, request->topics.count, struct kafka_describe_producers_topic_result);
    }
    for (int32_t i = 0; !call->arena.failed && i < request->topics.count; i++) {
        const struct kafka_describe_producers_topic *in = &request->topics.items[i];
        struct kafka_describe_producers_topic_result *out = &response->topics.items[i];
        struct log_topic *topic = log_topic_find(call->broker->log, in->name);
        out->name = in->name;
        out->partitions.count = in->partitions.count;
        out->partitions.items = CALL_ARRAY(call, in->partitions.count,
                                           struct kafka_describe_producers_partition_result);
        for (int32_t k = 0; out->partitions.items && k < in->partitions.count; k++) {
            struct kafka_describe_producers_partition_result *result = &out->partitions.items[k];
            struct log_partition *partition = partition_at(topic, in->partitions.items[k]);
            result->index = in->partitions.items[k];
            if (partition) {
                producers_describe(call, partition, result);
            } else {
                result->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
                result->error_message = STR("there is no such topic partition");
            }
        }
        log_topic_unref(topic);
    }
    call_finish(call);
}

/* ---- DescribeTopicPartitions: topics in the order of their names, in pages ---- */

#define PAGE_PARTITIONS_MAX 2000 /* Kafka's max.request.partition.size.limit */

struct page {
    struct call *call;
    struct kafka_topic_partitions_response *response;
    const struct kafka_topic_partitions_cursor *cursor; /* where the page begins; NULL: the front */
    struct str *names;                                  /* sorted, each once */
    int32_t name_count, name_room;
    int32_t room; /* partitions that the page may still take */
};

static int name_compare(const void *left, const void *right)
{
    const struct str *a = left, *b = right;
    int order = memcmp(a->data, b->data, a->length < b->length ? a->length : b->length);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static enum status name_listed(void *context, struct log_topic *topic, struct error *err)
{
    struct page *page = context;
    if (page->names && page->name_count < page->name_room)
        page->names[page->name_count] = call_text(page->call, log_topic_info(topic).name);
    page->name_count++;
    return OK;
}

/* The names asked for; all of them when none is. */
static void page_names(struct page *page, const struct kafka_topic_partitions_request *request)
{
    struct log *log = page->call->broker->log;
    struct error err = {0};
    page->name_room = request->topics.count;
    if (request->topics.count == 0 && log_topic_list(log, name_listed, page, &err) == OK) {
        page->name_room = page->name_count;
        page->name_count = 0;
    }
    page->names = CALL_ARRAY(page->call, page->name_room, struct str);
    if (!page->names)
        return;
    if (request->topics.count == 0 && log_topic_list(log, name_listed, page, &err) != OK)
        logger_write(LOG_WARN, "broker", "list of topics: %s", err.text);
    if (page->name_count > page->name_room)
        page->name_count = page->name_room;
    for (int32_t i = 0; i < request->topics.count; i++)
        page->names[page->name_count++] = request->topics.items[i].name;
    qsort(page->names, (size_t)page->name_count, sizeof(struct str), name_compare);
}

static void page_partition(struct page *page, int32_t index,
                           struct kafka_topic_partitions_topic_result *result)
{
    static const int32_t only_node[] = {BROKER_NODE_ID};
    struct kafka_topic_partitions_partition_result *partition =
        &result->partitions.items[result->partitions.count++];
    *partition = (struct kafka_topic_partitions_partition_result){
        .index = index,
        .leader_id = BROKER_NODE_ID,
        .leader_epoch = log_leader_epoch(page->call->broker->log),
        .replica_nodes = {(int32_t *)only_node, 1},
        .isr_nodes = {(int32_t *)only_node, 1},
    };
    page->room--;
}

static void page_topic(struct page *page, struct str name)
{
    struct call *call = page->call;
    struct log_topic *topic = log_topic_find(call->broker->log, name);
    struct kafka_topic_partitions_topic_result *result =
        &page->response->topics.items[page->response->topics.count++];
    struct error err = {0};
    *result = (struct kafka_topic_partitions_topic_result){
        .name = name,
        .is_internal = is_internal_topic(name),
        .operations = INT32_MIN,
    };
    if (!topic) {
        result->error_code = log_topic_check(call->broker->log, name, 1, NULL, 0, &err) == ERR_NAME
                                 ? KAFKA_INVALID_TOPIC
                                 : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    struct log_topic_info info = log_topic_info(topic);
    int32_t count = (int32_t)info.partition_count, first = 0;
    if (page->cursor && str_eq(page->cursor->name, name) && page->cursor->partition_index > 0)
        first = page->cursor->partition_index < count ? page->cursor->partition_index : count;
    memcpy(result->id.bytes, info.id, KAFKA_UUID_BYTES);
    result->partitions.items =
        CALL_ARRAY(call, count - first, struct kafka_topic_partitions_partition_result);
    int32_t index = first;
    while (result->partitions.items && index < count && page->room > 0)
        page_partition(page, index++, result);
    if (index < count) {
        struct kafka_topic_partitions_cursor *next =
            CALL_ARRAY(call, 1, struct kafka_topic_partitions_cursor);
        if (next)
            *next = (struct kafka_topic_partitions_cursor){name, index};
        page->response->next_cursor.items = next;
        page->response->next_cursor.count = next ? 1 : 0;
    }
    log_topic_unref(topic);
}

static void page_start(struct call *call)
{
    const struct kafka_topic_partitions_request *request = call->request;
    struct page page = {
        .call = call,
        .response = CALL_ARRAY(call, 1, struct kafka_topic_partitions_response),
        .cursor = request->cursor.count ? request->cursor.items : NULL,
        .room = request->partition_limit < PAGE_PARTITIONS_MAX ? request->partition_limit
                                                               : PAGE_PARTITIONS_MAX,
    };
    call->response = page.response;
    if (request->partition_limit < 1) {
        call_break(call, "a DescribeTopicPartitions request for no partition");
        return;
    }
    page_names(&page, request);
    if (page.response)
        page.response->topics.items =
            CALL_ARRAY(call, page.name_count, struct kafka_topic_partitions_topic_result);
    for (int32_t i = 0; !call->arena.failed && i < page.name_count; i++) {
        bool before = page.cursor && name_compare(&page.names[i], &page.cursor->name) < 0;
        bool double_named = i > 0 && name_compare(&page.names[i], &page.names[i - 1]) == 0;
        if (!before && !double_named && page.response->next_cursor.count == 0)
            page_topic(&page, page.names[i]);
    }
    call_finish(call);
}

const struct handler HANDLER_DELETE_RECORDS = {
    .key = KAFKA_DELETE_RECORDS,
    .start = call_submit,
    .work = delete_work,
};
const struct handler HANDLER_DESCRIBE_LOG_DIRS = {
    .key = KAFKA_DESCRIBE_LOG_DIRS,
    .start = dirs_start,
};
const struct handler HANDLER_DESCRIBE_PRODUCERS = {
    .key = KAFKA_DESCRIBE_PRODUCERS,
    .start = producers_start,
};
const struct handler HANDLER_DESCRIBE_TOPIC_PARTITIONS = {
    .key = KAFKA_DESCRIBE_TOPIC_PARTITIONS,
    .start = page_start,
};
