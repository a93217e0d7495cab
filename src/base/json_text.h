/* json_text.h - a text as a JSON string, for answers and logs.
 *
 * What comes out is always valid JSON and valid UTF-8, whatever goes in: bytes that are not UTF-8
 * become U+FFFD. (The json format's encoder writes columns, which are valid already.)
 */
#ifndef LEAT_BASE_JSON_TEXT_H
#define LEAT_BASE_JSON_TEXT_H

#include "base/buffer.h"
#include "base/str.h"

/* Append it with quotes and escapes. */
void json_text_append(struct buf *out, struct str text);

#endif
