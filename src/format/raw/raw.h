/* raw.h - the raw format for the registry. */
#ifndef LEAT_FORMAT_RAW_RAW_H
#define LEAT_FORMAT_RAW_RAW_H

#include "plugin/format.h"

extern const struct format_class RAW_FORMAT;

#endif
