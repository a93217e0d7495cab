/* lexer.h - SQL text to tokens, one at a time.
 *
 * Knows identifiers (plain, in backquotes with `` for one), strings ('' for one quote, U&'\0041',
 * x'0F'), numbers, parameters (:name), comments (two dashes or slashes, slash-star) and hints.
 * Allocates nothing: a token's text is a slice of the source, still with its quotes.
 *
 * The text must be valid UTF-8 (lexer_check_utf8). Positions count characters; `base` says where
 * the text begins in the file it was cut from.
 */
#ifndef LEAT_SQL_LEXER_H
#define LEAT_SQL_LEXER_H

#include "base/error.h"
#include "base/str.h"

struct token {
    int code; /* TK_* of the generated grammar.h; 0: end of text */
    struct str text;
    struct source_pos pos;
};

struct lexer {
    const char *start, *at, *end;
    struct source_pos base;
    uint32_t line, column;
    bool in_hint;
};

void lexer_init(struct lexer *lexer, struct str text, struct source_pos base);
enum status lexer_next(struct lexer *lexer, struct token *out, struct error *err) STATUS_CHECKED;

/* ERR_SYNTAX at the first byte that is not UTF-8, ERR_LIMIT above SQL_TEXT_MAX. */
enum status lexer_check_utf8(struct str text, struct error *err) STATUS_CHECKED;

/* Code of a word in any case, or 0. *reserved: cannot be a plain name. */
int keyword_find(struct str word, bool *reserved);
/* Upper-case word of a code, NULL when it is none. */
const char *keyword_text(int code);

#endif
