/* endpoint.c - references of endpoints; what every endpoint answers alike. */
#include "plugin/endpoint.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_text.h"
#include "base/must.h"

#define ANSWER_BYTES_MAX 8192

struct endpoint *endpoint_ref(struct endpoint *endpoint)
{
    uint32_t before = atomic_fetch_add_explicit(&endpoint->refs, 1, memory_order_relaxed);
    must(before > 0);
    return endpoint;
}

void endpoint_unref(struct endpoint *endpoint)
{
    if (!endpoint)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&endpoint->refs, 1, memory_order_acq_rel);
    must(before > 0);
    if (before == 1)
        endpoint->class->close(endpoint);
}

void endpoint_refuse(struct endpoint_request *request, uint32_t http_status, const char *code,
                     const char *hint, const char *fmt, ...)
{
    char message[ERROR_TEXT_MAX];
    struct buf *answer = &request->answer;
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    buf_fini(answer);
    buf_init(answer, ANSWER_BYTES_MAX);
    request->http_status = http_status;
    buf_append_text(answer, "{\"error\":{\"code\":");
    json_text_append(answer, str_of(code));
    buf_append_text(answer, ",\"message\":");
    json_text_append(answer, str_of(message));
    if (hint) {
        buf_append_text(answer, ",\"hint\":");
        json_text_append(answer, str_of(hint));
    }
    buf_append_text(answer, "}}");
}

const struct endpoint_parameter *endpoint_parameter(const struct endpoint_request *request,
                                                    const char *name)
{
    for (uint32_t i = 0; i < request->parameter_count; i++)
        if (str_eq(request->parameters[i].name, str_of(name)))
            return &request->parameters[i];
    return NULL;
}
