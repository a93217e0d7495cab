/* datagen_value.c - values of one column for a run of row numbers. */
#include "connector/datagen/datagen_int.h"

#include "base/calendar.h"
#include "base/rng.h"

#define TEXT_DIGITS_MAX 24 /* of a sequence's number */

int64_t datagen_due_us(const struct datagen_rows *rows, uint32_t index)
{
    unsigned __int128 number = rows->first + rows->step * index;
    unsigned __int128 after = number * US_PER_SECOND / (uint64_t)rows->rows_per_second;
    return after > INT64_MAX / 4 ? INT64_MAX / 2 : rows->base_us + (int64_t)after;
}

/* The n-th random word of a row's value. */
static uint64_t random_word(const struct datagen_field *field, uint64_t number, uint64_t n)
{
    return rng_mix(rng_mix(field->seed ^ rng_mix(number)) + n * UINT64_C(0x9E3779B97F4A7C15));
}

static double random_unit(uint64_t word) /* [0, 1) */
{
    return (double)(word >> 11) * 0x1p-53;
}

/* From min to max, both included. */
static int64_t random_integer(const struct datagen_field *field, uint64_t word)
{
    uint64_t span = (uint64_t)field->max - (uint64_t)field->min;
    if (span == UINT64_MAX)
        return (int64_t)word;
    uint64_t offset = (uint64_t)(((unsigned __int128)word * (span + 1)) >> 64);
    return (int64_t)((uint64_t)field->min + offset);
}

static double random_approximate(const struct datagen_field *field, uint64_t word)
{
    double unit = random_unit(word);
    double value = field->min_f64 * (1 - unit) + field->max_f64 * unit; /* no overflow on the way */
    return value > field->max_f64 ? field->max_f64 : value;
}

static decimal128 random_decimal(const struct datagen_field *field, uint64_t number)
{
    decimal_u128 span = (decimal_u128)field->max_decimal - (decimal_u128)field->min_decimal;
    decimal_u128 wide =
        (decimal_u128)random_word(field, number, 1) << 64 | random_word(field, number, 2);
    return (decimal128)((decimal_u128)field->min_decimal + wide % (span + 1));
}

static void store_integer(struct vec *vec, uint32_t row, int64_t value)
{
    switch (type_physical(vec->type)) {
    case PHYS_I8:
        ((int8_t *)vec->values)[row] = (int8_t)value;
        break;
    case PHYS_I16:
        ((int16_t *)vec->values)[row] = (int16_t)value;
        break;
    case PHYS_I32:
        ((int32_t *)vec->values)[row] = (int32_t)value;
        break;
    default:
        ((int64_t *)vec->values)[row] = value;
        break;
    }
}

static void store_decimal(struct vec *vec, uint32_t row, decimal128 value)
{
    if (type_physical(vec->type) == PHYS_I64)
        ((int64_t *)vec->values)[row] = (int64_t)value;
    else
        ((decimal128 *)vec->values)[row] = value;
}

static enum status store_sequence(const struct datagen_field *field, uint64_t number,
                                  struct vec *vec, uint32_t row, struct error *err)
{
    int64_t value = (int64_t)((uint64_t)field->start + number);
    if (type_is_text(field->type)) {
        char text[TEXT_DIGITS_MAX];
        return vec_set_text(vec, row, text, str_from_i64(text, value), err);
    }
    if (field->type->root == TYPE_FLOAT) {
        ((float *)vec->values)[row] = (float)value;
    } else if (field->type->root == TYPE_DOUBLE) {
        ((double *)vec->values)[row] = (double)value;
    } else if (field->type->root == TYPE_DECIMAL) {
        decimal128 wide = value;
        (void)decimal_rescale(&wide, 0, field->type->scale); /* checked with the options */
        store_decimal(vec, row, wide);
    } else {
        store_integer(vec, row, value);
    }
    return OK;
}

/* Hexadecimal digits, or bytes. */
static enum status store_text(const struct datagen_field *field, uint64_t number, struct vec *vec,
                              uint32_t row, struct error *err)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t length = field->length;
    if (field->var_length)
        length = 1 + (uint32_t)(random_word(field, number, 1) % length);
    char *dest = vec_string_room(vec, length);
    if (!dest)
        return vec_no_room(vec, length, err);
    uint64_t word = 0;
    if (type_is_bytes(field->type)) {
        for (uint32_t i = 0; i < length; i++, word >>= 8) {
            if (i % 8 == 0)
                word = random_word(field, number, 2 + i / 8);
            dest[i] = (char)(word & 0xff);
        }
    } else {
        for (uint32_t i = 0; i < length; i++, word >>= 4) {
            if (i % 16 == 0)
                word = random_word(field, number, 2 + i / 16);
            dest[i] = digits[word & 15];
        }
    }
    ((struct view *)vec->values)[row] = view_of(dest, length);
    return OK;
}

static void store_time(const struct datagen_field *field, uint64_t number, int64_t due_us,
                       struct vec *vec, uint32_t row)
{
    int64_t us = due_us;
    if (field->max_past_us > 0)
        us -= (int64_t)(((unsigned __int128)random_word(field, number, 1) *
                         (uint64_t)field->max_past_us) >>
                        64);
    int64_t days = us / US_PER_DAY;
    switch (field->type->root) {
    case TYPE_DATE:
        store_integer(vec, row, days);
        break;
    case TYPE_TIME:
        store_integer(vec, row, (us - days * US_PER_DAY) / US_PER_MS);
        break;
    default: {
        unsigned precision = field->type->precision;
        if (precision < 6)
            us -= us % DECIMAL_POW10_INT64[6 - precision];
        store_integer(vec, row, precision > 6 ? us * 1000 : us);
        break;
    }
    }
}

static enum status store_random(const struct datagen_field *field, uint64_t number, int64_t due_us,
                                struct vec *vec, uint32_t row, struct error *err)
{
    switch (field->type->root) {
    case TYPE_BOOLEAN:
        ((uint8_t *)vec->values)[row] = (uint8_t)(random_word(field, number, 1) >> 63);
        return OK;
    case TYPE_FLOAT:
        ((float *)vec->values)[row] =
            (float)random_approximate(field, random_word(field, number, 1));
        return OK;
    case TYPE_DOUBLE:
        ((double *)vec->values)[row] = random_approximate(field, random_word(field, number, 1));
        return OK;
    case TYPE_DECIMAL:
        store_decimal(vec, row, random_decimal(field, number));
        return OK;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        return store_text(field, number, vec, row, err);
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        store_time(field, number, due_us, vec, row);
        return OK;
    default:
        store_integer(vec, row, random_integer(field, random_word(field, number, 1)));
        return OK;
    }
}

enum status datagen_fill(const struct datagen_field *field, const struct datagen_rows *rows,
                         struct vec *vec, struct error *err)
{
    if (field->null_rate > 0)
        TRY(vec_make_validity(vec, err));
    for (uint32_t i = 0; i < rows->count; i++) {
        uint64_t number = rows->first + rows->step * i;
        vec->length = i + 1;
        if (field->is_sequence)
            TRY(store_sequence(field, number, vec, i, err));
        else
            TRY(store_random(field, number, datagen_due_us(rows, i), vec, i, err));
        if (field->null_rate > 0 && random_unit(random_word(field, number, 0)) < field->null_rate)
            vec_clear_valid(vec, i);
    }
    return OK;
}
