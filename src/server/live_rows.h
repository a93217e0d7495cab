/* live_rows.h - the current rows of a live query, as JSON texts, and what changed since the last
 * frame.
 *
 *   batch (worker thread) -> one JSON text a row -> live_rows_apply -> live_rows_frame (a frame:
 *   upserts and deletes of the keys touched) or live_rows_snapshot (all rows)
 *
 * Shapes: KEYED by the plan's upsert key; APPEND: the newest `keep` rows, nothing is taken back;
 * SINGLE: the only row (a key of no columns) and LOOSE: rows that are taken back by their values,
 * for which each frame is a snapshot. Order
 * is that of first arrival. Bounds: LIVE_ROWS_MAX rows and LIVE_BYTES_MAX bytes of JSON; APPEND
 * forgets the oldest, the others fail. The caller's mutex guards it all.
 */
#ifndef LEAT_SERVER_LIVE_ROWS_H
#define LEAT_SERVER_LIVE_ROWS_H

#include "plan/plan.h"

#define LIVE_ROWS_MAX  10000
#define LIVE_BYTES_MAX (768u << 10)

enum live_shape { LIVE_KEYED, LIVE_APPEND, LIVE_SINGLE, LIVE_LOOSE };

struct live_row {
    struct live_row *older, *newer; /* by first arrival */
    struct live_row *chain;         /* of the hash table */
    struct live_row *next_touched;
    bool touched;   /* since the last frame */
    bool known;     /* a frame or snapshot has told of it */
    bool gone;      /* taken back, kept until the next frame */
    uint32_t count; /* LOOSE: how many alike */
    uint32_t key_length, text_length;
    char *text; /* the row as a JSON array */
    char key[]; /* its key's values likewise; none for APPEND */
};

struct live_rows {
    enum live_shape shape;
    uint32_t keep;
    uint32_t row_count; /* without those gone */
    size_t bytes;
    struct live_row *oldest, *newest;
    struct live_row *touched; /* newest first; APPEND: the oldest of them, the newer ones follow */
    struct live_row **buckets;
    uint64_t seq; /* of the last frame */
};

enum status live_rows_init(struct live_rows *rows, enum live_shape shape, uint32_t keep,
                           struct error *err) STATUS_CHECKED;
void live_rows_fini(struct live_rows *rows);
/* key and text are JSON; key empty for APPEND. kind: enum row_kind. ERR_LIMIT past the bounds. */
enum status live_rows_apply(struct live_rows *rows, uint8_t kind, struct str key, struct str text,
                            struct error *err) STATUS_CHECKED;
bool live_rows_whole(const struct live_rows *rows); /* frames are snapshots */
bool live_rows_changed(const struct live_rows *rows);
/* Appends `,"seq":N,"upserts":[...],"deletes":[...]`; what was touched is told now. Not
 * when frames are snapshots. */
void live_rows_frame(struct live_rows *rows, struct buf *out);
/* Appends `"rows":[...]`: what frames up to now have told (KEYED: in its newest state). */
void live_rows_snapshot(struct live_rows *rows, struct buf *out);
/* The next seq without a frame. */
void live_rows_settle(struct live_rows *rows);

/* One value as JSON: numbers that a double holds exactly as numbers, other numbers and everything
 * else as text, timestamps as ISO 8601. */
void live_value(struct buf *out, const struct vec *vec, uint32_t row, const struct zone *zone);

#endif
