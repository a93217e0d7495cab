/* json.h - the json format for the registry. */
#ifndef LEAT_FORMAT_JSON_JSON_H
#define LEAT_FORMAT_JSON_JSON_H

#include "plugin/format.h"

extern const struct format_class JSON_FORMAT;

#endif
