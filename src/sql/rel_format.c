/* rel_format.c - a bound query as an indented tree, for EXPLAIN and tests. One line a node:
 *
 *   Project(card=[$0], total=[$1])
 *     Aggregate(group=[card], EXPR$0=[SUM(amount)])
 *       Scan(default_catalog.default_database.orders)
 */
#include "sql/rel.h"

static void names_of(struct buf *out, const struct rel *rel, const uint32_t *columns,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", rel->names[columns[i]]);
}

static void format_values(struct buf *out, const struct rel *rel)
{
    buf_append_text(out, "Values(");
    for (uint32_t r = 0; r < rel->values.row_count; r++) {
        buf_append_text(out, r ? ", {" : "{");
        for (uint32_t c = 0; c < rel->column_count; c++) {
            if (c)
                buf_append_text(out, ", ");
            expr_format(out, rel->values.exprs[(size_t)r * rel->column_count + c], NULL);
        }
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ')');
}

static void format_aggregate(struct buf *out, const struct rel *rel)
{
    const struct rel *input = rel->inputs[0];
    buf_append_text(out,
                    rel->aggregate.by_window ? "WindowAggregate(group=[" : "Aggregate(group=[");
    names_of(out, input, rel->aggregate.keys, rel->aggregate.key_count);
    buf_append_byte(out, ']');
    for (uint32_t i = 0; i < rel->aggregate.call_count; i++)
        buf_printf(out, ", %s=[%s]", rel->names[rel->aggregate.key_count + i],
                   rel->aggregate.calls[i].text);
    buf_append_byte(out, ')');
}

static void format_sort(struct buf *out, const struct rel *rel)
{
    buf_append_text(out, "Sort(");
    for (uint32_t i = 0; i < rel->sort.key_count; i++) {
        const struct rel_sort_key *key = &rel->sort.keys[i];
        buf_printf(out, "%s%s %s%s", i ? ", " : "", rel->names[key->column],
                   key->descending ? "DESC" : "ASC",
                   key->nulls_first == key->descending
                       ? key->nulls_first ? " NULLS FIRST" : " NULLS LAST"
                       : "");
    }
    const char *comma = rel->sort.key_count ? ", " : "";
    if (rel->sort.offset) {
        buf_printf(out, "%soffset=%lld", comma, (long long)rel->sort.offset);
        comma = ", ";
    }
    if (rel->sort.limit >= 0)
        buf_printf(out, "%slimit=%lld", comma, (long long)rel->sort.limit);
    buf_append_byte(out, ')');
}

static void format_node(struct buf *out, const struct rel *rel)
{
    const char *const *input_names = rel->input_count ? rel->inputs[0]->names : NULL;
    switch (rel->kind) {
    case REL_SCAN:
        buf_printf(out, "Scan(%s)", rel->scan.table->full_name);
        break;
    case REL_VALUES:
        format_values(out, rel);
        break;
    case REL_PROJECT:
        buf_append_text(out, "Project(");
        for (uint32_t i = 0; i < rel->column_count; i++) {
            buf_printf(out, "%s%s=[", i ? ", " : "", rel->names[i]);
            expr_format(out, rel->project.exprs[i], input_names);
            buf_append_byte(out, ']');
        }
        buf_append_byte(out, ')');
        break;
    case REL_FILTER:
        buf_append_text(out, "Filter(");
        expr_format(out, rel->filter.condition, input_names);
        buf_append_byte(out, ')');
        break;
    case REL_AGGREGATE:
        format_aggregate(out, rel);
        break;
    case REL_WINDOW:
        buf_printf(out, "Window(TUMBLE, %s, size=%lld ms", input_names[rel->window.time_column],
                   (long long)rel->window.size_ms);
        if (rel->window.offset_ms)
            buf_printf(out, ", offset=%lld ms", (long long)rel->window.offset_ms);
        buf_append_byte(out, ')');
        break;
    case REL_UNION_ALL:
        buf_append_text(out, "UnionAll");
        break;
    case REL_SORT:
        format_sort(out, rel);
        break;
    }
}

static void format_tree(struct buf *out, const struct rel *rel, uint32_t depth)
{
    buf_printf(out, "%*s", (int)depth * 2, "");
    format_node(out, rel);
    buf_append_byte(out, '\n');
    for (uint32_t i = 0; i < rel->input_count && !out->failed; i++)
        format_tree(out, rel->inputs[i], depth + 1);
}

void rel_format(struct buf *out, const struct rel *rel)
{
    format_tree(out, rel, 0);
}
