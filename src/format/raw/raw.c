/* raw.c - the raw format: a table of one column, whose value is the whole record.
 *
 * Texts are UTF-8, numbers have their type's size in the given byte order, BOOLEAN is one byte (0
 * is false). A record without a value is a row with NULL, and the other way round.
 */
#include "format/raw/raw.h"

#include <stddef.h>

#include "base/must.h"
#include "data/datum.h"
#include "data/utf8.h"

enum endianness { BIG_ENDIAN_FIRST, LITTLE_ENDIAN_FIRST };
static const char *const ENDIANNESS[] = {"big-endian", "little-endian", NULL};

struct raw_options {
    const char *charset;
    int endianness;
};

static const struct option_def OPTIONS[] = {
    {.key = "charset",
     .kind = OPTION_STRING,
     .offset = offsetof(struct raw_options, charset),
     .default_value = "UTF-8",
     .help = "How texts are encoded; only UTF-8 is built."},
    {.key = "endianness",
     .kind = OPTION_ENUM,
     .offset = offsetof(struct raw_options, endianness),
     .default_value = "big-endian",
     .choices = ENDIANNESS,
     .help = "Byte order of numbers."},
};

struct decoder {
    const struct type *type;
    struct mem_owner *owner;
    bool wanted; /* false: rows are only counted */
    bool swap;
};
struct encoder {
    bool swap;
};

/* Bytes of a number; 0: a text or bytes; -1: not a type of this format. */
static int number_bytes(const struct type *type)
{
    switch (type->root) {
    case TYPE_BOOLEAN:
    case TYPE_TINYINT:
        return 1;
    case TYPE_SMALLINT:
        return 2;
    case TYPE_INT:
    case TYPE_FLOAT:
        return 4;
    case TYPE_BIGINT:
    case TYPE_DOUBLE:
        return 8;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        return 0;
    default:
        return -1;
    }
}

static enum status check_table(const struct table_description *table, struct error *err)
{
    if (table->field_count != 1)
        return error_set(
            err, ERR_TYPE,
            "table %s: format 'raw' is for tables with one physical column, this has %u",
            table->name, table->field_count);
    if (number_bytes(table->fields[0].type) >= 0)
        return OK;
    struct buf type;
    buf_init(&type, 4096);
    type_format(&type, table->fields[0].type);
    enum status status = error_set(err, ERR_UNSUPPORTED,
                                   "table %s: format 'raw' has no form for column '%s' of type %s",
                                   table->name, table->fields[0].name, buf_text(&type));
    buf_fini(&type);
    return status;
}

static enum status parse(const struct option_given *given, size_t count, bool *swap,
                         struct error *err)
{
    struct raw_options options = {0};
    struct arena arena;
    arena_init(&arena, NULL, 1u << 16);
    enum status status = option_parse(OPTIONS, COUNT_OF(OPTIONS), given, count, NULL,
                                      "format 'raw'", &options, &arena, err);
    if (status == OK && !str_eq_nocase(str_of(options.charset), STR("UTF-8")))
        status = error_set(err, ERR_UNSUPPORTED,
                           "format 'raw': charset '%s' is not built, UTF-8 is", options.charset);
    *swap = options.endianness == BIG_ENDIAN_FIRST;
    arena_fini(&arena);
    return status;
}

static enum status decoder_open(const struct decoder_request *request, struct decoder **out,
                                struct error *err)
{
    bool swap;
    TRY(check_table(request->table, err));
    TRY(parse(request->options, request->option_count, &swap, err));
    struct decoder *decoder = mem_calloc(1, sizeof(*decoder));
    if (!decoder)
        return error_memory(err, "a raw decoder", sizeof(*decoder));
    decoder->type = request->table->fields[0].type;
    decoder->owner = request->owner;
    decoder->wanted = request->wanted_count > 0;
    decoder->swap = swap;
    *out = decoder;
    return OK;
}

static void decoder_close(struct decoder *decoder)
{
    mem_free(decoder);
}

/* The bytes of a number, turned round when asked for. */
static void copy_number(uint8_t *dest, const uint8_t *src, uint32_t size, bool swap)
{
    for (uint32_t i = 0; i < size; i++)
        dest[i] = src[swap ? size - 1 - i : i];
}

static enum status set_row(struct decoder *decoder, struct vec *vec, uint32_t row,
                           const uint8_t *data, uint32_t length, struct bad_rows *bad,
                           struct error *err)
{
    uint32_t size = (uint32_t)number_bytes(decoder->type);
    vec->length = row;
    if (size == 0) {
        bool good = !type_is_text(decoder->type) || utf8_valid((const char *)data, length);
        if (!good)
            bad_rows_add(bad, row, "not valid UTF-8");
        return vec_set_text(vec, row, (const char *)data, good ? length : 0, err);
    }
    uint8_t *value = (uint8_t *)vec->values + (size_t)row * size;
    if (length != size) {
        bad_rows_add(bad, row, "a value of %u bytes, where the type has %u", length, size);
        memset(value, 0, size);
        return OK;
    }
    copy_number(value, data, size, decoder->swap);
    if (decoder->type->root == TYPE_BOOLEAN)
        *value = *value != 0;
    return OK;
}

static enum status fill(struct decoder *decoder, const struct records *records, struct vec *vec,
                        struct bad_rows *bad, struct error *err)
{
    for (uint32_t i = 0; i < records->count; i++) {
        uint32_t length = records->value_lengths[i];
        bool is_null = length == RECORD_NULL;
        if (is_null && !vec->validity)
            TRY(vec_make_validity(vec, err));
        if (is_null)
            vec_clear_valid(vec, i);
        if (!is_null)
            TRY(set_row(decoder, vec, i, records->values[i], length, bad, err));
        else
            memset((uint8_t *)vec->values + i * physical_size_bytes(type_physical(vec->type)), 0,
                   physical_size_bytes(type_physical(vec->type)));
    }
    vec->length = records->count;
    return OK;
}

static enum status decode(struct decoder *decoder, const struct records *records,
                          struct batch **out, const uint32_t **record_of_row, struct bad_rows *bad,
                          struct error *err)
{
    struct vec *vec = NULL;
    uint16_t selection[BATCH_ROWS_MAX];
    uint32_t count = 0;
    bad->count = bad->kept = 0;
    bad->ignore = false;
    *record_of_row = NULL;
    if (decoder->wanted) {
        TRY(vec_new(&vec, decoder->type, records->count, decoder->owner, err));
        enum status status = fill(decoder, records, vec, bad, err);
        if (status != OK) {
            vec_unref(vec);
            return status;
        }
    }
    TRY(batch_new(out, &vec, decoder->wanted, records->count, err));
    for (uint32_t i = 0; i < records->count; i++)
        if (!bad_rows_has(bad, i))
            selection[count++] = (uint16_t)i;
    enum status status =
        count == records->count ? OK : batch_set_selection(*out, selection, count, err);
    if (status != OK)
        batch_unref(*out);
    return status;
}

static enum status encoder_open(const struct encoder_request *request, struct encoder **out,
                                struct error *err)
{
    bool swap;
    TRY(check_table(request->table, err));
    TRY(parse(request->options, request->option_count, &swap, err));
    struct encoder *encoder = mem_calloc(1, sizeof(*encoder));
    if (!encoder)
        return error_memory(err, "a raw encoder", sizeof(*encoder));
    encoder->swap = swap;
    *out = encoder;
    return OK;
}

static void encoder_close(struct encoder *encoder)
{
    mem_free(encoder);
}

static void append_value(const struct encoder *encoder, struct buf *out, const struct vec *vec,
                         uint32_t row)
{
    const struct vec *holder;
    uint32_t at = vec_locate(vec, row, &holder);
    uint32_t size = (uint32_t)number_bytes(vec->type);
    if (!vec_is_valid(vec, row))
        return; /* an empty value stands for NULL: a row has no other form here */
    if (size == 0) {
        struct str text = view_str(&((const struct view *)holder->values)[at]);
        buf_append(out, text.data, text.length);
        return;
    }
    uint8_t bytes[8];
    copy_number(bytes, (const uint8_t *)holder->values + (size_t)at * size, size, encoder->swap);
    buf_append(out, bytes, size);
}

static enum status encode(struct encoder *encoder, const struct batch *batch, struct buf *out,
                          uint32_t *offsets, struct error *err)
{
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        offsets[i] = (uint32_t)out->length;
        append_value(encoder, out, batch->columns[0], batch_row(batch, i));
    }
    offsets[batch->selected_count] = (uint32_t)out->length;
    return buf_check(out, "raw rows", err);
}

const struct format_class RAW_FORMAT = {
    .size = sizeof(struct format_class),
    .name = "raw",
    .help = "The whole record is the value of the table's one column.",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .decoder_open = decoder_open,
    .decode = decode,
    .decoder_close = decoder_close,
    .encoder_open = encoder_open,
    .encode = encode,
    .encoder_close = encoder_close,
};
