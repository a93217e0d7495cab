/* sim.h - the sim connector: a scripted source and a capturing sink, for tests.
 *
 * A table's arrival plan is a text in the form that test/README.md describes (rows with kinds,
 * "---" for a batch's end, @watermark, @split, @time, @checkpoint, @end, @open). It comes from
 * sim_input() by the table's name, else from the table's option 'rows', else from the file of its
 * option 'path'.
 *
 * Order: all sections given by sim_input() have one order. Within one job (by its name) an event is
 * handed out only when every earlier one of the tables that the job reads has been handed out and
 * its reader has come back for more; so the order between splits and tables is that of the plan.
 *
 * What sinks take is kept by table name for sim_captured(). All functions may be called from any
 * thread; what they keep is one for the process and lasts until sim_reset().
 */
#ifndef LEAT_CONNECTOR_SIM_SIM_H
#define LEAT_CONNECTOR_SIM_SIM_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_SIM;

/* What sinks of jobs with checkpoints ask for from now on. EXACTLY_ONCE: rows are captured once
 * their checkpoint is complete; CHECKPOINTED: but those with a primary key at once, where the
 * planner has proven that they may come again. Until sim_reset(): AT_LEAST_ONCE. */
void sim_guarantee(enum sink_guarantee guarantee);

/* Forget inputs, captures and the observer. No sim table may be open. */
void sim_reset(void);

/* The next section of the arrival plan of a table (its last name part, "orders"). text is copied;
 * it is parsed when a job opens the table. */
enum status sim_input(const char *table, const char *text, struct error *err) STATUS_CHECKED;

enum sim_signal {
    SIM_TIME,       /* "@time MS": number is processing time in ms */
    SIM_CHECKPOINT, /* "@checkpoint" */
    SIM_IDLE,       /* "@idle": the split will be silent */
    SIM_ACTIVE,     /* "@active" */
};
/* Called on the task's thread, without a lock, when a reader comes to such a line; the observer
 * moves the clock, sends the barrier, .... NULL: these lines are errors. */
void sim_observe(void (*observer)(void *context, enum sim_signal signal, int64_t number),
                 void *context);

struct sim_value {
    bool is_null;
    struct str text; /* as CAST(... AS STRING) gives it */
};
struct sim_row {
    enum row_kind kind;
    uint32_t value_count;
    const struct sim_value *values;
};
/* Rows that the table's sinks have taken, in order. Pointers stay valid until sim_reset(). */
size_t sim_captured_count(const char *table);
bool sim_captured(const char *table, size_t index, struct sim_row *out);

#endif
