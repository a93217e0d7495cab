/* bad_rows.c - noting records that gave no row. */
#include <stdarg.h>
#include <stdio.h>

#include "base/must.h"
#include "plugin/format.h"

void bad_rows_add(struct bad_rows *bad, uint32_t record, const char *fmt, ...)
{
    va_list args;
    if (bad->count == 0)
        memset(bad->records, 0, sizeof(bad->records));
    bad->records[record >> 6] |= UINT64_C(1) << (record & 63);
    bad->count++;
    if (bad->kept == COUNT_OF(bad->rows))
        return;
    struct bad_row *row = &bad->rows[bad->kept++];
    row->record = record;
    row->field = BAD_ROW_NO_FIELD;
    row->value[0] = 0;
    row->code = ERR_DATA;
    va_start(args, fmt);
    vsnprintf(row->text, sizeof(row->text), fmt, args);
    va_end(args);
}
