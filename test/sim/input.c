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

static enum status append_row(struct world *world, const struct row *row, struct error *err)
{
    struct log_topic *topic = log_topic_find(world->log, STR("src"));
    struct record_builder builder;
    struct buf batch, scratch, text;
    must(topic);
    buf_init(&batch, TEXT_BYTES);
    buf_init(&scratch, TEXT_BYTES);
    buf_init(&text, TEXT_BYTES);
    scenario_row_text(world->scenario, row, &text);
    record_builder_begin(&builder, &batch, &scratch, COMPRESSION_NONE);
    record_builder_add(&builder, io_wall_us(world->io) / 1000, NULL, -1, text.data,
                       (int32_t)text.length, NULL, 0);
    enum status status = buf_check(&text, "a row", err);
    if (status == OK)
        status = record_builder_finish(&builder, err);
    struct log_append append = {.batches = batch.data, .size_bytes = batch.length};
    if (status == OK)
        status = log_append(log_topic_partition(topic, row->split), &append, err);
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

bool input_is_broken(struct world *world)
{
    struct log_topic *topic = log_topic_find(world->log, STR("src"));
    bool failed = false;
    must(topic);
    for (uint32_t split = 0; split < world->scenario->split_count; split++) {
        struct log_offsets offsets;
        log_partition_offsets(log_topic_partition(topic, split), &offsets);
        failed |= offsets.failed;
    }
    log_topic_unref(topic);
    return failed;
}

/* The arrival stops at the first row that is refused, and goes on with it later. */
static void append_rows(struct world *world, uint32_t count)
{
    const struct scenario *scenario = world->scenario;
    struct error err = {0};
    for (; world->arrived < scenario->row_count && count > 0; world->arrived++) {
        const struct row *row = &scenario->rows[world->arrived];
        if (place_of(scenario, world->arrived) < world->kept[row->split])
            continue;
        if (append_row(world, row, &err) != OK) {
            world_tell(world, "row %u is refused: %s", world->arrived, err.text);
            if (!world->faulted && !simio_crashed(world->io))
                world_fail(world, "a row is refused: %s", err.text);
            world->ends_now |= input_is_broken(world);
            return;
        }
        world->kept[row->split]++;
        count--;
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
    for (uint32_t split = 0; split < world->scenario->split_count; split++) {
        struct log_offsets offsets;
        log_partition_offsets(log_topic_partition(topic, split), &offsets);
        world->kept[split] = (uint32_t)offsets.end;
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
        TRY(log_topic_create(world->log, STR("src"), scenario->split_count, configs,
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
