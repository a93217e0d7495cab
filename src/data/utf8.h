/* utf8.h - the few questions about UTF-8 that columns ask: is it valid, how many characters.
 *
 * Text in vectors is valid UTF-8 (vec_verify); whoever brings bytes from outside checks first. A
 * character is a code point, as in Flink's CHAR_LENGTH and SUBSTRING.
 */
#ifndef LEAT_DATA_UTF8_H
#define LEAT_DATA_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No overlong forms, no surrogates, at most U+10FFFF. */
bool utf8_valid(const char *data, size_t length);
/* Code points of valid UTF-8. */
size_t utf8_count(const char *data, size_t length);
/* Byte offset of the character with number `index` (from 0) of valid UTF-8; length when there are
 * fewer. */
size_t utf8_offset(const char *data, size_t length, size_t index);

#endif
