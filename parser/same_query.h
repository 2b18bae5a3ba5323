/*
 * same_query: do two stored queries say the same, and is the text all there is to say?
 *
 * Compares what the catalog stores, which is normalised (comments and layout are gone, types are
 * spelled in one way), token by token. Must not know: servers, catalogs, replacements.
 */
#ifndef MVSWAP_PARSER_SAME_QUERY_H
#define MVSWAP_PARSER_SAME_QUERY_H

#include "sql_scan.h"
#include "statement.h"

#include <stdbool.h>

/* A part of a scanned text: the tokens that lie inside of `range`. Borrowed. */
struct query_text {
    const char *text;
    const struct sql_tokens *tokens;
    struct byte_range range;
};

/* same_tokens: equal token by token, comments left out; unquoted words in any case. */
bool same_tokens(const struct query_text *a, const struct query_text *b);

/* same_query does the same, with `q.n AS n` and `n AS n` read as `q.n` and `n` on both sides: the
 * server adds such an alias when it rewrites a text twice (docs/risingwave.md 13). */
bool same_query(const struct query_text *a, const struct query_text *b);

/*
 * query_is_fixed: nothing in the text may mean something else today than when it was stored: no `*`
 * but that of count(*) and of the outermost SELECT list (stars are stored as they are), no NATURAL,
 * nothing that is folded at creation (current_*, user, now(), privileges, regclass) and no word of
 * a type with a time zone. Careful: says no where it cannot tell.
 */
bool query_is_fixed(const struct query_text *q);

/* query_names: does an identifier of the text mean `name`? */
bool query_names(const struct query_text *q, const char *name);

#endif
