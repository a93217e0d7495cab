/* plan_test.c - what bound statements become: nodes, columns read, changelogs, keys, exchanges. */
#include "plan/plan.h"

#include "planning.h"

#define TABLES                                                                                     \
    "CREATE TABLE t (k STRING, a INT, b INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) "            \
    "WITH ('connector' = 'toy');"                                                                  \
    "CREATE TABLE c (k STRING, a INT, PRIMARY KEY (k) NOT ENFORCED) "                              \
    "WITH ('connector' = 'toy', 'changes' = '');"                                                  \
    "CREATE TABLE upserts (k STRING, a INT, PRIMARY KEY (k) NOT ENFORCED) "                        \
    "WITH ('connector' = 'toy');"                                                                  \
    "CREATE TABLE wide (k STRING, a INT, b INT, PRIMARY KEY (k, a) NOT ENFORCED) "                 \
    "WITH ('connector' = 'toy');"                                                                  \
    "CREATE TABLE appends (k STRING, a INT) WITH ('connector' = 'toy', 'append' = '');"            \
    "CREATE TABLE stream (k STRING, a INT, PRIMARY KEY (k) NOT ENFORCED) "                         \
    "WITH ('connector' = 'stream');"                                                               \
    "CREATE TABLE endless (a INT) WITH ('connector' = 'toy', 'endless' = '');"

static const char *const QUERIES[] = {
    "INSERT INTO upserts SELECT k, SUM(a) FROM t GROUP BY k",
    "INSERT INTO upserts SELECT k, SUM(a) FROM t WHERE b > 1 GROUP BY k HAVING COUNT(*) > 1",
    "SELECT COUNT(*) FROM t",
    "SELECT DISTINCT k, a FROM t",
    "SELECT n, COUNT(*) FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) AS q GROUP BY n",
    "SELECT a FROM t UNION ALL SELECT b FROM t UNION ALL SELECT a FROM (VALUES (1)) AS v (a)",
    "SELECT a FROM t UNION SELECT b FROM t ORDER BY a LIMIT 3",
    "SELECT k, window_start, SUM(a) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' "
    "MINUTE)) GROUP BY k, window_start, window_end",
    "EXECUTE STATEMENT SET BEGIN INSERT INTO upserts SELECT k, MAX(a) FROM t GROUP BY k;"
    "INSERT INTO appends SELECT k, a FROM t WHERE a > 3; END",
    "SELECT RAND() + RAND() AS r, r2 FROM (SELECT RAND() AS r2 FROM t) AS q WHERE r2 > 0.5",
    "WITH q AS (SELECT k, SUM(a) AS s FROM t GROUP BY k) SELECT q.s FROM q UNION ALL SELECT s FROM "
    "q",
};

/* Of every plan: ids in order, inputs before users, every node but roots is read. */
static bool well_formed(const struct plan *plan)
{
    bool read[200] = {false};
    for (uint32_t n = 0; n < plan->node_count; n++) {
        const struct plan_node *node = plan->nodes[n];
        if (node->id != n || node->parallelism == 0 ||
            (node->column_count == 0 && node->op != PLAN_SOURCE && node->op != PLAN_EXCHANGE &&
             node->op != PLAN_CALC))
            return false;
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i]->id >= n)
                return false;
            read[node->inputs[i]->id] = true;
            if (node->op != PLAN_EXCHANGE && node->inputs[i]->op != PLAN_EXCHANGE &&
                node->inputs[i]->parallelism != node->parallelism)
                return false;
        }
    }
    for (uint32_t i = 0; i < plan->root_count; i++)
        read[plan->roots[i]->id] = true;
    for (uint32_t n = 0; n < plan->node_count; n++)
        if (!read[n])
            return false;
    return plan->root_count > 0;
}

TEST(plans_are_well_formed)
{
    for (uint32_t parallelism = 1; parallelism <= 4; parallelism += 3)
        for (int phases = PHASES_AUTO; phases <= PHASES_ONE; phases++) {
            struct planning planning;
            planning_init(&planning, parallelism);
            planning.settings.phases = (enum plan_phases)phases;
            CHECK(planning_run(&planning, TABLES) == ERR_END);
            for (size_t i = 0; i < COUNT_OF(QUERIES); i++) {
                if (planning_run(&planning, QUERIES[i]) != OK)
                    CHECK_FAIL("%s: %s", QUERIES[i], planning.err.text);
                if (!well_formed(planning.plan))
                    CHECK_FAIL("not well formed: %s", QUERIES[i]);
            }
            planning_fini(&planning);
        }
}

TEST(only_fields_in_use_are_read)
{
    struct planning planning;
    planning_init(&planning, 1);
    CHECK(planning_run(&planning, TABLES "SELECT a + 1 AS x FROM (SELECT k, a, b * 2 AS b2 FROM t) "
                                         "AS q WHERE k = 'x'") == OK);
    const struct plan_node *source = planning_node(&planning, PLAN_SOURCE, 0);
    /* k, a, and ts for the watermark */
    CHECK_INT(source->source.wanted_count, 3);
    CHECK_INT(source->source.wanted[0], 0);
    CHECK_INT(source->source.wanted[1], 1);
    CHECK_INT(source->source.wanted[2], 3);
    CHECK_INT(planning_count(&planning, PLAN_CALC), 1);
    CHECK(planning_node(&planning, PLAN_CALC, 0)->calc.condition != NULL);
    planning_fini(&planning);
}

TEST(equal_parts_are_shared)
{
    struct planning planning;
    planning_init(&planning, 1);
    CHECK(planning_run(&planning, TABLES) == ERR_END);
    CHECK(planning_run(&planning, QUERIES[8]) == OK);
    CHECK_INT(planning_count(&planning, PLAN_SOURCE), 1);
    CHECK_INT(planning.plan->root_count, 2);
    CHECK(planning_run(&planning, QUERIES[10]) == OK);
    CHECK_INT(planning_count(&planning, PLAN_GROUP_AGGREGATE), 1);
    /* two calls of RAND() are two columns */
    CHECK(planning_run(&planning,
                       "SELECT RAND() AS r FROM t UNION ALL SELECT RAND() AS r FROM t") == OK);
    CHECK_INT(planning_count(&planning, PLAN_CALC), 2);
    planning_fini(&planning);
}

TEST(changelogs_and_keys)
{
    struct planning planning;
    planning_init(&planning, 1);
    CHECK(planning_run(&planning, TABLES) == ERR_END);
    CHECK(planning_run(&planning, "INSERT INTO upserts SELECT k, SUM(a) FROM t GROUP BY k") == OK);
    const struct plan_node *group = planning_node(&planning, PLAN_GROUP_AGGREGATE, 0);
    CHECK_INT(group->changelog, CHANGELOG_UPSERT);
    CHECK(!group->group.emit_update_before && group->group.coalesce && !group->group.input_updates);
    CHECK(group->has_upsert_key && group->upsert_key_count == 1);
    /* a sink that shows each change */
    CHECK(planning_run(&planning, "INSERT INTO stream SELECT k, SUM(a) FROM t GROUP BY k") == OK);
    CHECK(!planning_node(&planning, PLAN_GROUP_AGGREGATE, 0)->group.coalesce);
    /* HAVING judges each change and needs the rows that are replaced */
    CHECK(planning_run(
              &planning,
              "INSERT INTO upserts SELECT k, SUM(a) FROM t GROUP BY k HAVING SUM(a) > 1") == OK);
    group = planning_node(&planning, PLAN_GROUP_AGGREGATE, 0);
    CHECK(group->group.emit_update_before && !group->group.coalesce);
    /* an aggregation over a changing input takes rows away */
    CHECK(planning_run(&planning, QUERIES[4]) == OK);
    CHECK(planning_node(&planning, PLAN_GROUP_AGGREGATE, 0)->group.emit_update_before);
    group = planning_node(&planning, PLAN_GROUP_AGGREGATE, 1);
    CHECK(group->group.input_updates && group->group.calls[0].bound.retracting);
    /* DISTINCT of rows that are only added is only added to */
    CHECK(planning_run(&planning, QUERIES[3]) == OK);
    CHECK_INT(planning_node(&planning, PLAN_GROUP_AGGREGATE, 0)->changelog, CHANGELOG_APPEND);
    /* a wider key in the table: old rows are to be taken away */
    CHECK(planning_run(&planning, "INSERT INTO wide SELECT k, MAX(a), MAX(b) FROM t GROUP BY k") ==
          OK);
    CHECK(planning_node(&planning, PLAN_GROUP_AGGREGATE, 0)->group.emit_update_before);
    planning_fini(&planning);
}

TEST(changing_tables)
{
    struct planning planning;
    planning_init(&planning, 1);
    CHECK(planning_run(&planning, TABLES "INSERT INTO upserts SELECT k, a + 1 FROM c") == OK);
    const struct plan_node *source = planning_node(&planning, PLAN_SOURCE, 0);
    CHECK_INT(source->changelog, CHANGELOG_RETRACT);
    CHECK(source->has_upsert_key && source->upsert_key_count == 1);
    /* without its key column the rows are known by their whole image only */
    CHECK(planning_run(&planning, "SELECT a FROM c") == OK);
    CHECK(!planning_node(&planning, PLAN_COLLECT, 0)->has_upsert_key);
    planning_fini(&planning);
}

static void refused(struct planning *planning, const char *text, const char *part)
{
    if (planning_run(planning, text) != ERR_UNSUPPORTED || !strstr(planning->err.text, part))
        CHECK_FAIL("%s: %s", text, planning->err.text);
    CHECK(planning->err.pos.line > 0);
}

TEST(refused_plans)
{
    struct planning planning;
    planning_init(&planning, 1);
    CHECK(planning_run(&planning, TABLES) == ERR_END);
    refused(&planning, "INSERT INTO appends SELECT k, SUM(a) FROM t GROUP BY k",
            "does not support");
    refused(&planning, "INSERT INTO upserts SELECT MAX(k), a FROM t GROUP BY a",
            "does not contain 'a'");
    refused(&planning, "INSERT INTO upserts SELECT 'x', a FROM c", "have no key");
    refused(&planning,
            "INSERT INTO upserts SELECT k, SUM(a) FROM t GROUP BY k UNION ALL "
            "SELECT k, MAX(a) FROM t GROUP BY k",
            "have no key");
    refused(&planning, "SELECT a FROM endless ORDER BY a", "ORDER BY");
    planning_fini(&planning);
}

TEST(exchanges)
{
    struct planning planning;
    planning_init(&planning, 3);
    CHECK(planning_run(&planning, TABLES "SELECT k, SUM(a) FROM t GROUP BY k") == OK);
    CHECK_INT(planning_count(&planning, PLAN_EXCHANGE), 2);
    const struct plan_node *by_key = planning_node(&planning, PLAN_EXCHANGE, 0);
    const struct plan_node *single = planning_node(&planning, PLAN_EXCHANGE, 1);
    CHECK_INT(by_key->exchange.key_count, 1);
    CHECK_INT(by_key->parallelism, 3);
    CHECK_INT(single->exchange.key_count, 0);
    CHECK_INT(single->parallelism, 1);
    /* inputs of different parallelism meet in one task */
    CHECK(planning_run(&planning, "SELECT a FROM t UNION ALL SELECT * FROM (VALUES (1)) AS v") ==
          OK);
    CHECK_INT(planning_node(&planning, PLAN_UNION, 0)->parallelism, 1);
    planning_fini(&planning);
}

TEST(two_phases)
{
    struct planning planning;
    planning_init(&planning, 3);
    planning.settings.phases = PHASES_TWO;
    CHECK(planning_run(&planning, TABLES "SELECT k, SUM(a), COUNT(*) FROM t GROUP BY k") == OK);
    const struct plan_node *local = planning_node(&planning, PLAN_GROUP_AGGREGATE, 0);
    const struct plan_node *global = planning_node(&planning, PLAN_GROUP_AGGREGATE, 1);
    CHECK(local->group.phase == PHASE_LOCAL && global->group.phase == PHASE_GLOBAL);
    CHECK_INT(local->column_count, 2); /* k, partials */
    CHECK(local->types[1]->root == TYPE_VARBINARY);
    CHECK(global->inputs[0]->op == PLAN_EXCHANGE && global->inputs[0]->inputs[0] == local);
    CHECK_INT(local->parallelism, 3);
    CHECK(global->state_name != NULL);
    /* not where each change is to be seen, for DISTINCT, over changing inputs */
    static const char *const one[] = {
        "INSERT INTO stream SELECT k, SUM(a) FROM t GROUP BY k",
        "SELECT k, COUNT(DISTINCT a) FROM t GROUP BY k",
        "SELECT k, SUM(a) FROM c GROUP BY k",
        "SELECT k, SUM(a) FROM t GROUP BY k HAVING SUM(a) > 1",
    };
    for (size_t i = 0; i < COUNT_OF(one); i++) {
        CHECK(planning_run(&planning, one[i]) == OK);
        CHECK_INT(planning_count(&planning, PLAN_GROUP_AGGREGATE), 1);
    }
    planning.settings.phases = PHASES_AUTO;
    CHECK(planning_run(&planning, "SELECT k, SUM(a) FROM t GROUP BY k") == OK);
    CHECK_INT(planning_count(&planning, PLAN_GROUP_AGGREGATE), 1);
    CHECK(planning_run(&planning, "SELECT SUM(a) FROM t") == OK);
    CHECK_INT(planning_count(&planning, PLAN_GROUP_AGGREGATE), 2);
    planning.settings.phases = PHASES_ONE;
    CHECK(planning_run(&planning, "SELECT SUM(a) FROM t") == OK);
    CHECK_INT(planning_count(&planning, PLAN_GROUP_AGGREGATE), 1);
    planning_fini(&planning);
}

/* As many columns as a table may have, under a window: no expression limit is met. */
TEST(widest_table_under_a_window)
{
    struct planning planning;
    struct buf text;
    buf_init(&text, 1u << 20);
    buf_append_text(&text, "CREATE TABLE w (ts TIMESTAMP(3)");
    for (int i = 1; i < CATALOG_COLUMNS_MAX - 3; i++)
        buf_printf(&text, ", c%d INT", i);
    buf_append_text(&text, ", WATERMARK FOR ts AS ts) WITH ('connector' = 'toy');"
                           "CREATE VIEW v AS SELECT * FROM TABLE(TUMBLE(TABLE w, DESCRIPTOR(ts), "
                           "INTERVAL '1' MINUTE));"
                           "SELECT * FROM v UNION ALL SELECT * FROM v");
    planning_init(&planning, 1);
    if (planning_run(&planning, buf_text(&text)) != OK)
        CHECK_FAIL("%s", planning.err.text);
    CHECK(well_formed(planning.plan));
    planning_fini(&planning);
    buf_fini(&text);
}

/* Every allocation of planning and explaining fails once: ERR_MEMORY, nothing leaks. */
TEST(every_allocation_fails_once)
{
    struct planning planning;
    planning_init(&planning, 3);
    planning.settings.phases = PHASES_TWO;
    CHECK(planning_run(&planning, TABLES) == ERR_END);
    for (size_t i = 0; i < COUNT_OF(QUERIES); i++) {
        CHECK(planning_run(&planning, QUERIES[i]) == OK);
        bool finished = false;
        for (uint64_t countdown = 1; !finished; countdown++) {
            struct error err = {0};
            struct buf out;
            buf_init(&out, 1u << 20);
            mem_fail_after(countdown);
            enum status status = plan_explain(&out, &planning.statement, &planning.settings, &err);
            mem_fail_after(0);
            buf_fini(&out);
            finished = status == OK;
            CHECK(finished || status == ERR_MEMORY);
        }
    }
    planning_fini(&planning);
}
