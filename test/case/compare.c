/* compare.c - expected rows against rows got, and final rows out of a changelog; see case.h. */
#include "test/case/case.h"
#include "test/case/case_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHOWN = 20 };

struct case_event *case_plan_add_row(struct case_plan *plan, const char *row_kind)
{
    struct case_event *event =
        case_grow((void **)&plan->events, &plan->event_count, sizeof(*event));
    snprintf(event->row_kind, sizeof(event->row_kind), "%s", row_kind);
    return event;
}

void case_row_add(struct case_event *row, const char *text, size_t size_bytes, bool null)
{
    struct case_value *value = case_grow((void **)&row->values, &row->value_count, sizeof(*value));
    value->null = null;
    value->size_bytes = null ? 0 : size_bytes;
    value->text = case_copy((struct case_span){text, text ? text + value->size_bytes : text});
}

static bool close_enough(const char *a, const char *b)
{
    char *a_end, *b_end;
    double x = strtod(a, &a_end), y = strtod(b, &b_end);
    if (a_end == a || b_end == b || *a_end || *b_end)
        return false;
    if (isnan(x) || isnan(y) || isinf(x) || isinf(y))
        return (isnan(x) && isnan(y)) || (isinf(x) && x == y);
    return fabs(x - y) <= 1e-9 * fmax(fabs(x), fabs(y));
}

static bool value_equal(const struct case_value *a, const struct case_value *b, bool approximate)
{
    if (a->null || b->null)
        return a->null == b->null;
    if (a->size_bytes == b->size_bytes && memcmp(a->text, b->text, a->size_bytes) == 0)
        return true;
    return approximate && close_enough(a->text, b->text);
}

struct comparison {
    int flags;
    const bool *approximate;
    int column_count;
};

static bool row_equal(const struct case_event *a, const struct case_event *b,
                      const struct comparison *how)
{
    if (a->value_count != b->value_count ||
        ((how->flags & CASE_ROW_KINDS) && strcmp(a->row_kind, b->row_kind) != 0))
        return false;
    for (int i = 0; i < a->value_count; i++) {
        bool approximate = how->approximate && i < how->column_count && how->approximate[i];
        if (!value_equal(&a->values[i], &b->values[i], approximate))
            return false;
    }
    return true;
}

static bool key_equal(const struct case_event *a, const struct case_event *b, const int *columns,
                      int count)
{
    for (int i = 0; i < count; i++)
        if (columns[i] >= a->value_count || columns[i] >= b->value_count ||
            !value_equal(&a->values[columns[i]], &b->values[columns[i]], false))
            return false;
    return true;
}

static void free_row(struct case_event *row)
{
    for (int i = 0; i < row->value_count; i++)
        free(row->values[i].text);
    free(row->values);
    free(row->text);
}

static void remove_row(struct case_plan *rows, int index)
{
    free_row(&rows->events[index]);
    rows->event_count--;
    memmove(&rows->events[index], &rows->events[index + 1],
            (size_t)(rows->event_count - index) * sizeof(rows->events[0]));
}

static void write_row(FILE *out, char mark, const struct case_event *row)
{
    fprintf(out, "%c %s ", mark, row->row_kind);
    for (int i = 0; i < row->value_count; i++) {
        const struct case_value *value = &row->values[i];
        fprintf(out, "%s%s", i ? " | " : "", value->null ? "NULL" : value->text);
    }
    fputc('\n', out);
}

bool case_fold(struct case_plan *changes, const int *key_columns, int key_column_count,
               bool repeats, struct case_plan *rows)
{
    struct comparison exact = {0};
    memset(rows, 0, sizeof(*rows));
    for (int i = 0; i < changes->event_count; i++) {
        const struct case_event *change = &changes->events[i];
        bool adds = change->row_kind[0] == '+';
        if (change->kind != CASE_ROW || (key_column_count && strcmp(change->row_kind, "-U") == 0))
            continue;
        int at = rows->event_count - 1;
        while (at >= 0 &&
               (key_column_count
                    ? !key_equal(&rows->events[at], change, key_columns, key_column_count)
                    : adds || !row_equal(&rows->events[at], change, &exact)))
            at--;
        if (at >= 0) {
            remove_row(rows, at);
        } else if (!adds && !repeats) {
            snprintf(changes->error, sizeof(changes->error),
                     "change %d (%s %.80s ...) removes a row that is not there", i + 1,
                     change->row_kind, change->value_count ? change->values[0].text : "");
            return false;
        }
        if (adds) {
            struct case_event *row = case_plan_add_row(rows, "+I");
            for (int j = 0; j < change->value_count; j++)
                case_row_add(row, change->values[j].text, change->values[j].size_bytes,
                             change->values[j].null);
        }
    }
    return true;
}

/* The next row at or after index; the count when there is none. */
static int next_row(const struct case_plan *plan, int index)
{
    while (index < plan->event_count && plan->events[index].kind != CASE_ROW)
        index++;
    return index;
}

static void compare_ordered(FILE *out, const struct case_plan *expected,
                            const struct case_plan *got, const struct comparison *how)
{
    int i = next_row(expected, 0), j = next_row(got, 0), shown = 0;
    while ((i < expected->event_count || j < got->event_count) && shown < MAX_SHOWN) {
        bool have_expected = i < expected->event_count, have_got = j < got->event_count;
        if (!have_expected || !have_got || !row_equal(&expected->events[i], &got->events[j], how)) {
            shown++;
            if (have_expected)
                write_row(out, '-', &expected->events[i]);
            if (have_got)
                write_row(out, '+', &got->events[j]);
        }
        i = have_expected ? next_row(expected, i + 1) : i;
        j = have_got ? next_row(got, j + 1) : j;
    }
}

static void compare_unordered(FILE *out, const struct case_plan *expected,
                              const struct case_plan *got, const struct comparison *how)
{
    struct case_plan left = {
        0}; /* the rows got that nothing expected has matched; borrows values */
    int shown = 0;
    for (int j = next_row(got, 0); j < got->event_count; j = next_row(got, j + 1)) {
        struct case_event *row =
            case_grow((void **)&left.events, &left.event_count, sizeof(left.events[0]));
        *row = got->events[j];
    }
    int left_count = left.event_count;
    for (int i = next_row(expected, 0); i < expected->event_count; i = next_row(expected, i + 1)) {
        int at = 0;
        while (at < left_count && !row_equal(&expected->events[i], &left.events[at], how))
            at++;
        if (at < left_count) {
            left_count--;
            memmove(&left.events[at], &left.events[at + 1],
                    (size_t)(left_count - at) * sizeof(left.events[0]));
        } else if (shown++ < MAX_SHOWN) {
            write_row(out, '-', &expected->events[i]);
        }
    }
    for (int i = 0; i < left_count && i < MAX_SHOWN; i++)
        write_row(out, '+', &left.events[i]);
    free(left.events);
}

char *case_compare(const struct case_plan *expected, const struct case_plan *got, int flags,
                   const bool *approximate, int column_count)
{
    struct comparison how = {flags, approximate, column_count};
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);
    if (!out)
        abort();
    if (flags & CASE_ORDERED)
        compare_ordered(out, expected, got, &how);
    else
        compare_unordered(out, expected, got, &how);
    fclose(out);
    if (size_bytes == 0) {
        free(text);
        text = NULL;
    }
    return text;
}
