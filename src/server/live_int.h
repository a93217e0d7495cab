/* live_int.h - queries and viewers of live.h. */
#ifndef LEAT_SERVER_LIVE_INT_H
#define LEAT_SERVER_LIVE_INT_H

#include "server/live.h"

#include "os/thread.h"
#include "server/json_out.h"
#include "server/live_rows.h"

#define KEY_MAX 64 /* columns of an upsert key; rows with a longer one are told by their values */

struct viewer;
struct live_query;

struct subscription { /* of a viewer to a query, for one panel */
    struct viewer *viewer;
    struct live_query *query;
    struct subscription *next; /* of the query */
    const char *panel;         /* its id */
    bool needs_snapshot;
    uint32_t status_told; /* version */
};

enum query_state {
    QUERY_STARTING, /* the task start is under way */
    QUERY_RUNNING,
    QUERY_RELEASING, /* the task release is under way */
    QUERY_RESTING,   /* no job: waits to be run again */
};

struct live_query {
    struct live *live;
    struct live_query *next;
    struct arena arena; /* the texts below */
    const char *identity, *sql, *job_name;
    struct sql_parameter parameters[DASHBOARD_SELECTORS_MAX];
    uint32_t parameter_count;
    uint32_t refresh_ms, keep;

    /* the loop's thread */
    enum query_state state;
    struct subscription *watchers;
    bool unwanted;   /* to be freed once it rests */
    bool ended_seen; /* the job has ended, while starting maybe */
    bool any_rows;
    struct loop_timer frame_timer, linger_timer, again_timer, why_timer;
    int64_t last_frame_us;
    const char *status; /* "running" ... */
    char why[1024];
    uint32_t status_version;
    struct buffer *snapshot; /* of snapshot_seq; NULL: none */
    uint64_t snapshot_seq;
    struct loop_message changed, ended, task_done;

    /* the task: one at a time, on a thread for SQL */
    struct io_job task;
    enum { TASK_START, TASK_RELEASE, TASK_WHY } task_kind;
    bool task_busy;
    struct error task_error;
    struct buf task_why;
    struct session *session;
    struct engine_job *job;

    struct mutex mutex;           /* of all below */
    struct live_rows rows, fresh; /* fresh: a bounded query collects there until it has ended */
    bool bounded, has_columns, changed_posted;
    struct buf columns; /* `"columns":[..],"key":[..],` */
    uint32_t key_count, key[KEY_MAX];
    const struct plan_node *collect; /* while the job is there */
    enum job_state end_state;
    struct error end_error;
    struct buf key_text, row_text; /* the worker's */
};

struct live {
    struct live_settings settings;
    struct dashboard *dashboards;
    struct live_query *queries;
    struct viewer *viewers;
    bool ending;
    struct metric_cell viewer_count, query_count, frames, snapshots, behind;
};

/* live_query.c */
enum status query_watch(struct live *live, const struct dashboard *dashboard,
                        const struct panel *panel, const struct sql_parameter *values,
                        struct subscription *subscription, struct error *err) STATUS_CHECKED;
void query_unwatch(struct subscription *subscription);
/* The current rows, encoded; a reference, or NULL when there are none yet. */
struct buffer *query_snapshot(struct live_query *query);
void query_stop(struct live_query *query);
void query_free(struct live_query *query);
enum status query_check(struct live *live, const struct panel *panel,
                        const struct sql_parameter *parameters, uint32_t parameter_count,
                        struct error *err) STATUS_CHECKED;

/* live.c: what a query tells its viewers */
void viewer_frame(struct subscription *subscription, struct buffer *frame);
void viewer_wake(struct subscription *subscription); /* a snapshot or status is due */

#endif
