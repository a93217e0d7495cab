/* json_value.c - one JSON value to one cell, with the conversions of Flink's json format: numbers
 * and their texts are the same, DECIMAL comes from the raw digits and never through double, a text
 * column takes any value as its JSON text.
 */
#include "format/json/json_int.h"

#include <math.h>

#include "base/base64.h"
#include "base/calendar.h"
#include "data/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum json_cell { JSON_CELL_OK, JSON_CELL_NULL, JSON_CELL_BAD, JSON_CELL_MEMORY };

/* Tokens lie in a text with BUFFER_PADDING readable bytes behind it, so that the short ones, nearly
 * all, can be looked at 16 bytes at once. */
static inline uint32_t bytes_equal_16(const uint8_t *data, uint8_t c)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)data);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)c)));
#else
    uint32_t mask = 0;
    for (uint32_t i = 0; i < 16; i++)
        mask |= (uint32_t)(data[i] == c) << i;
    return mask;
#endif
}

static inline uint32_t digits_16(const uint8_t *data)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)data);
    __m128i shifted = _mm_add_epi8(bytes, _mm_set1_epi8((char)(0x7f - '9')));
    return (uint32_t)_mm_movemask_epi8(_mm_cmpgt_epi8(shifted, _mm_set1_epi8(0x7f - 10)));
#else
    uint32_t mask = 0;
    for (uint32_t i = 0; i < 16; i++)
        mask |= (uint32_t)(data[i] >= '0' && data[i] <= '9') << i;
    return mask;
#endif
}

static inline bool has_backslash(const uint8_t *data, uint32_t length)
{
    if (length > 32)
        return memchr(data, '\\', length) != NULL;
    uint64_t found = bytes_equal_16(data, '\\');
    if (length > 16)
        found |= (uint64_t)bytes_equal_16(data + 16, '\\') << 16;
    return (found & ((UINT64_C(1) << length) - 1)) != 0;
}

/* As view_of, without a call for the short ones. */
static inline struct view view_of_padded(const uint8_t *data, uint32_t length)
{
    if (length > VIEW_INLINE_MAX)
        return view_of((const char *)data, length);
    uint64_t low, high = 0;
    memcpy(&low, data, 8);
    memcpy(&high, data + 8, 4);
    low = length >= 8 ? low : low & ((UINT64_C(1) << 8 * length) - 1);
    high = length <= 8 ? 0 : high & ((UINT64_C(1) << 8 * (length - 8)) - 1);
    uint64_t words[2] = {length | low << 32, low >> 32 | high << 32};
    struct view view;
    memcpy(&view, words, sizeof(view));
    return view;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* JSON's grammar of numbers: -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_json_number(const uint8_t *p, const uint8_t *end)
{
    if (p < end && *p == '-')
        p++;
    if (p == end || !is_digit(*p))
        return false;
    if (*p == '0')
        p++;
    else
        while (p < end && is_digit(*p))
            p++;
    if (p < end && *p == '.') {
        const uint8_t *digits = ++p;
        while (p < end && is_digit(*p))
            p++;
        if (p == digits)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const uint8_t *digits = p;
        while (p < end && is_digit(*p))
            p++;
        if (p == digits)
            return false;
    }
    return p == end;
}

/* Digits with at most one point between them: the usual number. */
static bool is_plain_number(const uint8_t *data, uint32_t length)
{
    if (length > 16)
        return false;
    uint32_t all = (1u << length) - 1, digits = digits_16(data) & all;
    uint32_t points = bytes_equal_16(data, '.') & all;
    return (digits | points) == all && (points & (points - 1)) == 0 && (digits & 1) &&
           digits >> (length - 1) && !(data[0] == '0' && length > 1 && data[1] != '.');
}

/* The text between the quotes; *str points into the token, or into the scratch buffer (the next
 * call overwrites it) when there are escapes. */
static inline enum json_cell string_of(struct decoder *decoder, struct json_token token,
                                       struct str *str, bool *in_input)
{
    const uint8_t *text = token.data + 1;
    uint32_t length = token.length - 2;
    *in_input = true;
    if (!has_backslash(text, length)) {
        *str = (struct str){(const char *)text, length};
        return JSON_CELL_OK;
    }
    *in_input = false;
    buf_clear(&decoder->scratch);
    uint8_t *room = buf_room(&decoder->scratch, (size_t)length + BUFFER_PADDING);
    if (!room)
        return JSON_CELL_MEMORY;
    ptrdiff_t size = json_shim_unescape(decoder->shim, text, room);
    if (size < 0)
        return JSON_CELL_BAD;
    *str = (struct str){(const char *)room, (size_t)size};
    return JSON_CELL_OK;
}

static bool is_string(struct json_token token)
{
    return token.data[0] == '"';
}

static bool token_is(struct json_token token, const char *text)
{
    return token.length == strlen(text) && memcmp(token.data, text, token.length) == 0;
}

/* A scalar's text for numbers and times: without quotes, and blanks around for strings. */
static enum json_cell scalar_text(struct decoder *decoder, struct json_token token, struct str *str)
{
    bool in_input;
    if (!is_string(token)) {
        *str = (struct str){(const char *)token.data, token.length};
        return is_plain_number(token.data, token.length) ||
                       is_json_number(token.data, token.data + token.length)
                   ? JSON_CELL_OK
                   : JSON_CELL_BAD;
    }
    enum json_cell cell = string_of(decoder, token, str, &in_input);
    *str = str_trim(*str);
    return cell;
}

static enum json_cell set_text(struct decoder *decoder, struct vec *vec, uint32_t row,
                               struct json_token token)
{
    struct view *views = vec->values;
    struct str str;
    bool in_input = true;
    enum json_cell cell = JSON_CELL_OK;
    if (is_string(token))
        cell = string_of(decoder, token, &str, &in_input);
    else if (token.data[0] == '{' || token.data[0] == '[' || token_is(token, "true") ||
             token_is(token, "false") || is_json_number(token.data, token.data + token.length))
        str = (struct str){(const char *)token.data, token.length};
    else
        cell = JSON_CELL_BAD;
    if (cell != JSON_CELL_OK)
        return cell;
    if (decoder->strict && str.length > (size_t)vec->type->length &&
        utf8_count(str.data, str.length) > (size_t)vec->type->length)
        return JSON_CELL_BAD;
    if (in_input) {
        views[row] = view_of_padded((const uint8_t *)str.data, (uint32_t)str.length);
        return JSON_CELL_OK;
    }
    return vec_set_text(vec, row, str.data, str.length, NULL) == OK ? JSON_CELL_OK
                                                                    : JSON_CELL_MEMORY;
}

static enum json_cell set_bytes(struct decoder *decoder, struct vec *vec, uint32_t row,
                                struct json_token token)
{
    struct str str;
    bool in_input;
    if (!is_string(token))
        return JSON_CELL_BAD;
    enum json_cell cell = string_of(decoder, token, &str, &in_input);
    if (cell != JSON_CELL_OK)
        return cell;
    size_t size;
    char *dest = vec_string_room(vec, str.length + 1);
    if (!dest)
        return JSON_CELL_MEMORY;
    if (str.length % 4 != 0 || !base64_decode(dest, str, &size)) /* padding may not be absent */
        return JSON_CELL_BAD;
    if (decoder->strict && size > (size_t)vec->type->length)
        return JSON_CELL_BAD;
    ((struct view *)vec->values)[row] = view_of(dest, size);
    return JSON_CELL_OK;
}

static bool integer_of(struct str str, bool strict, int64_t *out)
{
    bool overflow;
    if (str_to_i64(str, out, &overflow))
        return true;
    double value;
    if (overflow || !str_to_f64(str, &value))
        return false;
    /* a number with a fraction or exponent loses its fraction, as Java's getIntValue */
    if (!(value > -9223372036854775808.0 && value < 9223372036854775808.0))
        return false;
    *out = (int64_t)value;
    return !strict || (double)*out == value;
}

static enum json_cell set_integer(struct decoder *decoder, struct vec *vec, uint32_t row,
                                  struct json_token token)
{
    struct str str;
    int64_t value;
    enum json_cell cell = scalar_text(decoder, token, &str);
    if (cell != JSON_CELL_OK)
        return cell;
    if (!integer_of(str, decoder->strict, &value) ||
        (is_string(token) && memchr(str.data, '.', str.length)))
        return JSON_CELL_BAD;
    switch (vec->type->root) {
    case TYPE_TINYINT:
        ((int8_t *)vec->values)[row] = (int8_t)value;
        return value == (int8_t)value ? JSON_CELL_OK : JSON_CELL_BAD;
    case TYPE_SMALLINT:
        ((int16_t *)vec->values)[row] = (int16_t)value;
        return value == (int16_t)value ? JSON_CELL_OK : JSON_CELL_BAD;
    case TYPE_INT:
        ((int32_t *)vec->values)[row] = (int32_t)value;
        return value == (int32_t)value ? JSON_CELL_OK : JSON_CELL_BAD;
    default:
        ((int64_t *)vec->values)[row] = value;
        return JSON_CELL_OK;
    }
}

static enum json_cell set_decimal(struct decoder *decoder, struct vec *vec, uint32_t row,
                                  struct json_token token)
{
    const struct type *type = vec->type;
    struct str str;
    bool overflow = false, good;
    enum json_cell cell = scalar_text(decoder, token, &str);
    if (cell != JSON_CELL_OK)
        return cell;
    if (type->precision <= DECIMAL_PRECISION_MAX_INT64)
        good = decimal_parse_i64(str, type->precision, type->scale, &((int64_t *)vec->values)[row],
                                 &overflow);
    else
        good = decimal_parse(str, type->precision, type->scale, &((decimal128 *)vec->values)[row],
                             &overflow);
    /* too many digits is NULL, as in Flink's DecimalData.fromBigDecimal */
    return good ? JSON_CELL_OK : overflow && !decoder->strict ? JSON_CELL_NULL : JSON_CELL_BAD;
}

static enum json_cell set_approximate(struct decoder *decoder, struct vec *vec, uint32_t row,
                                      struct json_token token)
{
    struct str str;
    enum json_cell cell = scalar_text(decoder, token, &str);
    if (cell != JSON_CELL_OK)
        return cell;
    bool is_float = vec->type->root == TYPE_FLOAT;
    bool good = is_float ? str_to_f32(str, &((float *)vec->values)[row])
                         : str_to_f64(str, &((double *)vec->values)[row]);
    if (good && decoder->strict && !is_string(token)) /* 1e999 */
        good = is_float ? isfinite(((float *)vec->values)[row])
                        : isfinite(((double *)vec->values)[row]);
    return good ? JSON_CELL_OK : JSON_CELL_BAD;
}

static enum json_cell set_boolean(struct decoder *decoder, struct vec *vec, uint32_t row,
                                  struct json_token token)
{
    uint8_t *values = vec->values;
    struct str str;
    bool in_input;
    if (!is_string(token)) {
        values[row] = token_is(token, "true");
        return values[row] || token_is(token, "false") ? JSON_CELL_OK : JSON_CELL_BAD;
    }
    enum json_cell cell = string_of(decoder, token, &str, &in_input);
    if (cell != JSON_CELL_OK)
        return cell;
    values[row] = str_eq_nocase(str_trim(str), STR("true"));
    return values[row] || str_eq_nocase(str_trim(str), STR("false")) ? JSON_CELL_OK : JSON_CELL_BAD;
}

static bool parse_timestamp(const struct decoder *decoder, struct str str, bool is_ltz,
                            int64_t *out_us)
{
    if (is_ltz) { /* "...Z": an instant in UTC */
        if (!str.length || str.data[str.length - 1] != 'Z')
            return false;
        str.length--;
    }
    char separator = decoder->options.timestamp_format == JSON_TIMESTAMP_ISO ? 'T' : ' ';
    if (str.length < 11 || str.data[10] != separator)
        return false;
    return calendar_parse_timestamp(str, out_us);
}

/* Microseconds and the text they came from. False: out of range. */
static bool to_nanoseconds(int64_t *value, struct str str, enum type_root root)
{
    str.length -= root == TYPE_TIMESTAMP_LTZ; /* its Z */
    return !__builtin_mul_overflow(*value, 1000, value) &&
           !__builtin_add_overflow(*value, calendar_rest_ns(str), value);
}

static enum json_cell set_temporal(struct decoder *decoder, struct vec *vec, uint32_t row,
                                   struct json_token token)
{
    struct str str;
    bool in_input;
    if (!is_string(token))
        return JSON_CELL_BAD;
    enum json_cell cell = string_of(decoder, token, &str, &in_input);
    if (cell != JSON_CELL_OK)
        return cell;
    bool good;
    switch (vec->type->root) {
    case TYPE_DATE:
        good = calendar_parse_date(str, &((int32_t *)vec->values)[row]);
        break;
    case TYPE_TIME:
        good = calendar_parse_time(str, &((int32_t *)vec->values)[row]);
        break;
    default:
        good = parse_timestamp(decoder, str, vec->type->root == TYPE_TIMESTAMP_LTZ,
                               &((int64_t *)vec->values)[row]);
        if (good && vec->type->precision > 6)
            good = to_nanoseconds(&((int64_t *)vec->values)[row], str, vec->type->root);
        break;
    }
    return good ? JSON_CELL_OK : JSON_CELL_BAD;
}

bool json_token_valid(struct decoder *decoder, struct json_token token)
{
    struct str str;
    bool in_input;
    if (is_string(token))
        return string_of(decoder, token, &str, &in_input) != JSON_CELL_BAD;
    return token.data[0] == '{' || token.data[0] == '[' || token_is(token, "true") ||
           token_is(token, "false") || token_is(token, "null") ||
           is_json_number(token.data, token.data + token.length);
}

/* ---- a column ---- */

static enum status set_null(struct vec *vec, uint32_t row, struct error *err)
{
    if (!vec->validity)
        TRY(vec_make_validity(vec, err));
    vec_clear_valid(vec, row);
    size_t size = physical_size_bytes(type_physical(vec->type));
    memset((uint8_t *)vec->values + row * size, 0, size);
    return OK;
}

/* No value: NULL, or a bad row when the table says so. */
static enum status set_missing(struct decoder *decoder, const struct json_column *column,
                               uint32_t row, struct error *err)
{
    if (decoder->options.fail_on_missing_field && decoder->documents[row] &&
        !json_is_bad(decoder, row))
        json_bad(decoder, row, "column '%s' is missing", column->name);
    return set_null(column->vec, row, err);
}

static enum status set_failed(struct decoder *decoder, const struct json_column *column,
                              uint32_t row, struct json_token token, enum json_cell cell,
                              struct error *err)
{
    if (cell == JSON_CELL_MEMORY)
        return error_memory(err, "a JSON value", token.length);
    if (cell == JSON_CELL_BAD && !json_is_bad(decoder, row) &&
        (!decoder->options.ignore_parse_errors || !json_token_valid(decoder, token)))
        json_bad_cell(decoder, row, column, token);
    return set_null(column->vec, row, err);
}

/* Inlined into a loop for each kind of column. */
static inline __attribute__((always_inline)) enum status
fill_with(struct decoder *decoder, struct json_column *column,
          enum json_cell (*set)(struct decoder *decoder, struct vec *vec, uint32_t row,
                                struct json_token token),
          struct error *err)
{
    const struct json_group group = decoder->group;
    const struct json_span *spans = json_spans(decoder, (uint32_t)(column - decoder->columns));
    for (uint32_t i = 0; i < group.count; i++) {
        uint32_t row = group.first + i;
        if (__builtin_expect(spans[i].length == 0, 0)) {
            TRY(set_missing(decoder, column, row, err));
            continue;
        }
        struct json_token token = json_token(group.text, spans[i]);
        enum json_cell cell = token.data[0] == 'n' && token_is(token, "null")
                                  ? JSON_CELL_NULL
                                  : set(decoder, column->vec, row, token);
        if (__builtin_expect(cell != JSON_CELL_OK, 0))
            TRY(set_failed(decoder, column, row, token, cell, err));
    }
    return OK;
}

enum status json_fill_column(struct decoder *decoder, struct json_column *column, struct error *err)
{
    switch (column->type->root) {
    case TYPE_CHAR:
    case TYPE_VARCHAR:
        return fill_with(decoder, column, set_text, err);
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        return fill_with(decoder, column, set_bytes, err);
    case TYPE_DECIMAL:
        return fill_with(decoder, column, set_decimal, err);
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return fill_with(decoder, column, set_approximate, err);
    case TYPE_BOOLEAN:
        return fill_with(decoder, column, set_boolean, err);
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        return fill_with(decoder, column, set_temporal, err);
    default: /* others were refused when the decoder was opened */
        return fill_with(decoder, column, set_integer, err);
    }
}
