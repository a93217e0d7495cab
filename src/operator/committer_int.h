/* committer_int.h - what committer.c and committer_judge.c share. */
#ifndef LEAT_OPERATOR_COMMITTER_INT_H
#define LEAT_OPERATOR_COMMITTER_INT_H

#include <stdatomic.h>

#include "operator/committer.h"

struct committer {
    struct committer_request request;
    _Atomic uint32_t refs;
    struct mutex mutex; /* all below, but where said */
    struct committer_state state;
    uint64_t released_epoch;
    uint32_t restored_count; /* of state's entries: the first ones, of earlier runs */
    bool is_judged;          /* the ledger was read, and fits */
    bool busy, stopped;
    struct wake **wakes; /* by subtask; NULL: does not wait */
    struct wake *listener;
    struct error failure;     /* for the job; code OK: none */
    struct error retry_error; /* of the last try; code OK: it went well */
    int64_t retry_at_us, delay_us, failing_since_us;
    struct committer_status status;
    struct io_job job;
    struct sink_committer *open; /* the I/O job's while busy; NULL: to be opened */
};

/* The position after the entry has been applied at `before`. */
struct sink_position committer_next(const struct sink_position *before,
                                    const struct committer_entry *entry);
/* How many of the released entries the target has already. Refused: an error that no retry helps.
 * Under the mutex. */
enum status committer_judge(const struct committer *committer, const struct sink_ledger *ledger,
                            uint32_t *applied, struct error *err) STATUS_CHECKED;

#endif
