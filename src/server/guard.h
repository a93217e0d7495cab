/* guard.h - who may ask: Host, Origin, token and content type of a request, judged by pure
 * functions.
 *
 * Against: pages of other sites that send requests to this machine's loopback (Origin, JSON content
 * type, token), names that a foreign DNS server points to 127.0.0.1 (Host), other users of this
 * machine (token). TLS is not here: HTTP is spoken on loopback addresses only.
 */
#ifndef LEAT_SERVER_GUARD_H
#define LEAT_SERVER_GUARD_H

#include "base/error.h"
#include "base/str.h"

#define TOKEN_TEXT_BYTES 32 /* letters, without NUL */

/* "localhost:8080", "[::1]" without the port, brackets kept. data NULL: no such text. */
struct str guard_host_name(struct str host);
/* Loopback names and addresses, or one of `more` (names separated by commas; NULL: none). Any
 * port: who forwards one to us may use another. */
bool guard_host_allowed(const char *host, const char *more);
/* No Origin header, or that of the Host itself by http or https. "null" is foreign. */
bool guard_origin_allowed(const char *origin, const char *host);
/* "Bearer TOKEN"; compares in a time that does not depend on how much is right. */
bool guard_token_right(const char *authorization, const char *token);
/* Is the header's media type, without parameters, this one? */
bool guard_type_is(const char *content_type, const char *wanted);
struct str guard_media_type(const char *content_type); /* without parameters and blanks */
/* An address that only this machine reaches: 127.*, ::1, localhost. */
bool guard_is_loopback(const char *host);

#endif
