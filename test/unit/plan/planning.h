/* planning.h - for tests: SQL texts to plans, with a small registry of toy connectors. */
#ifndef LEAT_TEST_PLANNING_H
#define LEAT_TEST_PLANNING_H

#include "base/must.h"
#include "plan/plan.h"
#include "check.h"

static enum status toy_bounded(const struct table_description *table, bool *out, struct error *err)
{
    *out = true;
    for (size_t i = 0; i < table->option_count; i++)
        if (str_eq(table->options[i].key, STR("endless")))
            *out = false;
    return OK;
}

static enum status toy_changes(const struct table_description *table, bool *out, struct error *err)
{
    *out = false;
    for (size_t i = 0; i < table->option_count; i++)
        if (str_eq(table->options[i].key, STR("changes")))
            *out = true;
    return OK;
}

static enum status toy_mode(const struct table_description *table, enum sink_mode *out,
                            struct error *err)
{
    *out = table->primary_key_count ? SINK_UPSERT : SINK_RETRACT;
    for (size_t i = 0; i < table->option_count; i++)
        if (str_eq(table->options[i].key, STR("append")))
            *out = SINK_APPEND;
    return OK;
}

static const struct option_def TOY_OPTIONS[] = {
    {.key = "endless", .kind = OPTION_STRING, .offset = 0},
    {.key = "changes", .kind = OPTION_STRING, .offset = 0},
    {.key = "append", .kind = OPTION_STRING, .offset = 0},
};
static const struct source_class TOY_SOURCE = {
    .size = sizeof(struct source_class), .is_bounded = toy_bounded, .is_changelog = toy_changes};
static const struct sink_class TOY_SINK = {
    .size = sizeof(struct sink_class), .keeps_state = true, .mode = toy_mode};
static const struct sink_class TOY_STREAM_SINK = {.size = sizeof(struct sink_class),
                                                  .mode = toy_mode};
static const struct connector_class TOY = {.size = sizeof(struct connector_class),
                                           .name = "toy",
                                           .options = TOY_OPTIONS,
                                           .option_count = COUNT_OF(TOY_OPTIONS),
                                           .source = &TOY_SOURCE,
                                           .sink = &TOY_SINK};
static const struct connector_class TOY_STREAM = {.size = sizeof(struct connector_class),
                                                  .name = "stream",
                                                  .options = TOY_OPTIONS,
                                                  .option_count = COUNT_OF(TOY_OPTIONS),
                                                  .source = &TOY_SOURCE,
                                                  .sink = &TOY_STREAM_SINK};
static const struct connector_class *const TOYS[] = {&TOY, &TOY_STREAM, NULL};
static const struct format_class *const NO_FORMATS[] = {NULL};
static const struct plugin_registry TOY_REGISTRY = {TOYS, NO_FORMATS};

struct planning {
    struct catalog *catalog;
    struct function_session function_session;
    struct sql_session session;
    struct plan_settings settings;
    struct arena arena; /* of the statement planned last */
    struct statement statement;
    struct plan *plan;
    struct error err;
};

static inline void planning_init(struct planning *planning, uint32_t parallelism)
{
    *planning = (struct planning){0};
    must(catalog_new(&planning->catalog, NULL) == OK);
    planning->session = (struct sql_session){.catalog = planning->catalog,
                                             .registry = &TOY_REGISTRY,
                                             .function_session = &planning->function_session};
    planning->settings = (struct plan_settings){.parallelism = parallelism,
                                                .mini_batch = -1,
                                                .function_session = &planning->function_session,
                                                .registry = &TOY_REGISTRY,
                                                .catalog = planning->catalog};
    arena_init(&planning->arena, NULL, 1u << 26);
}

static inline void planning_drop(struct planning *planning)
{
    plan_free(planning->plan);
    planning->plan = NULL;
    sql_statement_fini(&planning->statement);
    planning->statement = (struct statement){0};
    arena_fini(&planning->arena);
    arena_init(&planning->arena, NULL, 1u << 26);
}

static inline void planning_fini(struct planning *planning)
{
    planning_drop(planning);
    arena_fini(&planning->arena);
    catalog_free(planning->catalog);
}

/* CREATEs change the catalog; the last INSERT or SELECT of the text becomes planning->plan. */
static inline enum status planning_run(struct planning *planning, const char *text)
{
    struct sql_script *script;
    struct error *err = &planning->err;
    enum status status;
    *err = (struct error){0};
    TRY(sql_script_open(&script, "test", str_of(text), err));
    do {
        planning_drop(planning);
        status = sql_next(script, &planning->session, &planning->arena, &planning->statement, err);
        if (status != OK)
            break;
        if (planning->statement.kind == STATEMENT_CREATE)
            status = catalog_add(planning->catalog, planning->statement.object, false, err);
        else
            status = plan_make(&planning->plan, &planning->statement, &planning->settings, err);
    } while (status == OK && !planning->plan);
    sql_script_close(script);
    return status;
}

/* The number-th node (from 0, inputs before users) of this kind. */
static inline const struct plan_node *planning_node(const struct planning *planning,
                                                    enum plan_op op, uint32_t number)
{
    for (uint32_t i = 0; i < planning->plan->node_count; i++)
        if (planning->plan->nodes[i]->op == op && number-- == 0)
            return planning->plan->nodes[i];
    return NULL;
}

static inline uint32_t planning_count(const struct planning *planning, enum plan_op op)
{
    uint32_t count = 0;
    while (planning_node(planning, op, count))
        count++;
    return count;
}

#endif
