/*
 * token_walk: a reader over the tokens of one statement, comments left out. Each take_* consumes a
 * token if it is the one that is asked for. Must not know: statements.
 */
#ifndef MVSWAP_PARSER_TOKEN_WALK_H
#define MVSWAP_PARSER_TOKEN_WALK_H

#include "sql_scan.h"

/* The tokens that were not read yet: items[at, end). */
struct token_walk {
    const char *text;
    const struct sql_token *items;
    size_t at;
    size_t end;
};

/* The next token that is no comment, not consumed, or NULL. */
const struct sql_token *token_walk_next(struct token_walk *w);
/* Consumed and returned, or NULL and nothing consumed. `lower` as in sql_token_is_word. */
const struct sql_token *token_walk_word(struct token_walk *w, const char *lower);
const struct sql_token *token_walk_symbol(struct token_walk *w, char symbol);
/* An identifier: RisingWave takes every word as the name of a relation, reserved ones included. */
const struct sql_token *token_walk_name(struct token_walk *w);

#endif
