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
/* TZ or what /etc/localtime links to; UTC when neither names a zone. Fails without memory only. */
enum status zonefile_local(const struct zone **out, struct error *err) STATUS_CHECKED;

#endif
