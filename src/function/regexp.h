/* regexp.h - compiled regular expressions for function_regexp.c and function_similar.c: PCRE2
 * with limits, the form of Java's patterns. */
#ifndef LEAT_FUNCTION_REGEXP_H
#define LEAT_FUNCTION_REGEXP_H

#include "function/bind_args.h"

struct regexp; /* immutable, shared by threads */

/* NULL without memory (*memory true) or for a pattern that does not compile; reason (may be NULL,
 * at least REGEXP_REASON_MAX bytes) says why. */
#define REGEXP_REASON_MAX 160
struct regexp *regexp_compile(struct str pattern, bool *memory, char *reason);
void regexp_free(struct regexp *regexp); /* NULL is fine */
unsigned regexp_group_count(const struct regexp *regexp);

/* One kernel's scratch: the pattern of the call, or of the row when it is no constant. */
struct regexp_matcher {
    const struct regexp *regexp; /* NULL: the row's pattern does not compile */
    struct regexp *own;          /* of the last row's pattern */
    char *own_text;
    size_t own_length;
    void *match_data;
    bool no_memory;
};
void matcher_init(struct regexp_matcher *matcher, const struct regexp *constant);
void matcher_fini(struct regexp_matcher *matcher);
/* Choose the row's pattern; rows with the same pattern one after another compile it once. */
void matcher_use(struct regexp_matcher *matcher, struct str pattern);

enum match_result { MATCH_NO, MATCH_YES, MATCH_LIMIT };
/* Search from byte offset `from` (a character's start). groups: matcher_group. */
enum match_result matcher_find(struct regexp_matcher *matcher, struct str text, size_t from);
/* Group 0 is the match; false: the group took no part. */
bool matcher_group(const struct regexp_matcher *matcher, unsigned group, size_t *start,
                   size_t *end);

#endif
