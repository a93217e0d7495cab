/* ddl.c - an object as the SQL that makes it again (SHOW CREATE). */
#include "catalog/catalog.h"

static void name(struct buf *out, const char *text)
{
    buf_append_byte(out, '`');
    for (; *text; text++) {
        if (*text == '`')
            buf_append_byte(out, '`');
        buf_append_byte(out, (uint8_t)*text);
    }
    buf_append_byte(out, '`');
}

static void quoted(struct buf *out, struct str text)
{
    buf_append_byte(out, '\'');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\'')
            buf_append_byte(out, '\'');
        buf_append_byte(out, (uint8_t)text.data[i]);
    }
    buf_append_byte(out, '\'');
}

static void comment(struct buf *out, const char *text)
{
    if (!text)
        return;
    buf_append_text(out, " COMMENT ");
    quoted(out, str_of(text));
}

/* `default_catalog`.`default_database`.`orders` */
static void full_name(struct buf *out, const struct catalog_object *object)
{
    buf_append_text(out, "`default_catalog`.`default_database`.");
    name(out, object->name);
}

static void columns_of(struct buf *out, const struct catalog_object *object,
                       const uint32_t *columns, uint32_t count)
{
    buf_append_byte(out, '(');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_append_text(out, ", ");
        name(out, object->columns[columns[i]].name);
    }
    buf_append_byte(out, ')');
}

static void column(struct buf *out, const struct catalog_column *column)
{
    buf_append_text(out, "  ");
    name(out, column->name);
    buf_append_byte(out, ' ');
    if (column->kind == COLUMN_COMPUTED) {
        buf_append_text(out, "AS ");
        buf_append(out, column->expression.text.data, column->expression.text.length);
    } else {
        type_format(out, column->type);
    }
    if (column->kind == COLUMN_METADATA) {
        buf_append_text(out, " METADATA");
        if (strcmp(column->metadata_key, column->name) != 0) {
            buf_append_text(out, " FROM ");
            quoted(out, str_of(column->metadata_key));
        }
        if (column->is_virtual)
            buf_append_text(out, " VIRTUAL");
    }
    comment(out, column->comment);
}

static void constraints(struct buf *out, const struct catalog_object *object)
{
    if (object->has_watermark) {
        buf_append_text(out, ",\n  WATERMARK FOR ");
        name(out, object->columns[object->watermark_column].name);
        buf_append_text(out, " AS ");
        buf_append(out, object->watermark.text.data, object->watermark.text.length);
    }
    if (object->has_primary_key) {
        buf_append_text(out, ",\n  PRIMARY KEY ");
        columns_of(out, object, object->primary_key, object->primary_key_count);
        buf_append_text(out, " NOT ENFORCED");
    }
    for (uint32_t i = 0; i < object->check_count; i++) {
        const struct catalog_check *check = &object->checks[i];
        buf_append_text(out, ",\n  ");
        if (check->name) {
            buf_append_text(out, "CONSTRAINT ");
            name(out, check->name);
            buf_append_byte(out, ' ');
        }
        buf_append_text(out, "CHECK (");
        buf_append(out, check->expression.text.data, check->expression.text.length);
        buf_append_byte(out, ')');
    }
}

/* Connectors mark their secret options; without knowing the connector the usual words are hidden.
 */
static bool is_secret(struct str key)
{
    static const char *const WORDS[] = {"password", "secret", "token", "jaas", "credential"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        size_t length = strlen(WORDS[i]);
        for (size_t at = 0; at + length <= key.length; at++)
            if (str_eq_nocase((struct str){key.data + at, length}, str_of(WORDS[i])))
                return true;
    }
    return false;
}

static void view(struct buf *out, const struct catalog_object *object)
{
    buf_append_text(out, object->temporary ? "CREATE TEMPORARY VIEW " : "CREATE VIEW ");
    full_name(out, object);
    buf_append_text(out, " (");
    for (uint32_t i = 0; i < object->column_count; i++) {
        if (i)
            buf_append_text(out, ", ");
        name(out, object->columns[i].name);
    }
    buf_append_byte(out, ')');
    comment(out, object->comment);
    buf_append_text(out, "\nAS ");
    buf_append(out, object->query.text.data, object->query.text.length);
    buf_append_byte(out, '\n');
}

void catalog_format_ddl(struct buf *out, const struct catalog_object *object)
{
    if (object->kind == CATALOG_VIEW) {
        view(out, object);
        return;
    }
    buf_append_text(out, object->temporary ? "CREATE TEMPORARY TABLE " : "CREATE TABLE ");
    full_name(out, object);
    buf_append_text(out, " (\n");
    for (uint32_t i = 0; i < object->column_count; i++) {
        if (i)
            buf_append_text(out, ",\n");
        column(out, &object->columns[i]);
    }
    constraints(out, object);
    buf_append_text(out, "\n)");
    comment(out, object->comment);
    if (object->partition_key_count) {
        buf_append_text(out, "\nPARTITIONED BY ");
        columns_of(out, object, object->partition_keys, object->partition_key_count);
    }
    if (object->option_count) {
        buf_append_text(out, "\nWITH (\n");
        for (size_t i = 0; i < object->option_count; i++) {
            const struct option_given *option = &object->options[i];
            buf_append_text(out, i ? ",\n  " : "  ");
            quoted(out, option->key);
            buf_append_text(out, " = ");
            quoted(out, is_secret(option->key) ? STR("******") : option->value);
        }
        buf_append_text(out, "\n)");
    }
    buf_append_byte(out, '\n');
}
