/* http_ingest_endpoint.c - the queue of requests, the turns of the worker, answers when rows are
 * durable.
 *
 *   queue --turn--> lane (a partition): posts by end offset --watch on the high watermark--> done()
 *
 * The worker is one job at a time on a pool of one thread: it runs when a request comes or a watch
 * fires and ends when there is nothing left to do. While rows wait for their round of fsyncs, small
 * requests stay in the queue: they could be durable no sooner than with the round after, and are
 * taken together when the watch fires.
 *
 * What the worker needs alone has no lock; the mutex guards the queue, the counts and `scheduled`,
 * and is never held while something else is called that could wait for it.
 *
 * Invariant: while the worker does not run, the queue is empty or a watch is armed.
 *
 * Limits: bytes taken and not answered (max-pending-bytes), a body (max-body-bytes), bytes of a
 * turn.
 */
#include <inttypes.h>

#include "connector/http-ingest/http_ingest_int.h"

#include "base/must.h"
#include "connector/kafka/kafka.h"
#include "os/logger.h"

#define TURN_BYTES    (4u << 20)   /* bodies of a turn; one at least */
#define GATHER_BYTES  (256u << 10) /* in the queue: worth a turn even while others wait */
#define REQUEST_BYTES 512          /* what a request costs beside its body */
#define RETRY_AFTER_S 1
#define COMPLAIN_US   INT64_C(10000000)

struct lane {
    struct ingest *ingest;
    struct log_partition *partition; /* the topic's reference */
    struct log_watch watch;
    bool armed;
    _Atomic bool fired;
    struct ingest_posts waiting;
};

struct ingest {
    struct endpoint base;
    struct arena arena; /* path, topic */
    const struct plugin_context *context;
    const char *topic_name;
    size_t max_pending_bytes;
    struct log *log;
    struct log_topic *topic;
    uint32_t lane_count, turn;
    struct lane *lanes;
    struct io_pool *pool;
    struct ingest_intake intake;
    struct ingest_posts finished; /* answers to be given */
    int64_t complained_us;        /* once until it has been quiet for a while */
    /* under the mutex */
    struct mutex mutex;
    struct condition answered;
    struct ingest_posts queue;
    size_t queued_bytes, pending_bytes;
    bool rows_wait;       /* some lane has posts; as of the last turn */
    uint32_t taken_count; /* and not answered */
    bool scheduled;       /* the job runs or is about to */
    bool shut;
    struct io_job job;
};

static struct ingest *own(struct endpoint *endpoint)
{
    return (struct ingest *)endpoint;
}

static void posts_init(struct ingest_posts *posts)
{
    *posts = (struct ingest_posts){.last = &posts->first};
}

static void posts_add(struct ingest_posts *posts, struct ingest_post *post)
{
    post->next = NULL;
    *posts->last = post;
    posts->last = &post->next;
}

static struct ingest_post *posts_take(struct ingest_posts *posts)
{
    struct ingest_post *post = posts->first;
    if (!post)
        return NULL;
    posts->first = post->next;
    if (!posts->first)
        posts->last = &posts->first;
    return post;
}

/* ---- answers; on the worker's thread ---- */

/* All that have their answers. */
static void answers_give(struct ingest *ingest)
{
    struct ingest_post *post;
    size_t bytes = 0;
    uint32_t count = 0;
    for (post = ingest->finished.first; post; post = post->next) {
        bytes += post->charged_bytes;
        count++;
    }
    if (!count)
        return;
    mutex_lock(&ingest->mutex);
    ingest->pending_bytes -= bytes;
    mutex_unlock(&ingest->mutex);
    while ((post = posts_take(&ingest->finished))) {
        struct endpoint_request *request = post->request;
        if (post->listed)
            buf_fini(&post->errors);
        mem_free(post);
        request->done(request);
    }
    mutex_lock(&ingest->mutex);
    ingest->taken_count -= count;
    if (ingest->taken_count == 0)
        condition_broadcast(&ingest->answered);
    mutex_unlock(&ingest->mutex);
}

static void post_failed(struct ingest *ingest, struct ingest_post *post, const char *reason)
{
    if (!post->refused) {
        endpoint_refuse(post->request, 503, "NOT_DURABLE",
                        "nothing has been confirmed: send the rows again later",
                        "the rows cannot be stored in topic '%s': %s", ingest->topic_name, reason);
        post->request->retry_after_s = RETRY_AFTER_S;
    }
    posts_add(&ingest->finished, post);
}

static void post_answered(struct ingest *ingest, struct ingest_post *post)
{
    if (!post->refused)
        ingest_answer(post);
    posts_add(&ingest->finished, post);
}

/* ---- lanes ---- */

/* Answer what has become durable, or never will; arm the watch for the rest. */
static void lane_settle(struct lane *lane)
{
    struct ingest *ingest = lane->ingest;
    while (lane->waiting.first && (!lane->armed || atomic_exchange(&lane->fired, false))) {
        struct log_offsets offsets;
        if (lane->armed)
            log_watch_cancel(lane->partition, &lane->watch);
        lane->armed = false;
        log_partition_offsets(lane->partition, &offsets);
        while (lane->waiting.first && lane->waiting.first->end_offset <= offsets.high_watermark)
            post_answered(ingest, posts_take(&lane->waiting));
        while (lane->waiting.first && (offsets.failed || offsets.deleted))
            post_failed(ingest, posts_take(&lane->waiting),
                        offsets.deleted ? "it was deleted"
                                        : "its files could not be synced; a restart is needed");
        if (!lane->waiting.first)
            return;
        lane->armed =
            log_watch_arm(lane->partition, &lane->watch, lane->waiting.first->end_offset - 1);
    }
}

/* ---- turns ---- */

static void turn_failed(struct ingest *ingest, struct ingest_posts *posts, const struct error *err)
{
    struct ingest_post *post;
    int64_t now_us = io_monotonic_us(ingest->context->io);
    if (now_us - ingest->complained_us >= COMPLAIN_US)
        logger_write(LOG_ERROR, "http-ingest", "table %s: %s", ingest->base.table, err->text);
    ingest->complained_us = now_us;
    while ((post = posts_take(posts)))
        post_failed(ingest, post, err->text);
}

static enum status append(struct ingest *ingest, struct lane *lane, int64_t *end_offset,
                          struct error *err)
{
    struct log_append request = {.batches = ingest->intake.batches.data,
                                 .size_bytes = ingest->intake.batches.length};
    TRY(log_append(lane->partition, &request, err));
    *end_offset = request.next_offset;
    log_hurry(ingest->log);
    return OK;
}

static void run_turn(struct ingest *ingest, struct ingest_posts *posts)
{
    struct lane *lane = &ingest->lanes[ingest->turn++ % ingest->lane_count];
    struct ingest_intake *intake = &ingest->intake;
    struct error err = {0};
    struct ingest_post *post;
    int64_t end_offset = 0;
    enum status status = OK;
    ingest_intake_begin(intake, io_wall_us(ingest->context->io) / 1000,
                        (uint32_t)log_topic_config(ingest->topic).max_message_bytes, &err);
    for (post = posts->first; post && status == OK; post = post->next)
        status = ingest_intake_body(intake, post, &err);
    if (status == OK)
        status = ingest_intake_end(intake, &err);
    if (status == OK && intake->batches.length)
        status = append(ingest, lane, &end_offset, &err);
    if (status != OK) {
        turn_failed(ingest, posts, &err);
        return;
    }
    while ((post = posts_take(posts))) {
        post->end_offset = end_offset;
        if (post->accepted && !post->refused)
            posts_add(&lane->waiting, post);
        else
            post_answered(ingest, post);
    }
}

/* Mutex held. */
static bool has_turn(const struct ingest *ingest)
{
    return ingest->queue.first && (!ingest->rows_wait || ingest->queued_bytes >= GATHER_BYTES);
}

/* The next bodies, first in, first out. False: nothing to do, and the job is over. */
static bool take_turn(struct ingest *ingest, struct ingest_posts *posts)
{
    size_t bytes = 0;
    bool fired = false;
    posts_init(posts);
    mutex_lock(&ingest->mutex);
    ingest->rows_wait = false;
    for (uint32_t i = 0; i < ingest->lane_count; i++) {
        fired |= atomic_load(&ingest->lanes[i].fired);
        ingest->rows_wait |= ingest->lanes[i].waiting.first != NULL;
    }
    bool turn = has_turn(ingest);
    while (turn && ingest->queue.first &&
           (!bytes || bytes + ingest->queue.first->charged_bytes <= TURN_BYTES)) {
        struct ingest_post *post = posts_take(&ingest->queue);
        bytes += post->charged_bytes;
        posts_add(posts, post);
    }
    ingest->queued_bytes -= bytes;
    ingest->scheduled = posts->first || fired;
    bool more = ingest->scheduled;
    mutex_unlock(&ingest->mutex);
    return more;
}

static void work(struct io_job *job)
{
    struct ingest *ingest = container_of(job, struct ingest, job);
    struct ingest_posts posts;
    while (take_turn(ingest, &posts)) {
        if (posts.first)
            run_turn(ingest, &posts);
        for (uint32_t i = 0; i < ingest->lane_count; i++)
            lane_settle(&ingest->lanes[i]);
        answers_give(ingest);
    }
}

/* Mutex held; true: submit the job once it is not. */
static bool schedule(struct ingest *ingest)
{
    if (ingest->scheduled)
        return false;
    ingest->scheduled = true;
    return true;
}

/* On the thread that moved the high watermark. */
static void watch_fired(struct log_watch *watch)
{
    struct lane *lane = container_of(watch, struct lane, watch);
    struct ingest *ingest = lane->ingest;
    mutex_lock(&ingest->mutex);
    atomic_store(&lane->fired, true);
    bool submit = schedule(ingest);
    mutex_unlock(&ingest->mutex);
    if (submit)
        io_pool_submit(ingest->pool, &ingest->job);
}

/* ---- requests ---- */

static bool fits(const struct ingest *ingest, struct endpoint_request *request)
{
    if (request->body_bytes <= ingest->base.max_body_bytes)
        return true;
    endpoint_refuse(request, 413, "TOO_LARGE",
                    "send the rows in several requests, or raise 'max-body-bytes' of the table",
                    "the body has more than %zu bytes", ingest->base.max_body_bytes);
    return false;
}

/* Mutex held. */
static bool has_room(const struct ingest *ingest, size_t bytes)
{
    return ingest->pending_bytes == 0 || ingest->pending_bytes + bytes <= ingest->max_pending_bytes;
}

static void refuse_for_now(const struct ingest *ingest, struct endpoint_request *request)
{
    if (ingest->shut) {
        endpoint_refuse(request, 404, "NOT_FOUND", NULL, "the table %s takes no rows any more",
                        ingest->base.table);
        return;
    }
    endpoint_refuse(request, 429, "TOO_MANY", "send the rows again after Retry-After seconds",
                    "%zu bytes wait to be stored, 'max-pending-bytes' of table %s is %zu",
                    ingest->pending_bytes, ingest->base.table, ingest->max_pending_bytes);
    request->retry_after_s = RETRY_AFTER_S;
}

static bool check(struct endpoint *endpoint, struct endpoint_request *request)
{
    struct ingest *ingest = own(endpoint);
    bool lines, atomic;
    if (!ingest_understands(request, &lines, &atomic) || !fits(ingest, request))
        return false;
    mutex_lock(&ingest->mutex);
    bool good = !ingest->shut && has_room(ingest, request->body_bytes + REQUEST_BYTES);
    if (!good)
        refuse_for_now(ingest, request);
    mutex_unlock(&ingest->mutex);
    return good;
}

/* Into the queue. */
static bool take(struct ingest *ingest, struct ingest_post *post)
{
    mutex_lock(&ingest->mutex);
    bool good = !ingest->shut && has_room(ingest, post->charged_bytes);
    bool submit = false;
    if (good) {
        posts_add(&ingest->queue, post);
        ingest->queued_bytes += post->charged_bytes;
        ingest->pending_bytes += post->charged_bytes;
        ingest->taken_count++;
        submit = has_turn(ingest) && schedule(ingest);
    } else {
        refuse_for_now(ingest, post->request);
    }
    mutex_unlock(&ingest->mutex);
    if (submit)
        io_pool_submit(ingest->pool, &ingest->job);
    return good;
}

static void submit(struct endpoint *endpoint, struct endpoint_request *request)
{
    struct ingest *ingest = own(endpoint);
    bool lines, atomic;
    if (!ingest_understands(request, &lines, &atomic) || !fits(ingest, request)) {
        request->done(request);
        return;
    }
    struct ingest_post *post = mem_calloc(1, sizeof(*post));
    if (!post) {
        endpoint_refuse(request, 503, "MEMORY", NULL, "there is no memory for the request");
        request->retry_after_s = RETRY_AFTER_S;
        request->done(request);
        return;
    }
    post->request = request;
    post->charged_bytes = request->body_bytes + REQUEST_BYTES;
    post->lines = lines;
    post->atomic = atomic;
    if (take(ingest, post))
        return;
    mem_free(post);
    request->done(request);
}

/* ---- opening and closing ---- */

static void release(struct ingest *ingest)
{
    io_pool_free(ingest->pool); /* its job is over, or about to return */
    ingest->pool = NULL;
    for (uint32_t i = 0; i < ingest->lane_count; i++)
        log_watch_cancel(ingest->lanes[i].partition, &ingest->lanes[i].watch);
    mem_free(ingest->lanes);
    ingest->lanes = NULL;
    ingest->lane_count = 0;
    log_topic_unref(ingest->topic);
    ingest->topic = NULL;
}

static void destroy(struct ingest *ingest)
{
    release(ingest);
    ingest_intake_close(&ingest->intake);
    mutex_fini(&ingest->mutex);
    condition_fini(&ingest->answered);
    arena_fini(&ingest->arena);
    mem_free(ingest);
}

static void shut(struct endpoint *endpoint)
{
    struct ingest *ingest = own(endpoint);
    mutex_lock(&ingest->mutex);
    ingest->shut = true;
    while (ingest->taken_count)
        condition_wait(&ingest->answered, &ingest->mutex);
    mutex_unlock(&ingest->mutex);
    release(ingest);
}

static void close_endpoint(struct endpoint *endpoint)
{
    struct row_checker *checker = own(endpoint)->intake.checker;
    destroy(own(endpoint));
    if (checker) /* it owns the table's description */
        checker->free(checker);
}

static enum status open_lanes(struct ingest *ingest, struct error *err)
{
    const char *table = ingest->base.table;
    TRY(kafka_find_log(ingest->context, table, &ingest->log, err));
    TRY(kafka_find_topic(ingest->log, str_of(ingest->topic_name), table, &ingest->topic, err));
    uint32_t count = log_topic_info(ingest->topic).partition_count;
    ingest->lanes = mem_calloc(count, sizeof(*ingest->lanes));
    if (!ingest->lanes)
        return error_memory(err, INGEST_WHAT, count * sizeof(*ingest->lanes));
    for (uint32_t i = 0; i < count; i++) {
        struct lane *lane = &ingest->lanes[i];
        lane->ingest = ingest;
        lane->watch.fire = watch_fired;
        lane->partition = log_topic_partition(ingest->topic, i);
        posts_init(&lane->waiting);
    }
    ingest->lane_count = count;
    return OK;
}

static enum status start(struct ingest *ingest, const struct endpoint_settings *settings,
                         struct error *err)
{
    struct ingest_options options;
    TRY(ingest_options_parse(settings->table, &options, &ingest->arena, err));
    TRY(ingest_path(settings->table, &ingest->arena, &ingest->base.path, err));
    if (!settings->format)
        return error_set(err, ERR_OPTION, "table %s: " INGEST_WHAT " needs 'format' = 'json'",
                         settings->table->name);
    ingest->base.max_body_bytes = options.max_body_bytes;
    ingest->max_pending_bytes = options.max_pending_bytes;
    ingest->topic_name = options.topic;
    TRY(ingest_intake_open(&ingest->intake, settings, options.max_body_bytes, err));
    TRY(open_lanes(ingest, err));
    return io_pool_new(&ingest->pool, "leat-ingest", 1, err);
}

static enum status open_endpoint(const struct endpoint_settings *settings, struct endpoint **out,
                                 struct error *err)
{
    struct ingest *ingest = mem_calloc(1, sizeof(*ingest));
    if (!ingest)
        return error_memory(err, INGEST_WHAT, sizeof(*ingest));
    ingest->base =
        (struct endpoint){.class = &INGEST_ENDPOINT, .refs = 1, .table = settings->table->name};
    ingest->context = settings->context;
    ingest->complained_us = -COMPLAIN_US;
    ingest->job.run = work;
    arena_init(&ingest->arena, NULL, 1u << 20);
    mutex_init(&ingest->mutex);
    condition_init(&ingest->answered);
    posts_init(&ingest->queue);
    posts_init(&ingest->finished);
    enum status status = start(ingest, settings, err);
    if (status != OK) {
        destroy(ingest);
        return status;
    }
    *out = &ingest->base;
    return OK;
}

const struct endpoint_class INGEST_ENDPOINT = {
    .size = sizeof(struct endpoint_class),
    .path = ingest_path,
    .open = open_endpoint,
    .check = check,
    .submit = submit,
    .shut = shut,
    .close = close_endpoint,
};
