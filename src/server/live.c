/* live.c - dashboards and their viewers: one event stream each, written as far as it is read.
 *
 * An event leaves in three parts: head (id, event, panel), body (shared by all viewers), tail.
 * What comes next is decided when the last event has left: queued frames, then statuses and
 * snapshots that are due, then a ping.
 */
#include "server/live.h"

#include <stdio.h>

#include "base/must.h"
#include "server/live_int.h"

#define HEAD_BYTES_MAX 2048

struct queued {
    struct subscription *subscription;
    struct buffer *body;
};

struct viewer {
    struct live *live;
    struct viewer *next, **link;
    const struct dashboard *dashboard;
    struct exchange *exchange;
    uint32_t count; /* panels */
    struct subscription *subscriptions;
    struct queued queue[LIVE_QUEUE_MAX];
    uint32_t first, queued;
    size_t queued_bytes;
    uint64_t event; /* id of the last one */
    struct buf head;
    struct buffer *body;
    size_t at; /* of head, body and tail together */
    bool has_event, said_hello, said_bye, ping_due;
    struct loop_timer ping_timer;
};

static const char TAIL[] = "}\n\n";

enum status live_new(struct live **out, const struct live_settings *settings, struct error *err)
{
    struct live *live = mem_calloc(1, sizeof(*live));
    if (!live)
        return error_memory(err, "dashboards", sizeof(*live));
    live->settings = *settings;
    *out = live;
    return OK;
}

enum status live_add(struct live *live, struct dashboard *dashboard, struct error *err)
{
    struct dashboard **at = &live->dashboards;
    if (live_find(live, dashboard->name)) {
        enum status status = error_set(err, ERR_EXISTS, "%s: there is a dashboard '%s' already",
                                       dashboard->file, dashboard->name);
        dashboard_free(dashboard);
        return status;
    }
    while (*at)
        at = &(*at)->next;
    *at = dashboard;
    return OK;
}

const struct dashboard *live_dashboards(const struct live *live)
{
    return live->dashboards;
}

const struct dashboard *live_find(const struct live *live, const char *name)
{
    const struct dashboard *dashboard = live->dashboards;
    while (dashboard && strcmp(dashboard->name, name) != 0)
        dashboard = dashboard->next;
    return dashboard;
}

static void default_values(const struct dashboard *dashboard, struct sql_parameter *values)
{
    for (uint32_t i = 0; i < dashboard->selector_count; i++)
        values[i] = (struct sql_parameter){str_of(dashboard->selectors[i].id),
                                           str_of(dashboard->selectors[i].default_value)};
}

void live_check(struct live *live, void (*each)(void *context, const struct error *err),
                void *context)
{
    struct sql_parameter values[DASHBOARD_SELECTORS_MAX];
    for (const struct dashboard *one = live->dashboards; one; one = one->next) {
        default_values(one, values);
        for (uint32_t i = 0; i < one->panel_count; i++) {
            const struct panel *panel = &one->panels[i];
            struct error err = {0}, shown = {0};
            enum status status = query_check(live, panel, values, one->selector_count, &err);
            if (status == OK)
                continue;
            error_set(&shown, status, "%s:%u:%u: panel \"%s\": line %u, column %u of its SQL: %s",
                      one->file, panel->sql_pos.line, panel->sql_pos.column, panel->id,
                      err.pos.line, err.pos.column, err.text);
            error_hint(&shown, "%s", err.hint);
            each(context, &shown);
        }
    }
}

/* ---- what is queued */

static void drop_queue(struct viewer *viewer)
{
    for (; viewer->queued; viewer->queued--) {
        struct queued *one = &viewer->queue[viewer->first];
        one->subscription->needs_snapshot = true;
        buffer_unref(one->body);
        viewer->first = (viewer->first + 1) % LIVE_QUEUE_MAX;
    }
    viewer->queued_bytes = 0;
}

void viewer_frame(struct subscription *subscription, struct buffer *frame)
{
    struct viewer *viewer = subscription->viewer;
    if (subscription->needs_snapshot)
        return;
    if (viewer->queued == LIVE_QUEUE_MAX ||
        viewer->queued_bytes + frame->size_bytes > LIVE_QUEUE_BYTES) {
        metric_add(&viewer->live->behind, 1);
        drop_queue(viewer);
        subscription->needs_snapshot = true;
    } else {
        viewer->queue[(viewer->first + viewer->queued++) % LIVE_QUEUE_MAX] =
            (struct queued){subscription, buffer_ref(frame)};
        viewer->queued_bytes += frame->size_bytes;
    }
    http_stream_wake(viewer->exchange);
}

void viewer_wake(struct subscription *subscription)
{
    http_stream_wake(subscription->viewer->exchange);
}

/* ---- what leaves */

static void begin_event(struct viewer *viewer, const char *event, const char *panel)
{
    struct buf *head = &viewer->head;
    viewer->has_event = true;
    viewer->at = 0;
    buf_clear(head);
    buf_printf(head, "id: %llu\nevent: %s\ndata: {", (unsigned long long)++viewer->event, event);
    if (panel)
        json_add_text(head, "panel", panel);
}

static bool begin_queued(struct viewer *viewer)
{
    if (!viewer->queued)
        return false;
    struct queued *one = &viewer->queue[viewer->first];
    viewer->first = (viewer->first + 1) % LIVE_QUEUE_MAX;
    viewer->queued--;
    viewer->queued_bytes -= one->body->size_bytes;
    begin_event(viewer, "changes", one->subscription->panel);
    viewer->body = one->body;
    return true;
}

static bool begin_due(struct viewer *viewer)
{
    for (uint32_t i = 0; i < viewer->count; i++) {
        struct subscription *one = &viewer->subscriptions[i];
        struct live_query *query = one->query;
        if (one->status_told != query->status_version) {
            one->status_told = query->status_version;
            begin_event(viewer, "status", one->panel);
            json_add_text(&viewer->head, "state", query->status);
            json_add_text(&viewer->head, "why", query->why);
            return true;
        }
        struct buffer *snapshot = one->needs_snapshot ? query_snapshot(query) : NULL;
        if (!snapshot)
            continue;
        one->needs_snapshot = false;
        begin_event(viewer, "snapshot", one->panel);
        viewer->body = snapshot;
        return true;
    }
    return false;
}

/* False: nothing to say. */
static bool begin_next(struct viewer *viewer)
{
    struct live *live = viewer->live;
    buffer_unref(viewer->body);
    viewer->body = NULL;
    viewer->has_event = false;
    if (!viewer->said_hello) {
        viewer->said_hello = true;
        begin_event(viewer, "hello", NULL);
        json_add_text(&viewer->head, "dashboard", viewer->dashboard->name);
        json_add_int(&viewer->head, "server_start", live->settings.started_ms);
        return true;
    }
    if (live->ending) {
        if (!viewer->said_bye)
            begin_event(viewer, "bye", NULL);
        viewer->said_bye = true;
        return viewer->has_event;
    }
    if (begin_queued(viewer) || begin_due(viewer))
        return true;
    if (!viewer->ping_due)
        return false;
    viewer->ping_due = false;
    viewer->has_event = true;
    viewer->at = 0;
    buf_clear(&viewer->head);
    buf_append_text(&viewer->head, ": ping\n\n");
    return true;
}

static size_t copy_part(const void *bytes, size_t size_bytes, size_t *at, char *dest, size_t max)
{
    if (*at >= size_bytes) {
        *at -= size_bytes;
        return 0;
    }
    size_t count = size_bytes - *at < max ? size_bytes - *at : max;
    memcpy(dest, (const char *)bytes + *at, count);
    *at = 0;
    return count;
}

/* The event's bytes from viewer->at on; 0: it has left. */
static size_t copy_event(struct viewer *viewer, char *dest, size_t max)
{
    bool is_comment = viewer->head.length && viewer->head.data[0] == ':';
    const struct {
        const void *bytes;
        size_t size_bytes;
    } parts[] = {
        {viewer->head.data, viewer->head.length},
        {viewer->body ? viewer->body->data : NULL, viewer->body ? viewer->body->size_bytes : 0},
        {TAIL, is_comment ? 0 : sizeof(TAIL) - 1}};
    size_t at = viewer->at, copied = 0;
    for (size_t i = 0; i < COUNT_OF(parts) && copied < max; i++)
        copied += copy_part(parts[i].bytes, parts[i].size_bytes, &at, dest + copied, max - copied);
    viewer->at += copied;
    return copied;
}

static int64_t stream_read(void *context, char *dest, size_t max)
{
    struct viewer *viewer = context;
    size_t filled = 0;
    while (filled < max) {
        size_t copied = viewer->has_event ? copy_event(viewer, dest + filled, max - filled) : 0;
        filled += copied;
        if (!copied && !begin_next(viewer))
            break;
    }
    if (filled)
        return (int64_t)filled;
    return viewer->said_bye ? -1 : 0;
}

static void viewer_free(struct viewer *viewer)
{
    struct live *live = viewer->live;
    drop_queue(viewer);
    buffer_unref(viewer->body);
    for (uint32_t i = 0; i < viewer->count; i++)
        query_unwatch(&viewer->subscriptions[i]);
    loop_timer_cancel(live->settings.loop, &viewer->ping_timer);
    if (viewer->link) {
        *viewer->link = viewer->next;
        if (viewer->next)
            viewer->next->link = viewer->link;
        metric_add(&live->viewer_count, -1);
    }
    buf_fini(&viewer->head);
    mem_free(viewer->subscriptions);
    mem_free(viewer);
}

static void stream_closed(void *context)
{
    viewer_free(context);
}

static void arm_ping(struct viewer *viewer)
{
    struct error err = {0};
    if (loop_timer_arm(viewer->live->settings.loop, &viewer->ping_timer, LIVE_PING_US, &err) != OK)
        viewer->said_bye = true; /* no memory: the stream ends, the page comes again */
}

static void on_ping(struct loop_timer *timer)
{
    struct viewer *viewer = container_of(timer, struct viewer, ping_timer);
    viewer->ping_due = true;
    http_stream_wake(viewer->exchange);
    arm_ping(viewer);
}

/* ---- watching */

struct selection { /* selectors from the address */
    const struct dashboard *dashboard;
    struct sql_parameter *values;
    struct error *err;
    enum status status;
};

static void select_value(void *context, const char *name, const char *value)
{
    struct selection *selection = context;
    const struct dashboard *dashboard = selection->dashboard;
    for (uint32_t i = 0; i < dashboard->selector_count; i++) {
        const struct selector *selector = &dashboard->selectors[i];
        if (strcmp(selector->id, name) != 0)
            continue;
        for (uint32_t j = 0; j < selector->value_count; j++) {
            if (strcmp(selector->values[j], value) != 0)
                continue;
            selection->values[i].value = str_of(selector->values[j]);
            return;
        }
        selection->status = error_set(selection->err, ERR_OPTION,
                                      "the selector '%s' has no value '%.60s'", name, value);
        return;
    }
    selection->status =
        error_set(selection->err, ERR_OPTION, "the dashboard has no selector '%.60s'", name);
}

enum status live_watch(struct live *live, struct exchange *exchange,
                       const struct dashboard *dashboard, struct error *err)
{
    static const struct http_stream_class STREAM = {stream_read, stream_closed};
    struct sql_parameter values[DASHBOARD_SELECTORS_MAX];
    struct selection selection = {dashboard, values, err, OK};
    default_values(dashboard, values);
    http_arguments(exchange, select_value, &selection);
    TRY(selection.status);
    struct viewer *viewer = mem_calloc(1, sizeof(*viewer));
    struct subscription *subscriptions = mem_calloc(dashboard->panel_count, sizeof(*subscriptions));
    if (!viewer || !subscriptions) {
        mem_free(viewer);
        mem_free(subscriptions);
        return error_memory(err, "a viewer", sizeof(*viewer));
    }
    *viewer = (struct viewer){
        .live = live, .dashboard = dashboard, .exchange = exchange, .subscriptions = subscriptions};
    viewer->ping_timer.fire = on_ping;
    buf_init(&viewer->head, HEAD_BYTES_MAX);
    for (uint32_t i = 0; i < dashboard->panel_count; i++) {
        subscriptions[i] =
            (struct subscription){.viewer = viewer, .panel = dashboard->panels[i].id};
        enum status status =
            query_watch(live, dashboard, &dashboard->panels[i], values, &subscriptions[i], err);
        if (status != OK) {
            viewer_free(viewer);
            return status;
        }
        viewer->count++;
    }
    viewer->link = &live->viewers;
    viewer->next = live->viewers;
    if (viewer->next)
        viewer->next->link = &viewer->next;
    live->viewers = viewer;
    metric_add(&live->viewer_count, 1);
    arm_ping(viewer);
    http_stream(exchange, "text/event-stream", &STREAM, viewer);
    return OK;
}

/* ---- the end */

void live_end(struct live *live)
{
    live->ending = true;
    for (struct viewer *viewer = live->viewers; viewer; viewer = viewer->next) {
        drop_queue(viewer);
        http_stream_wake(viewer->exchange);
    }
}

void live_stop(struct live *live)
{
    for (struct live_query *query = live->queries; query; query = query->next)
        query_stop(query);
}

void live_free(struct live *live)
{
    if (!live)
        return;
    must(!live->viewers);
    while (live->queries)
        query_free(live->queries);
    while (live->dashboards) {
        struct dashboard *dashboard = live->dashboards;
        live->dashboards = dashboard->next;
        dashboard_free(dashboard);
    }
    mem_free(live);
}

void live_counters(const struct live *live, struct live_counters *out)
{
    *out = (struct live_counters){
        .viewers = metric_get(&live->viewer_count),
        .queries = metric_get(&live->query_count),
        .frames = metric_get(&live->frames),
        .snapshots = metric_get(&live->snapshots),
        .behind = metric_get(&live->behind),
    };
}
