/* floor_time.h - FLOOR and CEIL of a time to a unit: bound by the numeric functions of the same
 * name, built in function_temporal.c. */
#ifndef LEAT_FUNCTION_FLOOR_TIME_H
#define LEAT_FUNCTION_FLOOR_TIME_H

#include "function/function.h"

/* bind has two arguments, the second the unit's name. */
enum status bind_floor_time(struct function_bind *bind, const char *name, bool up,
                            struct error *err) STATUS_CHECKED;

#endif
