/* aggregate_ordered.c - MIN and MAX over input that also takes away: an ordered multiset of the
 * values of each group.
 *
 * The multiset is a treap (binary tree by value, heap by random priority) of nodes with a count. A
 * value is kept as bytes that compare like the value: integers big-endian with the sign bit turned,
 * floats likewise with negatives complemented (-0.0 as 0.0, NaN above all), texts as they are.
 *
 * A value may be taken away before it comes (streams that meet in another order): its count is
 * negative for a while, and only positive counts are results.
 * Memory: a node a distinct value, reserved with the operator.
 */
#include "base/decimal.h"
#include "base/must.h"
#include "function/aggregate_int.h"

#define ORDERED_FIXED_MAX 16

struct node {
    struct node *left, *right;
    int64_t count;
    uint32_t priority;
    uint32_t length;
    uint8_t bytes[];
};

struct ordered { /* the accumulator */
    struct node *root;
    uint64_t random_state;
};

struct key {
    const uint8_t *bytes;
    uint32_t length;
};

static int compare(const struct key *key, const struct node *node)
{
    return str_compare((struct str){(const char *)key->bytes, key->length},
                       (struct str){(const char *)node->bytes, node->length});
}

static size_t node_bytes(const struct node *node)
{
    return sizeof(struct node) + node->length;
}

static void node_free(struct node *node, struct mem_owner *owner)
{
    mem_release(owner, node_bytes(node));
    mem_free(node);
}

static uint32_t next_priority(struct ordered *ordered)
{
    ordered->random_state =
        ordered->random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(ordered->random_state >> 32);
}

/* Everything below `key` to *low, above it to *high; the key is not in the tree. */
static void split(struct node *tree, const struct key *key, struct node **low, struct node **high)
{
    while (tree) {
        if (compare(key, tree) > 0) {
            *low = tree;
            low = &tree->right;
            tree = tree->right;
        } else {
            *high = tree;
            high = &tree->left;
            tree = tree->left;
        }
    }
    *low = *high = NULL;
}

/* All of low is smaller than all of high. */
static struct node *join(struct node *low, struct node *high)
{
    struct node *root = NULL, **at = &root;
    while (low && high) {
        if (low->priority > high->priority) {
            *at = low;
            at = &low->right;
            low = low->right;
        } else {
            *at = high;
            at = &high->left;
            high = high->left;
        }
    }
    *at = low ? low : high;
    return root;
}

static enum status ordered_add(struct ordered *ordered, const struct key *key, int64_t amount,
                               struct mem_owner *owner, struct error *err)
{
    struct node **at = &ordered->root;
    for (int order; *at && (order = compare(key, *at)) != 0;)
        at = order < 0 ? &(*at)->left : &(*at)->right;
    if (*at) {
        struct node *node = *at;
        node->count += amount;
        if (node->count == 0) {
            *at = join(node->left, node->right);
            node_free(node, owner);
        }
        return OK;
    }
    size_t bytes = sizeof(struct node) + key->length;
    TRY(mem_reserve(owner, bytes, err));
    struct node *node = mem_alloc(bytes);
    if (!node) {
        mem_release(owner, bytes);
        return error_memory(err, "a value of MIN or MAX", bytes);
    }
    *node =
        (struct node){.count = amount, .priority = next_priority(ordered), .length = key->length};
    memcpy(node->bytes, key->bytes, key->length);
    for (at = &ordered->root; *at && (*at)->priority >= node->priority;)
        at = compare(key, *at) < 0 ? &(*at)->left : &(*at)->right;
    split(*at, key, &node->left, &node->right);
    *at = node;
    return OK;
}

/* The first node with a positive count in order (from the end: is_max). The tree is walked with a
 * stack of nodes; only nodes taken away too early are passed, so it is short. */
static const struct node *ordered_first(const struct node *tree, bool is_max)
{
    while (tree) {
        const struct node *near = is_max ? tree->right : tree->left;
        const struct node *found = near ? ordered_first(near, is_max) : NULL;
        if (found)
            return found;
        if (tree->count > 0)
            return tree;
        tree = is_max ? tree->left : tree->right;
    }
    return NULL;
}

/* ---- values as ordered bytes ---- */

static void put_big_endian(uint8_t *dest, decimal_u128 bits, uint32_t size)
{
    for (uint32_t i = size; i-- > 0; bits >>= 8)
        dest[i] = (uint8_t)bits;
}

static decimal_u128 get_big_endian(const uint8_t *bytes, uint32_t size)
{
    decimal_u128 bits = 0;
    for (uint32_t i = 0; i < size; i++)
        bits = bits << 8 | bytes[i];
    return bits;
}

static uint64_t float_to_ordered(uint64_t bits, uint32_t size)
{
    uint64_t sign = UINT64_C(1) << (size * 8 - 1);
    return bits & sign ? ~bits : bits | sign;
}

static uint64_t float_from_ordered(uint64_t bits, uint32_t size)
{
    uint64_t sign = UINT64_C(1) << (size * 8 - 1);
    return bits & sign ? bits & ~sign : ~bits;
}

/* room has ORDERED_FIXED_MAX bytes. */
static struct key encode(const struct vec *arg, uint32_t at, uint8_t *room)
{
    enum physical physical = type_physical(arg->type);
    if (physical == PHYS_VIEW) {
        const struct view *view = (const struct view *)arg->values + at;
        return (struct key){(const uint8_t *)view_data(view), view->length};
    }
    uint32_t size = (uint32_t)physical_size_bytes(physical);
    if (physical == PHYS_F32 || physical == PHYS_F64) {
        uint64_t bits = 0;
        float f32 = physical == PHYS_F32 ? ((const float *)arg->values)[at] : 0;
        double f64 = physical == PHYS_F64 ? ((const double *)arg->values)[at] : 0;
        f32 = f32 == 0 ? 0 : f32 != f32 ? __builtin_nanf("") : f32;
        f64 = f64 == 0 ? 0 : f64 != f64 ? __builtin_nan("") : f64;
        if (physical == PHYS_F32)
            memcpy(&bits, &f32, sizeof(f32));
        else
            memcpy(&bits, &f64, sizeof(f64));
        put_big_endian(room, float_to_ordered(bits, size), size);
    } else {
        decimal_u128 bits = 0;
        memcpy(&bits, (const char *)arg->values + (size_t)size * at, size);
        put_big_endian(room, bits ^ (decimal_u128)1 << (size * 8 - 1), size);
    }
    return (struct key){room, size};
}

static enum status decode(const struct node *node, struct vec *out, uint32_t row, struct error *err)
{
    enum physical physical = type_physical(out->type);
    if (physical == PHYS_VIEW)
        return vec_set_text(out, row, (const char *)node->bytes, node->length, err);
    uint32_t size = (uint32_t)physical_size_bytes(physical);
    decimal_u128 bits = get_big_endian(node->bytes, size);
    if (physical == PHYS_F32 || physical == PHYS_F64)
        bits = float_from_ordered((uint64_t)bits, size);
    else
        bits ^= (decimal_u128)1 << (size * 8 - 1);
    memcpy((char *)out->values + (size_t)size * row, &bits, size);
    return OK;
}

/* ---- the aggregate ---- */

static enum status ordered_accumulate(const struct aggregate_bound *bound,
                                      const struct aggregate_input *input, struct error *err)
{
    struct aggregate_rows rows = aggregate_rows_of(input);
    uint8_t room[ORDERED_FIXED_MAX];
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = aggregate_row(input, i);
        if (!bitmap_get(rows.validity, row & rows.mask))
            continue;
        struct key key = encode(input->arg, row & rows.mask, room);
        TRY(ordered_add((struct ordered *)(input->groups[i] + input->offset_bytes), &key,
                        aggregate_sign(input, row), input->owner, err));
    }
    return OK;
}

static enum status ordered_result(uint8_t *const *groups, uint32_t offset_bytes, uint32_t count,
                                  bool is_max, struct vec *out, uint32_t first, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct ordered *ordered = (const struct ordered *)(groups[i] + offset_bytes);
        const struct node *node = ordered_first(ordered->root, is_max);
        if (node)
            TRY(decode(node, out, first + i, err));
        else
            vec_clear_valid(out, first + i);
    }
    return OK;
}

static enum status min_result(const struct aggregate_bound *bound, uint8_t *const *groups,
                              uint32_t offset_bytes, uint32_t count, struct vec *out,
                              uint32_t first, struct error *err)
{
    return ordered_result(groups, offset_bytes, count, false, out, first, err);
}

static enum status max_result(const struct aggregate_bound *bound, uint8_t *const *groups,
                              uint32_t offset_bytes, uint32_t count, struct vec *out,
                              uint32_t first, struct error *err)
{
    return ordered_result(groups, offset_bytes, count, true, out, first, err);
}

/* Frees from the root, turning left children up, so that no stack is needed. */
static void ordered_fini(const struct aggregate_bound *bound, uint8_t *accumulator,
                         struct mem_owner *owner)
{
    struct ordered *ordered = (struct ordered *)accumulator;
    struct node *node = ordered->root;
    while (node) {
        struct node *next = node->right;
        if (node->left) {
            next = node->left;
            node->left = next->right;
            next->right = node;
        } else {
            node_free(node, owner);
        }
        node = next;
    }
    memset(ordered, 0, sizeof(*ordered));
}

/* Saved: per value in order, its count (8 bytes), its length (4 bytes) and its bytes. */
static void save_nodes(const struct node *tree, struct buf *out)
{
    if (!tree)
        return;
    save_nodes(tree->left, out);
    buf_append(out, &tree->count, sizeof(tree->count));
    buf_append(out, &tree->length, sizeof(tree->length));
    buf_append(out, tree->bytes, tree->length);
    save_nodes(tree->right, out);
}

static void ordered_save(const struct aggregate_bound *bound, const uint8_t *accumulator,
                         struct buf *out)
{
    save_nodes(((const struct ordered *)accumulator)->root, out);
}

static enum status ordered_load(const struct aggregate_bound *bound, uint8_t *accumulator,
                                const uint8_t *bytes, size_t size_bytes, struct mem_owner *owner,
                                struct error *err)
{
    enum physical physical = type_physical(bound->arg_type);
    while (size_bytes) {
        int64_t count;
        uint32_t length;
        if (size_bytes < sizeof(count) + sizeof(length))
            return aggregate_load_error(err);
        memcpy(&count, bytes, sizeof(count));
        memcpy(&length, bytes + sizeof(count), sizeof(length));
        bytes += sizeof(count) + sizeof(length);
        size_bytes -= sizeof(count) + sizeof(length);
        if (length > size_bytes || count == 0 ||
            (physical != PHYS_VIEW && length != physical_size_bytes(physical)))
            return aggregate_load_error(err);
        TRY(ordered_add((struct ordered *)accumulator, &(struct key){bytes, length}, count, owner,
                        err));
        bytes += length;
        size_bytes -= length;
    }
    return OK;
}

void aggregate_bind_ordered(struct aggregate_bound *bound, bool is_max)
{
    bound->size_bytes = sizeof(struct ordered);
    bound->portable = false;
    bound->accumulate = ordered_accumulate;
    bound->merge = NULL;
    bound->result_of = is_max ? max_result : min_result;
    bound->fini = ordered_fini;
    bound->save = ordered_save;
    bound->load = ordered_load;
}
