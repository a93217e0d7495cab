/* blackhole.c - a sink that takes every row and forgets it: for measuring what comes before.
 *
 * With a primary key it is an upsert sink, so that changes of a key may be coalesced on the way;
 * without one it takes all four kinds of change.
 */
#include "connector/blackhole/blackhole.h"

struct sink {
    char unused;
};
struct sink_writer {
    char unused;
};

/* One instance serves all: there is nothing to keep. */
static struct sink the_sink;
static struct sink_writer the_writer;

static enum status blackhole_mode(const struct table_description *table, enum sink_mode *out,
                                  struct error *err)
{
    *out = table->primary_key_count > 0 ? SINK_UPSERT : SINK_RETRACT;
    return OK;
}

static enum status blackhole_open(const struct sink_request *request, struct sink **out,
                                  struct error *err)
{
    *out = &the_sink;
    return OK;
}

static enum status writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                               struct sink_writer **out, struct error *err)
{
    *out = &the_writer;
    return OK;
}

static enum push_result writer_write(struct sink_writer *writer, struct batch *batch,
                                     struct error *err)
{
    return PUSH_DONE;
}

static enum push_result writer_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    return PUSH_DONE;
}

static enum push_result writer_finish(struct sink_writer *writer, struct error *err)
{
    return PUSH_DONE;
}

static bool writer_why(struct sink_writer *writer, struct buf *out)
{
    return false;
}

static void writer_close(struct sink_writer *writer)
{
}

static void blackhole_close(struct sink *sink)
{
}

static const struct sink_class BLACKHOLE_SINK = {
    .size = sizeof(struct sink_class),
    .keeps_state = true,
    .mode = blackhole_mode,
    .open = blackhole_open,
    .writer_open = writer_open,
    .write = writer_write,
    .flush = writer_flush,
    .finish = writer_finish,
    .why = writer_why,
    .writer_close = writer_close,
    .close = blackhole_close,
};

const struct connector_class CONNECTOR_BLACKHOLE = {
    .size = sizeof(struct connector_class),
    .name = "blackhole",
    .help = "Takes every row and forgets it.",
    .sink = &BLACKHOLE_SINK,
};
