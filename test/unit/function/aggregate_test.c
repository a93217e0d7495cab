/* aggregate_test.c - every aggregate and argument type against recomputation from the rows that are
 * left, over random changelogs with NULLs; result types; merging of partial accumulators. */
#include "function/aggregate.h"

#include "../check.h"
#include "base/decimal.h"
#include "base/must.h"

#define ROWS   300
#define GROUPS 5

static uint64_t random_state;
static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

struct history { /* what the aggregate has seen */
    struct vec *values;
    uint8_t kinds[ROWS];
    uint8_t group[ROWS];
    bool is_null[ROWS];
    int retracts[ROWS]; /* the row this one takes away, -1: none */
};

static void set_value(struct vec *vec, uint32_t row, uint64_t number)
{
    char text[40];
    struct error err = {0};
    int64_t value = (int64_t)(number % 60) - 20;
    switch (type_physical(vec->type)) {
    case PHYS_BOOL:
        ((uint8_t *)vec->values)[row] = number & 1;
        break;
    case PHYS_I8:
        ((int8_t *)vec->values)[row] = (int8_t)value;
        break;
    case PHYS_I16:
        ((int16_t *)vec->values)[row] = (int16_t)(value * 100);
        break;
    case PHYS_I32:
        ((int32_t *)vec->values)[row] = (int32_t)(value * 1000003);
        break;
    case PHYS_I64:
        ((int64_t *)vec->values)[row] = value * 1000000007;
        break;
    case PHYS_I128:
        ((decimal128 *)vec->values)[row] = (decimal128)value * 1000000000000000003;
        break;
    case PHYS_F32:
        ((float *)vec->values)[row] = (float)value / 4;
        break;
    case PHYS_F64:
        ((double *)vec->values)[row] = (double)value / 4;
        break;
    default:
        snprintf(text, sizeof(text), number % 2 ? "text %d" : "a text that is longer %d",
                 (int)value);
        must(vec_set_text(vec, row, text, strlen(text), &err) == OK);
    }
}

static bool make_history(struct history *history, const struct type *type, bool retracts)
{
    struct error err = {0};
    if (vec_new(&history->values, type, ROWS, NULL, &err) != OK ||
        vec_make_validity(history->values, &err) != OK)
        return false;
    history->values->length = ROWS;
    bool gone[ROWS] = {false};
    uint64_t numbers[ROWS];
    for (int i = 0; i < ROWS; i++) {
        int back = (int)draw(ROWS);
        history->retracts[i] = -1;
        if (retracts && draw(2) && back < i && !gone[back] && history->retracts[back] < 0) {
            history->retracts[i] = back;
            history->kinds[i] = draw(2) ? ROW_DELETE : ROW_UPDATE_BEFORE;
            history->group[i] = history->group[back];
            history->is_null[i] = history->is_null[back];
            gone[back] = gone[i] = true;
            set_value(history->values, (uint32_t)i, numbers[back]);
            numbers[i] = numbers[back];
        } else {
            history->kinds[i] = draw(2) ? ROW_INSERT : ROW_UPDATE_AFTER;
            history->group[i] = (uint8_t)draw(GROUPS);
            history->is_null[i] = draw(5) == 0;
            numbers[i] = draw(1000);
            set_value(history->values, (uint32_t)i, numbers[i]);
        }
        if (history->is_null[i])
            vec_clear_valid(history->values, (uint32_t)i);
    }
    return true;
}

static decimal128 number_at(const struct vec *vec, uint32_t row)
{
    switch (type_physical(vec->type)) {
    case PHYS_BOOL:
        return ((uint8_t *)vec->values)[row];
    case PHYS_I8:
        return ((int8_t *)vec->values)[row];
    case PHYS_I16:
        return ((int16_t *)vec->values)[row];
    case PHYS_I32:
        return ((int32_t *)vec->values)[row];
    case PHYS_I64:
        return ((int64_t *)vec->values)[row];
    default:
        return ((decimal128 *)vec->values)[row];
    }
}

static double float_at(const struct vec *vec, uint32_t row)
{
    return type_physical(vec->type) == PHYS_F32 ? ((float *)vec->values)[row]
                                                : ((double *)vec->values)[row];
}

static int compare_rows(const struct vec *vec, uint32_t a, uint32_t b)
{
    if (type_physical(vec->type) == PHYS_VIEW)
        return view_compare((const struct view *)vec->values + a,
                            (const struct view *)vec->values + b);
    if (type_is_approximate(vec->type))
        return (float_at(vec, a) > float_at(vec, b)) - (float_at(vec, a) < float_at(vec, b));
    return (number_at(vec, a) > number_at(vec, b)) - (number_at(vec, a) < number_at(vec, b));
}

/* The rows of the group that are there after the first `upto` rows and not NULL. */
static uint32_t live_rows(const struct history *history, int group, int upto, uint32_t *rows)
{
    bool gone[ROWS] = {false};
    uint32_t count = 0;
    for (int i = 0; i < upto; i++)
        if (history->retracts[i] >= 0)
            gone[i] = gone[history->retracts[i]] = true;
    for (int i = 0; i < upto; i++)
        if (!gone[i] && history->group[i] == group && !history->is_null[i])
            rows[count++] = (uint32_t)i;
    return count;
}

static bool check_sum(const struct vec *values, const uint32_t *rows, uint32_t count, bool is_avg,
                      const struct vec *got, uint32_t at)
{
    if (type_is_approximate(values->type)) {
        double sum = 0;
        for (uint32_t i = 0; i < count; i++)
            sum += float_at(values, rows[i]);
        return float_at(got, at) ==
               (is_avg ? (type_physical(got->type) == PHYS_F32 ? (double)(float)(sum / count)
                                                               : sum / count)
                       : sum);
    }
    decimal128 sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += number_at(values, rows[i]);
    if (values->type->root == TYPE_DECIMAL && is_avg) {
        decimal128 want;
        return decimal_div(sum, values->type->scale, count, 0, 38, got->type->scale, &want) &&
               want == number_at(got, at);
    }
    if (is_avg)
        sum /= count;
    switch (type_physical(got->type)) {
    case PHYS_I8:
        return (int8_t)sum == number_at(got, at);
    case PHYS_I16:
        return (int16_t)sum == number_at(got, at);
    case PHYS_I32:
        return (int32_t)sum == number_at(got, at);
    default:
        return sum == number_at(got, at);
    }
}

static bool check_result(const char *name, const struct history *history, int upto,
                         const struct vec *got)
{
    uint32_t rows[ROWS];
    for (int group = 0; group < GROUPS; group++) {
        uint32_t count = live_rows(history, group, upto, rows), best = 0;
        uint32_t at = (uint32_t)group;
        if (strcmp(name, "COUNT") == 0) {
            if (((int64_t *)got->values)[at] != count)
                return false;
            continue;
        }
        if (vec_is_valid(got, at) != (count > 0))
            return false;
        if (count == 0)
            continue;
        if (name[0] != 'M') {
            if (!check_sum(history->values, rows, count, name[0] == 'A', got, at))
                return false;
            continue;
        }
        for (uint32_t i = 1; i < count; i++) {
            int order = compare_rows(history->values, rows[i], rows[best]);
            if (name[1] == 'A' ? order > 0 : order < 0)
                best = i;
        }
        struct datum want, is;
        datum_get(&want, history->values, rows[best]);
        datum_get(&is, got, at);
        if (!datum_equals(&want, &is))
            return false;
    }
    return true;
}

/* Feeds the history in pieces of random size and compares after each. */
static bool run(const struct aggregate_bound *bound, const struct history *history,
                struct mem_owner *owner)
{
    struct error err = {0};
    uint8_t accumulators[GROUPS][64] = {{0}};
    uint8_t *groups[ROWS], *all[GROUPS];
    uint16_t selection[ROWS];
    bool good = true;
    for (int g = 0; g < GROUPS; g++)
        all[g] = accumulators[g];
    for (int from = 0; good && from < ROWS;) {
        int count = (int)draw(40) + 1;
        count = count > ROWS - from ? ROWS - from : count;
        for (int i = 0; i < count; i++) {
            selection[i] = (uint16_t)(from + i);
            groups[i] = all[history->group[from + i]];
        }
        struct aggregate_input input = {.arg = history->values,
                                        .selection = selection,
                                        .kinds = bound->retracting ? history->kinds : NULL,
                                        .count = (uint32_t)count,
                                        .owner = owner,
                                        .groups = groups,
                                        .offset_bytes = 8};
        struct vec *out;
        must(bound->accumulate(bound, &input, &err) == OK);
        must(vec_new(&out, bound->result, GROUPS, NULL, &err) == OK);
        out->length = GROUPS;
        must(vec_make_validity(out, &err) == OK);
        must(bound->result_of(bound, all, 8, GROUPS, out, 0, &err) == OK);
        from += count;
        good = check_result(bound->def->name, history, from, out);
        vec_unref(out);
    }
    for (int g = 0; g < GROUPS && bound->fini; g++)
        bound->fini(bound, accumulators[g] + 8, owner);
    return good;
}

static const struct type *arg_type(struct arena *arena, int number)
{
    static const struct type *const SIMPLE[] = {
        &TYPE_OF_TINYINT, &TYPE_OF_SMALLINT,   &TYPE_OF_INT,    &TYPE_OF_BIGINT,
        &TYPE_OF_FLOAT,   &TYPE_OF_DOUBLE,     &TYPE_OF_STRING, &TYPE_OF_BOOLEAN,
        &TYPE_OF_DATE,    &TYPE_OF_TIMESTAMP_3};
    if (number < (int)COUNT_OF(SIMPLE))
        return SIMPLE[number];
    return number == 10 ? type_decimal(arena, 12, 2, true) : type_decimal(arena, 30, 7, true);
}

TEST(against_recomputation)
{
    struct error err = {0};
    struct arena arena;
    size_t function_count, checked = 0;
    const struct aggregate_def *const *functions = aggregate_table(&function_count);
    arena_init(&arena, NULL, 1 << 20);
    for (size_t f = 0; f < function_count; f++)
        for (int type = 0; type < 12; type++)
            for (int retracting = 0; retracting < 2; retracting++) {
                struct aggregate_bound bound = {.arg_type = arg_type(&arena, type),
                                                .retracting = retracting};
                struct source_pos pos = {0};
                error_clear(&err);
                if (functions[f]->bind(&bound, &arena, pos, &err) != OK) {
                    CHECK_INT(err.code, ERR_TYPE);
                    continue;
                }
                CHECK(bound.size_bytes % 8 == 0 && bound.size_bytes <= 56);
                for (uint64_t seed = 1; seed < 12; seed++) {
                    struct history history;
                    struct mem_owner owner;
                    mem_owner_init(&owner, NULL, "test");
                    random_state = seed * 77 + (uint64_t)type;
                    CHECK(make_history(&history, bound.arg_type, retracting));
                    if (!run(&bound, &history, &owner))
                        CHECK_FAIL("%s of type %d, retracting %d, seed %d", functions[f]->name,
                                   type, retracting, (int)seed);
                    mem_owner_fini(&owner);
                    vec_unref(history.values);
                    checked++;
                }
            }
    CHECK(checked > 900);
    arena_fini(&arena);
}

static bool result_is(const char *name, const struct type *type, const char *want)
{
    struct error err = {0};
    struct arena arena;
    struct buf text;
    struct source_pos pos = {0};
    struct aggregate_bound bound = {.arg_type = type};
    arena_init(&arena, NULL, 1 << 16);
    buf_init(&text, 1000);
    enum status status = aggregate_find(str_of(name), NULL)->bind(&bound, &arena, pos, &err);
    if (status == OK)
        type_format(&text, bound.result);
    else
        buf_append_text(&text, err.text);
    bool same = strcmp(buf_text(&text), want) == 0;
    if (!same)
        printf("# %s: %s, want %s\n", name, buf_text(&text), want);
    buf_fini(&text);
    arena_fini(&arena);
    return same;
}

TEST(result_types_are_those_of_flink)
{
    struct arena arena;
    bool known;
    arena_init(&arena, NULL, 1 << 16);
    CHECK(result_is("sum", type_decimal(&arena, 10, 2, false), "DECIMAL(38, 2)"));
    CHECK(result_is("Sum", &TYPE_OF_INT, "INT"));
    CHECK(result_is("AVG", &TYPE_OF_INT, "INT"));
    CHECK(result_is("AVG", &TYPE_OF_FLOAT, "FLOAT"));
    CHECK(result_is("AVG", type_decimal(&arena, 10, 2, true), "DECIMAL(38, 6)"));
    CHECK(result_is("AVG", type_decimal(&arena, 20, 9, true), "DECIMAL(38, 9)"));
    CHECK(result_is("COUNT", &TYPE_OF_STRING, "BIGINT NOT NULL"));
    CHECK(result_is("COUNT", NULL, "BIGINT NOT NULL"));
    CHECK(result_is("MAX", &TYPE_OF_STRING, "STRING"));
    CHECK(result_is("SUM", &TYPE_OF_STRING, "SUM takes a numeric argument, not STRING"));
    CHECK(result_is("MIN", &TYPE_OF_BYTES,
                    "MIN takes a number, text, BOOLEAN, date or time, not BYTES"));
    CHECK(!aggregate_find(STR("listagg"), &known) && known);
    CHECK(!aggregate_find(STR("foo"), &known) && !known);
    arena_fini(&arena);
}

/* A sum beyond 38 digits is NULL, also when it passes 128 bits. */
TEST(decimal_overflow_is_null)
{
    struct error err = {0};
    struct arena arena;
    struct source_pos pos = {0};
    arena_init(&arena, NULL, 1 << 16);
    struct aggregate_bound bound = {.arg_type = type_decimal(&arena, 38, 0, true)};
    CHECK_OK(aggregate_find(STR("SUM"), NULL)->bind(&bound, &arena, pos, &err));
    struct vec *values, *out;
    uint8_t accumulator[32] = {0};
    uint8_t *groups[4] = {accumulator, accumulator, accumulator, accumulator};
    CHECK_OK(vec_new(&values, bound.arg_type, 4, NULL, &err));
    values->length = 4;
    for (int i = 0; i < 4; i++)
        ((decimal128 *)values->values)[i] = decimal_pow10(38) - 1;
    CHECK_OK(vec_new(&out, bound.result, 1, NULL, &err));
    out->length = 1;
    for (uint32_t count = 1; count <= 4; count += 3) {
        struct aggregate_input input = {.arg = values, .count = count, .groups = groups};
        CHECK_OK(bound.accumulate(&bound, &input, &err));
        CHECK_OK(vec_make_validity(out, &err));
        CHECK_OK(bound.result_of(&bound, groups, 0, 1, out, 0, &err));
        CHECK_INT(vec_is_valid(out, 0), count == 1);
    }
    vec_unref(values);
    vec_unref(out);
    arena_fini(&arena);
}

/* Partial accumulators at odd addresses merge to the same result. */
TEST(merged_partials)
{
    struct error err = {0};
    struct arena arena;
    size_t function_count;
    struct source_pos pos = {0};
    const struct aggregate_def *const *functions = aggregate_table(&function_count);
    arena_init(&arena, NULL, 1 << 20);
    for (size_t f = 0; f < function_count; f++)
        for (int type = 0; type < 12; type++) {
            struct aggregate_bound bound = {.arg_type = arg_type(&arena, type)};
            struct history history;
            error_clear(&err);
            if (functions[f]->bind(&bound, &arena, pos, &err) != OK || !bound.portable)
                continue;
            random_state = 5;
            CHECK(make_history(&history, bound.arg_type, false));
            memset(history.group, 0, sizeof(history.group));
            uint8_t room[3][72], whole[64] = {0};
            const uint8_t *partials[3];
            uint8_t *groups[3] = {whole, whole, whole};
            memset(room, 0, sizeof(room));
            for (uint32_t part = 0; part < 3; part++) {
                uint8_t accumulator[64] = {0}, *at[ROWS];
                uint16_t selection[ROWS];
                for (int i = 0; i < 100; i++) {
                    at[i] = accumulator;
                    selection[i] = (uint16_t)(part * 100 + (uint32_t)i);
                }
                struct aggregate_input input = {.arg = history.values,
                                                .selection = selection,
                                                .count = part == 2 ? 0 : 100,
                                                .groups = at};
                CHECK_OK(bound.accumulate(&bound, &input, &err));
                memcpy(room[part] + 1, accumulator, 64);
                partials[part] = room[part];
            }
            bound.merge(&bound, groups, 0, partials, 1, 3);
            struct vec *out;
            CHECK_OK(vec_new(&out, bound.result, GROUPS, NULL, &err));
            out->length = GROUPS;
            CHECK_OK(vec_make_validity(out, &err));
            uint8_t empty[64] = {0};
            uint8_t *all[GROUPS] = {whole, empty, empty, empty, empty};
            CHECK_OK(bound.result_of(&bound, all, 0, GROUPS, out, 0, &err));
            if (!check_result(functions[f]->name, &history, 200, out))
                CHECK_FAIL("%s of type %d", functions[f]->name, type);
            vec_unref(out);
            vec_unref(history.values);
        }
    arena_fini(&arena);
}

TEST(every_allocation_fails_once)
{
    struct error err = {0};
    struct arena arena;
    struct source_pos pos = {0};
    arena_init(&arena, NULL, 1 << 20);
    for (int retracting = 0; retracting < 2; retracting++) {
        struct aggregate_bound bound = {.arg_type = &TYPE_OF_STRING, .retracting = retracting};
        struct history history;
        uint8_t accumulator[64] = {0}, *groups[ROWS];
        CHECK_OK(aggregate_find(STR("MAX"), NULL)->bind(&bound, &arena, pos, &err));
        random_state = 3;
        CHECK(make_history(&history, bound.arg_type, retracting));
        for (int i = 0; i < ROWS; i++)
            groups[i] = accumulator;
        enum status status = ERR_MEMORY;
        for (uint64_t countdown = 1; status != OK; countdown++) {
            struct mem_owner owner;
            mem_owner_init(&owner, NULL, "test");
            struct aggregate_input input = {.arg = history.values,
                                            .kinds = retracting ? history.kinds : NULL,
                                            .count = ROWS,
                                            .owner = &owner,
                                            .groups = groups};
            mem_fail_after(countdown);
            status = bound.accumulate(&bound, &input, &err);
            mem_fail_after(0);
            CHECK(status == OK || status == ERR_MEMORY);
            bound.fini(&bound, accumulator, &owner);
            mem_owner_fini(&owner);
        }
        vec_unref(history.values);
    }
    arena_fini(&arena);
}
