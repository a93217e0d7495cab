/* predicate.c - kernels of NOT, IS [NOT] NULL, IS [NOT] TRUE/FALSE/UNKNOWN, and IN over literals.
 *
 * IN holds its literals by value: of fixed width as sorted 64-bit keys (searched one after another
 * when few), texts in an open-addressing table by hash, other kinds as datums compared one by one.
 * A value that is not found gives NULL when the list has a NULL.
 */
#include "base/hash.h"
#include "base/must.h"
#include "expr/expr_int.h"
#include "function/kernel_loops.h"

#include <stdlib.h>

void kernel_not(struct function_call *call)
{
    const uint8_t *a = call->args[0]->values;
    uint32_t mask = arg_mask(call->args[0]);
    uint8_t *r = call->out->values;
    CALL_ROWS(call, row)
    r[row] = (a[row & mask] ^ 1) & 1;
}

static void is_null(struct function_call *call, bool wanted)
{
    uint8_t *r = call->out->values;
    if (!call->args[0]->validity) {
        CALL_ROWS(call, row)
        r[row] = !wanted;
        return;
    }
    CALL_ROWS(call, row)
    r[row] = arg_valid(call->args[0], row) != wanted;
}

void kernel_is_null(struct function_call *call)
{
    is_null(call, true);
}

void kernel_is_not_null(struct function_call *call)
{
    is_null(call, false);
}

void kernel_is_value(struct function_call *call)
{
    const struct expr *expr = call->state;
    const uint8_t *a = call->args[0]->values;
    uint32_t mask = arg_mask(call->args[0]);
    uint8_t *r = call->out->values;
    CALL_ROWS(call, row)
    {
        int value = arg_valid(call->args[0], row) ? a[row & mask] : -1;
        r[row] = (value == expr->test.is_value) != expr->test.negated;
    }
}

/* ---- IN ---- */

#define LINEAR_MAX 8

struct in_state {
    bool negated, has_null;
    enum { IN_WORDS, IN_TEXTS, IN_DATUMS } kind;
    uint32_t count;
    int64_t *words;    /* ascending */
    struct str *slots; /* open addressing; data NULL: free */
    uint32_t slot_mask;
    struct datum *datums;
};

static int compare_words(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Ascending, each once. */
static void sort_words(struct in_state *state)
{
    uint32_t kept = 0;
    qsort(state->words, state->count, sizeof(*state->words), compare_words);
    for (uint32_t i = 0; i < state->count; i++)
        if (kept == 0 || state->words[kept - 1] != state->words[i])
            state->words[kept++] = state->words[i];
    state->count = kept;
}

static bool has_words(const struct type *type)
{
    enum physical physical = type_physical(type);
    return physical <= PHYS_I64;
}

static void add_slot(struct in_state *state, struct str text)
{
    uint32_t at = (uint32_t)hash_bytes(text.data, text.length) & state->slot_mask;
    while (state->slots[at].data)
        at = (at + 1) & state->slot_mask;
    state->slots[at] = text.length ? text : STR("");
}

static void add_literal(struct in_state *state, const struct datum *datum)
{
    if (datum->is_null)
        state->has_null = true;
    else if (state->kind == IN_TEXTS)
        add_slot(state, datum->text);
    else if (state->kind == IN_WORDS)
        state->words[state->count++] =
            datum->type->root == TYPE_DECIMAL ? (int64_t)datum->decimal : datum->i64;
    else
        state->datums[state->count++] = *datum;
}

const void *in_state_new(struct arena *arena, const struct expr *expr)
{
    struct in_state *state = ARENA_NEW(arena, struct in_state);
    uint32_t literals = expr->arg_count - 1, slots = 8;
    const struct type *type = expr->args[0]->type;
    if (!state)
        return NULL;
    state->negated = expr->test.negated;
    if (has_words(type)) {
        state->kind = IN_WORDS;
        state->words = ARENA_ARRAY(arena, literals + 1, int64_t);
    } else if (type_physical(type) == PHYS_VIEW) {
        while (slots < literals * 2)
            slots *= 2;
        state->kind = IN_TEXTS;
        state->slot_mask = slots - 1;
        state->slots = ARENA_ARRAY(arena, slots, struct str);
    } else {
        state->kind = IN_DATUMS;
        state->datums = ARENA_ARRAY(arena, literals + 1, struct datum);
    }
    if (arena->failed)
        return NULL;
    for (uint32_t i = 1; i <= literals; i++)
        add_literal(state, &expr->args[i]->literal);
    if (state->kind == IN_WORDS)
        sort_words(state);
    return state;
}

static bool has_word(const struct in_state *state, int64_t word)
{
    if (state->count <= LINEAR_MAX) {
        bool found = false;
        for (uint32_t i = 0; i < state->count; i++)
            found |= state->words[i] == word;
        return found;
    }
    uint32_t low = 0, high = state->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (state->words[middle] < word)
            low = middle + 1;
        else
            high = middle;
    }
    return low < state->count && state->words[low] == word;
}

static bool has_text(const struct in_state *state, struct str text)
{
    uint32_t at = (uint32_t)hash_bytes(text.data, text.length) & state->slot_mask;
    for (; state->slots[at].data; at = (at + 1) & state->slot_mask)
        if (str_eq(state->slots[at], text))
            return true;
    return false;
}

static bool has_datum(const struct in_state *state, const struct vec *arg, uint32_t row)
{
    struct datum value;
    datum_get(&value, arg, row);
    for (uint32_t i = 0; i < state->count; i++)
        if (datum_equals(&state->datums[i], &value))
            return true;
    return false;
}

static int64_t word_at(const struct vec *arg, enum physical physical, uint32_t at)
{
    switch (physical) {
    case PHYS_BOOL:
        return ((const uint8_t *)arg->values)[at];
    case PHYS_I8:
        return ((const int8_t *)arg->values)[at];
    case PHYS_I16:
        return ((const int16_t *)arg->values)[at];
    case PHYS_I32:
        return ((const int32_t *)arg->values)[at];
    default:
        return ((const int64_t *)arg->values)[at];
    }
}

/* Few literals and all rows: one comparison of the whole column per literal. */
#define IN_COLUMN(name, T)                                                                         \
    KERNEL_CLONES static void name(const T *restrict a, const struct in_state *state,              \
                                   uint8_t *restrict r, uint32_t count)                            \
    {                                                                                              \
        memset(r, state->negated, count);                                                          \
        for (uint32_t w = 0; w < state->count; w++) {                                              \
            T word = (T)state->words[w];                                                           \
            for (uint32_t i = 0; i < count; i++)                                                   \
                r[i] ^= a[i] == word; /* literals differ, so at most one matches */                \
        }                                                                                          \
    }
IN_COLUMN(in_column_i32, int32_t)
IN_COLUMN(in_column_i64, int64_t)

static bool in_whole_column(struct function_call *call, enum physical physical)
{
    const struct in_state *state = call->state;
    const struct vec *arg = call->args[0];
    if (call->selection || arg->form != VEC_FLAT || state->kind != IN_WORDS || state->has_null ||
        state->count > LINEAR_MAX)
        return false;
    if (physical == PHYS_I64)
        in_column_i64(arg->values, state, call->out->values, call->count);
    else if (physical == PHYS_I32)
        in_column_i32(arg->values, state, call->out->values, call->count);
    return physical == PHYS_I64 || physical == PHYS_I32;
}

void kernel_in(struct function_call *call)
{
    const struct in_state *state = call->state;
    const struct vec *arg = call->args[0];
    enum physical physical = type_physical(arg->type);
    uint32_t mask = arg_mask(arg);
    uint8_t *r = call->out->values;
    if (in_whole_column(call, physical))
        return;
    CALL_ROWS(call, row)
    {
        bool found;
        if (state->kind == IN_WORDS)
            found = has_word(state, word_at(arg, physical, row & mask));
        else if (state->kind == IN_TEXTS)
            found = has_text(state, arg_str(arg, row));
        else
            found = has_datum(state, arg, row);
        if (!found && state->has_null)
            call_set_null(call, row);
        else
            r[row] = found != state->negated;
    }
}
