/* bind_rel.c - nodes of bound queries: columns, window columns and the time attribute carried
 * along. */
#include "sql/bind_int.h"

#include "base/must.h"

/* Copies names and types. Window columns are unset; the time attribute is found in the types. */
struct rel *rel_new(struct binder *binder, enum rel_kind kind, struct source_pos pos,
                    uint32_t column_count, const char *const *names,
                    const struct type *const *types, const struct rel *input)
{
    struct arena *arena = binder->arena;
    struct rel *rel = ARENA_NEW(arena, struct rel);
    const char **own_names = ARENA_ARRAY(arena, column_count + 1, const char *);
    const struct type **own_types = ARENA_ARRAY(arena, column_count + 1, const struct type *);
    const struct rel **inputs = ARENA_ARRAY(arena, 1, const struct rel *);
    if (arena->failed)
        return NULL;
    memcpy(own_names, names, column_count * sizeof(*names));
    memcpy(own_types, types, column_count * sizeof(*types));
    inputs[0] = input;
    *rel = (struct rel){
        .kind = kind,
        .pos = pos,
        .column_count = column_count,
        .names = own_names,
        .types = own_types,
        .input_count = input != NULL,
        .inputs = inputs,
        .path = binder->path,
        .window_start_column = -1,
        .window_end_column = -1,
        .rowtime_column = -1,
    };
    for (uint32_t i = column_count; i-- > 0;)
        if (types[i]->time_attribute == TIME_ATTRIBUTE_ROWTIME)
            rel->rowtime_column = (int32_t)i;
    return rel;
}

/* The output column that is just column `of` of the input, or -1. */
static int32_t kept(const struct expr *const *exprs, uint32_t count, int32_t of)
{
    for (uint32_t i = 0; of >= 0 && i < count; i++)
        if (exprs[i]->kind == EXPR_COLUMN && exprs[i]->column == (uint32_t)of)
            return (int32_t)i;
    return -1;
}

const struct rel *rel_project(struct binder *binder, const struct rel *input,
                              const struct expr *const *exprs, const char *const *names,
                              uint32_t count, struct source_pos pos)
{
    const struct type **types = ARENA_ARRAY(binder->arena, count + 1, const struct type *);
    const struct expr **own = ARENA_ARRAY(binder->arena, count + 1, const struct expr *);
    if (binder->arena->failed)
        return NULL;
    bool same = count == input->column_count;
    for (uint32_t i = 0; i < count; i++) {
        own[i] = exprs[i];
        types[i] = exprs[i]->type;
        same = same && exprs[i]->kind == EXPR_COLUMN && exprs[i]->column == i &&
               strcmp(names[i], input->names[i]) == 0;
    }
    if (same)
        return input;
    struct rel *rel = rel_new(binder, REL_PROJECT, pos, count, names, types, input);
    if (!rel)
        return NULL;
    rel->project.exprs = own;
    rel->window_start_column = kept(own, count, input->window_start_column);
    rel->window_end_column = kept(own, count, input->window_end_column);
    return rel;
}

const struct rel *rel_filter(struct binder *binder, const struct rel *input,
                             const struct expr *condition, struct source_pos pos)
{
    struct rel *rel =
        rel_new(binder, REL_FILTER, pos, input->column_count, input->names, input->types, input);
    if (!rel)
        return NULL;
    rel->filter.condition = condition;
    rel->window_start_column = input->window_start_column;
    rel->window_end_column = input->window_end_column;
    return rel;
}

const struct rel *rel_rename(struct binder *binder, const struct rel *rel, const char *const *names,
                             struct source_pos pos)
{
    const struct expr **exprs =
        ARENA_ARRAY(binder->arena, rel->column_count + 1, const struct expr *);
    for (uint32_t i = 0; exprs && i < rel->column_count; i++)
        exprs[i] = expr_new_column(binder, i, rel->types[i], pos);
    return binder->arena->failed ? NULL
                                 : rel_project(binder, rel, exprs, names, rel->column_count, pos);
}

/* Grouping by every column. A time attribute is a plain timestamp afterwards. */
const struct rel *rel_distinct(struct binder *binder, const struct rel *input,
                               struct source_pos pos)
{
    uint32_t *keys = ARENA_ARRAY(binder->arena, input->column_count + 1, uint32_t);
    const struct type **types =
        ARENA_ARRAY(binder->arena, input->column_count + 1, const struct type *);
    if (binder->arena->failed)
        return NULL;
    bool by_window = input->window_start_column >= 0 && input->window_end_column >= 0;
    for (uint32_t i = 0; i < input->column_count; i++) {
        keys[i] = i;
        types[i] = by_window ? input->types[i] : bind_plain_type(binder, input->types[i]);
    }
    if (binder->arena->failed)
        return NULL;
    struct rel *rel =
        rel_new(binder, REL_AGGREGATE, pos, input->column_count, input->names, types, input);
    if (!rel)
        return NULL;
    rel->aggregate.key_count = input->column_count;
    rel->aggregate.keys = keys;
    rel->aggregate.by_window = by_window;
    rel->aggregate.state_name = bind_state_name(binder, pos);
    rel->window_start_column = input->window_start_column;
    rel->window_end_column = input->window_end_column;
    return rel;
}

const char *rel_unique_name(struct binder *binder, const char *name, const char *const *names,
                            uint32_t count)
{
    const char *attempt = name;
    for (uint32_t suffix = 0; attempt; suffix++) {
        bool taken = false;
        for (uint32_t i = 0; i < count && !taken; i++)
            taken = strcmp(names[i], attempt) == 0;
        if (!taken)
            return attempt;
        attempt = arena_printf(binder->arena, "%s%u", name, suffix);
    }
    return name; /* no memory: the arena says so */
}
