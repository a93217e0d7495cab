/* reference.h - statements, clauses, special forms and types of the dialect as `leat help` and the
 * reference page show them. Functions are not here: their table is function/function.h's.
 *
 * Every example is run by a test: a statement or clause as it stands after SQL_REFERENCE_TABLES, a
 * form or a type as "SELECT example".
 */
#ifndef LEAT_SQL_REFERENCE_H
#define LEAT_SQL_REFERENCE_H

#include <stddef.h>

enum sql_chapter { SQL_STATEMENT, SQL_CLAUSE, SQL_FORM, SQL_TYPE, SQL_CHAPTER_COUNT };

struct sql_topic {
    enum sql_chapter chapter;
    const char *name;   /* "CREATE TABLE" */
    const char *syntax; /* [optional], a | b, ... for repetition; lines end with \n but the last */
    const char *help;
    const char *example; /* of a form or type: an expression */
};

/* Sorted by chapter, then as one reads them. */
const struct sql_topic *sql_topics(size_t *count);
/* What the examples read and write. */
extern const char SQL_REFERENCE_TABLES[];

#endif
