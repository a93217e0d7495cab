/* rest_tables.c - tables and views of the catalog; topics of the embedded broker. */
#include "server/server_int.h"

static void add_columns(struct buf *out, const struct catalog_object *object)
{
    struct buf type;
    buf_init(&type, 64 << 10);
    json_name(out, "columns");
    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < object->column_count; i++) {
        const struct catalog_column *column = &object->columns[i];
        json_comma(out);
        buf_append_byte(out, '{');
        json_add_text(out, "name", column->name);
        buf_clear(&type);
        if (column->type)
            type_format(&type, column->type);
        json_add_text(out, "type", buf_text(&type));
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
    buf_fini(&type);
}

static void add_object(struct buf *out, const struct catalog_object *object)
{
    json_add_text(out, "name", object->name);
    json_add_text(out, "kind", object->kind == CATALOG_VIEW ? "view" : "table");
    json_add_text(out, "connector", object->description.connector);
    add_columns(out, object);
    json_name(out, "primary_key");
    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < object->primary_key_count; i++) {
        json_comma(out);
        json_text_append(out, str_of(object->columns[object->primary_key[i]].name));
    }
    buf_append_byte(out, ']');
}

static void list_object(void *context, const struct catalog_object *object)
{
    struct buf *out = context;
    json_comma(out);
    buf_append_byte(out, '{');
    add_object(out, object);
    buf_append_byte(out, '}');
}

enum status rest_tables(struct request *request, struct error *err)
{
    buf_append_text(&request->out, "{\"tables\":[");
    if (request->server->engine)
        catalog_list(engine_catalog(request->server->engine), list_object, &request->out);
    buf_append_text(&request->out, "]}");
    return OK;
}

enum status rest_table(struct request *request, struct error *err)
{
    struct engine *engine = request->server->engine;
    struct str name = str_of(request->params[0]);
    struct catalog_object *object = engine ? catalog_find(engine_catalog(engine), &name, 1) : NULL;
    struct buf ddl, *out = &request->out;
    if (!object)
        return error_set(err, ERR_NOT_FOUND, "there is no table or view '%.100s'",
                         request->params[0]);
    buf_init(&ddl, 1u << 20);
    catalog_format_ddl(&ddl, object);
    buf_append_byte(out, '{');
    add_object(out, object);
    json_add_text(out, "ddl", buf_text(&ddl));
    buf_append_byte(out, '}');
    buf_fini(&ddl);
    catalog_object_unref(object);
    return OK;
}

/* ---- topics */

static void add_topic(struct buf *out, const struct log_topic *topic)
{
    struct log_topic_info info = log_topic_info(topic);
    int64_t records = 0, bytes = 0;
    for (uint32_t i = 0; i < info.partition_count; i++) {
        struct log_offsets offsets;
        log_partition_offsets(log_topic_partition(topic, i), &offsets);
        records += offsets.high_watermark - offsets.log_start;
        bytes += (int64_t)offsets.size_bytes;
    }
    json_add_text(out, "name", info.name);
    json_add_int(out, "partitions", info.partition_count);
    json_add_int(out, "records", records);
    json_add_int(out, "bytes", bytes);
}

static enum status list_topic(void *context, struct log_topic *topic, struct error *err)
{
    struct buf *out = context;
    json_comma(out);
    buf_append_byte(out, '{');
    add_topic(out, topic);
    buf_append_byte(out, '}');
    return OK;
}

enum status rest_topics(struct request *request, struct error *err)
{
    struct broker *broker = atomic_load(&request->server->broker);
    buf_append_text(&request->out, "{\"topics\":[");
    if (broker)
        TRY(log_topic_list(broker_log(broker), list_topic, &request->out, err));
    buf_append_text(&request->out, "]}");
    return OK;
}

enum status rest_topic(struct request *request, struct error *err)
{
    struct broker *broker = atomic_load(&request->server->broker);
    struct buf *out = &request->out;
    struct log_topic *topic =
        broker ? log_topic_find(broker_log(broker), str_of(request->params[0])) : NULL;
    if (!topic)
        return error_set(err, ERR_NOT_FOUND, "the embedded broker has no topic '%.249s'",
                         request->params[0]);
    buf_append_text(out, "{");
    json_add_text(out, "name", log_topic_info(topic).name);
    json_name(out, "partitions");
    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < log_topic_info(topic).partition_count; i++) {
        struct log_offsets offsets;
        log_partition_offsets(log_topic_partition(topic, i), &offsets);
        json_comma(out);
        buf_append_byte(out, '{');
        json_add_int(out, "id", i);
        json_add_int(out, "log_start_offset", offsets.log_start);
        json_add_int(out, "high_watermark", offsets.high_watermark);
        json_add_int(out, "bytes", (int64_t)offsets.size_bytes);
        buf_append_byte(out, '}');
    }
    buf_append_text(out, "]}");
    log_topic_unref(topic);
    return OK;
}
