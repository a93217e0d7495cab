/* logline.h - how a log line is formatted; os/logger.h writes it.
 *
 * One line: "2026-11-21T10:00:00.123Z WARN broker: text key=value ...". Control characters in
 * values are escaped, so that data can never forge a line.
 */
#ifndef LEAT_BASE_LOGLINE_H
#define LEAT_BASE_LOGLINE_H

#include "base/buffer.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void logline_append(struct buf *out, int64_t wall_us, enum log_level level, const char *room,
                    const char *text);

#endif
