/* Case files, their plans and scalar triples from any bytes: refused with a text or read, never a
 * crash. */
#include "test/case/case.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct case_file file;
    if (case_file_parse(&file, (const char *)data, size_bytes)) {
        for (int i = 0; i < file.section_count; i++) {
            struct case_plan plan;
            if (!case_plan_parse(&plan, &file.sections[i], i & 1) && !plan.error[0])
                abort();
            case_plan_fini(&plan);
        }
    } else if (!file.error[0]) {
        abort();
    }
    case_file_fini(&file);

    struct case_triples triples;
    if (!case_triples_parse(&triples, (const char *)data, size_bytes) && !triples.error[0])
        abort();
    case_triples_fini(&triples);
    return 0;
}
