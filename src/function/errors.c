/* errors.c - rows that failed in one evaluation. The bitmap is only cleared when the first error
 * arrives, so a batch without errors costs nothing. */
#include <stdarg.h>
#include <stdio.h>

#include "base/must.h"
#include "function/function.h"

void row_errors_clear(struct row_errors *errors)
{
    errors->any = false;
    errors->kept = 0;
}

void row_errors_add(struct row_errors *errors, uint32_t row, enum status code,
                    struct source_pos pos, const char *fmt, ...)
{
    must(row < BATCH_ROWS_MAX);
    if (!errors) /* TRY_CAST: nobody asks */
        return;
    if (!errors->any) {
        memset(errors->rows, 0, sizeof(errors->rows));
        errors->any = true;
    }
    if (errors->rows[row >> 6] >> (row & 63) & 1)
        return; /* a row's first error stays */
    errors->rows[row >> 6] |= UINT64_C(1) << (row & 63);
    if (errors->kept == ROW_ERRORS_KEPT)
        return;
    struct row_error *detail = &errors->details[errors->kept++];
    detail->row = row;
    detail->code = code;
    detail->pos = pos;
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail->text, sizeof(detail->text), fmt, args);
    va_end(args);
}

static const struct row_error *detail_of(const struct row_errors *errors, uint32_t row)
{
    for (uint32_t i = 0; i < errors->kept; i++)
        if (errors->details[i].row == row)
            return &errors->details[i];
    return &errors->details[errors->kept - 1];
}

const struct row_error *row_errors_first(const struct row_errors *errors, const uint16_t *selection,
                                         uint32_t count)
{
    if (!errors->any)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection ? selection[i] : i;
        if (errors->rows[row >> 6] >> (row & 63) & 1)
            return detail_of(errors, row);
    }
    return NULL;
}
