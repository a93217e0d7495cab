/* sink_target.h - what the subtasks of a sink node share: the connector's sink, and the committer
 * where it is exactly-once. */
#ifndef LEAT_OPERATOR_SINK_TARGET_H
#define LEAT_OPERATOR_SINK_TARGET_H

#include "operator/committer.h"
#include "operator/operator_int.h"

struct sink_target {
    struct sink *sink;
    struct committer *committer; /* NULL: the writers write to the target; else it owns the sink */
    struct committer_state marked; /* of direct upserts */
    _Atomic uint32_t users;        /* subtasks */
};

/* In open: the node's, opened by the first of its subtasks. ERR_RESET: the target that the job has
 * written is not there any more, and the job is to begin anew for it. */
enum status sink_target_open(struct operator* op, struct sink_target **out,
                             struct error *err) STATUS_CHECKED;
/* What a checkpoint keeps of it where there is no committer. */
void sink_target_save(const struct operator* op, const struct sink_target *target, struct buf *out);
void sink_target_close(struct operator* op, struct sink_target *target);

#endif
