/* json_place.c - see json_place.h: one walk over the text, counting brackets. */
#include "server/json_place.h"

struct walk {
    const char *at, *end;
};

static void skip_blanks(struct walk *walk)
{
    while (walk->at < walk->end && strchr(" \t\r\n", *walk->at) && *walk->at)
        walk->at++;
}

static void skip_string(struct walk *walk)
{
    for (walk->at++; walk->at < walk->end && *walk->at != '"'; walk->at++)
        if (*walk->at == '\\')
            walk->at++;
    if (walk->at < walk->end)
        walk->at++;
    else
        walk->at = walk->end;
}

/* Over one value with all that is in it. */
static void skip_value(struct walk *walk)
{
    unsigned depth = 0;
    skip_blanks(walk);
    while (walk->at < walk->end) {
        char c = *walk->at;
        if (c == '"')
            skip_string(walk);
        else
            walk->at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth)
            depth--;
        bool plain = c != '"' && c != '{' && c != '[' && c != '}' && c != ']';
        bool goes_on = plain && walk->at < walk->end && !strchr(",]} \t\r\n", *walk->at);
        if (!depth && !goes_on)
            return;
    }
}

/* Names with escapes do not match: none of ours has any. */
static bool name_is(const char *from, const char *to, const char *name)
{
    size_t length = strlen(name);
    return (size_t)(to - from) == length + 2 && memcmp(from + 1, name, length) == 0;
}

static bool step_into(struct walk *walk, const struct json_step *step)
{
    skip_blanks(walk);
    if (walk->at == walk->end || *walk->at != (step->name ? '{' : '['))
        return false;
    walk->at++;
    for (size_t index = 0;; index++) {
        skip_blanks(walk);
        if (walk->at == walk->end || *walk->at == '}' || *walk->at == ']')
            return false;
        const char *from = walk->at;
        bool found = !step->name && index == step->index;
        if (step->name) {
            skip_string(walk);
            found = name_is(from, walk->at, step->name);
            skip_blanks(walk);
            walk->at += walk->at < walk->end;
            skip_blanks(walk);
        }
        if (found)
            return true;
        skip_value(walk);
        skip_blanks(walk);
        if (walk->at < walk->end && *walk->at == ',')
            walk->at++;
    }
}

struct source_pos json_place(struct str text, const struct json_step *path, unsigned depth)
{
    struct walk walk = {text.data, text.data + text.length};
    struct source_pos pos = {.line = 1, .column = 1};
    for (unsigned i = 0; i < depth; i++)
        if (!step_into(&walk, &path[i]))
            break;
    skip_blanks(&walk);
    for (const char *at = text.data; at < walk.at; at++) {
        if (*at == '\n') {
            pos.line++;
            pos.column = 1;
        } else if (((unsigned char)*at & 0xC0) != 0x80) {
            pos.column++;
        }
    }
    pos.offset = (uint32_t)(walk.at - text.data);
    return pos;
}
