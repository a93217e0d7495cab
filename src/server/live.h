/* live.h - live dashboards: queries that run while somebody watches, and their viewers.
 *
 *   viewer (one event stream) --subscription a panel--> live_query (one per SQL and parameters)
 *      <- frames, encoded once, shared                    job -> live_rows
 *
 * A query starts with its first viewer and stops LIVE_LINGER_US after the last one has gone; a
 * bounded one is run again `refresh_ms` after it has ended, one that failed after LIVE_RETRY_US.
 * Frames come at most every LIVE_FRAME_US. A viewer queues LIVE_QUEUE_BYTES at most; one that is
 * behind loses its queue and gets a snapshot when it can take it: what it costs is the queue and
 * one snapshot (LIVE_BYTES_MAX), whatever it does not read.
 *
 * Threads: viewers, subscriptions and the state of a query belong to the loop's thread; jobs are
 * started and released on the threads for SQL; rows come from a worker under the query's mutex.
 */
#ifndef LEAT_SERVER_LIVE_H
#define LEAT_SERVER_LIVE_H

#include "server/dashboard.h"
#include "server/http.h"
#include "engine/engine.h"

#define LIVE_FRAME_US    100000
#define LIVE_LINGER_US   INT64_C(30000000)
#define LIVE_RETRY_US    5000000
#define LIVE_WHY_US      2000000
#define LIVE_PING_US     15000000
#define LIVE_QUEUE_BYTES (192u << 10)
#define LIVE_QUEUE_MAX   64

struct live;

struct live_settings {
    struct io *io;
    struct loop *loop;
    struct io_pool *pool; /* for SQL */
    struct engine *engine;
    int64_t started_ms; /* wall, for viewers: another value is another server */
};

enum status live_new(struct live **out, const struct live_settings *settings,
                     struct error *err) STATUS_CHECKED;
/* Takes the dashboard over, also on failure. ERR_EXISTS: the name. Before requests come. */
enum status live_add(struct live *live, struct dashboard *dashboard,
                     struct error *err) STATUS_CHECKED;
const struct dashboard *live_dashboards(const struct live *live); /* a list by next */
const struct dashboard *live_find(const struct live *live, const char *name);
/* Checks each panel's SQL with the default values of the selectors; each() gets the errors. */
void live_check(struct live *live, void (*each)(void *context, const struct error *err),
                void *context);

/* Starts the event stream as the answer of exchange. ERR_OPTION: a selector. Loop's thread. */
enum status live_watch(struct live *live, struct exchange *exchange,
                       const struct dashboard *dashboard, struct error *err) STATUS_CHECKED;
/* Says bye to viewers; nothing starts any more. Loop's thread. */
void live_end(struct live *live);
/* Ends the jobs. Not on the loop's thread; after live_end, when the pool's threads have ended. */
void live_stop(struct live *live);
void live_free(struct live *live); /* no viewer is left; NULL is fine */

struct live_counters {
    int64_t viewers, queries, frames, snapshots, behind;
};
void live_counters(const struct live *live, struct live_counters *out); /* any thread */

#endif
