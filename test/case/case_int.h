/* case_int.h - what the parsers of test/case share. */
#ifndef LEAT_TEST_CASE_INT_H
#define LEAT_TEST_CASE_INT_H

#include "test/case/case.h"

/* A piece of the text being read; never NUL-terminated. */
struct case_span {
    const char *start;
    const char *end;
};

/* Takes the next line (without its newline) from rest; false at the end of the text. */
bool case_next_line(struct case_span *rest, struct case_span *line);
struct case_span case_trim(struct case_span span);
bool case_starts(struct case_span span, const char *prefix);
char *case_copy(struct case_span span);
/* Makes room for one more element of size_bytes, zeroed, and returns it; counts it. */
void *case_grow(void **elements, int *count, size_t size_bytes);
/* Reads one value: NULL, 'quoted', E'escaped' or plain text. False: problem says why. */
bool case_value_parse(struct case_value *value, struct case_span span, const char **problem);
/* The end of the part of span before the separator that stands outside quotes; NULL when it has
 * none. last: the last one instead of the first. */
const char *case_find(struct case_span span, const char *separator, bool last);
/* Loads a file; NULL and a text in error when it cannot. */
char *case_read_file(const char *path, size_t *size_bytes, char error[CASE_ERROR_BYTES]);

#endif
