/* str.h - borrowed text: comparison, number parsing, nearest names.
 *
 * The only place that turns text into numbers (the strtol family is banned elsewhere). Parsers take
 * the whole text or fail; they never skip blanks, never depend on the locale.
 */
#ifndef LEAT_BASE_STR_H
#define LEAT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *data;
    size_t length;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII case */
bool str_starts(struct str text, struct str prefix);
int str_compare(struct str a, struct str b); /* bytewise, shorter first */
struct str str_trim(struct str text);        /* ASCII blanks at both ends */

/* Decimal integer with optional sign. False: not a number, or out of range (*overflow tells which;
 * overflow may be NULL). */
bool str_to_i64(struct str text, int64_t *out, bool *overflow);
bool str_to_u64(struct str text, uint64_t *out, bool *overflow);

/* Shortest round-trip forms: decimal and exponent notation, inf, infinity, nan (any case). */
bool str_to_f64(struct str text, double *out);
bool str_to_f32(struct str text, float *out);

/* "64 kb", "1mb", "2 gib", "10": bytes, Flink's MemorySize units (b, k, kb, m, mb, g, gb, t, tb;
 * powers of 1024). */
bool str_to_bytes(struct str text, uint64_t *out_bytes);

/* "512 b", "1.5 kb", "64 mb": for messages; NUL-terminated. dest has STR_BYTES_MAX bytes. */
#define STR_BYTES_MAX 24
void str_from_bytes(char *dest, uint64_t size_bytes);

/* "10 s", "500ms", "1 min", "2 h", "1 d": Flink's Duration units; a bare number is milliseconds. */
bool str_to_duration_ms(struct str text, int64_t *out_ms);

/* Java's Double.toString / Float.toString form (what Flink's CAST to STRING gives): "1.0",
 * "1.0E10", "NaN", "Infinity". Returns the length; dest has at least 32 bytes, not NUL-terminated.
 */
size_t str_from_f64(char *dest, double value);
size_t str_from_f32(char *dest, float value);
size_t str_from_i64(char *dest, int64_t value); /* at least 20 bytes */

/* The candidate closest to name by edit distance (case-insensitive), or NULL when none is near
 * (more than a third of the letters differ). */
const char *str_nearest(struct str name, const char *const *candidates, size_t candidate_count);

#endif
