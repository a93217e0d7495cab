/* http_ingest_rows.c - bodies to record batches: rows are cut, decoded and checked a batch at a
 * time, whatever request they came from, and the good ones appended verbatim in their order.
 *
 * A request that is taken back (atomic and one row bad, or a body that breaks off) has only its own
 * rows at the end of what was built, since rows are handled in order: the snapshot taken before its
 * first row restores the builder. Nothing is compressed, so a finished batch can be continued.
 * Owner thread: the endpoint's.
 */
#include <stdio.h>

#include "connector/http-ingest/http_ingest_int.h"

#include "base/must.h"

#define BATCH_BYTES     (512u << 10) /* begin another batch behind this */
#define RECORD_OVERHEAD 64           /* more than a record's own bytes beside its value */
#define BATCHES_KEPT    (4u << 20)   /* memory that stays between turns */
#define GROWTH          5            /* of the smallest rows, {} and a comma, as records */

/* ---- opening ---- */

static enum status make_texts(struct ingest_intake *intake, struct error *err)
{
    const struct table_description *table = intake->table;
    struct buf text;
    intake->type_texts = ARENA_ARRAY(&intake->arena, table->field_count + 1, const char *);
    TRY(arena_check(&intake->arena, INGEST_WHAT, err));
    buf_init(&text, 4096);
    for (uint32_t i = 0; i < table->field_count; i++) {
        buf_clear(&text);
        type_format(&text, table->fields[i].type);
        intake->type_texts[i] = arena_strndup(&intake->arena, buf_text(&text), text.length);
    }
    buf_fini(&text);
    return arena_check(&intake->arena, INGEST_WHAT, err);
}

enum status ingest_intake_open(struct ingest_intake *intake,
                               const struct endpoint_settings *settings, size_t max_body_bytes,
                               struct error *err)
{
    const struct table_description *table = settings->table;
    *intake = (struct ingest_intake){
        .table = table, .format = settings->format, .checker = settings->checker};
    arena_init(&intake->arena, NULL, 4u << 20);
    buf_init(&intake->batches, (max_body_bytes + BATCHES_KEPT) * GROWTH);
    uint32_t *wanted = ARENA_ARRAY(&intake->arena, table->field_count + 1, uint32_t);
    TRY(arena_check(&intake->arena, INGEST_WHAT, err));
    for (uint32_t i = 0; i < table->field_count; i++)
        wanted[i] = i;
    TRY(make_texts(intake, err));
    const struct decoder_request request = {
        .table = table,
        .wanted = wanted,
        .wanted_count = table->field_count,
        .options = settings->format_options,
        .option_count = settings->format_option_count,
        .strict = true,
        .context = settings->context,
        .owner = settings->owner,
    };
    return intake->format->decoder_open(&request, &intake->decoder, err);
}

void ingest_intake_close(struct ingest_intake *intake)
{
    if (intake->decoder)
        intake->format->decoder_close(intake->decoder);
    buf_fini(&intake->batches);
    arena_fini(&intake->arena);
}

/* ---- building ---- */

static void finish_batch(struct ingest_intake *intake)
{
    if (intake->open && intake->status == OK)
        intake->status = record_builder_finish(&intake->builder, intake->err);
    intake->open = false;
}

static void take_back(struct ingest_intake *intake, struct ingest_post *post)
{
    if (post->touched && !intake->batches.failed) {
        intake->builder = post->snapshot.builder;
        intake->batches.length = post->snapshot.length;
        intake->open = post->snapshot.open;
    }
    post->accepted = 0;
}

static void take_row(struct ingest_intake *intake, struct ingest_post *post, uint32_t i)
{
    uint32_t batch_bytes =
        intake->max_message_bytes < BATCH_BYTES ? intake->max_message_bytes : BATCH_BYTES;
    if (!post->touched)
        post->snapshot =
            (struct ingest_snapshot){intake->builder, intake->batches.length, intake->open};
    post->touched = true;
    if (post->atomic && post->rejected)
        return;
    if (intake->open &&
        record_builder_size(&intake->builder) + intake->lengths[i] + RECORD_OVERHEAD > batch_bytes)
        finish_batch(intake);
    if (!intake->open)
        record_builder_begin(&intake->builder, &intake->batches, NULL, COMPRESSION_NONE);
    intake->open = true;
    record_builder_add(&intake->builder, intake->now_ms, NULL, -1, intake->values[i],
                       (int32_t)intake->lengths[i], NULL, 0);
    post->accepted++;
}

static void reject(struct ingest_intake *intake, struct ingest_post *post)
{
    if (post->rejected++ == 0 && post->atomic)
        take_back(intake, post);
}

/* ---- verdicts ---- */

/* What the format says of record i: from the batch's list, or by reading it once more. */
static const struct bad_row *detail_of(struct ingest_intake *intake, uint32_t i)
{
    static const struct bad_row unknown = {.field = BAD_ROW_NO_FIELD,
                                           .text = "the row cannot be read"};
    const struct bad_rows *bad = &intake->bad;
    while (intake->next_detail < bad->kept && bad->rows[intake->next_detail].record < i)
        intake->next_detail++;
    if (intake->next_detail < bad->kept && bad->rows[intake->next_detail].record == i)
        return &bad->rows[intake->next_detail];
    const struct records one = {
        .count = 1, .values = &intake->values[i], .value_lengths = &intake->lengths[i]};
    struct batch *batch;
    const uint32_t *record_of_row;
    if (intake->format->decode(intake->decoder, &one, &batch, &record_of_row, &intake->bad_again,
                               NULL) != OK)
        return &unknown;
    batch_unref(batch);
    return intake->bad_again.kept ? &intake->bad_again.rows[0] : &unknown;
}

static void bad_in_format(struct ingest_intake *intake, uint32_t i)
{
    struct ingest_post *post = intake->posts[i];
    if (post->listed < INGEST_ERRORS_MAX) {
        const struct bad_row *detail = detail_of(intake, i);
        bool has_field = detail->field < intake->table->field_count;
        struct str value = str_of(detail->value);
        if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"')
            value = (struct str){value.data + 1, value.length - 2};
        ingest_note_error(post, intake->numbers[i],
                          has_field ? intake->table->fields[detail->field].name : NULL,
                          has_field ? intake->type_texts[detail->field] : "JSON object",
                          value.length ? &value : NULL, detail->text);
    }
    reject(intake, post);
}

static void too_large(struct ingest_intake *intake, uint32_t i)
{
    char constraint[64], message[160];
    snprintf(constraint, sizeof(constraint), "max.message.bytes = %u", intake->max_message_bytes);
    snprintf(message, sizeof(message),
             "the row has %u bytes; with its record it does not fit into a message of the topic",
             intake->lengths[i]);
    ingest_note_error(intake->posts[i], intake->numbers[i], NULL, constraint, NULL, message);
    reject(intake, intake->posts[i]);
}

/* The rows before this one that have no verdict yet broke no constraint. */
static void settle_until(struct ingest_intake *intake, uint32_t end)
{
    for (; intake->next_row < end; intake->next_row++) {
        uint32_t i = intake->next_row;
        struct ingest_post *post = intake->posts[i];
        if (post->refused)
            continue;
        if (bad_rows_has(&intake->bad, i))
            bad_in_format(intake, i);
        else if ((uint64_t)intake->lengths[i] + RECORD_OVERHEAD + LOG_BATCH_HEADER_BYTES >
                 intake->max_message_bytes)
            too_large(intake, i);
        else
            take_row(intake, post, i);
    }
}

static void broken(void *context, const struct row_fault *fault)
{
    struct ingest_intake *intake = context;
    uint32_t i = fault->row;
    struct ingest_post *post = intake->posts[i];
    settle_until(intake, i);
    intake->next_row = i + 1;
    if (post->refused)
        return;
    if (post->listed < INGEST_ERRORS_MAX) {
        const struct vec *vec =
            fault->field < intake->table->field_count ? intake->batch->columns[fault->field] : NULL;
        struct buf text;
        buf_init(&text, 512); /* longer ones are only in the message, cut */
        if (vec && vec_is_valid(vec, i))
            datum_format_at(&text, vec, i, NULL);
        struct str value = {(const char *)text.data, text.length};
        ingest_note_error(post, intake->numbers[i],
                          vec ? intake->table->fields[fault->field].name : NULL, fault->constraint,
                          text.length && !text.failed ? &value : NULL, fault->message);
        buf_fini(&text);
    }
    reject(intake, post);
}

/* Decode and judge the rows at hand. */
static enum status judge(struct ingest_intake *intake, struct error *err)
{
    struct records records = {
        .count = intake->count, .values = intake->values, .value_lengths = intake->lengths};
    struct batch *batch;
    const uint32_t *record_of_row;
    if (!intake->count)
        return OK;
    if (intake->posts[0]->lines && intake->posts[0] == intake->posts[intake->count - 1]) {
        records.run_count = 1; /* read where they lie; no vector outlives the body */
        records.run_ends[0] = intake->count;
    }
    TRY(intake->format->decode(intake->decoder, &records, &batch, &record_of_row, &intake->bad,
                               err));
    must(!record_of_row); /* json: one row a record */
    intake->batch = batch;
    intake->next_row = intake->next_detail = 0;
    enum status status = OK;
    if (intake->checker && batch->selected_count)
        status = intake->checker->run(intake->checker, batch, broken, intake, err);
    if (status == OK)
        settle_until(intake, intake->count);
    intake->count = 0;
    intake->batch = NULL;
    batch_unref(batch);
    return status == OK ? intake->status : status;
}

/* ---- a turn ---- */

void ingest_intake_begin(struct ingest_intake *intake, int64_t now_ms, uint32_t max_message_bytes,
                         struct error *err)
{
    if (intake->batches.capacity > BATCHES_KEPT) {
        size_t max_bytes = intake->batches.max_bytes;
        buf_fini(&intake->batches);
        buf_init(&intake->batches, max_bytes);
    }
    buf_clear(&intake->batches);
    intake->open = false;
    intake->count = 0;
    intake->status = OK;
    intake->err = err;
    intake->now_ms = now_ms;
    intake->max_message_bytes = max_message_bytes;
}

enum status ingest_intake_body(struct ingest_intake *intake, struct ingest_post *post,
                               struct error *err)
{
    struct json_cut cut;
    const uint8_t *row;
    uint32_t size_bytes;
    json_cut_begin(&cut, post->request->body, post->request->body_bytes, post->lines);
    while (json_cut_next(&cut, &row, &size_bytes)) {
        if (intake->count == BATCH_ROWS_MAX)
            TRY(judge(intake, err));
        intake->values[intake->count] = row;
        intake->lengths[intake->count] = size_bytes;
        intake->posts[intake->count] = post;
        intake->numbers[intake->count++] = ++post->row_count;
    }
    if (!cut.error)
        return OK;
    take_back(intake, post);
    post->refused = true;
    endpoint_refuse(post->request, 400, "BODY",
                    "nothing of the body was taken; application/x-ndjson takes an object a line",
                    "the body is not valid JSON at byte %zu: %s", cut.error_offset, cut.error);
    return OK;
}

enum status ingest_intake_end(struct ingest_intake *intake, struct error *err)
{
    TRY(judge(intake, err));
    finish_batch(intake);
    return intake->status;
}
