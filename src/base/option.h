/* option.h - one option table parses, validates, helps and documents.
 *
 * Whoever has options (a connector, a format, the SET keys, a command) has one const array of
 * struct option_def and a plain struct that the values are written into by offset. The same array
 * gives the reference pages and completion. An unknown key is ERR_OPTION with the nearest name, a
 * bad value ERR_OPTION that says what is expected; both carry the place. Of a key given twice the
 * last value counts, as in Flink.
 */
#ifndef LEAT_BASE_OPTION_H
#define LEAT_BASE_OPTION_H

#include "base/mem.h"
#include "base/str.h"

enum option_kind {
    OPTION_STRING,   /* const char *: a copy in the arena */
    OPTION_BOOL,     /* bool: true | false, any case */
    OPTION_INT,      /* int64_t, min_value..max_value */
    OPTION_DOUBLE,   /* double */
    OPTION_BYTES,    /* uint64_t: "64 kb" */
    OPTION_DURATION, /* int64_t milliseconds: "10 s" */
    OPTION_ENUM,     /* int: index into choices, any case */
    OPTION_LIST,     /* const char *: ';'-separated text, checked to be non-empty */
    OPTION_PREFIX,   /* struct option_pair *: every key that begins with `key` ("properties.") */
};

struct option_pair { /* linked list, in the order given; key without the prefix */
    const char *key;
    const char *value;
    struct option_pair *next;
};

struct option_def {
    const char *key; /* "scan.startup.mode"; for OPTION_PREFIX with its final dot */
    enum option_kind kind;
    size_t offset;             /* offsetof the field */
    const char *default_value; /* text as a user would write it; NULL: field left zeroed */
    bool required;
    bool secret;                  /* never shown: plans, logs and pages print "******" */
    const char *const *choices;   /* OPTION_ENUM: NULL-terminated */
    int64_t min_value, max_value; /* OPTION_INT, _BYTES, _DURATION; both 0: unbounded */
    const char *help;             /* one sentence for the reference */
};

struct option_given { /* what the user wrote, with its place */
    struct str key;
    struct str value;
    struct source_pos pos;
};

/* Fill `target` (zeroed by the caller) from defaults and given. `what` names the owner in messages
 * ("connector 'kafka'"). ignore_prefixes: NULL-terminated list of key prefixes that belong to
 * someone else ("json."), NULL for none. On failure target is partly filled. */
enum status option_parse(const struct option_def *defs, size_t def_count,
                         const struct option_given *given, size_t given_count,
                         const char *const *ignore_prefixes, const char *what, void *target,
                         struct arena *arena, struct error *err) STATUS_CHECKED;

/* The definition that takes this key (an exact one before a prefix), or NULL. */
const struct option_def *option_find(const struct option_def *defs, size_t def_count,
                                     struct str key);

#endif
