/* input.c - the scenario's rows as topics, files or an arrival plan. */
#include "test/sim/world.h"

#include <stdio.h>

#include "base/must.h"
#include "connector/sim/sim.h"
#include "kafka/record.h"

#define TEXT_BYTES (4u << 20)

static enum status write_file(struct world *world, uint32_t split, struct error *err)
{
    char path[40];
    struct buf text;
    buf_init(&text, TEXT_BYTES);
    for (uint32_t i = 0; i < world->scenario->row_count; i++)
        if (world->scenario->rows[i].split == split) {
            scenario_row_text(world->scenario, &world->scenario->rows[i], &text);
            buf_append_byte(&text, '\n');
        }
    snprintf(path, sizeof(path), "/in/rows-%u", split);
    enum status status = io_publish(world->io, path, text.data, text.length, err);
    buf_fini(&text);
    return status;
}

/* Rows [first, last) of one partition as a batch; the partition is made where it is missing. */
static enum status append_batch(struct world *world, uint32_t first, uint32_t last,
                                struct error *err)
{
    const struct row *rows = world->scenario->rows;
    struct record_builder builder;
    struct buf batch, scratch, text;
    enum status status = OK;
    struct log_topic *topic = log_topic_find(world->log, STR("src"));
    must(topic);
    if (rows[first].split >= log_topic_info(topic).partition_count)
        status = log_topic_grow(world->log, STR("src"), rows[first].split + 1, err);
    buf_init(&batch, TEXT_BYTES);
    buf_init(&scratch, TEXT_BYTES);
    buf_init(&text, TEXT_BYTES);
    record_builder_begin(&builder, &batch, &scratch,
                         (enum compression)world->scenario->compression);
    for (uint32_t i = first; i < last && status == OK; i++) {
        buf_clear(&text);
        scenario_row_text(world->scenario, &rows[i], &text);
        status = buf_check(&text, "a row", err);
        record_builder_add(&builder, io_wall_us(world->io) / 1000, NULL, -1, text.data,
                           (int32_t)text.length, NULL, 0);
    }
    if (status == OK)
        status = record_builder_finish(&builder, err);
    struct log_append append = {.batches = batch.data, .size_bytes = batch.length};
    if (status == OK)
        status = log_append(log_topic_partition(topic, rows[first].split), &append, err);
    buf_fini(&batch);
    buf_fini(&scratch);
    buf_fini(&text);
    log_topic_unref(topic);
    return status;
}

/* The row's place among those of its split. */
static uint32_t place_of(const struct scenario *scenario, uint32_t index)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < index; i++)
        place += scenario->rows[i].split == scenario->rows[index].split;
    return place;
}

static enum status look_for_failed(void *context, struct log_topic *topic, struct error *err)
{
    struct log_partition *partition;
    for (uint32_t i = 0; (partition = log_topic_partition(topic, i)); i++) {
        struct log_offsets offsets;
        log_partition_offsets(partition, &offsets);
        *(bool *)context |= offsets.failed;
    }
    return OK;
}

bool log_is_broken(struct world *world)
{
    bool failed = false;
    must(log_topic_list(world->log, look_for_failed, &failed, NULL) == OK);
    return failed;
}

/* The end of the batch that begins with the row: its neighbours of the same split. */
static uint32_t batch_end(const struct scenario *scenario, uint32_t first, uint32_t count)
{
    uint32_t last = first + 1;
    while (last < scenario->row_count && last - first < count &&
           scenario->rows[last].split == scenario->rows[first].split)
        last++;
    return last;
}

/* The arrival stops at the first batch that is refused, and goes on with it later. */
static void append_rows(struct world *world, uint32_t count)
{
    const struct scenario *scenario = world->scenario;
    struct error err = {0};
    while (world->arrived < scenario->row_count && count > 0) {
        uint32_t first = world->arrived, split = scenario->rows[first].split;
        if (place_of(scenario, first) < world->kept[split]) {
            world->arrived++;
            continue;
        }
        uint32_t last = batch_end(scenario, first, count);
        if (append_batch(world, first, last, &err) != OK) {
            world_tell(world, "row %u is refused: %s", first, err.text);
            if (!world->faulted && !simio_crashed(world->io))
                world_fail(world, "a row is refused: %s", err.text);
            world->ends_now |= log_is_broken(world);
            return;
        }
        world->kept[split] += last - first;
        world->arrived = last;
        count -= last - first;
    }
}

bool input_all_arrived(struct world *world)
{
    return world->scenario->input != INPUT_TOPIC || world->arrived == world->scenario->row_count;
}

void input_arrive(struct world *world)
{
    if (!input_all_arrived(world))
        append_rows(world, 1 + (uint32_t)rng_below(&world->rng, 12));
}

void input_resume(struct world *world)
{
    if (world->scenario->input != INPUT_TOPIC)
        return;
    struct log_topic *topic = log_topic_find(world->log, STR("src"));
    must(topic);
    struct log_partition *partition;
    for (uint32_t i = 0; (partition = log_topic_partition(topic, i)); i++) {
        struct log_offsets offsets;
        log_partition_offsets(partition, &offsets);
        world->kept[i] = (uint32_t)offsets.end;
    }
    world->arrived = 0; /* those that are kept are skipped */
    log_topic_unref(topic);
}

static enum status make_topics(struct world *world, struct error *err)
{
    const struct scenario *scenario = world->scenario;
    static const struct log_config_entry configs[] = {{"segment.bytes", "3000"},
                                                      {"index.interval.bytes", "200"}};
    if (scenario->input == INPUT_TOPIC)
        TRY(log_topic_create(world->log, STR("src"), scenario->first_splits, configs,
                             COUNT_OF(configs), NULL, err));
    for (uint32_t i = 0; i < scenario->output_count; i++) {
        char name[20];
        snprintf(name, sizeof(name), "out%u", i);
        if (scenario->outputs[i].target == TARGET_TOPIC)
            TRY(log_topic_create(world->log, str_of(name), scenario->outputs[i].partition_count,
                                 configs, COUNT_OF(configs), NULL, err));
    }
    return OK;
}

enum status input_prepare(struct world *world, struct error *err)
{
    const struct scenario *scenario = world->scenario;
    TRY(io_make_directories(world->io, "/data", err));
    TRY(io_make_directories(world->io, "/in", err));
    TRY(io_make_directories(world->io, "/out", err));
    for (uint32_t split = 0; scenario->input == INPUT_FILES && split < scenario->split_count;
         split++)
        TRY(write_file(world, split, err));
    if (scenario->input == INPUT_PLAN) {
        struct buf text;
        buf_init(&text, TEXT_BYTES);
        scenario_plan_text(scenario, &text);
        enum status status = sim_input("src", buf_text(&text), err);
        buf_fini(&text);
        TRY(status);
    }
    if (!life_open(world, true, err))
        return err->code;
    TRY(make_topics(world, err));
    if (scenario->input == INPUT_TOPIC && !scenario->is_unbounded)
        append_rows(world, ROWS_MAX);
    life_close(world);
    return OK;
}
