/* status.c - names and texts of the status table. */
#include "base/status.h"

#include "base/must.h"

const char *status_name(enum status status)
{
    static const char *const names[] = {
#define X(code, text) [code] = #code,
        STATUS_TABLE(X)
#undef X
    };
    return (unsigned)status < COUNT_OF(names) ? names[status] : "ERR_?";
}

const char *status_text(enum status status)
{
    static const char *const texts[] = {
#define X(code, text) [code] = text,
        STATUS_TABLE(X)
#undef X
    };
    return (unsigned)status < COUNT_OF(texts) ? texts[status] : "unknown status";
}
