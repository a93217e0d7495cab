/* signals.h - SIGINT and SIGTERM as a call on a thread of their own.
 *
 * signals_start() must be the first thing a process does: it blocks both signals in the calling
 * thread, and threads made later inherit that; SIGPIPE is ignored. The thread lives until the
 * process ends.
 */
#ifndef LEAT_OS_SIGNALS_H
#define LEAT_OS_SIGNALS_H

#include "base/error.h"

/* received(context, count) is called with 1, 2, ... for each signal. What comes within 200 ms of
 * one that was counted is the same one: `timeout` and shells send it to the process and to its
 * group. */
enum status signals_start(void (*received)(void *context, uint32_t count), void *context,
                          struct error *err) STATUS_CHECKED;

#endif
