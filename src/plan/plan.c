/* plan.c - from a bound statement to a plan: intern, mark, lower, changelogs, roots. */
#include "plan/plan.h"

#include "plan/plan_int.h"

#define PLAN_ARENA_MAX (256u << 20)

enum status plan_add_root(struct planner *planner, struct plan_node *root)
{
    struct plan *plan = planner->plan;
    const struct plan_node **roots =
        ARENA_ARRAY(planner->arena, plan->root_count + 1, const struct plan_node *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < plan->root_count; i++)
        roots[i] = plan->roots[i];
    roots[plan->root_count++] = root;
    plan->roots = roots;
    return OK;
}

static enum status lower_insert(struct planner *planner, const struct statement_insert *insert,
                                uint32_t entry)
{
    const struct rel *rel = insert->query;
    const struct expr **exprs =
        ARENA_ARRAY(planner->arena, rel->column_count + 1, const struct expr *);
    struct plan_node *input, *sink;
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->column_count; i++)
        exprs[i] = plan_column(planner->arena, i, rel->types[i], rel->pos);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    TRY(plan_lower_projection(planner, entry, exprs, rel->names, rel->column_count, -1, &input));
    TRY(plan_lower_sink(planner, insert, input, &sink));
    return plan_add_root(planner, sink);
}

static enum status lower_select(struct planner *planner, const struct rel *rel, uint32_t entry)
{
    const struct expr **exprs =
        ARENA_ARRAY(planner->arena, rel->column_count + 1, const struct expr *);
    struct plan_node *input;
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->column_count; i++)
        exprs[i] = plan_column(planner->arena, i, rel->types[i], rel->pos);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    TRY(plan_lower_projection(planner, entry, exprs, rel->names, rel->column_count, -1, &input));
    input = plan_exchange(planner, input, NULL, 0, 1);
    struct plan_node *node = input ? plan_node_new(planner, PLAN_COLLECT, 1, &input) : NULL;
    TRY(arena_check(planner->arena, "the plan", planner->err));
    TRY(plan_node_columns(planner, node, rel->names, rel->types, rel->column_count));
    return plan_add_root(planner, node);
}

/* Every source ends: so does the job. */
static bool all_bounded(const struct planner *planner)
{
    for (uint32_t i = 0; i < planner->node_count; i++)
        if (planner->nodes[i]->op == PLAN_SOURCE && !planner->nodes[i]->source.bounded)
            return false;
    return true;
}

static enum status check_sorts(const struct planner *planner)
{
    for (uint32_t i = 0; i < planner->node_count; i++) {
        const struct plan_node *node = planner->nodes[i];
        if (node->op != PLAN_SORT || planner->plan->bounded)
            continue;
        if (node->sort.key_count)
            return error_set(planner->err, ERR_UNSUPPORTED,
                             "ORDER BY over an unbounded input is not built: only bounded inputs "
                             "can be sorted");
        if (node->inputs[0]->changelog != CHANGELOG_APPEND)
            return error_set(planner->err, ERR_UNSUPPORTED,
                             "LIMIT over a changing, unbounded result (Top-N) is not built");
    }
    return OK;
}

static enum status build(struct planner *planner, const struct statement *statement)
{
    uint32_t count = statement->query ? 1 : statement->insert_count;
    uint32_t *entries = ARENA_ARRAY(planner->arena, count + 1, uint32_t);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < count; i++) {
        const struct rel *rel = statement->query ? statement->query : statement->inserts[i].query;
        TRY(plan_intern(planner, rel, &entries[i]));
        struct rel_entry *entry = &planner->entries[entries[i]];
        entry->users++;
        for (uint32_t c = 0; c < rel->column_count; c++)
            entry->needed[c] = true;
    }
    TRY(plan_mark_needed(planner));
    for (uint32_t i = 0; i < count; i++) {
        if (statement->query)
            TRY(lower_select(planner, statement->query, entries[i]));
        else
            TRY(lower_insert(planner, &statement->inserts[i], entries[i]));
    }
    planner->plan->bounded = all_bounded(planner);
    TRY(plan_changelogs(planner));
    TRY(check_sorts(planner));
    TRY(plan_deliveries(planner));
    TRY(plan_split_aggregates(planner));
    planner->plan->fingerprint = "";
    return statement->query ? OK : plan_name_states(planner);
}

static const char *job_name(const struct plan_settings *settings, const struct statement *statement)
{
    if (settings->job_name)
        return settings->job_name;
    return statement->query ? "collect" : statement->inserts[0].target->name;
}

enum status plan_make(struct plan **out, const struct statement *statement,
                      const struct plan_settings *settings, struct error *err)
{
    struct plan *plan = mem_calloc(1, sizeof(*plan));
    if (!plan)
        return error_memory(err, "a plan", sizeof(*plan));
    arena_init(&plan->arena, NULL, PLAN_ARENA_MAX);
    struct planner planner = {
        .arena = &plan->arena, .settings = settings, .err = err, .plan = plan};
    enum status status = build(&planner, statement);
    if (status == OK) {
        plan->job_name = arena_strndup(&plan->arena, job_name(settings, statement),
                                       strlen(job_name(settings, statement)));
        status = arena_check(&plan->arena, "the plan", err);
    }
    if (status != OK) {
        if (err && err->pos.line == 0)
            error_at(err,
                     statement->insert_count == 1 ? statement->inserts[0].pos : statement->pos);
        plan_free(plan);
        return status;
    }
    plan->node_count = planner.node_count;
    plan->nodes = planner.nodes;
    *out = plan;
    return OK;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->object_count; i++)
        catalog_object_unref(plan->objects[i]);
    arena_fini(&plan->arena);
    mem_free(plan);
}
