/* Dashboard files of any bytes: read, or refused with a text; places of JSON values in any text. */
#include "server/dashboard.h"
#include "server/json_place.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const struct json_step paths[][3] = {{{"panels", 0}, {NULL, 1}, {"sql", 0}},
                                                {{NULL, 2}, {"a", 0}, {NULL, 0}}};
    struct str text = {(const char *)data, size_bytes};
    struct dashboard *dashboard = NULL;
    struct error err = {0};
    if (dashboard_parse(&dashboard, "fuzz.json", text, &err) != OK && !err.text[0])
        abort();
    dashboard_free(dashboard);
    for (size_t i = 0; i < 2; i++)
        for (unsigned depth = 0; depth <= 3; depth++)
            if (json_place(text, paths[i], depth).offset > size_bytes)
                abort();
    return 0;
}
