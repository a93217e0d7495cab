/* catalog_test.c - names, hiding, replacing and dropping; what connectors see; DDL texts. */
#include "../check.h"

#include "catalog/catalog.h"

static struct error err;

/* A table of columns a INT, b computed, c STRING METADATA, d BIGINT; primary key d. */
static enum status make(struct catalog_object **out, const char *name, bool temporary)
{
    struct catalog_object *object;
    TRY(catalog_object_new(&object, &err));
    struct arena *arena = &object->arena;
    *out = object;
    object->name = arena_strndup(arena, name, strlen(name));
    object->full_name = arena_printf(arena, "default_catalog.default_database.%s", name);
    object->temporary = temporary;
    object->columns = ARENA_ARRAY(arena, 4, struct catalog_column);
    object->primary_key = ARENA_ARRAY(arena, 1, uint32_t);
    object->options = ARENA_ARRAY(arena, 2, struct option_given);
    TRY(arena_check(arena, "test", &err));
    object->columns[0] = (struct catalog_column){.name = "a", .type = &TYPE_OF_INT};
    object->columns[1] = (struct catalog_column){
        .name = "b", .type = &TYPE_OF_INT, .kind = COLUMN_COMPUTED, .expression = {STR("a + 1")}};
    object->columns[2] = (struct catalog_column){.name = "c`",
                                                 .type = &TYPE_OF_STRING,
                                                 .kind = COLUMN_METADATA,
                                                 .metadata_key = "to'pic",
                                                 .is_virtual = true};
    object->columns[3] = (struct catalog_column){.name = "d", .type = &TYPE_OF_BIGINT};
    object->column_count = 4;
    object->has_primary_key = true;
    object->primary_key[0] = 3;
    object->primary_key_count = 1;
    object->options[0] = (struct option_given){STR("password"), STR("hush"), {0}};
    object->options[1] = (struct option_given){STR("connector"), STR("sim"), {0}};
    object->option_count = 2;
    return catalog_object_seal(object, &err);
}

static struct catalog_object *find(struct catalog *catalog, const char *a, const char *b,
                                   const char *c)
{
    struct str parts[] = {str_of(a), str_of(b), str_of(c)};
    uint32_t count = c ? 3 : b ? 2 : 1;
    struct catalog_object *object = catalog_find(catalog, parts, count);
    catalog_object_unref(object); /* the catalog still holds it */
    return object;
}

static void append_name(void *context, const struct catalog_object *object)
{
    buf_printf(context, "%s%s ", object->name, object->temporary ? "*" : "");
}

TEST(names_of_one_two_and_three_parts)
{
    struct catalog *catalog;
    struct catalog_object *table;
    CHECK_OK(catalog_new(&catalog, &err));
    CHECK_OK(make(&table, "t", false));
    CHECK_OK(catalog_add(catalog, table, false, &err));
    CHECK(find(catalog, "t", NULL, NULL) == table);
    CHECK(find(catalog, "default_database", "t", NULL) == table);
    CHECK(find(catalog, "default_catalog", "default_database", "t") == table);
    CHECK(!find(catalog, "T", NULL, NULL));
    CHECK(!find(catalog, "other", "t", NULL));
    CHECK(!find(catalog, "default_database", "default_catalog", "t"));
    CHECK(!find(catalog, "", NULL, NULL));
    catalog_object_unref(table);
    catalog_free(catalog);
}

TEST(a_temporary_object_hides_a_permanent_one)
{
    struct catalog *catalog;
    struct catalog_object *permanent, *temporary, *other;
    struct buf names;
    struct str name = STR("t");
    buf_init(&names, 1000);
    CHECK_OK(catalog_new(&catalog, &err));
    CHECK_OK(make(&permanent, "t", false));
    CHECK_OK(make(&temporary, "t", true));
    CHECK_OK(make(&other, "s", false));
    CHECK_OK(catalog_add(catalog, permanent, false, &err));
    CHECK_OK(catalog_add(catalog, temporary, false, &err));
    CHECK_OK(catalog_add(catalog, other, false, &err));
    CHECK(find(catalog, "t", NULL, NULL) == temporary);
    catalog_list(catalog, append_name, &names);
    CHECK_STR(buf_text(&names), "s t* ");
    CHECK_OK(catalog_drop(catalog, &name, 1, CATALOG_TABLE, true, &err));
    CHECK(find(catalog, "t", NULL, NULL) == permanent);
    CHECK_INT(catalog_drop(catalog, &name, 1, CATALOG_TABLE, true, &err), ERR_NAME);
    error_clear(&err);
    CHECK_OK(catalog_drop(catalog, &name, 1, CATALOG_TABLE, false, &err));
    CHECK(!find(catalog, "t", NULL, NULL));
    CHECK_INT(catalog_drop(catalog, &name, 1, CATALOG_TABLE, false, &err), ERR_NAME);
    error_clear(&err);
    CHECK_STR(permanent->name, "t"); /* a plan may still hold it */
    catalog_object_unref(permanent);
    catalog_object_unref(temporary);
    catalog_object_unref(other);
    catalog_free(catalog);
    buf_fini(&names);
}

TEST(adding_twice_and_replacing)
{
    struct catalog *catalog;
    struct catalog_object *first, *second;
    struct str name = STR("t");
    CHECK_OK(catalog_new(&catalog, &err));
    CHECK_OK(make(&first, "t", false));
    CHECK_OK(make(&second, "t", false));
    CHECK_OK(catalog_add(catalog, first, false, &err));
    CHECK_INT(catalog_add(catalog, second, false, &err), ERR_EXISTS);
    CHECK(strstr(err.text, "exists already"));
    error_clear(&err);
    CHECK_OK(catalog_add(catalog, second, true, &err));
    CHECK(find(catalog, "t", NULL, NULL) == second);
    CHECK_INT(catalog_drop(catalog, &name, 1, CATALOG_VIEW, false, &err), ERR_NAME);
    CHECK(strstr(err.hint, "DROP TABLE"));
    error_clear(&err);
    catalog_object_unref(first);
    catalog_object_unref(second);
    catalog_free(catalog);
}

TEST(many_objects_are_listed_in_order)
{
    struct catalog *catalog;
    struct buf names;
    char last[16] = "";
    buf_init(&names, 1 << 20);
    CHECK_OK(catalog_new(&catalog, &err));
    for (uint32_t i = 0; i < 1000; i++) {
        struct catalog_object *object;
        char name[16];
        snprintf(name, sizeof(name), "t%03u", i * 7 % 1000);
        CHECK_OK(make(&object, name, i % 3 == 0));
        CHECK_OK(catalog_add(catalog, object, false, &err));
        catalog_object_unref(object);
    }
    catalog_list(catalog, append_name, &names);
    uint32_t count = 0;
    for (char *at = (char *)names.data, *end; (end = memchr(at, ' ', 16)) && at[0] == 't';
         at = end + 1) {
        char name[16];
        snprintf(name, sizeof(name), "%.4s", at);
        CHECK(strcmp(last, name) < 0);
        memcpy(last, name, sizeof(last));
        if (++count == 1000)
            break;
    }
    CHECK_INT(count, 1000);
    catalog_free(catalog);
    buf_fini(&names);
}

TEST(what_connectors_see)
{
    struct catalog_object *table;
    CHECK_OK(make(&table, "t", false));
    const struct table_description *description = &table->description;
    CHECK_STR(description->connector, "sim");
    CHECK_INT(description->field_count, 2);
    CHECK_STR(description->fields[0].name, "a");
    CHECK_STR(description->fields[1].name, "d");
    CHECK_INT(description->primary_key[0], 1); /* the field, not the column */
    CHECK_INT(table->column_of_field[1], 3);
    CHECK_INT(description->option_count, 1);
    CHECK(str_eq(description->options[0].key, STR("password")));
    catalog_object_unref(table);
}

TEST(ddl_hides_secrets_and_quotes)
{
    struct catalog_object *table;
    struct buf out;
    buf_init(&out, 10000);
    CHECK_OK(make(&table, "t`x", true));
    catalog_format_ddl(&out, table);
    CHECK_STR(buf_text(&out),
              "CREATE TEMPORARY TABLE `default_catalog`.`default_database`.`t``x` (\n"
              "  `a` INT,\n"
              "  `b` AS a + 1,\n"
              "  `c``` STRING METADATA FROM 'to''pic' VIRTUAL,\n"
              "  `d` BIGINT,\n"
              "  PRIMARY KEY (`d`) NOT ENFORCED\n"
              ")\nWITH (\n  'password' = '******',\n  'connector' = 'sim'\n)\n");
    catalog_object_unref(table);
    buf_fini(&out);
}
