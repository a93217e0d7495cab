/* json_text.h - JSON written into a buffer, member by member. Whatever bytes a string holds, the
 * output is valid: what is not UTF-8 becomes U+FFFD, and what HTML could take for markup is
 * escaped. */
#ifndef LEAT_SERVER_JSON_OUT_H
#define LEAT_SERVER_JSON_OUT_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

void json_text_append(struct buf *out, struct str text);
/* "name": with a comma before it unless it follows '{' or '['. */
void json_name(struct buf *out, const char *name);
void json_comma(struct buf *out); /* before an element, likewise */
void json_add_text(struct buf *out, const char *name, const char *text); /* NULL: null */
void json_add_int(struct buf *out, const char *name, int64_t value);
void json_add_bool(struct buf *out, const char *name, bool value);
void json_add_null(struct buf *out, const char *name);
/* {"error":{"code":..,"message":..,"hint":..}} */
void json_error(struct buf *out, const char *code, const char *message, const char *hint);

#endif
