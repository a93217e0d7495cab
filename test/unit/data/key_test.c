/* Golden keys: the encoding and its hashes are on disk, so they never change (contracts.md rule
 * 12). The bytes were put together by hand from key.h, the hashes made with libxxhash's own
 * function. */
#include "data/key.h"

#include "../check.h"
#include "base/must.h"
#include "data/datum.h"

static struct error err;
static struct arena arena;

struct golden {
    const char *what;
    const char *hex;
    uint64_t hash;
};

static const struct type *decimal(unsigned precision, unsigned scale)
{
    return type_decimal(&arena, precision, scale, true);
}

static struct vec *one(struct datum datum)
{
    struct vec *vec = NULL;
    must(datum_to_vec(&vec, &datum, 1, &err) == OK);
    return vec;
}

static struct vec *number(const struct type *type, int64_t value)
{
    return one((struct datum){.type = type, .i64 = value});
}

static struct vec *real(const struct type *type, double value)
{
    return one((struct datum){.type = type, .f64 = value});
}

static struct vec *unscaled(const struct type *type, decimal128 value)
{
    return one((struct datum){.type = type, .decimal = value});
}

static struct vec *text(const struct type *type, const char *value)
{
    return one((struct datum){.type = type, .text = str_of(value)});
}

static struct vec *ints(const int32_t *values, uint32_t count)
{
    struct vec *vec = NULL;
    must(vec_new(&vec, &TYPE_OF_INT, count, NULL, &err) == OK);
    for (uint32_t i = 0; i < count; i++)
        ((int32_t *)vec->values)[i] = values[i];
    vec->length = count;
    return vec;
}

static struct vec *make_row(void)
{
    static const char *names[] = {"a", "b"};
    const struct type *fields[] = {&TYPE_OF_INT, &TYPE_OF_STRING};
    struct vec *vec = NULL;
    int32_t value = 1;
    must(vec_new(&vec, type_row(&arena, 2, names, fields, true), 1, NULL, &err) == OK);
    struct vec *first = ints(&value, 1);
    must(vec_append(vec->children[0], first, NULL, 1, &err) == OK);
    must(vec_append_null(vec->children[1], 1, &err) == OK);
    vec_unref(first);
    vec->length = 1;
    return vec;
}

static struct vec *make_list(bool is_map)
{
    static const int32_t values[] = {2, 1}, map_values[] = {1, 2};
    const struct type *type = is_map ? type_map(&arena, &TYPE_OF_STRING, &TYPE_OF_INT, true)
                                     : type_array(&arena, &TYPE_OF_INT, true);
    struct vec *vec = NULL, *child = ints(is_map ? map_values : values, 2);
    must(vec_new(&vec, type, 1, NULL, &err) == OK);
    must(vec_append(vec->children[is_map], child, NULL, 2, &err) == OK);
    vec_unref(child);
    for (int i = 0; is_map && i < 2; i++) {
        struct vec *key = text(&TYPE_OF_STRING, i ? "a" : "b");
        must(vec_append(vec->children[0], key, NULL, 1, &err) == OK);
        vec_unref(key);
    }
    ((struct list_entry *)vec->values)[0] = (struct list_entry){0, 2};
    vec->length = 1;
    return vec;
}

static struct vec *null_int(void)
{
    struct vec *vec = NULL;
    must(vec_new_null(&vec, &TYPE_OF_INT, 1, &err) == OK);
    return vec;
}

static struct vec *make_value(uint32_t i)
{
    decimal128 large = decimal_pow10(30);
    switch (i) {
    case 0:
        return null_int();
    case 1:
        return number(&TYPE_OF_BOOLEAN, 1);
    case 2:
        return number(&TYPE_OF_TINYINT, -5);
    case 3:
        return number(&TYPE_OF_SMALLINT, 300);
    case 4:
        return number(&TYPE_OF_INT, 7);
    case 5:
        return number(&TYPE_OF_BIGINT, -2);
    case 6:
        return real(&TYPE_OF_FLOAT, -0.0);
    case 7:
        return real(&TYPE_OF_DOUBLE, -(0.0 / 0.0));
    case 8:
        return real(&TYPE_OF_DOUBLE, 1.5);
    case 9:
        return unscaled(decimal(10, 2), -1234);
    case 10:
        return unscaled(decimal(38, 0), large);
    case 11:
        return text(type_text(&arena, TYPE_CHAR, 5, true), "ab   ");
    case 12:
        return text(&TYPE_OF_STRING, "ab   ");
    case 13:
        return text(&TYPE_OF_STRING, "");
    case 14:
        return text(&TYPE_OF_STRING, "abcdefghijklmnopqrstuvwxyz");
    case 15:
        return number(&TYPE_OF_DATE, 18262);
    case 16:
        return number(&TYPE_OF_TIMESTAMP_3, INT64_C(1577872800000000));
    case 17:
        return make_row();
    case 18:
        return make_list(false);
    default:
        return make_list(true);
    }
}

static const struct golden goldens[] = {
    {"NULL", "00", UINT64_C(0xc44bdff4074eecdb)},
    {"TRUE", "0101", UINT64_C(0x070d80d6a76865f3)},
    {"TINYINT -5", "01fb", UINT64_C(0x899ed600052111ba)},
    {"SMALLINT 300", "012c01", UINT64_C(0x0236b2a7c5e3e5a4)},
    {"INT 7", "0107000000", UINT64_C(0xaed59e20a9a647d3)},
    {"BIGINT -2", "01feffffffffffffff", UINT64_C(0x0723823aa3339fbc)},
    {"FLOAT -0.0", "0100000000", UINT64_C(0xd1dd927ed529f768)},
    {"DOUBLE NaN", "01000000000000f87f", UINT64_C(0x6a33929ce40a04d7)},
    {"DOUBLE 1.5", "01000000000000f83f", UINT64_C(0x2b68e3d95bc408b8)},
    {"DECIMAL(10,2) -12.34", "012efbffffffffffffffffffffffffffff", UINT64_C(0x97e41829ce8f8834)},
    {"DECIMAL(38,0) 10^30", "0100000040eaed7446d09c2c9f0c000000", UINT64_C(0x5d2e5b9ff5df1905)},
    {"CHAR(5) 'ab   '", "01020000006162", UINT64_C(0x288e762d4180e7f6)},
    {"STRING 'ab   '", "01050000006162202020", UINT64_C(0x1a0abff9fd983de6)},
    {"STRING ''", "0100000000", UINT64_C(0xd1dd927ed529f768)},
    {"STRING long", "011a0000006162636465666768696a6b6c6d6e6f707172737475767778797a",
     UINT64_C(0x3b55939e6cc112a8)},
    {"DATE 2020-01-01", "0156470000", UINT64_C(0xadb8aed23cb77ec3)},
    {"TIMESTAMP(3)", "0100a8be23119b0500", UINT64_C(0xd1a2db95679675bf)},
    {"ROW(1, NULL)", "01010100000000", UINT64_C(0x8bfbae6239052abe)},
    {"ARRAY[2, 1]", "010200000001020000000101000000", UINT64_C(0xe36d0403a6c7fe0e)},
    {"MAP{b: 1, a: 2}", "010200000001010000006101020000000101000000620101000000",
     UINT64_C(0x289e14a89ae21870)},
};
#define GOLDEN_COUNT ((uint32_t)(sizeof(goldens) / sizeof(goldens[0])))

static const char *hex_of(const struct key_batch *keys, uint32_t key)
{
    static char hex[256];
    uint32_t length = keys->offsets[key + 1] - keys->offsets[key];
    for (uint32_t i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", keys->bytes.data[keys->offsets[key] + i]);
    hex[2 * length] = '\0';
    return hex;
}

static struct key_batch keys;

static void check_round_trip(const struct vec *value)
{
    struct vec *back = NULL;
    struct datum a, b;
    CHECK_OK(vec_new(&back, value->type, 1, NULL, &err));
    CHECK_OK(key_decode(keys.bytes.data, keys.offsets[1], &back, 1, &err));
    vec_verify(back);
    datum_get(&a, value, 0);
    datum_get(&b, back, 0);
    bool is_padded = value->type->root == TYPE_CHAR, is_map = value->type->root == TYPE_MAP;
    CHECK(is_padded || is_map || datum_equals(&a, &b));
    /* no prefix is taken for a whole key, and none is read past its end */
    for (uint32_t cut = 0; cut < keys.offsets[1]; cut++) {
        uint8_t *part = mem_alloc(cut);
        memcpy(part, keys.bytes.data, cut);
        CHECK_INT(key_decode(part, cut, &back, 1, NULL), ERR_CORRUPT);
        mem_free(part);
        vec_unref(back);
        back = NULL;
        CHECK_OK(vec_new(&back, value->type, 1, NULL, &err));
    }
    vec_unref(back);
}

TEST(encodings_and_hashes_are_frozen)
{
    arena_init(&arena, NULL, 1 << 20);
    key_batch_init(&keys, 1 << 20);
    for (uint32_t i = 0; i < GOLDEN_COUNT; i++) {
        struct vec *value = make_value(i);
        struct batch *batch = NULL;
        uint32_t column = 0;
        CHECK_OK(batch_new(&batch, &value, 1, 1, &err));
        CHECK_OK(key_encode(&keys, batch, &column, 1, &err));
        CHECK_STR(hex_of(&keys, 0), goldens[i].hex);
        CHECK(keys.hashes[0] == goldens[i].hash);
        check_round_trip(value);
        batch_unref(batch);
        if (check_failed)
            break;
    }
    key_batch_fini(&keys);
    arena_fini(&arena);
}

TEST(columns_side_by_side_with_a_selection)
{
    arena_init(&arena, NULL, 1 << 20);
    key_batch_init(&keys, 1 << 20);
    int32_t values[] = {1, 7, 9};
    struct vec *columns[] = {ints(values, 3), NULL};
    struct batch *batch = NULL;
    uint32_t key_columns[] = {0, 1};
    uint16_t selection[] = {1};
    struct datum x = {.type = &TYPE_OF_STRING, .text = STR("x")};
    CHECK_OK(datum_to_vec(&columns[1], &x, 3, &err));
    CHECK_OK(batch_new(&batch, columns, 2, 3, &err));
    CHECK_OK(batch_set_selection(batch, selection, 1, &err));
    CHECK_OK(key_encode(&keys, batch, key_columns, 2, &err));
    CHECK_INT(keys.count, 1);
    CHECK_STR(hex_of(&keys, 0), "0107000000010100000078");
    CHECK(keys.hashes[0] == UINT64_C(0x2bdbbd9445040229));
    CHECK_INT(key_group_of_hash(keys.hashes[0]), 0x15);
    CHECK_INT(key_group_subtask(127, 3), 2);
    batch_unref(batch);
    key_batch_fini(&keys);
    arena_fini(&arena);
}

TEST(damaged_keys_are_refused)
{
    static const struct {
        const struct type *type;
        const char *bytes;
        size_t size;
    } bad[] = {
        {&TYPE_OF_INT, "\2\1\0\0\0", 5},
        {&TYPE_OF_INT, "\1\1\0\0\0\0", 6},
        {&TYPE_OF_BOOLEAN, "\1\2", 2},
        {&TYPE_OF_STRING, "\1\1\0\0\0\xff", 6},
        {&TYPE_OF_STRING, "\1\xff\xff\xff\xffx", 6},
        {&TYPE_OF_STRING, "", 0},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vec *vec = NULL;
        CHECK_OK(vec_new(&vec, bad[i].type, 1, NULL, &err));
        CHECK_INT(key_decode((const uint8_t *)bad[i].bytes, bad[i].size, &vec, 1, NULL),
                  ERR_CORRUPT);
        vec_unref(vec);
    }
}

static uint64_t seed = 3;
static uint32_t draw(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % below);
}

#define KINDS 6
static struct vec *random_column(uint32_t kind, uint32_t rows)
{
    static const char *const texts[] = {
        "", "a", "twelve bytes", "thirteen bytes", "x y", "a text that is much longer than a view"};
    const struct type *types[KINDS] = {
        &TYPE_OF_STRING,  &TYPE_OF_BIGINT, &TYPE_OF_INT,
        &TYPE_OF_BOOLEAN, decimal(10, 2),  type_text(&arena, TYPE_VARBINARY, 100, true)};
    struct vec *vec = NULL, *dictionary = NULL;
    uint16_t indices[100];
    bool has_null = draw(2);
    must(vec_new(&vec, types[kind], rows, NULL, &err) == OK);
    for (uint32_t i = 0; i < rows; i++) {
        const char *value = texts[draw(6)];
        struct vec *item = draw(4) == 0 && has_null ? NULL
                           : kind == 0 || kind == 5 ? text(types[kind], value)
                           : kind == 4              ? unscaled(types[kind], draw(1000))
                           : kind == 3              ? number(types[kind], draw(2))
                                                    : number(types[kind], draw(100000));
        if (item)
            must(vec_append(vec, item, NULL, 1, &err) == OK);
        else
            must(vec_append_null(vec, 1, &err) == OK);
        vec_unref(item);
        indices[i] = (uint16_t)draw(rows);
    }
    if (draw(2))
        return vec;
    must(vec_new_dictionary(&dictionary, vec, indices, rows, &err) == OK);
    vec_unref(vec);
    return dictionary;
}

/* Every key of a batch decodes to its row, and equal rows have equal keys. */
static void check_batch(const struct batch *batch)
{
    static const uint32_t key_columns[] = {0, 1, 2};
    CHECK_OK(key_encode(&keys, batch, key_columns, 3, &err));
    CHECK_INT(keys.count, batch->selected_count);
    for (uint32_t i = 0; i < keys.count; i++) {
        struct vec *back[3] = {NULL};
        for (int c = 0; c < 3; c++)
            CHECK_OK(vec_new(&back[c], batch->columns[c]->type, 1, NULL, &err));
        CHECK_OK(key_decode(keys.bytes.data + keys.offsets[i],
                            keys.offsets[i + 1] - keys.offsets[i], back, 3, &err));
        for (int c = 0; c < 3; c++) {
            struct datum a, b;
            datum_get(&a, batch->columns[c], batch_row(batch, i));
            datum_get(&b, back[c], 0);
            CHECK(datum_equals(&a, &b));
            vec_unref(back[c]);
        }
    }
}

/* What a key makes equal stays apart in a row. */
TEST(rows_are_as_they_were)
{
    struct vec *columns[5], *back[5] = {NULL};
    double minus_zero = -0.0;
    uint64_t bits;
    struct buf bytes;
    arena_init(&arena, NULL, 16 << 20);
    buf_init(&bytes, 1 << 20);
    columns[0] = text(type_text(&arena, TYPE_CHAR, 5, true), "ab   ");
    columns[1] = real(&TYPE_OF_DOUBLE, minus_zero);
    columns[2] = real(&TYPE_OF_FLOAT, minus_zero);
    columns[3] = unscaled(decimal(10, 2), -1234);
    columns[4] = text(&TYPE_OF_STRING, "a text that is much longer than a view");
    key_encode_row(&bytes, columns, 5, 0);
    CHECK_OK(buf_check(&bytes, "a row", &err));
    for (int c = 0; c < 5; c++)
        CHECK_OK(vec_new(&back[c], columns[c]->type, 1, NULL, &err));
    CHECK_OK(key_decode(bytes.data, bytes.length, back, 5, &err));
    CHECK_INT(view_str((const struct view *)back[0]->values).length, 5);
    memcpy(&bits, back[1]->values, sizeof(bits));
    CHECK(bits == UINT64_C(1) << 63);
    CHECK(((const uint32_t *)back[2]->values)[0] == 1u << 31);
    for (int c = 0; c < 5; c++) {
        struct datum a, b;
        datum_get(&a, columns[c], 0);
        datum_get(&b, back[c], 0);
        CHECK(datum_equals(&a, &b));
        vec_unref(columns[c]);
        vec_unref(back[c]);
    }
    buf_fini(&bytes);
    arena_fini(&arena);
}

TEST(random_batches_decode_to_their_rows)
{
    arena_init(&arena, NULL, 16 << 20);
    key_batch_init(&keys, 1 << 20);
    for (int round = 0; round < 200; round++) {
        struct batch *batch = NULL;
        struct vec *columns[3];
        uint16_t selection[100];
        uint32_t rows = 1 + draw(99), selected = 0;
        for (int c = 0; c < 3; c++)
            columns[c] = random_column(draw(KINDS), rows);
        CHECK_OK(batch_new(&batch, columns, 3, rows, &err));
        for (uint32_t i = 0; i < rows; i++)
            if (draw(2))
                selection[selected++] = (uint16_t)i;
        if (draw(2))
            CHECK_OK(batch_set_selection(batch, selection, selected, &err));
        check_batch(batch);
        batch_unref(batch);
        if (check_failed)
            break;
    }
    key_batch_fini(&keys);
    arena_fini(&arena);
}
