/* rest_dashboards.c - dashboards: their list, one as its file says, its live events. */
#include "server/server_int.h"

enum status rest_dashboards(struct request *request, struct error *err)
{
    struct buf *out = &request->out;
    const struct dashboard *dashboard = live_dashboards(request->server->live);
    buf_append_text(out, "{\"dashboards\":[");
    for (; dashboard; dashboard = dashboard->next) {
        json_comma(out);
        buf_append_byte(out, '{');
        json_add_text(out, "name", dashboard->name);
        json_add_text(out, "title", dashboard->title);
        buf_append_byte(out, '}');
    }
    buf_append_text(out, "]}");
    return OK;
}

static enum status find_dashboard(struct request *request, const struct dashboard **out,
                                  struct error *err)
{
    const char *names[64];
    size_t count = 0;
    *out = live_find(request->server->live, request->params[0]);
    if (*out)
        return OK;
    const struct dashboard *one = live_dashboards(request->server->live);
    for (; one && count < 64; one = one->next)
        names[count++] = one->name;
    const char *nearest = str_nearest(str_of(request->params[0]), names, count);
    error_set(err, ERR_NOT_FOUND, "there is no dashboard '%.100s'", request->params[0]);
    if (nearest)
        error_hint(err, "did you mean '%s'?", nearest);
    return ERR_NOT_FOUND;
}

enum status rest_dashboard(struct request *request, struct error *err)
{
    const struct dashboard *dashboard;
    TRY(find_dashboard(request, &dashboard, err));
    buf_append_text(&request->out, dashboard->text);
    return OK;
}

enum status rest_dashboard_live(struct request *request, struct error *err)
{
    const struct dashboard *dashboard;
    TRY(find_dashboard(request, &dashboard, err));
    TRY(live_watch(request->server->live, request->exchange, dashboard, err));
    request->streams = true;
    return OK;
}
