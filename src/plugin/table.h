/* table.h - a table as connectors and formats see it: physical columns, wanted ones, options. */
#ifndef LEAT_PLUGIN_TABLE_H
#define LEAT_PLUGIN_TABLE_H

#include "base/option.h"
#include "data/datum.h"
#include "plugin/context.h"

struct table_field {
    const char *name;
    const struct type *type;
};

struct table_metadata {      /* a METADATA column that the query needs */
    const char *key;         /* "offset", "timestamp", ... */
    const struct type *type; /* the connector's own type; casts are the plan's */
};

/* Push-down: column op literal, all of them ANDed; the source answers which it takes over. */
enum predicate_op {
    PREDICATE_EQ,
    PREDICATE_NE,
    PREDICATE_LT,
    PREDICATE_LE,
    PREDICATE_GT,
    PREDICATE_GE
};
struct table_predicate {
    uint32_t field;
    enum predicate_op op;
    struct datum literal;
};

struct table_description {
    const char *name;      /* default_catalog.default_database.orders */
    const char *connector; /* "kafka" */
    bool restricted;       /* its options came from outside: files only below security_roots */
    uint32_t field_count;
    const struct table_field *fields; /* the physical columns in order, without metadata ones */
    uint32_t primary_key_count;
    const uint32_t *primary_key; /* field numbers; none for count 0 */
    uint32_t partition_key_count;
    const uint32_t *partition_keys;     /* PARTITIONED BY */
    const struct option_given *options; /* WITH, without 'connector' */
    size_t option_count;
};

#endif
