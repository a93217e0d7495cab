/* dashboard.h - a dashboard file: parsed, checked, kept as text for the page.
 *
 * JSON: title, selectors (id, label, values, default) and panels (id, title, kind, sql and how they
 * look). Errors name file, line and column, and the nearest name of what is misspelt. A panel's SQL
 * is not looked at here: its tables may come later. Immutable once loaded.
 */
#ifndef LEAT_SERVER_DASHBOARD_H
#define LEAT_SERVER_DASHBOARD_H

#include "base/buffer.h"
#include "base/str.h"

#define DASHBOARD_BYTES_MAX     (1u << 20)
#define DASHBOARD_PANELS_MAX    64
#define DASHBOARD_SELECTORS_MAX 16
#define SELECTOR_VALUES_MAX     256

enum panel_kind { PANEL_NUMBER, PANEL_TABLE, PANEL_BAR, PANEL_LINE, PANEL_PIE };

struct selector {
    const char *id, *label;
    uint32_t value_count;
    const char *const *values;
    const char *default_value;
};

struct panel {
    const char *id, *title, *sql;
    enum panel_kind kind;
    uint32_t refresh_ms, keep;
    struct source_pos sql_pos; /* in the file */
};

struct dashboard {
    struct arena arena; /* owns all below */
    const char *name;   /* of the file, without directory and ".json" */
    const char *file;
    const char *title;
    const char *text; /* the file as JSON on one line */
    uint32_t selector_count, panel_count;
    const struct selector *selectors;
    const struct panel *panels;
    struct dashboard *next;
};

/* path names it in messages. Errors: ERR_SYNTAX, ERR_OPTION, ERR_LIMIT. */
enum status dashboard_parse(struct dashboard **out, const char *path, struct str text,
                            struct error *err) STATUS_CHECKED;
void dashboard_free(struct dashboard *dashboard); /* NULL is fine */

#endif
