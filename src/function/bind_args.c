/* bind_args.c - see bind_args.h. */
#include "function/bind_args.h"

static bool castable_to_text(const struct type *type)
{
    return type->root == TYPE_BOOLEAN || type_is_numeric(type) || type->root == TYPE_DATE ||
           type->root == TYPE_TIME || type_is_timestamp(type);
}

/* The type that an argument of type `type` is wanted as; NULL when the letter refuses it. */
static const struct type *wanted_type(char letter, const struct type *type)
{
    bool null = type->root == TYPE_NULL;
    switch (letter) {
    case 's':
        return type_is_text(type) ? type : null || castable_to_text(type) ? &TYPE_OF_STRING : NULL;
    case 'b':
        return type_is_bytes(type) ? type : wanted_type('s', type);
    case 'i':
        return null || type_is_integer(type) ? &TYPE_OF_BIGINT : NULL;
    case 'd':
        return null || type_is_numeric(type) ? &TYPE_OF_DOUBLE : NULL;
    case 'n':
        return null ? &TYPE_OF_BIGINT : type_is_numeric(type) ? type : NULL;
    case 't':
        return null                                                 ? &TYPE_OF_TIMESTAMP_3
               : type_is_timestamp(type) || type->root == TYPE_DATE ? type
                                                                    : NULL;
    default:
        return null ? &TYPE_OF_STRING : type;
    }
}

enum status bind_args(struct function_bind *bind, const char *name, const char *letters,
                      const char *wanted, struct error *err)
{
    size_t last = strlen(letters) - 1;
    for (uint32_t i = 0; i < bind->arg_count; i++) {
        const struct type *actual = bind->arg_types[i];
        const struct type *type = wanted_type(letters[i < last ? i : last], actual);
        if (!type)
            return bind_type_error(bind, name, wanted, err);
        if (type != actual)
            bind->arg_types[i] = type_with_nullable(bind->arena, type, actual->nullable);
        if (!bind->arg_types[i])
            return bind_check(bind, err);
    }
    return OK;
}

enum status bind_result(struct function_bind *bind, const struct type *type, bool nullable,
                        function_kernel kernel, struct error *err)
{
    bind->kernel = kernel;
    if (type)
        bind->result =
            nullable ? type_with_nullable(bind->arena, type, true) : bind_nullable(bind, type);
    return bind_check(bind, err);
}

const struct type *type_varying(struct arena *arena, const struct type *type)
{
    return type->root == TYPE_CHAR ? type_text(arena, TYPE_VARCHAR, type->length, type->nullable)
                                   : type;
}

bool bind_constant_text(const struct function_bind *bind, uint32_t i, struct str *out)
{
    if (i >= bind->arg_count || !bind->arg_constants[i] || bind->arg_constants[i]->is_null ||
        !type_is_text(bind->arg_constants[i]->type))
        return false;
    *out = bind->arg_constants[i]->text;
    return true;
}

bool bind_constant_integer(const struct function_bind *bind, uint32_t i, int64_t *out)
{
    if (i >= bind->arg_count || !bind->arg_constants[i] || bind->arg_constants[i]->is_null ||
        !type_is_integer(bind->arg_constants[i]->type))
        return false;
    *out = bind->arg_constants[i]->i64;
    return true;
}

char *call_text_room(struct function_call *call, size_t length)
{
    char *room = vec_string_room(call->out, length);
    if (!room)
        call->status = ERR_MEMORY;
    return room;
}

void call_finish_text(struct function_call *call, uint32_t row, const char *data, size_t used)
{
    ((struct view *)call->out->values)[row] = view_of(data, used);
}

#define SHORT_PART_MAX 32 /* up to it the worst case, a step per byte of both, is no matter */

const char *text_find(struct str text, struct str part)
{
    if (part.length > SHORT_PART_MAX)
        return memmem(text.data, text.length, part.data, part.length);
    if (part.length > text.length)
        return NULL;
    const char *next = text.data, *last = text.data + text.length - part.length;
    while ((next = memchr(next, part.data[0], (size_t)(last - next) + 1))) {
        if (memcmp(next + 1, part.data + 1, part.length - 1) == 0)
            return next;
        if (next++ == last)
            return NULL;
    }
    return NULL;
}
