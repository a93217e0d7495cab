/* live_test.c - rows of live queries, values as JSON, dashboard files and the places in them. */
#include "check.h"

#include "data/datum.h"
#include "server/dashboard.h"
#include "server/live_rows.h"

static void apply(struct live_rows *rows, uint8_t kind, const char *key, const char *text)
{
    struct error err = {0};
    if (live_rows_apply(rows, kind, str_of(key), str_of(text), &err) != OK)
        printf("# %s\n", err.text);
}

static const char *frame(struct live_rows *rows, struct buf *out)
{
    buf_clear(out);
    live_rows_frame(rows, out);
    return buf_text(out);
}

static const char *snapshot(struct live_rows *rows, struct buf *out)
{
    buf_clear(out);
    live_rows_snapshot(rows, out);
    return buf_text(out);
}

TEST(keyed_rows_coalesce)
{
    struct live_rows rows;
    struct buf out;
    struct error err = {0};
    buf_init(&out, 1 << 20);
    CHECK_INT(live_rows_init(&rows, LIVE_KEYED, 100, &err), OK);
    apply(&rows, ROW_INSERT, "[1]", "[1,10]");
    apply(&rows, ROW_INSERT, "[2]", "[2,20]");
    apply(&rows, ROW_UPDATE_BEFORE, "[1]", "[1,10]");
    apply(&rows, ROW_UPDATE_AFTER, "[1]", "[1,111]");
    apply(&rows, ROW_INSERT, "[3]", "[3,30]");
    apply(&rows, ROW_DELETE, "[3]", "[3,30]"); /* came and went between two frames: never told */
    CHECK_STR(frame(&rows, &out), ",\"seq\":1,\"upserts\":[[1,111],[2,20]],\"deletes\":[]");
    CHECK(!live_rows_changed(&rows));
    apply(&rows, ROW_DELETE, "[1]", "[1,111]");
    apply(&rows, ROW_UPDATE_AFTER, "[2]", "[2,2222]");
    CHECK_STR(snapshot(&rows, &out), "\"rows\":[[2,2222]]");
    CHECK_STR(frame(&rows, &out), ",\"seq\":2,\"upserts\":[[2,2222]],\"deletes\":[[1]]");
    apply(&rows, ROW_DELETE, "[2]", "");
    apply(&rows, ROW_DELETE, "[2]", "");
    apply(&rows, ROW_DELETE, "[9]", "");
    apply(&rows, ROW_INSERT, "[2]", "[2,1]"); /* gone and back: one change */
    CHECK_STR(frame(&rows, &out), ",\"seq\":3,\"upserts\":[[2,1]],\"deletes\":[]");
    CHECK_INT(rows.row_count, 1);
    apply(&rows, ROW_DELETE, "[2]", "");
    live_rows_settle(&rows);
    CHECK_INT(rows.row_count, 0);
    CHECK_INT(rows.bytes, 0);
    live_rows_fini(&rows);
    buf_fini(&out);
}

TEST(appended_rows_keep_the_newest)
{
    struct live_rows rows;
    struct buf out;
    struct error err = {0};
    buf_init(&out, 1 << 20);
    CHECK_INT(live_rows_init(&rows, LIVE_APPEND, 3, &err), OK);
    apply(&rows, ROW_INSERT, "", "[1]");
    CHECK_STR(snapshot(&rows, &out), "\"rows\":[]"); /* the next frame tells it */
    CHECK_STR(frame(&rows, &out), ",\"seq\":1,\"upserts\":[[1]],\"deletes\":[]");
    CHECK_STR(snapshot(&rows, &out), "\"rows\":[[1]]");
    for (int i = 2; i < 8; i++) {
        char text[16];
        snprintf(text, sizeof(text), "[%d]", i);
        apply(&rows, ROW_INSERT, "", text);
    }
    CHECK_STR(frame(&rows, &out), ",\"seq\":2,\"upserts\":[[5],[6],[7]],\"deletes\":[]");
    CHECK_STR(snapshot(&rows, &out), "\"rows\":[[5],[6],[7]]");
    live_rows_fini(&rows);
    buf_fini(&out);
}

TEST(loose_rows_are_counted)
{
    struct live_rows rows;
    struct buf out;
    struct error err = {0};
    buf_init(&out, 1 << 20);
    CHECK_INT(live_rows_init(&rows, LIVE_LOOSE, 3, &err), OK);
    apply(&rows, ROW_INSERT, "[1]", "[1]");
    apply(&rows, ROW_INSERT, "[1]", "[1]");
    apply(&rows, ROW_INSERT, "[2]", "[2]");
    live_rows_settle(&rows);
    CHECK_STR(snapshot(&rows, &out), "\"rows\":[[1],[1],[2]]");
    apply(&rows, ROW_DELETE, "[1]", "[1]");
    CHECK_STR(snapshot(&rows, &out), "\"rows\":[[1],[2]]");
    apply(&rows, ROW_DELETE, "[1]", "[1]");
    live_rows_settle(&rows);
    CHECK_STR(snapshot(&rows, &out), "\"rows\":[[2]]");
    live_rows_fini(&rows);
    CHECK_INT(live_rows_init(&rows, LIVE_SINGLE, 3, &err), OK);
    apply(&rows, ROW_INSERT, "[]", "[1]");
    apply(&rows, ROW_UPDATE_BEFORE, "[]", "[1]");
    apply(&rows, ROW_UPDATE_AFTER, "[]", "[22]");
    CHECK_STR(snapshot(&rows, &out), "\"rows\":[[22]]");
    live_rows_fini(&rows);
    buf_fini(&out);
}

TEST(bounds_hold)
{
    struct live_rows rows;
    struct error err = {0};
    char key[32];
    enum status status = OK;
    int i = 0;
    CHECK_INT(live_rows_init(&rows, LIVE_KEYED, 100, &err), OK);
    for (; i < 2 * LIVE_ROWS_MAX && status == OK; i++) {
        snprintf(key, sizeof(key), "[%d]", i);
        status = live_rows_apply(&rows, ROW_INSERT, str_of(key), str_of(key), &err);
    }
    CHECK_INT(status, ERR_LIMIT);
    CHECK_INT(i, LIVE_ROWS_MAX + 1);
    live_rows_fini(&rows);
    char *large = calloc(1, LIVE_BYTES_MAX / 4 + 1);
    memset(large, '1', LIVE_BYTES_MAX / 4);
    CHECK_INT(live_rows_init(&rows, LIVE_APPEND, 100, &err), OK);
    for (i = 0; i < 20; i++)
        apply(&rows, ROW_INSERT, "", large);
    CHECK_INT(rows.row_count, 4);
    live_rows_fini(&rows);
    free(large);
}

static const char *value(struct datum datum)
{
    static struct buf out;
    struct vec *vec;
    struct error err = {0};
    buf_fini(&out);
    buf_init(&out, 4096);
    if (datum_to_vec(&vec, &datum, 1, &err) != OK)
        return "no vector";
    live_value(&out, vec, 0, NULL);
    vec_unref(vec);
    return buf_text(&out);
}

TEST(values)
{
    struct type stamp = {.root = TYPE_TIMESTAMP, .precision = 3, .nullable = true};
    struct type instant = {.root = TYPE_TIMESTAMP_LTZ, .precision = 3, .nullable = true};
    CHECK_STR(value((struct datum){.type = &TYPE_OF_INT, .i64 = -7}), "-7");
    CHECK_STR(value((struct datum){.type = &TYPE_OF_INT, .is_null = true}), "null");
    CHECK_STR(value((struct datum){.type = &TYPE_OF_BOOLEAN, .i64 = 1}), "true");
    CHECK_STR(value((struct datum){.type = &TYPE_OF_BIGINT, .i64 = INT64_C(1) << 53}),
              "9007199254740992");
    CHECK_STR(value((struct datum){.type = &TYPE_OF_BIGINT, .i64 = (INT64_C(1) << 53) + 1}),
              "\"9007199254740993\"");
    CHECK_STR(value((struct datum){.type = &TYPE_OF_DOUBLE, .f64 = 0.1}), "0.1");
    CHECK_STR(value((struct datum){.type = &TYPE_OF_DOUBLE, .f64 = 1e300 * 1e300}), "\"Infinity\"");
    CHECK_STR(value((struct datum){.type = &TYPE_OF_STRING, .text = STR("a\"<b>\n")}),
              "\"a\\\"<b>\\n\"");
    CHECK_STR(value((struct datum){.type = &stamp, .i64 = 0}), "\"1970-01-01T00:00:00.000\"");
    CHECK_STR(value((struct datum){.type = &instant, .i64 = 0}), "\"1970-01-01T00:00:00.000Z\"");
}

/* ---- dashboard files */

static const char *wrong(const char *text)
{
    static struct error err;
    struct dashboard *dashboard = NULL;
    error_clear(&err);
    if (dashboard_parse(&dashboard, "d.json", str_of(text), &err) == OK) {
        dashboard_free(dashboard);
        return "it is right";
    }
    return err.text;
}

static bool has(const char *text, const char *part)
{
    if (strstr(text, part))
        return true;
    printf("# \"%s\" is not in: %s\n", part, text);
    return false;
}

#define PANEL(more)                                                                                \
    "{\"title\":\"T\",\n \"panels\":[{\"id\":\"a\",\"kind\":\"table\",\"sql\":\"SELECT 1\"" more   \
    "}]}"

TEST(a_dashboard_is_read)
{
    struct dashboard *dashboard;
    struct error err = {0};
    const char *text = "{\"title\":\"T\",\"selectors\":[{\"id\":\"by\",\"values\":[\"x\",\"y\"],"
                       "\"default\":\"y\"}],"
                       "\"panels\":[{\"id\":\"a\",\"kind\":\"bar\",\"sql\":\"SELECT "
                       ":by\",\"x\":\"k\",\"y\":[\"v\"],"
                       "\"keep\":7,\"refresh_ms\":500}]}";
    CHECK_INT(dashboard_parse(&dashboard, "dir/sales.json", str_of(text), &err), OK);
    CHECK_STR(dashboard->name, "sales");
    CHECK_STR(dashboard->title, "T");
    CHECK_INT(dashboard->selector_count, 1);
    CHECK_STR(dashboard->selectors[0].default_value, "y");
    CHECK_INT(dashboard->panels[0].kind, PANEL_BAR);
    CHECK_INT(dashboard->panels[0].keep, 7);
    CHECK_INT(dashboard->panels[0].refresh_ms, 500);
    CHECK(has(dashboard->text, "\"refresh_ms\":500"));
    dashboard_free(dashboard);
    CHECK_STR(wrong(PANEL("")), "it is right");
}

TEST(wrong_dashboards_have_their_place)
{
    CHECK(has(wrong(""), "d.json:1:0: "));
    CHECK(has(wrong("{\"title\":\n\"T\",}"), "d.json:2:"));
    CHECK(has(wrong("[]"), "d.json:1:1: a dashboard must be an object"));
    CHECK(has(wrong("{\"title\":\"T\"}"), "needs the member \"panels\""));
    CHECK(has(wrong("{\"title\":\"T\",\"panels\":[]}"), "1 to 64 panels"));
    CHECK(has(wrong("{\"title\":\"T\",\n  \"panles\":[]}"),
              "d.json:2:12: there is no member \"panles\""));
    CHECK(has(wrong("{\"title\":1,\"panels\":[]}"), "d.json:1:10: \"title\" must be a text"));
    CHECK(has(wrong(PANEL(",\n\"width\":13")),
              "d.json:3:9: \"width\" must be a whole number from 1 to 12"));
    CHECK(has(wrong(PANEL(",\"sort\":\"z\"")), "cannot be \"z\""));
    CHECK(
        has(wrong("{\"title\":\"T\",\"panels\":[{\"id\":\"a\",\"kind\":\"tabel\",\"sql\":\"\"}]}"),
            "d.json:1:41"));
    CHECK(
        has(wrong("{\"title\":\"T\",\"panels\":[{\"id\":\"1a\",\"kind\":\"table\",\"sql\":\"\"}]}"),
            "no digit first"));
    CHECK(has(wrong("{\"title\":\"T\",\"panels\":[{\"id\":\"a\",\"kind\":\"pie\",\"sql\":\"\","
                    "\"y\":[\"v\"]}]}"),
              "needs \"x\""));
    CHECK(has(wrong("{\"title\":\"T\",\"panels\":[{\"id\":\"a\",\"kind\":\"table\",\"sql\":\"\"},\n"
                    "{\"id\":\"a\",\"kind\":\"table\",\"sql\":\"\"}]}"),
              "d.json:2:7: the id \"a\" is there twice"));
    CHECK(has(wrong("{\"title\":\"T\",\"selectors\":[{\"id\":\"a\",\"values\":[\"x\"],\"default\":"
                    "\"y\"}],\"panels\":[]}"),
              "none of the \"values\""));
    CHECK(has(wrong("{\"a\":{\"a\":1,\"a\":1}}"), "d.json:1:"));
}
