/* json_place.h - where in a JSON text the value at a path stands: for error messages.
 *
 * The text has been accepted by a JSON parser before; what is malformed all the same gives the
 * place at which the search ended.
 */
#ifndef LEAT_SERVER_JSON_PLACE_H
#define LEAT_SERVER_JSON_PLACE_H

#include "base/error.h"
#include "base/str.h"

struct json_step {
    const char *name; /* member of an object; NULL: element `index` of an array */
    size_t index;
};

struct source_pos json_place(struct str text, const struct json_step *path, unsigned depth);

#endif
