/* logline.c - one log line: time, level, room, text with its control characters escaped. */
#include "base/logline.h"

#include <string.h>

#include "base/calendar.h"

/* C0 and C1 controls and DEL: those a terminal or a line reader would act upon. */
static size_t control_bytes(const unsigned char *text)
{
    if (text[0] < 0x20 || text[0] == 0x7F)
        return 1;
    return text[0] == 0xC2 && text[1] >= 0x80 && text[1] <= 0x9F ? 2 : 0;
}

static void append_escaped(struct buf *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text, *plain = at;
    while (*at) {
        size_t bytes = control_bytes(at);
        if (bytes == 0) {
            at++;
            continue;
        }
        buf_append(out, plain, (size_t)(at - plain));
        if (*at == '\n')
            buf_append_text(out, "\\n");
        else if (*at == '\t')
            buf_append_text(out, "\\t");
        else
            buf_printf(out, "\\x%02X", at[bytes - 1]);
        plain = at += bytes;
    }
    buf_append(out, plain, (size_t)(at - plain));
}

void logline_append(struct buf *out, int64_t wall_us, enum log_level level, const char *room,
                    const char *text)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    struct civil civil;
    calendar_civil(wall_us, &civil);
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s %s: ", civil.year, civil.month,
               civil.day, civil.hour, civil.minute, civil.second, civil.microsecond / 1000,
               names[level], room);
    append_escaped(out, text);
    buf_append_byte(out, '\n');
}
