/* json_shim.cc - see json_shim.h. Compiled without exceptions escaping: every call returns a code. */
#include "format/json/json_shim.h"

#include <memory>
#include <new>
#include <simdjson.h>

using simdjson::internal::dom_parser_implementation;

struct json_shim {
    std::unique_ptr<dom_parser_implementation> parser;
};

static const size_t FIRST_CAPACITY = size_t(256) << 10;

struct json_shim *json_shim_new(void)
{
    json_shim *shim = new (std::nothrow) json_shim;
    if (!shim)
        return nullptr;
    auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
        FIRST_CAPACITY, 1, shim->parser);
    if (error) {
        delete shim;
        return nullptr;
    }
    return shim;
}

void json_shim_free(struct json_shim *shim)
{
    delete shim;
}

enum json_shim_result json_shim_index(struct json_shim *shim, const uint8_t *text, size_t length,
                                      const uint32_t **positions, uint32_t *count)
{
    dom_parser_implementation &parser = *shim->parser;
    if (length > parser.capacity() && parser.set_capacity(length + length / 4))
        return JSON_SHIM_MEMORY;
    switch (parser.stage1(text, length, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
        break;
    case simdjson::UTF8_ERROR:
        return JSON_SHIM_UTF8;
    case simdjson::UNCLOSED_STRING:
        return JSON_SHIM_UNCLOSED;
    case simdjson::UNESCAPED_CHARS:
        return JSON_SHIM_CONTROL;
    case simdjson::EMPTY:
        return JSON_SHIM_EMPTY;
    default:
        return JSON_SHIM_OTHER;
    }
    uint32_t *list = parser.structural_indexes.get();
    uint32_t last = parser.n_structural_indexes;
    /* simdjson allocates more than 8 positions beyond the text's length */
    list[last] = list[last + 1] = list[last + 2] = list[last + 3] = JSON_POSITION_END;
    *positions = list;
    *count = last;
    return JSON_SHIM_OK;
}

ptrdiff_t json_shim_unescape(const struct json_shim *shim, const uint8_t *text, uint8_t *dest)
{
    const uint8_t *end = shim->parser->parse_string(text, dest);
    return end ? end - dest : -1;
}
