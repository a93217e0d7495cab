#include "base/status.h"

#include "../check.h"

TEST(every_code_has_a_name_and_a_text)
{
    for (int code = 0; code < STATUS_COUNT; code++) {
        CHECK(strlen(status_name((enum status)code)) > 1);
        CHECK(strlen(status_text((enum status)code)) > 1);
    }
    CHECK_STR(status_name(ERR_DISK_FULL), "ERR_DISK_FULL");
}
