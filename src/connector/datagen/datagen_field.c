/* datagen_field.c - the options "fields.NAME.WHAT" of datagen, with Flink's names and defaults. */
#include "connector/datagen/datagen_int.h"

#include <float.h>

#include "base/hash.h"
#include "base/must.h"

#define LENGTH_DEFAULT 100
#define LENGTH_MAX     (1 << 20)

enum what {
    WHAT_KIND,
    WHAT_MIN,
    WHAT_MAX,
    WHAT_MAX_PAST,
    WHAT_LENGTH,
    WHAT_VAR_LEN,
    WHAT_START,
    WHAT_END,
    WHAT_NULL_RATE,
    WHAT_COUNT
};
static const char *const WHATS[WHAT_COUNT] = {"kind",    "min",   "max", "max-past", "length",
                                              "var-len", "start", "end", "null-rate"};

static enum status check_type(const struct table_field *field, const char *table, struct error *err)
{
    switch (field->type->root) {
    case TYPE_NULL:
    case TYPE_INTERVAL_YEAR_MONTH:
    case TYPE_INTERVAL_DAY_TIME:
    case TYPE_ARRAY:
    case TYPE_MULTISET:
    case TYPE_MAP:
    case TYPE_ROW: {
        struct buf type;
        buf_init(&type, 4096);
        type_format(&type, field->type);
        enum status status = error_set(err, ERR_UNSUPPORTED,
                                       "table %s: datagen: column '%s' of type %s is not built",
                                       table, field->name, buf_text(&type));
        buf_fini(&type);
        return status;
    }
    default:
        return OK;
    }
}

static void set_defaults(struct datagen_field *out, const struct table_field *field,
                         const char *table)
{
    const struct type *type = field->type;
    *out = (struct datagen_field){.type = type};
    out->seed = hash_bytes_seed(field->name, strlen(field->name), hash_bytes(table, strlen(table)));
    out->length = LENGTH_DEFAULT;
    if (type->length > 0 && type->length < LENGTH_MAX)
        out->length = (uint32_t)type->length;
    switch (type->root) {
    case TYPE_TINYINT:
        out->min = INT8_MIN;
        out->max = INT8_MAX;
        break;
    case TYPE_SMALLINT:
        out->min = INT16_MIN;
        out->max = INT16_MAX;
        break;
    case TYPE_INT:
        out->min = INT32_MIN;
        out->max = INT32_MAX;
        break;
    case TYPE_FLOAT:
        out->min_f64 = (double)FLT_TRUE_MIN;
        out->max_f64 = (double)FLT_MAX;
        break;
    case TYPE_DOUBLE:
        out->min_f64 = DBL_TRUE_MIN;
        out->max_f64 = DBL_MAX;
        break;
    case TYPE_DECIMAL:
        out->max_decimal = decimal_pow10(type->precision) - 1;
        out->min_decimal = -out->max_decimal;
        break;
    default:
        out->min = INT64_MIN;
        out->max = INT64_MAX;
        break;
    }
}

struct place { /* of one option, for messages */
    const char *table;
    const char *key; /* behind "fields." */
    const char *value;
};

static enum status bad_value(const struct place *place, const char *expected, struct error *err)
{
    return error_set(err, ERR_OPTION,
                     "table %s: connector 'datagen': option 'fields.%s' is '%s', but must be %s",
                     place->table, place->key, place->value, expected);
}

static enum status no_use(const struct place *place, const struct type *type, struct error *err)
{
    struct buf text;
    buf_init(&text, 4096);
    type_format(&text, type);
    enum status status = error_set(
        err, ERR_OPTION, "table %s: connector 'datagen': option 'fields.%s' means nothing for a %s",
        place->table, place->key, buf_text(&text));
    buf_fini(&text);
    return status;
}

static enum status parse_bound(const struct place *place, struct datagen_field *field, bool is_max,
                               struct error *err)
{
    struct str text = str_trim(str_of(place->value));
    const struct type *type = field->type;
    if (type_is_integer(type)) {
        int64_t lowest = field->min, highest = field->max;
        int64_t *out = is_max ? &field->max : &field->min;
        if (!str_to_i64(text, out, NULL) || *out < lowest || *out > highest)
            return bad_value(place, "a whole number of the column's type", err);
        return OK;
    }
    if (type_is_approximate(type)) {
        double *out = is_max ? &field->max_f64 : &field->min_f64;
        return str_to_f64(text, out) && *out - *out == 0
                   ? OK
                   : bad_value(place, "a number of the column's type", err);
    }
    if (type->root == TYPE_DECIMAL) {
        decimal128 *out = is_max ? &field->max_decimal : &field->min_decimal;
        return decimal_parse(text, type->precision, type->scale, out, NULL)
                   ? OK
                   : bad_value(place, "a number of the column's type", err);
    }
    return no_use(place, type, err);
}

static enum status parse_length(const struct place *place, struct datagen_field *field,
                                struct error *err)
{
    int64_t length;
    if (!type_is_text(field->type) && !type_is_bytes(field->type))
        return no_use(place, field->type, err);
    bool good = str_to_i64(str_trim(str_of(place->value)), &length, NULL);
    if (!good || length < 1 || length > LENGTH_MAX || length > field->type->length)
        return bad_value(place, "a length of at least 1 within the column's type", err);
    bool fixed = field->type->root == TYPE_CHAR || field->type->root == TYPE_BINARY;
    if (fixed && length != field->type->length)
        return bad_value(place, "the length of the column's type, which is fixed", err);
    field->length = (uint32_t)length;
    return OK;
}

static enum status parse_flag(const struct place *place, bool *out, struct error *err)
{
    struct str text = str_of(place->value);
    *out = str_eq_nocase(text, STR("true"));
    return *out || str_eq_nocase(text, STR("false")) ? OK : bad_value(place, "true or false", err);
}

static enum status parse_sequence_end(const struct place *place, struct datagen_field *field,
                                      bool is_end, struct error *err)
{
    int64_t *out = is_end ? &field->end : &field->start;
    *(is_end ? &field->has_end : &field->has_start) = true;
    return str_to_i64(str_trim(str_of(place->value)), out, NULL)
               ? OK
               : bad_value(place, "a whole number", err);
}

static enum status parse_kind(const struct place *place, struct datagen_field *field,
                              struct error *err)
{
    struct str text = str_of(place->value);
    field->is_sequence = str_eq_nocase(text, STR("sequence"));
    if (!field->is_sequence && !str_eq_nocase(text, STR("random")))
        return bad_value(place, "random or sequence", err);
    if (field->is_sequence && !type_is_numeric(field->type) && !type_is_text(field->type))
        return bad_value(place, "random, as this type has no sequence", err);
    return OK;
}

static enum status parse_max_past(const struct place *place, struct datagen_field *field,
                                  struct error *err)
{
    int64_t ms;
    if (!type_is_timestamp(field->type))
        return no_use(place, field->type, err);
    if (!str_to_duration_ms(str_of(place->value), &ms) || ms > INT64_MAX / 4000)
        return bad_value(place, "a duration such as '10 s' or '1 h'", err);
    field->max_past_us = ms * 1000;
    return OK;
}

static enum status parse_option(const struct place *place, struct datagen_field *field,
                                enum what what, struct error *err)
{
    switch (what) {
    case WHAT_KIND:
        return parse_kind(place, field, err);
    case WHAT_MIN:
    case WHAT_MAX:
        return parse_bound(place, field, what == WHAT_MAX, err);
    case WHAT_MAX_PAST:
        return parse_max_past(place, field, err);
    case WHAT_LENGTH:
        return parse_length(place, field, err);
    case WHAT_VAR_LEN:
        return parse_flag(place, &field->var_length, err);
    case WHAT_START:
    case WHAT_END:
        return parse_sequence_end(place, field, what == WHAT_END, err);
    default:
        if (!str_to_f64(str_trim(str_of(place->value)), &field->null_rate) ||
            !(field->null_rate >= 0 && field->null_rate <= 1))
            return bad_value(place, "from 0 to 1", err);
        return OK;
    }
}

/* "NAME.WHAT", where NAME may have dots of its own. */
static enum status find_option(const struct table_description *table, const struct place *place,
                               uint32_t *field, enum what *what, struct error *err)
{
    struct str key = str_of(place->key);
    size_t dot = key.length;
    while (dot > 0 && key.data[dot - 1] != '.')
        dot--;
    struct str name = {key.data, dot ? dot - 1 : 0}, last = {key.data + dot, key.length - dot};
    int found = 0;
    while (found < WHAT_COUNT && !str_eq(str_of(WHATS[found]), last))
        found++;
    if (found == WHAT_COUNT) {
        error_set(err, ERR_OPTION, "table %s: connector 'datagen' has no option 'fields.%s'",
                  table->name, place->key);
        error_hint(err, "a field has kind, min, max, max-past, length, var-len, start, end, "
                        "null-rate");
        return ERR_OPTION;
    }
    *what = (enum what)found;
    for (*field = 0; *field < table->field_count; ++*field)
        if (str_eq(str_of(table->fields[*field].name), name))
            return OK;
    return error_set(
        err, ERR_OPTION,
        "table %s: connector 'datagen': option 'fields.%s' is for column '%.*s', which "
        "the table does not have",
        table->name, place->key, (int)name.length, name.data);
}

/* A sequence's last value has to fit its column. */
static bool sequence_fits(const struct datagen_field *field)
{
    const struct type *type = field->type;
    if (type_is_integer(type))
        return field->start >= field->min && field->end <= field->max;
    if (type->root != TYPE_DECIMAL)
        return true;
    decimal128 start = field->start, end = field->end;
    return decimal_rescale(&start, 0, type->scale) && decimal_rescale(&end, 0, type->scale) &&
           decimal_fits(start, type->precision) && decimal_fits(end, type->precision);
}

static enum status check_field(const struct table_description *table, uint32_t index,
                               const struct datagen_field *field, struct error *err)
{
    const char *name = table->fields[index].name;
    if (field->is_sequence) {
        if (!field->has_start || !field->has_end)
            return error_set(err, ERR_OPTION,
                             "table %s: connector 'datagen': the sequence '%s' needs the options "
                             "'fields.%s.start' and 'fields.%s.end'",
                             table->name, name, name, name);
        if (field->start > field->end || !sequence_fits(field))
            return error_set(err, ERR_OPTION,
                             "table %s: connector 'datagen': the sequence '%s' ends before it "
                             "starts, or does not fit its column",
                             table->name, name);
        return OK;
    }
    if (field->min > field->max || field->min_f64 > field->max_f64 ||
        field->min_decimal > field->max_decimal)
        return error_set(err, ERR_OPTION,
                         "table %s: connector 'datagen': 'fields.%s.min' is above its max",
                         table->name, name);
    if (field->null_rate > 0 && !field->type->nullable)
        return error_set(err, ERR_OPTION,
                         "table %s: connector 'datagen': column '%s' is NOT NULL, but has a "
                         "null-rate",
                         table->name, name);
    return OK;
}

enum status datagen_fields_parse(const struct table_description *table,
                                 const struct option_pair *pairs, struct datagen_field *fields,
                                 struct error *err)
{
    for (uint32_t i = 0; i < table->field_count; i++) {
        TRY(check_type(&table->fields[i], table->name, err));
        set_defaults(&fields[i], &table->fields[i], table->name);
    }
    for (const struct option_pair *pair = pairs; pair; pair = pair->next) {
        struct place place = {table->name, pair->key, pair->value};
        uint32_t field;
        enum what what;
        TRY(find_option(table, &place, &field, &what, err));
        TRY(parse_option(&place, &fields[field], what, err));
    }
    for (uint32_t i = 0; i < table->field_count; i++)
        TRY(check_field(table, i, &fields[i], err));
    return OK;
}
