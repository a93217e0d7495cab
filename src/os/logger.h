/* logger.h - log output to stderr, formatted by base/logline.h. Thread-safe; a line is one write,
 * cut at 2 KB of text. Never called on the data path per row. */
#ifndef LEAT_OS_LOGGER_H
#define LEAT_OS_LOGGER_H

#include "base/logline.h"

void logger_set_level(enum log_level level); /* default LOG_INFO */
void logger_write(enum log_level level, const char *room, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
