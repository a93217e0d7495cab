/* csv_value.h - one text to one cell, and back, as Flink's csv format converts them. Also used by
 * connectors whose rows are texts (sim, jdbc). */
#ifndef LEAT_FORMAT_CSV_CSV_VALUE_H
#define LEAT_FORMAT_CSV_CSV_VALUE_H

#include "plugin/format.h"

enum csv_cell { CSV_CELL_OK, CSV_CELL_NULL, CSV_CELL_BAD, CSV_CELL_MEMORY };

/* Convert the text into row of vec (flat, long enough). stays: the text's bytes outlive the vector
 * (it holds their buffer), so that a text column may point to them. CSV_CELL_NULL: the cell has to
 * be made NULL (a DECIMAL with too many digits). Text columns do not check UTF-8. */
enum csv_cell csv_set_cell(struct vec *vec, uint32_t row, struct str text, bool stays);

/* Make the cell NULL, its bytes zero. */
enum status csv_set_null(struct vec *vec, uint32_t row, struct error *err) STATUS_CHECKED;

/* ERR_UNSUPPORTED for types the csv format does not do yet; `who` names the user in the message. */
enum status csv_check_column(const struct table_field *field, const char *table, const char *who,
                             struct error *err) STATUS_CHECKED;

#endif
