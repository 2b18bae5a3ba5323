/*
 * sql_scan: SQL text to tokens, by libpg_query's scanner (the only part of it that survives any
 * input; its tree parsers overflow the stack on 46 KiB of `1+1+...`). The one user of pg_query.h.
 *
 * Everything that reads SQL here works on these tokens and on byte ranges of the original text.
 * Must not know: what statements mean.
 */
#ifndef MVSWAP_PARSER_SQL_SCAN_H
#define MVSWAP_PARSER_SQL_SCAN_H

#include "attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sql_token_kind {
    SQL_TOKEN_WORD,      /* unquoted identifier or keyword */
    SQL_TOKEN_QUOTED,    /* "..." */
    SQL_TOKEN_STRING,    /* any string literal: '...', E'...', $$...$$, X'...' */
    SQL_TOKEN_NUMBER,    /* integer or decimal literal */
    SQL_TOKEN_PARAMETER, /* $1 */
    SQL_TOKEN_COMMENT,   /* either form */
    SQL_TOKEN_SYMBOL,    /* one punctuation character: ( ) [ ] , ; . : + - * / ... */
    SQL_TOKEN_OTHER      /* operators of several characters, :: := .. and the like */
};

/* A token is text[start, end). Comments are tokens, blanks are not. */
struct sql_token {
    enum sql_token_kind kind;
    size_t start;
    size_t end;
};

/* Zero bytes are a valid empty list. Owned by whoever called sql_scan. */
struct sql_tokens {
    struct sql_token *items;
    size_t num_items;
};

enum sql_scan_result {
    SQL_SCAN_OK,
    SQL_SCAN_REFUSED, /* not to be read: scan error, U&"", inner NUL, not UTF-8, or sql_doubt() */
    SQL_SCAN_NO_MEMORY
};

/*
 * sql_scan reads text[0, len), which need not end with a NUL. On SQL_SCAN_OK it fills `out_tokens`
 * (free with sql_tokens_cleanup), otherwise it writes nothing. Refuses texts which RisingWave might
 * split differently (sql_doubt.h): the caller then leaves the text alone. Linear in `len`: about
 * 20 ns a byte of ordinary text, and at worst 500 ns and 70 bytes of memory a byte (one-character
 * tokens, runs of operators); the caller bounds `len`.
 */
MUST_CHECK enum sql_scan_result sql_scan(const char *text, size_t len,
                                         struct sql_tokens *out_tokens);
void sql_tokens_cleanup(struct sql_tokens *tokens);

/* sql_token_is_word: an unquoted word equal to `lower` (ASCII lower case) whatever its case. */
bool sql_token_is_word(const char *text, const struct sql_token *token, const char *lower);
/* sql_token_is_symbol: the one-character token `symbol`. */
bool sql_token_is_symbol(const char *text, const struct sql_token *token, char symbol);

/* Do token texts of these lists name `name` (folded; a quoted or unquoted identifier)? */
bool sql_tokens_name(const char *text, const struct sql_tokens *tokens, const char *name,
                     size_t name_len);

/* Is there a parameter ($1) among them? */
bool sql_tokens_have_parameter(const struct sql_tokens *tokens);

/*
 * One statement of a text: the tokens [first, first + num) without the `;`. Comments count as
 * tokens; a piece of blanks and comments only is `empty`.
 */
struct sql_piece {
    size_t first;
    size_t num;
    size_t start; /* byte range in the text, from the end of the previous `;` to before its own */
    size_t end;
    bool empty;
};

/*
 * sql_next_piece steps through the statements of a text: set `*cursor` to 0 first. Returns false
 * after the last one; nothing behind the last `;`, not even a blank, is no piece. `text_len` is the
 * length given to sql_scan. `;` never stands inside a RisingWave statement except in strings and
 * comments (risingwave.md 7).
 */
bool sql_next_piece(const char *text, size_t text_len, const struct sql_tokens *tokens,
                    size_t *cursor, struct sql_piece *out_piece);

/*
 * sql_gate: may this text concern mvswap at all? True when it holds "replace" or "mvswap" in any
 * case, anywhere. A byte search that runs over every statement of every client, so that the
 * scanner need not.
 */
bool sql_gate(const void *text, size_t len);

#endif
