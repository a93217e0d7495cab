/* json_shim.h - the one door to simdjson (C++): stage 1 over a text, unescaping of strings.
 *
 * Stage 1 finds where each structural character ({ } [ ] : ,) and each scalar (string, number,
 * literal) begins, outside strings, and checks UTF-8 and control characters in strings; the
 * instruction set is chosen at run time. The walk over these positions is our own (json_walk.c). A
 * shim belongs to one thread.
 */
#ifndef LEAT_FORMAT_JSON_JSON_SHIM_H
#define LEAT_FORMAT_JSON_JSON_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_shim;

enum json_shim_result {
    JSON_SHIM_OK,
    JSON_SHIM_MEMORY,
    JSON_SHIM_UTF8,
    JSON_SHIM_UNCLOSED, /* a string does not end */
    JSON_SHIM_CONTROL,  /* a control character inside a string */
    JSON_SHIM_EMPTY,
    JSON_SHIM_OTHER,
};

/* Positions behind the last one are this, so that a walk may look ahead. */
#define JSON_POSITION_END UINT32_MAX

/* NULL without memory. */
struct json_shim *json_shim_new(void);
void json_shim_free(struct json_shim *shim);

/* Index text[0..length); positions stay valid until the next call. length <= 1 GiB. */
enum json_shim_result json_shim_index(struct json_shim *shim, const uint8_t *text, size_t length,
                                      const uint32_t **positions, uint32_t *count);

/* Unescape the string whose first character (behind the quote) is at text, up to its closing quote,
 * into dest, which has room for its length and 64 bytes more. The written length, or -1 when an
 * escape is malformed. */
ptrdiff_t json_shim_unescape(const struct json_shim *shim, const uint8_t *text, uint8_t *dest);

#ifdef __cplusplus
}
#endif

#endif
