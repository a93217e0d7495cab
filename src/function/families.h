/* families.h - the family arrays that table.c assembles. A family file defines
 * `const struct function_def FUNCTIONS_X[]` and `const size_t FUNCTIONS_X_COUNT`, and has its line
 * here; nothing else knows it. */
#ifndef LEAT_FUNCTION_FAMILIES_H
#define LEAT_FUNCTION_FAMILIES_H

#include "function/function.h"

#define FUNCTION_FAMILIES(X)                                                                       \
    X(COMPARE)                                                                                     \
    X(ARITHMETIC)                                                                                  \
    X(STRING)                                                                                      \
    X(SUBSTRING)                                                                                   \
    X(LIKE)                                                                                        \
    X(REGEXP)                                                                                      \
    X(HASH)                                                                                        \
    X(MATH)                                                                                        \
    X(ROUND)                                                                                       \
    X(CONDITIONAL)                                                                                 \
    X(TEMPORAL)                                                                                    \
    X(TIME_TEXT)                                                                                   \
    X(CLOCK)

#define X(family)                                                                                  \
    extern const struct function_def FUNCTIONS_##family[];                                         \
    extern const size_t FUNCTIONS_##family##_COUNT;
FUNCTION_FAMILIES(X)
#undef X

/* Names that Flink has as functions or operators (flink-semantics 5g), sorted, for the error "not
 * supported yet" instead of "unknown". */
extern const char *const FLINK_FUNCTION_NAMES[];
extern const size_t FLINK_FUNCTION_NAME_COUNT;

#endif
