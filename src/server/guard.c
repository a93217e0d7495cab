/* guard.c - Host, Origin, token, content type. */
#include "server/guard.h"

struct str guard_host_name(struct str host)
{
    if (host.length && host.data[0] == '[') {
        const char *close = memchr(host.data, ']', host.length);
        size_t length = close ? (size_t)(close - host.data) + 1 : 0;
        bool port = close && (length == host.length || close[1] == ':');
        return port ? (struct str){host.data, length} : (struct str){0};
    }
    const char *colon = host.length ? memchr(host.data, ':', host.length) : NULL;
    if (colon)
        host.length = (size_t)(colon - host.data);
    return host.length ? host : (struct str){0};
}

bool guard_is_loopback(const char *host)
{
    struct str name = str_of(host);
    if (str_eq_nocase(name, STR("localhost")) || str_eq(name, STR("::1")) ||
        str_eq(name, STR("[::1]")))
        return true;
    if (!str_starts(name, STR("127.")))
        return false;
    for (size_t i = 4; i < name.length; i++) /* no name that only begins like an address */
        if (name.data[i] != '.' && (name.data[i] < '0' || name.data[i] > '9'))
            return false;
    return true;
}

bool guard_host_allowed(const char *host, const char *more)
{
    char text[256];
    struct str name = host ? guard_host_name(str_of(host)) : (struct str){0};
    if (!name.data || name.length >= sizeof(text))
        return false;
    memcpy(text, name.data, name.length);
    text[name.length] = 0;
    if (guard_is_loopback(text))
        return true;
    for (const char *at = more; at && *at;) {
        const char *comma = strchr(at, ',');
        size_t length = comma ? (size_t)(comma - at) : strlen(at);
        if (length && str_eq_nocase(name, str_trim((struct str){at, length})))
            return true;
        at += length + (comma ? 1 : 0);
    }
    return false;
}

bool guard_origin_allowed(const char *origin, const char *host)
{
    static const struct str SCHEMES[] = {{"http://", 7}, {"https://", 8}};
    if (!origin)
        return true;
    for (size_t i = 0; host && i < sizeof(SCHEMES) / sizeof(*SCHEMES); i++) {
        struct str text = str_of(origin);
        if (!str_starts(text, SCHEMES[i]))
            continue;
        text.data += SCHEMES[i].length;
        text.length -= SCHEMES[i].length;
        return str_eq_nocase(text, str_of(host));
    }
    return false;
}

bool guard_token_right(const char *authorization, const char *token)
{
    static const struct str scheme = {"Bearer ", 7};
    struct str given = str_of(authorization ? authorization : ""), want = str_of(token);
    if (given.length < scheme.length ||
        !str_eq_nocase((struct str){given.data, scheme.length}, scheme))
        return false;
    given = str_trim((struct str){given.data + scheme.length, given.length - scheme.length});
    unsigned char different = given.length != want.length;
    for (size_t i = 0; i < want.length; i++)
        different |= (unsigned char)(want.data[i] ^ (i < given.length ? given.data[i] : 0));
    return different == 0 && want.length > 0;
}

struct str guard_media_type(const char *content_type)
{
    struct str type = str_of(content_type ? content_type : "");
    const char *semicolon = type.length ? memchr(type.data, ';', type.length) : NULL;
    if (semicolon)
        type.length = (size_t)(semicolon - type.data);
    return str_trim(type);
}

bool guard_type_is(const char *content_type, const char *wanted)
{
    return str_eq_nocase(guard_media_type(content_type), str_of(wanted));
}
