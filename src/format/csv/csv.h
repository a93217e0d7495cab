/* csv.h - the csv format for the registry. */
#ifndef LEAT_FORMAT_CSV_CSV_H
#define LEAT_FORMAT_CSV_CSV_H

#include "plugin/format.h"

extern const struct format_class CSV_FORMAT;

#endif
