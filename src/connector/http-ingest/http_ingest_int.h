/* http_ingest_int.h - what the files of the http-ingest connector share.
 *
 *   submit() --queue--> work() on the endpoint's own thread:
 *       bodies --json_cut--> rows --decode, row_checker--> verdicts --http_ingest_rows.c-->
 *       record batches --one log_append--> waits in a lane --high watermark--> answer
 *
 * While a round of fsyncs runs, requests gather in the queue; the next turn of work() takes them
 * all, so that decoding, appending and syncing are shared by however many clients there are.
 */
#ifndef LEAT_CONNECTOR_HTTP_INGEST_HTTP_INGEST_INT_H
#define LEAT_CONNECTOR_HTTP_INGEST_HTTP_INGEST_INT_H

#include "format/json/json_cut.h"
#include "kafka/record.h"
#include "log/log.h"
#include "os/thread.h"
#include "plugin/endpoint.h"

#define INGEST_WHAT       "connector 'http-ingest'"
#define INGEST_ERRORS_MAX 100 /* listed in an answer */

/* ---- http_ingest.c: options ---- */

struct ingest_options {
    const char *path; /* NULL: the table's name */
    const char *topic;
    uint64_t max_body_bytes;
    uint64_t max_pending_bytes;
    const char *startup_mode, *startup_timestamp; /* handed to connector/kafka */
    const char *bounded_mode, *bounded_timestamp;
};
enum status ingest_options_parse(const struct table_description *table,
                                 struct ingest_options *options, struct arena *arena,
                                 struct error *err) STATUS_CHECKED;
enum status ingest_path(const struct table_description *table, struct arena *arena,
                        const char **out, struct error *err) STATUS_CHECKED;

extern const struct source_class INGEST_SOURCE;
extern const struct endpoint_class INGEST_ENDPOINT;

/* ---- a request under way ---- */

struct ingest_snapshot { /* of the batches being built, before a request's first row */
    struct record_builder builder;
    size_t length;
    bool open;
};

struct ingest_post {
    struct endpoint_request *request;
    struct ingest_post *next;
    size_t charged_bytes; /* counted as pending */
    bool lines;           /* the body's form */
    bool atomic;          /* all rows or none */
    bool refused;         /* as a whole: the answer is set */
    bool touched;         /* the snapshot is taken */
    struct ingest_snapshot snapshot;
    uint32_t row_count, accepted, rejected, listed;
    struct buf errors;  /* list of JSON objects, without brackets */
    int64_t end_offset; /* durable when the high watermark is there */
};

struct ingest_posts { /* first in, first out */
    struct ingest_post *first, **last;
};

/* ---- http_ingest_rows.c: bodies to record batches; belongs to the worker ---- */

struct ingest_intake {
    const struct table_description *table;
    const struct format_class *format;
    struct row_checker *checker;
    struct decoder *decoder;
    struct bad_rows bad, bad_again;
    const char **type_texts; /* by field, for messages */
    struct arena arena;
    /* of a turn */
    int64_t now_ms;
    uint32_t max_message_bytes; /* of the topic */
    struct buf batches;
    struct record_builder builder;
    bool open; /* a batch is being built */
    enum status status;
    struct error *err;
    /* the rows at hand */
    uint32_t count;
    const uint8_t *values[BATCH_ROWS_MAX];
    uint32_t lengths[BATCH_ROWS_MAX];
    struct ingest_post *posts[BATCH_ROWS_MAX];
    uint32_t numbers[BATCH_ROWS_MAX]; /* of the row in its body, from 1 */
    const struct batch *batch;        /* decoded */
    uint32_t next_row, next_detail;
};

enum status ingest_intake_open(struct ingest_intake *intake,
                               const struct endpoint_settings *settings, size_t max_body_bytes,
                               struct error *err) STATUS_CHECKED;
void ingest_intake_close(struct ingest_intake *intake);
/* A turn: begin, each body, end. Then batches holds whole record batches of all rows accepted. On
 * failure (memory) nothing counts. */
void ingest_intake_begin(struct ingest_intake *intake, int64_t now_ms, uint32_t max_message_bytes,
                         struct error *err);
enum status ingest_intake_body(struct ingest_intake *intake, struct ingest_post *post,
                               struct error *err) STATUS_CHECKED;
enum status ingest_intake_end(struct ingest_intake *intake, struct error *err) STATUS_CHECKED;

/* ---- http_ingest_answer.c ---- */

/* Content type and parameters: false, the answer is set. */
bool ingest_understands(struct endpoint_request *request, bool *lines, bool *atomic);
/* Add an error to the list, when there is still room in it. field, value NULL: none. */
void ingest_note_error(struct ingest_post *post, uint32_t row, const char *field,
                       const char *constraint, const struct str *value, const char *message);
/* 200 or 422 of a request that is done. */
void ingest_answer(struct ingest_post *post);

#endif
