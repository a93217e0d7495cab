/* json_cut.h - a body of JSON cut into the documents of its rows, each verbatim.
 *
 * Two forms: lines (one document a line, blank ones skipped), and one value: an array whose
 * elements are the documents, or any other value, which is one document itself. Only what lies
 * between documents is checked here; a document is the decoder's business. Linear in the body's
 * length, no memory, no recursion.
 */
#ifndef LEAT_FORMAT_JSON_JSON_CUT_H
#define LEAT_FORMAT_JSON_JSON_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_cut {
    const uint8_t *body, *next, *end;
    int state;           /* json_cut.c's */
    const char *error;   /* why it stopped before the end; NULL: the end was reached */
    size_t error_offset; /* byte of the body */
};

/* The body is borrowed. A byte order mark at its begin is skipped. */
void json_cut_begin(struct json_cut *cut, const uint8_t *body, size_t size_bytes, bool lines);
/* False: no more, or error is set. */
bool json_cut_next(struct json_cut *cut, const uint8_t **out, uint32_t *out_bytes);

#endif
