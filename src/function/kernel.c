/* kernel.c - see kernel.h. */
#include "function/kernel.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/must.h"

void call_set_null(struct function_call *call, uint32_t row)
{
    if (vec_make_validity(call->out, NULL) == OK)
        vec_clear_valid(call->out, row);
    else
        call->status = ERR_MEMORY;
}

void call_fail(struct function_call *call, uint32_t row, enum status code, const char *fmt, ...)
{
    char text[sizeof(((struct row_error *)0)->text)];
    va_list args;
    call_set_null(call, row);
    if (!call->errors)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    row_errors_add(call->errors, row, code, call->pos, "%s", text);
}

bool call_set_text(struct function_call *call, uint32_t row, const char *data, size_t length)
{
    if (vec_set_text(call->out, row, data, length, NULL) == OK)
        return true;
    call->status = ERR_MEMORY;
    return false;
}

bool call_share_text(struct function_call *call, uint32_t row, const struct vec *arg,
                     const char *data, size_t length)
{
    if (length > VIEW_INLINE_MAX && !vec_share_strings(call->out, arg))
        return call_set_text(call, row, data, length);
    ((struct view *)call->out->values)[row] = view_of(data, length);
    return true;
}

unsigned exact_precision(const struct type *type)
{
    switch (type->root) {
    case TYPE_TINYINT:
        return 3;
    case TYPE_SMALLINT:
        return 5;
    case TYPE_INT:
        return 10;
    case TYPE_BIGINT:
        return 19;
    default:
        return type->precision;
    }
}

unsigned exact_scale(const struct type *type)
{
    return type->root == TYPE_DECIMAL ? type->scale : 0;
}

const struct type *bind_nullable(struct function_bind *bind, const struct type *type)
{
    bool nullable = false;
    for (uint32_t i = 0; i < bind->arg_count; i++)
        nullable |= bind->arg_types[i]->nullable;
    return type_with_nullable(bind->arena, type, nullable);
}

enum status bind_type_error(const struct function_bind *bind, const char *name, const char *wanted,
                            struct error *err)
{
    struct buf types;
    buf_init(&types, 1024);
    for (uint32_t i = 0; i < bind->arg_count; i++) {
        buf_append_text(&types, i ? ", " : "");
        type_format(&types, bind->arg_types[i]);
    }
    error_set(err, ERR_TYPE, "%s does not take (%s): it takes %s", name, buf_text(&types), wanted);
    buf_fini(&types);
    if (err)
        error_at(err, bind->pos);
    return ERR_TYPE;
}

enum status bind_check(const struct function_bind *bind, struct error *err)
{
    return arena_check(bind->arena, "a statement", err);
}
