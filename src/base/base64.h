/* base64.h - Base64 (RFC 4648). Pure functions, any thread. */
#ifndef LEAT_BASE_BASE64_H
#define LEAT_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define BASE64_ENCODED(size_bytes) (((size_bytes) + 2) / 3 * 4)

/* With padding; dest has BASE64_ENCODED(size_bytes) bytes. The written length; no NUL. */
size_t base64_encode(char *dest, const void *bytes, size_t size_bytes);
/* The URL-safe alphabet without padding, as Kafka writes ids. */
size_t base64_encode_url(char *dest, const void *bytes, size_t size_bytes);

/* As java.util.Base64's basic decoder: padding may be absent, but where it is it must be whole;
 * bits behind the last byte do not count. dest has text.length bytes. False: not Base64. */
bool base64_decode(char *dest, struct str text, size_t *out_bytes);

#endif
