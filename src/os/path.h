/* path.h - which files a request from outside may name (leat.security.roots). */
#ifndef LEAT_OS_PATH_H
#define LEAT_OS_PATH_H

#include "base/error.h"

/* OK when path, links resolved, lies in or below one of the roots (NULL-terminated); roots NULL
 * allows all. The file itself need not exist, the directory that holds it must. Else ERR_ACCESS. */
enum status path_check_roots(const char *path, const char *const *roots,
                             struct error *err) STATUS_CHECKED;

#endif
