/* path.h - which files a request from outside may name (leat.security.roots). */
#ifndef LEAT_OS_PATH_H
#define LEAT_OS_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* OK when path, links resolved, lies in or below one of the roots (NULL-terminated); roots NULL
 * allows all. The file itself need not exist, the directory that holds it must. Else ERR_ACCESS. */
enum status path_check_roots(const char *path, const char *const *roots,
                             struct error *err) STATUS_CHECKED;

/* The absolute path of what is there, links resolved; as given when it cannot be told. */
void path_absolute(const char *path, char *dest, size_t dest_bytes);
/* Size of the file system that holds path, and what of it may still be used; -1 and -1 when it
 * cannot be told. */
void path_space(const char *path, int64_t *out_total_bytes, int64_t *out_usable_bytes);

#endif
