/* assets.c - looks a file of the page up; the table itself is generated. */
#include "server/assets.h"

const struct asset *asset_find(struct str path)
{
    for (const struct asset *asset = ASSETS; asset->path; asset++)
        if (str_eq(path, str_of(asset->path)))
            return asset;
    return NULL;
}
