/* sort.c - ORDER BY, LIMIT and OFFSET.
 *
 * With keys, or over input that takes rows away: everything is kept and leaves in order when the
 * input has ended (the planner allows it for bounded input). A row that was taken away cancels an
 * equal one. LIMIT alone over append-only input lets the first rows through as they come and then
 * ends the job's input.
 *
 * Rows that are kept lie in one growing vector per column, reserved with the operator; at most
 * VEC_ELEMENTS_MAX. What a checkpoint has of them: sort_state.c.
 */
#include "base/decimal.h"
#include "operator/sort_int.h"

static enum status sort_open(struct operator* op, struct error *err)
{
    const struct plan_node *node = op->node;
    struct sort *sort = operator_new_state(op, sizeof(*sort), err);
    if (!sort)
        return err->code;
    sort->keeps = node->sort.key_count > 0 || node->inputs[0]->changelog != CHANGELOG_APPEND;
    sort->columns = operator_columns_new(node->column_count, err);
    if (!sort->columns)
        return err->code;
    for (uint32_t c = 0; c < node->column_count && sort->keeps; c++)
        TRY(vec_new(&sort->columns[c], node->types[c], 0, &op->owner, err));
    return sort_state_open(op, err);
}

/* ---- comparing rows ---- */

#define ORDER(type)                                                                                \
    do {                                                                                           \
        const type *values = vec->values;                                                          \
        return (values[a] > values[b]) - (values[a] < values[b]);                                  \
    } while (0)

static int compare_f64(double a, double b) /* as Java's Double.compare: NaN above all */
{
    if (a != a || b != b)
        return (a != a) - (b != b);
    return (a > b) - (a < b);
}

static int compare_values(const struct vec *vec, uint32_t a, uint32_t b)
{
    switch (type_physical(vec->type)) {
    case PHYS_BOOL:
        ORDER(uint8_t);
    case PHYS_I8:
        ORDER(int8_t);
    case PHYS_I16:
        ORDER(int16_t);
    case PHYS_I32:
        ORDER(int32_t);
    case PHYS_I64:
        ORDER(int64_t);
    case PHYS_I128:
        ORDER(decimal128);
    case PHYS_F32:
        return compare_f64(((const float *)vec->values)[a], ((const float *)vec->values)[b]);
    case PHYS_F64:
        return compare_f64(((const double *)vec->values)[a], ((const double *)vec->values)[b]);
    case PHYS_VIEW:
        return view_compare((const struct view *)vec->values + a,
                            (const struct view *)vec->values + b);
    default:
        return 0; /* the binder lets no nested column be sorted by */
    }
}

static int compare_column(const struct vec *vec, uint32_t a, uint32_t b, bool nulls_first)
{
    bool a_valid = bitmap_get(vec->validity, a), b_valid = bitmap_get(vec->validity, b);
    if (a_valid && b_valid)
        return compare_values(vec, a, b);
    if (a_valid == b_valid)
        return 0;
    return a_valid == nulls_first ? 1 : -1;
}

static int compare_keys(const struct operator* op, uint32_t a, uint32_t b)
{
    const struct sort *sort = op->state;
    for (uint32_t k = 0; k < op->node->sort.key_count; k++) {
        const struct rel_sort_key *key = &op->node->sort.keys[k];
        const struct vec *vec = sort->columns[key->column];
        bool both = bitmap_get(vec->validity, a) && bitmap_get(vec->validity, b);
        int order = compare_column(vec, a, b, key->nulls_first);
        if (order)
            return both && key->descending ? -order : order;
    }
    return 0;
}

static int compare_rows(const struct operator* op, uint32_t a, uint32_t b)
{
    const struct sort *sort = op->state;
    for (uint32_t c = 0; c < op->node->column_count; c++) {
        int order = compare_column(sort->columns[c], a, b, true);
        if (order)
            return order;
    }
    return 0;
}

/* Stable merge sort of order[0..count); room has as many entries. */
static void merge_sort(const struct operator* op, uint32_t *order, uint32_t *room, uint32_t count,
                       int (*compare)(const struct operator*, uint32_t, uint32_t))
{
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t from = 0; from < count; from += 2 * width) {
            uint64_t middle = from + width < count ? from + width : count;
            uint64_t to = middle + width < count ? middle + width : count;
            uint64_t left = from, right = middle;
            for (uint64_t at = from; at < to; at++) {
                bool take_left =
                    left < middle && (right >= to || compare(op, order[left], order[right]) <= 0);
                room[at] = take_left ? order[left++] : order[right++];
            }
        }
        memcpy(order, room, count * sizeof(*order));
    }
}

/* Takes out rows that were taken away, with those that took them; the first equal ones stay. */
static void cancel(const struct operator* op, uint32_t *room)
{
    struct sort *sort = op->state;
    merge_sort(op, sort->order, room, sort->order_count, compare_rows);
    uint32_t kept = 0;
    for (uint32_t from = 0, to; from < sort->order_count; from = to) {
        int64_t left = 0;
        for (to = from;
             to < sort->order_count && compare_rows(op, sort->order[from], sort->order[to]) == 0;
             to++)
            left += sort->retracts[sort->order[to]] ? -1 : 1;
        for (uint32_t i = from; i < to; i++) {
            if (sort->retracts[sort->order[i]] || left <= 0)
                continue;
            room[kept++] = sort->order[i];
            left--;
        }
    }
    memcpy(sort->order, room, kept * sizeof(*room));
    sort->order_count = kept;
}

static int compare_arrival(const struct operator* op, uint32_t a, uint32_t b)
{
    const struct sort *sort = op->state;
    return sort_came_later(sort, a, b) - sort_came_later(sort, b, a);
}

static enum status put_in_order(struct operator* op, struct error *err)
{
    struct sort *sort = op->state;
    size_t bytes = ((size_t)sort->row_count + 1) * sizeof(uint32_t);
    uint32_t *room = mem_alloc(bytes);
    sort->order = mem_alloc(bytes);
    if (!room || !sort->order) {
        mem_free(room);
        return error_memory(err, "sorting", bytes);
    }
    sort->order_count = sort->row_count;
    for (uint32_t i = 0; i < sort->row_count; i++)
        sort->order[i] = i;
    if (sort->restored_count)
        merge_sort(op, sort->order, room, sort->order_count, compare_arrival);
    if (sort->any_retract) {
        cancel(op, room);
        merge_sort(op, sort->order, room, sort->order_count, compare_arrival);
    }
    merge_sort(op, sort->order, room, sort->order_count, compare_keys);
    mem_free(room);
    uint64_t offset = (uint64_t)op->node->sort.offset;
    sort->next = offset < sort->order_count ? (uint32_t)offset : sort->order_count;
    int64_t limit = op->node->sort.limit;
    if (limit >= 0 && sort->order_count - sort->next > (uint64_t)limit)
        sort->order_count = sort->next + (uint32_t)limit;
    return OK;
}

/* ---- rows in ---- */

enum status sort_make_room(struct sort *sort, uint32_t count, struct error *err)
{
    uint32_t wanted = sort->row_count + count;
    if (wanted <= sort->capacity)
        return OK;
    uint32_t capacity = sort->capacity * 2 > wanted ? sort->capacity * 2 : wanted;
    void *grown = mem_realloc(sort->retracts, capacity);
    if (!grown)
        return error_memory(err, "sorting", capacity);
    sort->retracts = grown;
    sort->capacity = capacity;
    return OK;
}

static enum status keep(struct operator* op, struct batch *batch, struct error *err)
{
    struct sort *sort = op->state;
    uint32_t first = sort->row_count;
    TRY(sort_make_room(sort, batch->selected_count, err));
    for (uint32_t c = 0; c < op->node->column_count; c++)
        TRY(vec_append(sort->columns[c], batch->columns[c], batch->selection, batch->selected_count,
                       err));
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        bool retracts = !row_kind_is_accumulate(batch_kind(batch, batch_row(batch, i)));
        sort->retracts[sort->row_count++] = retracts;
        sort->any_retract |= retracts;
    }
    if (!metric_get(&op->metrics.oldest_row_us))
        metric_set(&op->metrics.oldest_row_us, op->eval.now_us);
    metric_set(&op->metrics.buffered_rows, sort->row_count);
    return sort_state_add(sort, first, batch->selected_count, err);
}

static enum push_result let_through(struct operator* op, struct batch *batch, struct error *err)
{
    struct sort *sort = op->state;
    const struct plan_node *node = op->node;
    uint16_t selection[BATCH_ROWS_MAX];
    uint32_t count = 0;
    uint64_t limit = node->sort.limit < 0 ? UINT64_MAX : (uint64_t)node->sort.limit;
    for (uint32_t i = 0; i < batch->selected_count && sort->passed < limit; i++) {
        if (sort->skipped < (uint64_t)node->sort.offset) {
            sort->skipped++;
            continue;
        }
        selection[count++] = (uint16_t)batch_row(batch, i);
        sort->passed++;
    }
    struct batch *part = NULL;
    enum push_result result = PUSH_DONE;
    if (count) {
        PUSH_TRY(batch_with_selection(&part, batch, selection, count, err));
        result = operator_emit(op, 0, part, err);
        batch_unref(part);
    }
    if (sort->passed == limit)
        operator_satisfied(op);
    return result;
}

static enum push_result sort_push(struct operator* op, uint32_t port, struct batch *batch,
                                  struct error *err)
{
    struct sort *sort = op->state;
    if (!sort->keeps)
        return let_through(op, batch, err);
    return keep(op, batch, err) == OK ? PUSH_DONE : PUSH_ERROR;
}

/* ---- rows out ---- */

static enum status make_batch(struct operator* op, uint32_t count, struct batch **out,
                              struct error *err)
{
    struct sort *sort = op->state;
    uint32_t column_count = op->node->column_count;
    struct vec **columns = operator_columns_new(column_count, err);
    if (!columns)
        return err->code;
    enum status status = OK;
    for (uint32_t c = 0; c < column_count && status == OK; c++) {
        status = vec_new(&columns[c], op->node->types[c], count, NULL, err);
        for (uint32_t i = 0; i < count && status == OK; i++)
            status =
                vec_append_range(columns[c], sort->columns[c], sort->order[sort->next + i], 1, err);
    }
    if (status == OK) {
        status = batch_new(out, columns, column_count, count, err);
        memset(columns, 0, column_count * sizeof(*columns));
    }
    operator_columns_free(columns, column_count);
    return status;
}

static enum push_result sort_resume(struct operator* op, struct error *err)
{
    struct sort *sort = op->state;
    while (sort->next < sort->order_count) {
        uint32_t left = sort->order_count - sort->next;
        uint32_t count = left < BATCH_ROWS_MAX ? left : BATCH_ROWS_MAX;
        struct batch *batch = NULL;
        if (operator_blocked(op))
            return PUSH_FULL;
        PUSH_TRY(make_batch(op, count, &batch, err));
        sort->next += count;
        metric_set(&op->metrics.buffered_rows, sort->order_count - sort->next);
        enum push_result result = operator_emit(op, 0, batch, err);
        batch_unref(batch);
        EMIT(result);
    }
    metric_set(&op->metrics.oldest_row_us, 0);
    return PUSH_DONE;
}

static enum push_result sort_end(struct operator* op, struct error *err)
{
    struct sort *sort = op->state;
    if (!sort->keeps || sort->done)
        return PUSH_DONE;
    sort->done = true;
    PUSH_TRY(put_in_order(op, err));
    return sort_resume(op, err);
}

static bool sort_why(struct operator* op, struct buf *out)
{
    const struct sort *sort = op->state;
    if (!sort->keeps || sort->order)
        return false;
    buf_printf(out, "%u rows wait to be sorted until the input ends.", sort->row_count);
    return true;
}

static void sort_close(struct operator* op)
{
    struct sort *sort = op->state;
    if (!sort)
        return;
    operator_columns_free(sort->columns, op->node->column_count);
    sort_state_close(sort);
    mem_free(sort->retracts);
    mem_free(sort->order);
    operator_free_state(op);
}

const struct operator_class OPERATOR_SORT = {
    .size = sizeof(struct operator_class),
    .name = "Sort",
    .open = sort_open,
    .push = sort_push,
    .resume = sort_resume,
    .end = sort_end,
    .snapshot = sort_snapshot,
    .why = sort_why,
    .close = sort_close,
};
