/* json.c - the json format's class: options, opening and closing of its decoder. */
#include "format/json/json.h"

#include <stddef.h>

#include "format/json/json_int.h"

static const char *const TIMESTAMP_FORMATS[] = {"SQL", "ISO-8601", NULL};

const struct option_def JSON_OPTIONS[] = {
    {.key = "ignore-parse-errors",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct json_options, ignore_parse_errors),
     .default_value = "false",
     .help = "A field that cannot be converted is NULL, a document that is not JSON is dropped and "
             "counted; false: the table's leat.bad-rows decides."},
    {.key = "fail-on-missing-field",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct json_options, fail_on_missing_field),
     .default_value = "false",
     .help = "A document without one of the columns is a bad row; false: the column is NULL."},
    {.key = "timestamp-format.standard",
     .kind = OPTION_ENUM,
     .offset = offsetof(struct json_options, timestamp_format),
     .default_value = "SQL",
     .choices = TIMESTAMP_FORMATS,
     .help = "SQL: '2020-01-01 10:00:00.5'; ISO-8601: '2020-01-01T10:00:00.5'."},
    {.key = "encode.ignore-null-fields",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct json_options, ignore_null_fields),
     .default_value = "false",
     .help = "Columns that are NULL are left out when writing."},
};
const size_t JSON_OPTION_COUNT = sizeof(JSON_OPTIONS) / sizeof(*JSON_OPTIONS);

#define SCRATCH_BYTES_MAX (1u << 30)

enum status json_check_column(const struct table_field *field, const char *table, struct error *err)
{
    switch (field->type->root) {
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_MULTISET:
    case TYPE_ROW:
    case TYPE_INTERVAL_YEAR_MONTH:
    case TYPE_INTERVAL_DAY_TIME:
    case TYPE_NULL: {
        struct buf type;
        buf_init(&type, 4096);
        type_format(&type, field->type);
        enum status status =
            error_set(err, ERR_UNSUPPORTED, "table %s: json: column '%s' of type %s is not built",
                      table, field->name, buf_text(&type));
        buf_fini(&type);
        return status;
    }
    default:
        return OK;
    }
}

static enum status fill(struct decoder *decoder, const struct decoder_request *request,
                        struct error *err)
{
    struct arena arena;
    arena_init(&arena, NULL, 1u << 20);
    enum status status =
        option_parse(JSON_OPTIONS, JSON_OPTION_COUNT, request->options, request->option_count, NULL,
                     "format 'json'", &decoder->options, &arena, err);
    arena_fini(&arena);
    TRY(status);
    decoder->strict = request->strict;
    if (request->strict)
        decoder->options.ignore_parse_errors = false;
    uint32_t slots = 16;
    while (slots < decoder->column_count * 2 + 2)
        slots *= 2;
    decoder->name_slot_mask = slots - 1;
    decoder->columns = mem_calloc(decoder->column_count + 1, sizeof(*decoder->columns));
    decoder->name_slots = mem_calloc(slots, sizeof(*decoder->name_slots));
    decoder->spans =
        mem_calloc(((size_t)decoder->column_count + 1) * JSON_GROUP_ROWS, sizeof(*decoder->spans));
    decoder->shim = json_shim_new();
    if (!decoder->columns || !decoder->name_slots || !decoder->spans || !decoder->shim)
        return error_memory(err, "a JSON decoder", slots * sizeof(*decoder->name_slots));
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        const struct table_field *field = &request->table->fields[request->wanted[i]];
        TRY(json_check_column(field, request->table->name, err));
        decoder->columns[i] = (struct json_column){
            .name = field->name,
            .name_length = (uint32_t)strlen(field->name),
            .type = field->type,
            .field = request->wanted[i],
        };
    }
    json_index_names(decoder);
    return OK;
}

static void decoder_close(struct decoder *decoder)
{
    if (!decoder)
        return;
    json_shim_free(decoder->shim);
    buffer_unref(decoder->text);
    buf_fini(&decoder->scratch);
    mem_free(decoder->columns);
    mem_free(decoder->name_slots);
    mem_free(decoder->spans);
    mem_free(decoder);
}

static enum status decoder_open(const struct decoder_request *request, struct decoder **out,
                                struct error *err)
{
    struct decoder *decoder = mem_calloc(1, sizeof(*decoder));
    if (!decoder)
        return error_memory(err, "a JSON decoder", sizeof(*decoder));
    decoder->owner = request->owner;
    decoder->column_count = request->wanted_count;
    decoder->shape_credit = JSON_SHAPE_CREDIT;
    buf_init(&decoder->scratch, SCRATCH_BYTES_MAX);
    enum status status = fill(decoder, request, err);
    if (status != OK) {
        decoder_close(decoder);
        return status;
    }
    *out = decoder;
    return OK;
}

const struct format_class JSON_FORMAT = {
    .size = sizeof(struct format_class),
    .name = "json",
    .help = "One JSON object a record; columns by field name.",
    .options = JSON_OPTIONS,
    .option_count = sizeof(JSON_OPTIONS) / sizeof(*JSON_OPTIONS),
    .decoder_open = decoder_open,
    .decode = json_decode,
    .decoder_close = decoder_close,
    .encoder_open = json_encoder_open,
    .encode = json_encode,
    .encoder_close = json_encoder_close,
};
