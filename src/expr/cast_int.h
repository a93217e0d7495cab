/* cast_int.h - one conversion family a file; cast.c asks them. Each sets out->kernel (and what goes
 * with it) and returns true when the pair is its own. */
#ifndef LEAT_EXPR_CAST_INT_H
#define LEAT_EXPR_CAST_INT_H

#include "expr/expr_int.h"

bool cast_numbers(const struct type *from, const struct type *to, struct cast_kernel *out);
bool cast_from_text(const struct type *from, const struct type *to, struct cast_kernel *out);
bool cast_to_text(const struct type *from, const struct type *to, struct cast_kernel *out);
bool cast_times(const struct type *from, const struct type *to, struct cast_kernel *out);
/* Leaves out->kernel NULL when the pair is not nested. */
enum status cast_nested(struct arena *arena, const struct type *from, const struct type *to,
                        bool try_cast, struct cast_kernel *out, struct error *err) STATUS_CHECKED;

#endif
