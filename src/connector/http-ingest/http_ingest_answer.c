/* http_ingest_answer.c - what a request asks for, and its answer as JSON. */
#include "connector/http-ingest/http_ingest_int.h"

#include "base/json_text.h"
#include "base/must.h"

#define ERRORS_BYTES_MAX (1u << 20)

static struct str word_until(struct str *rest, char end)
{
    const char *found = memchr(rest->data, end, rest->length);
    size_t length = found ? (size_t)(found - rest->data) : rest->length;
    struct str word = str_trim((struct str){rest->data, length});
    size_t taken = found ? length + 1 : length;
    rest->data += taken;
    rest->length -= taken;
    return word;
}

static bool is_utf8(struct str charset)
{
    if (charset.length >= 2 && charset.data[0] == '"' && charset.data[charset.length - 1] == '"')
        charset = (struct str){charset.data + 1, charset.length - 2};
    return str_eq_nocase(charset, STR("utf-8")) || str_eq_nocase(charset, STR("utf8"));
}

static bool understands_type(struct endpoint_request *request, bool *lines)
{
    static const char hint[] = "Content-Type: application/json (an object, or an array of "
                               "objects) or application/x-ndjson (an object a line)";
    struct str rest = str_of(request->content_type ? request->content_type : "");
    struct str type = word_until(&rest, ';');
    *lines = str_eq_nocase(type, STR("application/x-ndjson"));
    if (!*lines && !str_eq_nocase(type, STR("application/json"))) {
        endpoint_refuse(request, 415, "CONTENT_TYPE", hint,
                        type.length ? "a body of type '%.*s' is not understood"
                                    : "the request has no Content-Type%.*s",
                        type.length > 80 ? 80 : (int)type.length, type.data);
        return false;
    }
    while (rest.length) {
        struct str parameter = word_until(&rest, ';');
        struct str value = parameter;
        struct str name = word_until(&value, '=');
        if (!str_eq_nocase(name, STR("charset")) || is_utf8(str_trim(value)))
            continue;
        endpoint_refuse(request, 415, "CONTENT_TYPE", "send UTF-8",
                        "the character set '%.*s' is not understood",
                        value.length > 80 ? 80 : (int)value.length, value.data);
        return false;
    }
    return true;
}

bool ingest_understands(struct endpoint_request *request, bool *lines, bool *atomic)
{
    *atomic = false;
    if (!understands_type(request, lines))
        return false;
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        const struct endpoint_parameter *parameter = &request->parameters[i];
        struct str name = parameter->name, value = parameter->value;
        if (!str_eq(name, STR("atomic"))) {
            endpoint_refuse(request, 400, "PARAMETER", "there is: atomic=true",
                            "the parameter '%.*s' is not known",
                            name.length > 80 ? 80 : (int)name.length, name.data);
            return false;
        }
        *atomic = str_eq(value, STR("true"));
        if (!*atomic && !str_eq(value, STR("false"))) {
            endpoint_refuse(request, 400, "PARAMETER", NULL, "atomic is true or false, not '%.*s'",
                            value.length > 80 ? 80 : (int)value.length, value.data);
            return false;
        }
    }
    return true;
}

void ingest_note_error(struct ingest_post *post, uint32_t row, const char *field,
                       const char *constraint, const struct str *value, const char *message)
{
    struct buf *out = &post->errors;
    if (post->listed == INGEST_ERRORS_MAX)
        return;
    if (post->listed++ == 0)
        buf_init(out, ERRORS_BYTES_MAX);
    else
        buf_append_byte(out, ',');
    buf_printf(out, "{\"row\":%u,\"field\":", row);
    if (field)
        json_text_append(out, str_of(field));
    else
        buf_append_text(out, "null");
    buf_append_text(out, ",\"constraint\":");
    json_text_append(out, str_of(constraint));
    buf_append_text(out, ",\"value\":");
    if (value)
        json_text_append(out, *value);
    else
        buf_append_text(out, "null");
    buf_append_text(out, ",\"message\":");
    json_text_append(out, str_of(message));
    buf_append_byte(out, '}');
}

void ingest_answer(struct ingest_post *post)
{
    struct endpoint_request *request = post->request;
    struct buf *out = &request->answer;
    buf_init(out, ERRORS_BYTES_MAX + 200);
    request->http_status = post->rejected ? 422 : 200;
    buf_printf(out, "{\"accepted\":%u", post->accepted);
    if (post->rejected) {
        buf_printf(out, ",\"rejected\":%u,\"errors\":[", post->rejected);
        buf_append(out, post->errors.data, post->errors.length);
        buf_append_byte(out, ']');
    }
    buf_append_byte(out, '}');
}
