/* function.h - scalar functions: their one table, type inference, and kernels over vectors.
 *
 * Every scalar function and operator of the dialect is one struct function_def in one of the family
 * arrays (function_string.c, function_math.c, ...); function_table() is all of them, and the
 * binder, SHOW FUNCTIONS, help and the reference pages read that table. Operators have their SQL
 * sign as name
 * ("+", "=", "||", "LIKE"). AND, OR, CASE, COALESCE, IF, NULLIF, IN and CAST are not here: they
 * decide which rows are evaluated and belong to expr/.
 *
 * Binding happens once per call in a statement: bind() looks at the argument types and constants,
 * says which type each argument must be coerced to (the binder inserts implicit casts), gives the
 * result type, the kernel, and its constant state (a compiled pattern, a scale).
 *
 * A kernel is a free function over whole vectors: for each row of the selection it reads the
 * arguments and writes out->values (flat, preallocated for the batch). For a STRICT function the
 * evaluator has already made out's validity (NULL where any argument is NULL) and the selection
 * holds the rows without NULL only. A row that fails is reported with row_errors_add and set NULL;
 * kernels never abort a batch. No allocation per row but vec_string_room, no call per row.
 *
 * Special syntax becomes a plain call, time units and flags as upper-case CHAR constants in the
 * singular: EXTRACT(DAY FROM x) is EXTRACT('DAY', x); FLOOR(x TO HOUR) is FLOOR(x, 'HOUR'), CEIL
 * likewise; TIMESTAMPADD(DAY, n, t) is TIMESTAMPADD('DAY', n, t), TIMESTAMPDIFF likewise;
 * TRIM(BOTH c FROM s) is TRIM('BOTH', c, s) and TRIM(s) is TRIM('BOTH', ' ', s);
 * SUBSTRING(s FROM a FOR n) is SUBSTRING(s, a, n); OVERLAY(s PLACING r FROM a FOR n) is
 * OVERLAY(s, r, a, n); POSITION(x IN s) is POSITION(x, s); CURRENT_DATE and its like are calls
 * without arguments; unary minus is "-" of one argument; x LIKE p ESCAPE e is "LIKE" of two or
 * three arguments, "SIMILAR TO" likewise; x IS DISTINCT FROM y is "IS DISTINCT FROM".
 *
 * Arguments arrive FLAT or CONSTANT; dictionaries are evaluated over their dictionary when the
 * function is DETERMINISTIC, STRICT, of one non-constant argument and cannot fail, and flattened
 * otherwise.
 */
#ifndef LEAT_FUNCTION_FUNCTION_H
#define LEAT_FUNCTION_FUNCTION_H

#include "base/calendar.h"
#include "data/batch.h"
#include "data/datum.h"

/* Rows that failed in one evaluation. Only rows still selected at their use raise (contracts 6). */
#define ROW_ERRORS_KEPT 64 /* details kept; further failing rows share the last one's text */
struct row_error {
    uint32_t row;
    enum status code;
    struct source_pos pos;
    char text[160];
};
struct row_errors {
    bool any;
    uint32_t kept;
    uint64_t rows[BATCH_ROWS_MAX / 64]; /* meaningless until any */
    struct row_error details[ROW_ERRORS_KEPT];
};
void row_errors_clear(struct row_errors *errors);
void row_errors_add(struct row_errors *errors, uint32_t row, enum status code,
                    struct source_pos pos, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The first failing row among the selected ones, or NULL. selection NULL: all count rows. */
const struct row_error *row_errors_first(const struct row_errors *errors, const uint16_t *selection,
                                         uint32_t count);

/* What an evaluation may look at besides its arguments; sampled once per batch. */
struct eval_context {
    int64_t now_us;          /* wall clock, UTC */
    int64_t watermark_us;    /* of the operator's input, WATERMARK_NONE before the first */
    const struct zone *zone; /* table.local-time-zone; never NULL */
    uint64_t random_state;   /* advanced by RAND() and UUID() */
};

struct function_call {
    const void *state; /* from bind */
    const struct vec *const *args;
    uint32_t arg_count;
    const uint16_t *selection; /* NULL: rows 0..count */
    uint32_t count;
    struct vec *out;           /* FLAT; a text result uses vec_string_room */
    struct row_errors *errors; /* NULL: errors are dropped (row_errors_add takes it) */
    struct eval_context *context;
    struct source_pos pos;
    enum status status; /* set to ERR_MEMORY or ERR_BUDGET when there is no room */
};
typedef void (*function_kernel)(struct function_call *call);

typedef enum status (*zone_lookup)(const struct zone **out, const char *name, struct error *err);
struct function_session { /* what binding may depend on */
    const struct zone *zone;
    zone_lookup zone_by_name; /* os/zonefile.h's zonefile_get; NULL: zones by name are an error */
};

#define FUNCTION_ARGS_MAX 255
struct function_bind {
    struct arena *arena; /* results live here */
    const struct function_session *session;
    struct source_pos pos;
    uint32_t arg_count;
    const struct type *arg_types[FUNCTION_ARGS_MAX];      /* in: actual; out: wanted (coerced to) */
    const struct datum *arg_constants[FUNCTION_ARGS_MAX]; /* NULL: not a constant */
    /* out */
    const struct type *result;
    function_kernel kernel;
    const void *state; /* arena memory, or freed by release_state */
    void (*release_state)(const void *state);
};

enum function_flags {
    FUNCTION_STRICT = 1,           /* any NULL argument: NULL, kernel not called for the row */
    FUNCTION_CAN_FAIL = 2,         /* may add row errors; not moved across filters and joins */
    FUNCTION_DYNAMIC = 4,          /* same value within a batch or query: NOW, CURRENT_WATERMARK */
    FUNCTION_NONDETERMINISTIC = 8, /* differs per call: RAND, UUID */
    /* With STRICT: the selection may hold rows with NULL arguments too, whose values are
     * unspecified (views are readable); the kernel neither fails nor minds. Saves narrowing. */
    FUNCTION_ANY_VALUE = 16,
};

struct function_def {
    const char *name;      /* upper case, or the operator's sign */
    const char *signature; /* "SUBSTRING(string, start [, length])" */
    const char *help;      /* one or two sentences for the reference */
    const char *family;    /* "string", "arithmetic", ...: the chapter of the reference */
    int flags;             /* enum function_flags */
    uint8_t min_args, max_args;
    /* ERR_TYPE with a text naming the function, the argument and what it takes. */
    enum status (*bind)(struct function_bind *bind, struct error *err);
};

/* All of them, in one array sorted by name; *count is set. */
const struct function_def *const *function_table(size_t *count);
/* Any case. NULL: unknown; then *known_to_flink (may be NULL) says whether Flink has it. */
const struct function_def *function_find(struct str name, bool *known_to_flink);

/* Flink's LogicalTypeMerging: the least restrictive common type, or NULL when there is none. */
const struct type *function_common_type(struct arena *arena, const struct type *const *types,
                                        uint32_t count);

#endif
