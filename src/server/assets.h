/* assets.h - the page's files inside the executable; made by assets.py from web/dist at build time.
 *
 * Each is stored gzipped. Names: "/index.html", "/app.js". Without web/dist there is one page that
 * says so.
 */
#ifndef LEAT_SERVER_ASSETS_H
#define LEAT_SERVER_ASSETS_H

#include <stddef.h>

#include "base/str.h"

struct asset {
    const char *path;
    const char *type;
    const char *etag;                 /* with its quotes */
    size_t offset, gzip_bytes, bytes; /* in ASSETS_BYTES; without compression */
};

extern const struct asset ASSETS[]; /* ends with a NULL path */
extern const unsigned char ASSETS_BYTES[];

const struct asset *asset_find(struct str path); /* NULL: none */

#endif
