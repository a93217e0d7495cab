/* print_int.h - rows as the text that Flink's print connector gives. */
#ifndef LEAT_CONNECTOR_PRINT_PRINT_INT_H
#define LEAT_CONNECTOR_PRINT_PRINT_INT_H

#include "plugin/connector.h"

/* ERR_UNSUPPORTED for a type without a printed form here. */
enum status print_check_column(const struct table_field *field, const char *table,
                               struct error *err) STATUS_CHECKED;
/* Append "+I[1, a]" without a newline. */
void print_row(struct buf *out, const struct batch *batch, uint32_t row);

#endif
