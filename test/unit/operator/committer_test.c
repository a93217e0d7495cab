/* The committer with a fake target: it fails at every call, before and after it has had its effect,
 * and the job is killed at every call; what the target has afterwards is each row once and in
 * order. */
#include "operator/committer.h"

#include "../check.h"
#include "base/must.h"
#include "base/rng.h"
#include "os/simio.h"

#define EPOCHS   6
#define SUBTASKS 3

/* ---- the fake: a target with a ledger */

enum fault { FAULT_RETRY, FAULT_FATAL, FAULT_KILL };

static struct {
    struct sink_ledger ledger;
    uint64_t fence, next_fence;
    struct buf rows; /* "1.0.0 1.0.1 ..." */
    uint64_t calls, fail_at, forgotten;
    enum fault fault;
    bool after; /* the effect came about */
    bool killed;
} target;

struct sink_committer {
    uint64_t fence;
};

static uint64_t sink_fence; /* of this process */

static bool fails(void)
{
    return ++target.calls == target.fail_at;
}

static enum status fault(struct error *err)
{
    target.killed = target.fault == FAULT_KILL;
    error_set(err, ERR_IO, "call %llu fails", (unsigned long long)target.calls);
    err->retriable = target.fault == FAULT_RETRY;
    return ERR_IO;
}

static enum status fake_open(struct sink *sink, struct sink_committer **out, struct error *err)
{
    if (fails())
        return fault(err);
    *out = mem_calloc(1, sizeof(**out));
    return OK;
}

static enum status fake_ledger(struct sink_committer *committer, struct sink_ledger *out,
                               struct error *err)
{
    bool failing = fails();
    if (failing && !target.after)
        return fault(err);
    if (sink_fence && sink_fence != target.fence)
        return error_set(err, ERR_FENCED, "fenced");
    if (!sink_fence)
        target.fence = ++target.next_fence;
    if (failing)
        return fault(err);
    sink_fence = committer->fence = target.fence;
    *out = target.ledger;
    return OK;
}

static bool same(const struct sink_ledger *a, const struct sink_ledger *b)
{
    return a->found == b->found && memcmp(a->lineage, b->lineage, sizeof(a->lineage)) == 0 &&
           a->position.epoch == b->position.epoch && a->position.chunk == b->position.chunk;
}

static enum status fake_commit(struct sink_committer *committer, const struct sink_commit *commit,
                               struct error *err)
{
    bool failing = fails();
    if (failing && !target.after)
        return fault(err);
    if (committer->fence != target.fence || !same(&commit->before, &target.ledger))
        return error_set(err, ERR_FENCED, "fenced");
    target.ledger = commit->after;
    for (uint32_t i = 0; i < commit->count; i++)
        buf_printf(&target.rows, "%.*s ", (int)commit->committables[i].bytes.length,
                   commit->committables[i].bytes.data);
    return failing ? fault(err) : OK;
}

static void fake_forget(struct sink_committer *committer,
                        const struct sink_committable *committable)
{
    target.forgotten++;
}

static void fake_committer_close(struct sink_committer *committer)
{
    mem_free(committer);
}

static void fake_close(struct sink *sink)
{
}

static const struct sink_class FAKE = {
    .size = sizeof(struct sink_class),
    .close = fake_close,
    .committer_open = fake_open,
    .ledger = fake_ledger,
    .commit = fake_commit,
    .forget = fake_forget,
    .committer_close = fake_committer_close,
};

/* ---- the job: epochs, checkpoints, kills */

struct world {
    struct io *io;
    struct plugin_context context;
    struct committer *committer;
    struct buf manifest; /* the newest; empty: none */
    uint64_t manifest_epoch;
    uint8_t lineage[SINK_LINEAGE_BYTES];
    struct committer_request request;
    struct error err;
};

static void world_init(struct world *world)
{
    memset(world, 0, sizeof(*world));
    buf_fini(&target.rows);
    memset(&target, 0, sizeof(target));
    buf_init(&target.rows, 1 << 20);
    buf_init(&world->manifest, 1 << 20);
    sink_fence = 0;
    world->io = simio_new(1);
    world->context.io = world->io;
    world->lineage[0] = 7;
    world->request = (struct committer_request){.class = &FAKE,
                                                .mode = SINK_APPEND,
                                                .table_name = "t",
                                                .context = &world->context,
                                                .parallelism = SUBTASKS,
                                                .max_pending_bytes = 1000};
}

static void stop(struct world *world)
{
    committer_unref(world->committer);
    world->committer = NULL;
    sink_fence = 0;
}

static void world_fini(struct world *world)
{
    stop(world);
    buf_fini(&world->manifest);
    simio_free(world->io);
}

/* A process begins, with the newest manifest. */
static enum status begin(struct world *world)
{
    struct committer_state state = {0};
    memcpy(world->request.lineage, world->lineage, SINK_LINEAGE_BYTES);
    memcpy(world->request.from_lineage, world->lineage, SINK_LINEAGE_BYTES);
    world->request.from_epoch = world->manifest_epoch;
    if (world->manifest_epoch)
        TRY(committer_state_load(&state, world->manifest.data, world->manifest.length,
                                 &world->err));
    else
        TRY(committer_state_name(&state, "job/Sink(t)", &world->err));
    return committer_new(&world->committer, &world->request, &state, &world->err);
}

static enum status step(struct world *world)
{
    int64_t due_us;
    enum status status = committer_step(world->committer, &due_us, &world->err);
    if (due_us != INT64_MAX)
        simio_advance_us(world->io, due_us - io_monotonic_us(world->io));
    return status;
}

/* Steps until there is nothing to do any more. */
static enum status settle(struct world *world)
{
    enum status status = OK;
    for (int i = 0; i < 100 && status == OK && !committer_is_settled(world->committer); i++)
        status = step(world);
    return status == OK ? step(world) : status;
}

static void add(struct world *world, uint64_t epoch, uint32_t subtask, uint32_t count)
{
    struct sink_committables list = {0};
    for (uint32_t i = 0; i < count; i++) {
        char text[64];
        snprintf(text, sizeof(text), "%llu.%u.%u", (unsigned long long)epoch, subtask, i);
        struct sink_committable one = {.row_count = 1, .size_bytes = 10, .bytes = str_of(text)};
        must(sink_committables_add(&list, &one, &world->err) == OK);
    }
    must(committer_add(world->committer, subtask, epoch, &list, &world->err) == OK);
}

static uint32_t how_many(uint64_t epoch, uint32_t subtask)
{
    return (uint32_t)(epoch * 7 + subtask * 5) % 4;
}

static bool checkpoint_fails(uint64_t epoch)
{
    return epoch == 3;
}

static void save(struct world *world, uint64_t epoch)
{
    buf_clear(&world->manifest);
    committer_save(world->committer, epoch, &world->manifest);
    world->manifest_epoch = epoch;
}

/* One epoch: all subtasks prepare, in any order; then the manifest, unless it fails; the next
 * epoch's rows come before this one's are committed. */
static enum status epoch(struct world *world, uint64_t number)
{
    for (uint32_t i = 0; i < SUBTASKS; i++) {
        uint32_t subtask = (uint32_t)((i + number) % SUBTASKS);
        add(world, number, subtask, how_many(number, subtask));
    }
    if (checkpoint_fails(number))
        return OK;
    save(world, number);
    committer_release(world->committer, number);
    return step(world);
}

/* The whole job; a process that fails or is killed is started again. */
static enum status run(struct world *world)
{
    for (int processes = 0; processes < 4; processes++) {
        enum status status = begin(world);
        if (status == OK)
            status = step(world);
        for (uint64_t e = world->manifest_epoch + 1; e <= EPOCHS && status == OK; e++)
            status = epoch(world, e);
        if (status == OK)
            status = settle(world);
        if (status == OK) {
            save(world, EPOCHS + 1);
            stop(world);
            return OK;
        }
        stop(world);
        if (world->err.fatal || world->err.code == ERR_FENCED)
            return world->err.code;
        error_clear(&world->err);
        target.killed = false;
        target.fail_at = 0;
    }
    return ERR_LIMIT;
}

static const char *want(void)
{
    static struct buf text;
    buf_fini(&text);
    buf_init(&text, 1 << 16);
    for (uint64_t e = 1; e <= EPOCHS; e++)
        for (uint32_t s = 0; s < SUBTASKS; s++)
            for (uint32_t i = 0; i < how_many(e, s); i++)
                buf_printf(&text, "%llu.%u.%u ", (unsigned long long)e, s, i);
    return buf_text(&text);
}

TEST(rows_are_applied_once_and_in_order)
{
    struct world world;
    world_init(&world);
    CHECK_INT(run(&world), OK);
    CHECK_STR(buf_text(&target.rows), want());
    CHECK_INT(target.ledger.position.epoch, EPOCHS);
    CHECK_INT(target.ledger.position.row_count, target.forgotten);
    world_fini(&world);
}

TEST(any_call_may_fail_in_any_way)
{
    for (int fault = FAULT_RETRY; fault <= FAULT_KILL; fault++)
        for (int after = 0; after < 2; after++)
            for (uint64_t at = 1;; at++) {
                struct world world;
                world_init(&world);
                target.fault = (enum fault)fault;
                target.after = after;
                target.fail_at = at;
                enum status status = run(&world);
                bool reached = target.calls >= at;
                if (status != OK)
                    printf("# fault %d after %d at %llu: %s\n", fault, after,
                           (unsigned long long)at, world.err.text);
                CHECK_INT(status, OK);
                CHECK_STR(buf_text(&target.rows), want());
                world_fini(&world);
                if (!reached)
                    break;
            }
}

TEST(a_failed_checkpoint_s_rows_wait_for_the_next_one)
{
    struct world world;
    world_init(&world);
    CHECK_INT(begin(&world), OK);
    CHECK_INT(step(&world), OK);
    add(&world, 1, 0, 1);
    CHECK_INT(step(&world), OK);
    CHECK_STR(buf_text(&target.rows), "");
    add(&world, 2, 1, 1);
    save(&world, 2);
    CHECK_INT(step(&world), OK);
    CHECK_STR(buf_text(&target.rows), "");
    committer_release(world.committer, 2);
    CHECK_INT(settle(&world), OK);
    CHECK_STR(buf_text(&target.rows), "1.0.0 2.1.0 ");
    world_fini(&world);
}

TEST(rows_of_a_checkpoint_come_before_new_ones)
{
    struct world world;
    struct wake wake = {0};
    world_init(&world);
    CHECK_INT(begin(&world), OK);
    CHECK(!committer_takes(world.committer, 0, &wake)); /* the ledger is not known yet */
    committer_leaves(world.committer, 0);
    CHECK_INT(step(&world), OK);
    CHECK(committer_takes(world.committer, 0, &wake));
    add(&world, 1, 0, 1);
    save(&world, 1);
    stop(&world);
    CHECK_INT(begin(&world), OK);
    CHECK(!committer_takes(world.committer, 0, &wake));
    committer_leaves(world.committer, 0);
    CHECK_INT(step(&world), OK);
    CHECK(committer_takes(world.committer, 0, &wake));
    CHECK_STR(buf_text(&target.rows), "1.0.0 ");
    world_fini(&world);
}

static void count_wake(struct wake *wake)
{
    target.killed = true; /* told */
}

TEST(what_waits_is_bounded)
{
    struct world world;
    struct wake wake = {.notify = count_wake};
    world_init(&world);
    world.request.max_pending_bytes = 20;
    CHECK_INT(begin(&world), OK);
    CHECK_INT(step(&world), OK);
    add(&world, 1, 0, 5);
    CHECK(committer_takes(world.committer, 1, &wake)); /* not of a finished checkpoint */
    committer_release(world.committer, 1);
    CHECK(!committer_takes(world.committer, 1, &wake));
    struct buf why;
    buf_init(&why, 1000);
    CHECK(committer_why(world.committer, &why));
    CHECK(strstr(buf_text(&why), "leat.sink.max-pending-bytes"));
    buf_fini(&why);
    CHECK_INT(step(&world), OK);
    CHECK(target.killed);
    CHECK(committer_takes(world.committer, 1, &wake));
    world_fini(&world);
}

/* ---- ledgers that do not fit */

/* A job with a checkpoint at epoch 1, all of which is committed. */
static void commit_one(struct world *world)
{
    world_init(world);
    must(begin(world) == OK && step(world) == OK);
    add(world, 1, 0, 2);
    save(world, 1);
    committer_release(world->committer, 1);
    must(settle(world) == OK);
    stop(world);
}

static void check_refused(struct world *world, const char *words)
{
    must(begin(world) == OK);
    enum status status = settle(world);
    CHECK(status != OK);
    if (!strstr(world->err.text, words))
        CHECK_FAIL("'%s', want '%s'", world->err.text, words);
    CHECK(world->err.fatal);
    CHECK_STR(buf_text(&target.rows), "1.0.0 1.0.1 ");
    world_fini(world);
}

TEST(a_target_that_is_further_is_refused_unless_duplicates_are_accepted)
{
    struct world world;
    for (int accept = 0; accept < 2; accept++) {
        commit_one(&world);
        target.ledger.position = (struct sink_position){4, 1, 12};
        world.request.accept_duplicates = accept;
        if (!accept) {
            check_refused(&world, "10 rows");
            continue;
        }
        CHECK_INT(begin(&world), OK);
        CHECK_INT(settle(&world), OK);
        add(&world, 2, 0, 1);
        save(&world, 2);
        committer_release(world.committer, 2);
        CHECK_INT(settle(&world), OK);
        CHECK_STR(buf_text(&target.rows), "1.0.0 1.0.1 2.0.0 ");
        CHECK_INT(target.ledger.position.epoch, 2);
        stop(&world);
        CHECK_INT(begin(&world), OK); /* and is what the next run finds */
        CHECK_INT(settle(&world), OK);
        CHECK_STR(buf_text(&target.rows), "1.0.0 1.0.1 2.0.0 ");
        world_fini(&world);
    }
}

TEST(a_target_that_has_lost_rows_is_refused)
{
    struct world world;
    commit_one(&world);
    must(begin(&world) == OK && settle(&world) == OK);
    save(&world, 2); /* which knows that epoch 1 is applied */
    stop(&world);
    target.ledger.position = (struct sink_position){1, 1, 1};
    check_refused(&world, "rows are lost");
    commit_one(&world);
    must(begin(&world) == OK && settle(&world) == OK);
    save(&world, 2);
    stop(&world);
    target.ledger = (struct sink_ledger){0};
    check_refused(&world, "does not know the sink");
}

TEST(another_history_s_rows_are_refused)
{
    struct world world;
    commit_one(&world);
    target.ledger.lineage[0] = 9;
    check_refused(&world, "lineage 09");
    commit_one(&world); /* a job that begins anew */
    world.manifest_epoch = 0;
    world.lineage[0] = 8;
    check_refused(&world, "lineage 07");
    commit_one(&world); /* asked to */
    world.manifest_epoch = 0;
    world.lineage[0] = 8;
    world.request.parent[0] = 7;
    CHECK_INT(begin(&world), OK);
    add(&world, 1, 0, 1);
    save(&world, 1);
    committer_release(world.committer, 1);
    CHECK_INT(settle(&world), OK);
    CHECK_STR(buf_text(&target.rows), "1.0.0 1.0.1 1.0.0 ");
    CHECK_INT(target.ledger.lineage[0], 8);
    world_fini(&world);
}

/* A restore of its own lineage (an older checkpoint, a savepoint): what the checkpoint had pending
 * is judged by the old one, new rows move the ledger to the new one. */
TEST(a_new_lineage_takes_the_ledger_over_with_its_first_rows)
{
    struct world world;
    world_init(&world);
    must(begin(&world) == OK && step(&world) == OK);
    add(&world, 1, 0, 1);
    save(&world, 1);
    stop(&world);
    for (int again = 0; again < 2; again++) { /* killed before the first checkpoint of its own */
        struct committer_state state = {0};
        must(committer_state_load(&state, world.manifest.data, world.manifest.length, NULL) == OK);
        memset(world.request.lineage, 20 + again, SINK_LINEAGE_BYTES);
        memcpy(world.request.from_lineage, world.lineage, SINK_LINEAGE_BYTES);
        world.request.from_epoch = 1;
        must(committer_new(&world.committer, &world.request, &state, &world.err) == OK);
        CHECK_INT(settle(&world), OK);
        CHECK_STR(buf_text(&target.rows), "1.0.0 ");
        CHECK_INT(target.ledger.lineage[0], 7);
        if (!again)
            stop(&world);
    }
    add(&world, 2, 0, 1);
    save(&world, 2);
    committer_release(world.committer, 2);
    CHECK_INT(settle(&world), OK);
    CHECK_INT(target.ledger.lineage[0], 21);
    stop(&world);
    memset(world.lineage, 21, SINK_LINEAGE_BYTES);
    CHECK_INT(begin(&world), OK);
    CHECK_INT(settle(&world), OK);
    CHECK_STR(buf_text(&target.rows), "1.0.0 2.0.0 ");
    world_fini(&world);
}

TEST(a_state_that_is_cut_anywhere_is_damage)
{
    struct world world;
    world_init(&world);
    must(begin(&world) == OK && step(&world) == OK);
    add(&world, 1, 0, 3);
    save(&world, 1);
    for (size_t length = 0; length < world.manifest.length; length++) {
        struct committer_state state = {0};
        CHECK(committer_state_load(&state, world.manifest.data, length, NULL) != OK);
        committer_state_fini(&state);
    }
    world_fini(&world);
}
