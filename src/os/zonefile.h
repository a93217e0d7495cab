/* zonefile.h - time zones by name: "UTC", "+08:00", "GMT+8", "Europe/Berlin" from the system's
 * files.
 *
 * Zones are loaded once and live for the process. A missing database is an error that names the
 * package (tzdata). Thread-safe.
 */
#ifndef LEAT_OS_ZONEFILE_H
#define LEAT_OS_ZONEFILE_H

#include "base/calendar.h"

enum status zonefile_get(const struct zone **out, const char *name,
                         struct error *err) STATUS_CHECKED;
const struct zone *zonefile_local(void); /* TZ or /etc/localtime; UTC when neither can be read */

#endif
