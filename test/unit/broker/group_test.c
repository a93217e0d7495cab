/* group_test.c - the state machine of a consumer group, driven by simulated clients on a simulated
 * clock: rules one by one, then thousands of random lives per seed. */
#include "broker/group.h"

#include "base/rng.h"
#include "broker/group_offsets.h"
#include "os/logger.h"
#include "check.h"

#define CLIENTS    8
#define PARTITIONS 12

enum phase { OUT, JOINING, JOINED, SYNCING, MEMBER, FENCED };

struct client {
    char id[200]; /* as the group has given it */
    char instance[16];
    enum phase phase;
    int32_t generation;
    bool leads, skip;
    uint32_t owns; /* bits of partitions */
    int64_t beat_ms;
    bool waiting; /* a request is not answered */
    int16_t last_error;
    int answers;
};

static struct world {
    struct mem_owner owner;
    struct group_env env;
    struct group *group;
    struct client clients[CLIENTS];
    char member_ids[CLIENTS * 4][200]; /* the last leader's list */
    uint32_t member_count;
    struct {
        int32_t generation;
    } stores[256];
    uint32_t store_count;
    int16_t store_error;
    uint64_t uuid;
} world;

static struct str bits_text(uint32_t bits, char dest[16])
{
    return (struct str){dest, (size_t)snprintf(dest, 16, "%08x", bits)};
}

static uint32_t text_bits(struct str text)
{
    char copy[16] = "0";
    if (text.length && text.length < sizeof(copy)) {
        memcpy(copy, text.data, text.length);
        copy[text.length] = '\0';
    }
    return (uint32_t)strtoul(copy, NULL, 16);
}

static void joined(struct group *group, void *waiter, const struct group_joined *answer)
{
    struct client *client = waiter;
    client->waiting = false;
    client->answers++;
    client->last_error = answer->error_code;
    client->phase = OUT;
    if (answer->error_code == KAFKA_NONE || answer->error_code == KAFKA_MEMBER_ID_REQUIRED)
        snprintf(client->id, sizeof(client->id), "%.*s", (int)answer->member_id.length,
                 answer->member_id.data);
    if (answer->error_code == KAFKA_UNKNOWN_MEMBER_ID)
        client->id[0] = '\0';
    if (answer->error_code == KAFKA_FENCED_INSTANCE_ID)
        client->phase = FENCED;
    if (answer->error_code != KAFKA_NONE)
        return;
    client->phase = JOINED;
    client->generation = answer->generation;
    client->leads = str_eq(answer->leader_id, answer->member_id);
    client->skip = answer->skip_assignment;
    client->owns = 0;
    client->beat_ms = world.env.now_ms;
    if (!answer->with_members || answer->skip_assignment)
        return;
    world.member_count = 0;
    for (const struct group_member *member = group->members; member; member = member->next)
        snprintf(world.member_ids[world.member_count++], sizeof(world.member_ids[0]), "%.*s",
                 (int)member->id.length, member->id.data);
}

static void synced(struct group *group, void *waiter, const struct group_synced *answer)
{
    struct client *client = waiter;
    (void)group;
    client->waiting = false;
    client->answers++;
    client->last_error = answer->error_code;
    client->phase = answer->error_code == KAFKA_NONE                 ? MEMBER
                    : answer->error_code == KAFKA_FENCED_INSTANCE_ID ? FENCED
                                                                     : OUT;
    if (answer->error_code == KAFKA_UNKNOWN_MEMBER_ID)
        client->id[0] = '\0';
    client->owns = answer->error_code == KAFKA_NONE ? text_bits(answer->assignment) : 0;
}

static int16_t store(struct group *group)
{
    if (world.store_error)
        return world.store_error;
    if (world.store_count == 256)
        abort();
    world.stores[world.store_count++].generation = group->generation;
    return KAFKA_NONE;
}

static const struct group_ops OPS = {joined, synced, store};

static void world_open(int64_t initial_delay_ms)
{
    memset(&world, 0, sizeof(world));
    logger_set_level(LOG_ERROR);
    mem_owner_init(&world.owner, NULL, "groups");
    world.env = (struct group_env){.ops = &OPS,
                                   .owner = &world.owner,
                                   .now_ms = 1000,
                                   .wall_ms = 1000000,
                                   .initial_delay_ms = initial_delay_ms,
                                   .min_session_ms = 1,
                                   .max_session_ms = 1000000,
                                   .max_members = 1000};
    world.group = group_new(&world.env, STR("g"));
}

static void world_close(void)
{
    group_refuse_waiting(world.group, KAFKA_NOT_COORDINATOR);
    group_offsets_free(world.group);
    group_free(world.group);
    mem_owner_fini(&world.owner); /* must(used == 0) */
}

static void stored(void)
{
    for (uint32_t i = 0; i < world.store_count; i++)
        group_stored(world.group, world.stores[i].generation, KAFKA_NONE);
    world.store_count = 0;
}

/* Time passes in small steps, so that everything that is due happens in its order. */
static void pass(int64_t ms)
{
    for (int64_t end_ms = world.env.now_ms + ms; world.env.now_ms < end_ms;) {
        int64_t due_ms = group_due_ms(world.group);
        int64_t next_ms = due_ms < end_ms ? due_ms : end_ms;
        world.env.wall_ms += next_ms > world.env.now_ms ? next_ms - world.env.now_ms : 0;
        if (next_ms > world.env.now_ms)
            world.env.now_ms = next_ms;
        group_tick(world.group);
    }
}

static struct str text_or_none(const char *text)
{
    return text[0] ? str_of(text) : (struct str){NULL, 0};
}

static void join_with(struct client *client, const char *protocol, const char *type, int version)
{
    char uuid[GROUP_UUID_TEXT];
    struct group_protocol protocols[] = {{str_of(protocol), STR("subscription")}};
    snprintf(uuid, sizeof(uuid), "%036llu", (unsigned long long)++world.uuid);
    struct group_join join = {
        .waiter = client,
        .member_id = str_of(client->id),
        .instance_id = text_or_none(client->instance),
        .client_id = STR("client"),
        .client_host = STR("/127.0.0.1"),
        .protocol_type = str_of(type),
        .protocols = protocols,
        .protocol_count = 1,
        .session_timeout_ms = 1000,
        .rebalance_timeout_ms = 3000,
        .id_required = version >= 4,
        .skip_version = version >= 9,
        .uuid = uuid,
    };
    client->waiting = true;
    client->phase = JOINING;
    group_join(world.group, &join);
}

static void name_it(struct client *client, const char *instance)
{
    snprintf(client->instance, sizeof(client->instance), "%s", instance);
}

static void join(struct client *client)
{
    join_with(client, "range", "consumer", 9);
    if (client->last_error == KAFKA_MEMBER_ID_REQUIRED && client->phase == OUT && client->id[0]) {
        client->last_error = 0;
        join_with(client, "range", "consumer", 9);
    }
}

/* The leader deals the partitions out to the members it was told. */
static void sync_group(struct client *client)
{
    static char texts[CLIENTS * 4][16];
    struct group_assignment assignments[CLIENTS * 4];
    uint32_t bits[CLIENTS * 4] = {0};
    bool deals = client->leads && !client->skip;
    for (uint32_t i = 0; deals && i < PARTITIONS; i++)
        bits[i % world.member_count] |= 1u << i;
    for (uint32_t i = 0; deals && i < world.member_count; i++)
        assignments[i] =
            (struct group_assignment){str_of(world.member_ids[i]), bits_text(bits[i], texts[i])};
    struct group_sync sync = {
        .waiter = client,
        .member_id = str_of(client->id),
        .instance_id = text_or_none(client->instance),
        .protocol_type = STR("consumer"),
        .protocol_name = STR("range"),
        .generation = client->generation,
        .assignments = assignments,
        .assignment_count = deals ? world.member_count : 0,
    };
    client->waiting = true;
    client->phase = SYNCING;
    group_sync(world.group, &sync);
}

static int16_t heartbeat(struct client *client)
{
    client->beat_ms = world.env.now_ms;
    return group_heartbeat(world.group, str_of(client->id), text_or_none(client->instance),
                           client->generation);
}

/* Both are members of a stable group; the first one leads. */
static void two_members(struct client *first, struct client *second)
{
    join(first);
    join(second);
    pass(100);
    CHECK(first->phase == JOINED && second->phase == JOINED);
    sync_group(second);
    sync_group(first);
    stored();
    CHECK(first->phase == MEMBER && second->phase == MEMBER);
}

/* ---- rules ---- */

TEST(a_first_member_waits_for_the_initial_delay)
{
    world_open(50);
    struct client *client = &world.clients[0];
    join_with(client, "range", "consumer", 9);
    CHECK_INT(client->last_error, KAFKA_MEMBER_ID_REQUIRED); /* KIP-394 */
    CHECK(client->id[0] != '\0');
    CHECK_INT(world.group->state, GROUP_EMPTY);
    join_with(client, "range", "consumer", 9);
    pass(49);
    CHECK(client->waiting);
    pass(2);
    CHECK(!client->waiting && client->leads);
    CHECK_INT(client->generation, 1);
    CHECK_INT(world.group->state, GROUP_COMPLETING);
    sync_group(client);
    CHECK(client->waiting); /* until it is stored */
    stored();
    CHECK_INT(client->owns, (1u << PARTITIONS) - 1);
    CHECK_INT(world.group->state, GROUP_STABLE);
    world_close();
}

TEST(the_initial_delay_is_prolonged_while_members_come)
{
    world_open(50);
    for (int i = 0; i < 4; i++) {
        join(&world.clients[i]);
        pass(40);
    }
    CHECK(world.clients[0].waiting && world.clients[3].waiting);
    pass(100);
    for (int i = 0; i < 4; i++)
        CHECK_INT(world.clients[i].generation, 1);
    world_close();
}

TEST(old_versions_join_at_once)
{
    world_open(0);
    join_with(&world.clients[0], "range", "consumer", 3);
    pass(1);
    CHECK_INT(world.clients[0].phase, JOINED);
    world_close();
}

TEST(a_promised_id_holds_the_rebalance_up_until_its_session_ends)
{
    world_open(10);
    two_members(&world.clients[0], &world.clients[1]);
    join_with(&world.clients[2], "range", "consumer", 9); /* never comes back */
    CHECK_INT(world.group->pending_count, 1);
    join(&world.clients[0]); /* the leader: a rebalance */
    join(&world.clients[1]);
    CHECK(world.clients[0].waiting && world.clients[1].waiting);
    pass(1001);
    CHECK_INT(world.group->pending_count, 0);
    CHECK_INT(world.clients[0].generation, 2);
    CHECK_INT(world.clients[1].generation, 2);
    world_close();
}

TEST(protocols_must_have_one_in_common)
{
    world_open(10);
    two_members(&world.clients[0], &world.clients[1]);
    join_with(&world.clients[2], "roundrobin", "consumer", 3);
    CHECK_INT(world.clients[2].last_error, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    join_with(&world.clients[2], "range", "connect", 3);
    CHECK_INT(world.clients[2].last_error, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    struct group_sync sync = {.waiter = &world.clients[2],
                              .member_id = str_of(world.clients[0].id),
                              .generation = 1,
                              .protocol_name = STR("roundrobin")};
    group_sync(world.group, &sync);
    CHECK_INT(world.clients[2].last_error, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    CHECK_INT(world.group->state, GROUP_STABLE);
    world_close();
}

TEST(an_unknown_member_and_an_old_generation_are_told)
{
    world_open(10);
    two_members(&world.clients[0], &world.clients[1]);
    struct client *client = &world.clients[0];
    struct str none = {NULL, 0};
    CHECK_INT(group_heartbeat(world.group, STR("who"), none, 1), KAFKA_UNKNOWN_MEMBER_ID);
    CHECK_INT(group_heartbeat(world.group, str_of(client->id), none, 0), KAFKA_ILLEGAL_GENERATION);
    CHECK_INT(group_heartbeat(world.group, str_of(client->id), none, 1), KAFKA_NONE);
    CHECK_INT(group_commit_check(world.group, str_of(client->id), none, 1), KAFKA_NONE);
    CHECK_INT(group_commit_check(world.group, str_of(client->id), none, 2),
              KAFKA_ILLEGAL_GENERATION);
    CHECK_INT(group_commit_check(world.group, STR("who"), none, 1), KAFKA_UNKNOWN_MEMBER_ID);
    CHECK_INT(group_commit_check(world.group, STR(""), none, -1), KAFKA_UNKNOWN_MEMBER_ID);
    CHECK_INT(group_leave(world.group, STR("who"), none), KAFKA_UNKNOWN_MEMBER_ID);
    world_close();
}

TEST(a_leader_that_joins_again_makes_a_rebalance_a_follower_does_not)
{
    world_open(10);
    two_members(&world.clients[0], &world.clients[1]);
    join(&world.clients[1]);
    CHECK_INT(world.clients[1].generation, 1);
    CHECK_INT(world.group->state, GROUP_STABLE);
    sync_group(&world.clients[1]);
    CHECK(world.clients[1].owns);
    join(&world.clients[0]);
    CHECK_INT(world.group->state, GROUP_PREPARING);
    CHECK_INT(heartbeat(&world.clients[1]), KAFKA_REBALANCE_IN_PROGRESS);
    CHECK_INT(
        group_commit_check(world.group, str_of(world.clients[1].id), (struct str){NULL, 0}, 1),
        KAFKA_NONE); /* what it has read until now still counts */
    join(&world.clients[1]);
    CHECK_INT(world.clients[0].generation, 2);
    CHECK_INT(
        group_commit_check(world.group, str_of(world.clients[1].id), (struct str){NULL, 0}, 2),
        KAFKA_REBALANCE_IN_PROGRESS);
    world_close();
}

TEST(who_does_not_rejoin_is_out_after_the_rebalance_time_out)
{
    world_open(10);
    two_members(&world.clients[0], &world.clients[1]);
    join(&world.clients[0]);
    for (int i = 0; i < 5; i++) { /* alive, but it does not come */
        pass(599);
        CHECK(heartbeat(&world.clients[1]) != KAFKA_NONE || world.group->generation == 2);
    }
    pass(20);
    CHECK_INT(world.group->generation, 2);
    CHECK_INT(world.group->member_count, 1);
    CHECK_INT(heartbeat(&world.clients[1]), KAFKA_UNKNOWN_MEMBER_ID);
    world_close();
}

TEST(who_does_not_sync_is_out_and_the_others_join_again)
{
    world_open(10);
    join(&world.clients[0]);
    join(&world.clients[1]);
    pass(100);
    sync_group(&world.clients[0]); /* the leader; the other one stays silent but alive */
    stored();
    for (int i = 0; i < 6; i++) {
        pass(500);
        (void)heartbeat(&world.clients[0]);
        (void)heartbeat(&world.clients[1]);
    }
    CHECK_INT(world.group->member_count, 1);
    CHECK_INT(world.group->state, GROUP_PREPARING);
    world_close();
}

TEST(a_dead_member_is_noticed_by_its_session)
{
    world_open(10);
    two_members(&world.clients[0], &world.clients[1]);
    pass(900);
    CHECK_INT(heartbeat(&world.clients[0]), KAFKA_NONE);
    pass(200);
    CHECK_INT(heartbeat(&world.clients[0]), KAFKA_REBALANCE_IN_PROGRESS);
    join(&world.clients[0]);
    CHECK_INT(world.group->generation, 2);
    CHECK_INT(world.group->member_count, 1);
    pass(1001); /* the last one goes too */
    pass(3001);
    CHECK_INT(world.group->state, GROUP_EMPTY);
    CHECK_INT(world.group->generation, 3);
    world_close();
}

TEST(a_group_has_room_for_so_many)
{
    world_open(10);
    world.env.max_members = 2;
    two_members(&world.clients[0], &world.clients[1]);
    join_with(&world.clients[2], "range", "consumer", 3);
    CHECK_INT(world.clients[2].last_error, KAFKA_GROUP_MAX_SIZE_REACHED);
    CHECK_INT(world.group->member_count, 2);
    world_close();
}

TEST(who_only_asks_for_ids_is_stopped)
{
    world_open(10);
    world.env.max_members = 5;
    two_members(&world.clients[0], &world.clients[1]);
    for (int i = 0; i < 20; i++) {
        world.clients[2].id[0] = '\0';
        join_with(&world.clients[2], "range", "consumer", 9);
        CHECK_INT(world.clients[2].last_error,
                  i < 5 ? KAFKA_MEMBER_ID_REQUIRED : KAFKA_GROUP_MAX_SIZE_REACHED);
    }
    CHECK_INT(world.group->pending_count, 5);
    pass(2000);
    CHECK_INT(world.group->pending_count, 0);
    world_close();
}

TEST(a_static_member_comes_back_unnoticed_and_fences)
{
    world_open(10);
    struct client *first = &world.clients[0], *second = &world.clients[1];
    name_it(first, "one");
    name_it(second, "two");
    two_members(first, second);
    uint32_t owned = first->owns;
    struct client *again = &world.clients[2];
    name_it(again, "one");
    join(again); /* of JoinGroup 9 */
    CHECK(again->waiting);
    stored();
    CHECK_INT(again->generation, 1);
    CHECK(again->leads && again->skip); /* it leads, and must not deal out again */
    sync_group(again);
    CHECK_INT(again->owns, owned);
    CHECK_INT(world.group->state, GROUP_STABLE);
    CHECK_INT(heartbeat(second), KAFKA_NONE);
    CHECK_INT(heartbeat(first), KAFKA_FENCED_INSTANCE_ID);
    CHECK_INT(group_commit_check(world.group, str_of(first->id), STR("one"), 1),
              KAFKA_FENCED_INSTANCE_ID);
    struct client *old = &world.clients[3];
    name_it(old, "one");
    join_with(old, "range", "consumer", 5); /* one that does not know how to skip */
    stored();
    CHECK(!old->leads);
    sync_group(old);
    CHECK_INT(old->owns, owned);
    CHECK_INT(group_leave(world.group, STR(""), STR("one")), KAFKA_NONE); /* an administrator */
    group_left(world.group);
    CHECK_INT(world.group->state, GROUP_PREPARING);
    CHECK_INT(group_leave(world.group, STR(""), STR("three")), KAFKA_UNKNOWN_MEMBER_ID);
    world_close();
}

TEST(an_assignment_that_cannot_be_stored_is_not_given_out)
{
    world_open(10);
    join(&world.clients[0]);
    pass(100);
    sync_group(&world.clients[0]);
    group_stored(world.group, world.stores[0].generation, KAFKA_NOT_COORDINATOR);
    CHECK_INT(world.clients[0].last_error, KAFKA_NOT_COORDINATOR);
    CHECK_INT(world.clients[0].owns, 0);
    CHECK_INT(world.group->state, GROUP_PREPARING);
    world.store_error = KAFKA_NOT_COORDINATOR;
    join(&world.clients[0]);
    sync_group(&world.clients[0]);
    CHECK_INT(world.clients[0].last_error, KAFKA_NOT_COORDINATOR);
    world.store_count = 0;
    world_close();
}

TEST(what_was_stored_for_an_old_generation_does_not_count)
{
    world_open(10);
    join(&world.clients[0]);
    pass(100);
    sync_group(&world.clients[0]); /* on its way into the log */
    join(&world.clients[1]);
    join(&world.clients[0]);
    CHECK_INT(world.group->generation, 2);
    CHECK_INT(world.group->state, GROUP_COMPLETING);
    group_stored(world.group, 1, KAFKA_NONE);
    CHECK_INT(world.group->state, GROUP_COMPLETING);
    world.store_count = 0;
    sync_group(&world.clients[1]);
    sync_group(&world.clients[0]);
    stored();
    CHECK_INT(world.clients[0].owns | world.clients[1].owns, (1u << PARTITIONS) - 1);
    world_close();
}

/* ---- any lives ---- */

static bool is_consistent(const char **why)
{
    const struct group *group = world.group;
    uint32_t members = 0, awaiting = 0, owned = 0;
    bool leader = !group->leader;
    for (const struct group_member *member = group->members; member; member = member->next) {
        members++;
        awaiting += member->awaiting_join;
        leader |= member == group->leader;
        for (const struct group_member *other = member->next; other; other = other->next)
            if (str_eq(member->id, other->id) ||
                (member->instance_id.data && other->instance_id.data &&
                 str_eq(member->instance_id, other->instance_id)))
                return *why = "a member is there twice", false;
        if (member->awaiting_sync && group->state != GROUP_COMPLETING)
            return *why = "somebody waits for an assignment that nobody makes", false;
    }
    *why = "counts, or the leader";
    if (members != group->member_count || awaiting != group->awaiting_join_count || !leader)
        return false;
    if (group->state == GROUP_EMPTY && members)
        return *why = "an empty group with members", false;
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *client = &world.clients[i];
        const struct group_member *member = group_find_member(group, str_of(client->id));
        bool valid = client->phase == MEMBER && client->generation == group->generation && member;
        if (valid && client->owns & owned)
            return *why = "a partition has two owners in one generation", false;
        owned |= valid ? client->owns : 0;
    }
    return true;
}

static void client_beat(struct client *client)
{
    int16_t code = heartbeat(client);
    if (code == KAFKA_NONE)
        return;
    if (code == KAFKA_FENCED_INSTANCE_ID) {
        client->phase = FENCED;
        return;
    }
    if (code == KAFKA_UNKNOWN_MEMBER_ID)
        client->id[0] = '\0';
    client->phase = OUT;
}

/* What a well-behaved client does next. */
static void client_step(struct client *client)
{
    if (client->waiting)
        return;
    if (client->phase == OUT || client->phase == FENCED)
        join(client);
    else if (client->phase == JOINED)
        sync_group(client);
    else if (client->phase == MEMBER && world.env.now_ms - client->beat_ms >= 200)
        client_beat(client);
}

static void client_vanish(struct client *client)
{
    group_forget(world.group, client);
    char instance[16];
    memcpy(instance, client->instance, sizeof(instance));
    *client = (struct client){.phase = OUT};
    memcpy(client->instance, instance, sizeof(instance));
}

static void random_step(struct rng *rng)
{
    struct client *client = &world.clients[rng_below(rng, CLIENTS)];
    switch (rng_below(rng, 20)) {
    case 0:
        client_vanish(client);
        break;
    case 1:
        if (client->phase == MEMBER || client->phase == JOINED) {
            if (group_leave(world.group, str_of(client->id), text_or_none(client->instance)) ==
                KAFKA_NONE)
                group_left(world.group);
            client_vanish(client);
        }
        break;
    case 2:
        pass((int64_t)rng_below(rng, 1500));
        break;
    case 3:
        if (!client->waiting && client->phase == MEMBER)
            join(client); /* as when its subscription changes */
        break;
    case 4:
    case 5:
    case 6:
        if (world.store_count) {
            int32_t generation = world.stores[0].generation;
            memmove(world.stores, world.stores + 1, --world.store_count * sizeof(world.stores[0]));
            group_stored(world.group, generation,
                         rng_below(rng, 10) ? KAFKA_NONE : KAFKA_NOT_COORDINATOR);
        }
        break;
    case 7:
    case 8:
        pass((int64_t)rng_below(rng, 60));
        break;
    default:
        client_step(client);
    }
}

static bool all_settled(void)
{
    uint32_t owned = 0, count = 0;
    for (int i = 0; i < CLIENTS; i++) {
        owned |= world.clients[i].owns;
        count += world.clients[i].phase == MEMBER;
    }
    return world.group->state == GROUP_STABLE && count == CLIENTS &&
           world.group->member_count == CLIENTS && owned == (1u << PARTITIONS) - 1;
}

static void live(uint64_t seed, int steps)
{
    struct rng rng;
    const char *why = "";
    int32_t generation = 0;
    rng_init(&rng, seed);
    world_open((int64_t)rng_below(&rng, 3) * 40);
    for (int i = 0; i < CLIENTS; i++)
        if (rng_below(&rng, 3) == 0)
            snprintf(world.clients[i].instance, sizeof(world.clients[i].instance), "static-%d", i);
    for (int i = 0; i < steps; i++) {
        random_step(&rng);
        if (!is_consistent(&why))
            CHECK_FAIL("seed %" PRIu64 " step %d: %s", seed, i, why);
        if (world.group->generation < generation)
            CHECK_FAIL("seed %" PRIu64 " step %d: the generation went back", seed, i);
        generation = world.group->generation;
    }
    for (int i = 0; i < 3000 && !all_settled(); i++) { /* all live on, none goes */
        for (int j = 0; j < CLIENTS; j++)
            client_step(&world.clients[j]);
        stored();
        pass(20);
        if (!is_consistent(&why))
            CHECK_FAIL("seed %" PRIu64 ": %s", seed, why);
    }
    if (!all_settled())
        CHECK_FAIL("seed %" PRIu64 ": the group does not come to rest: state %s, %u members", seed,
                   group_state_text(world.group->state), world.group->member_count);
    world_close();
}

TEST(any_lives_leave_no_partition_with_two_owners)
{
    for (uint64_t seed = 1; seed <= 300 && !check_failed; seed++)
        live(seed, 600);
}

/* ---- committed offsets ---- */

TEST(offsets_are_found_replaced_removed)
{
    world_open(10);
    struct kafka_uuid id = {{1}}, other = {{2}};
    struct group *group = world.group;
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof(name), "t%d", i % 7);
        struct group_offset offset = {
            .partition = i * 31 % 50, .offset = i, .expire_ms = -1, .metadata = STR("m")};
        CHECK(group_offsets_set(group, str_of(name), &id, &offset));
    }
    const struct group_offset_topic *topic = group_offsets_topic(group, STR("t3"));
    CHECK(topic);
    for (uint32_t i = 1; i < topic->count; i++)
        CHECK(topic->items[i - 1].partition < topic->items[i].partition);
    const struct group_offset *found = group_offsets_find(topic, 199 * 31 % 50);
    CHECK(group_offsets_topic(group, STR("t8")) == NULL);
    found = group_offsets_find(topic, (199 / 7 * 7 + 3) * 31 % 50); /* the last one of t3 */
    CHECK(found);
    CHECK_INT(found->offset, 199);
    struct group_offset offset = {.partition = 1, .offset = 5, .metadata = STR("")};
    CHECK(group_offsets_set(group, STR("t3"), &other, &offset)); /* another topic of this name */
    topic = group_offsets_topic(group, STR("t3"));
    CHECK_INT(topic->count, 1);
    group_offsets_remove(group, STR("t3"), 1);
    CHECK(group_offsets_topic(group, STR("t3")) == NULL);
    CHECK(group_offsets_any(group));
    world_close();
}

TEST(offsets_expire_when_nobody_needs_them)
{
    world_open(10);
    struct kafka_uuid id = {{1}};
    struct group_offset offset = {
        .partition = 0, .offset = 5, .commit_ms = 1000000, .expire_ms = -1, .metadata = STR("")};
    CHECK(group_offsets_set(world.group, STR("t"), &id, &offset));
    const struct group_offset_topic *topic = group_offsets_topic(world.group, STR("t"));
    world.env.wall_ms = 1000000 + 499;
    CHECK(!group_offset_expired(world.group, topic, &topic->items[0], 500));
    world.env.wall_ms++;
    CHECK(group_offset_expired(world.group, topic, &topic->items[0], 500)); /* no members ever */
    two_members(&world.clients[0], &world.clients[1]);
    topic = group_offsets_topic(world.group, STR("t"));
    world.env.wall_ms += 10000;
    /* The subscription of these members cannot be read: who knows what they need. */
    CHECK(!group_offset_expired(world.group, topic, &topic->items[0], 500));
    for (int i = 0; i < 2; i++)
        CHECK_INT(group_leave(world.group, str_of(world.clients[i].id), (struct str){NULL, 0}),
                  KAFKA_NONE);
    group_left(world.group);
    CHECK_INT(world.group->state, GROUP_EMPTY);
    CHECK(!group_offset_expired(world.group, topic, &topic->items[0], 500)); /* since it is empty */
    world.env.wall_ms += 500;
    CHECK(group_offset_expired(world.group, topic, &topic->items[0], 500));
    world_close();
}
