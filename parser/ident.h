/*
 * ident: identifiers as RisingWave reads and prints them.
 *
 * Unquoted: ASCII letters, digits, `_`, `$`, folded to lower case. Quoted: everything up to the
 * next
 * `"`; up to 3.0.3 a name cannot hold a double quote. No length limit. Names are byte strings with
 * a length; they may hold anything but `"` and NUL.
 */
#ifndef MVSWAP_PARSER_IDENT_H
#define MVSWAP_PARSER_IDENT_H

#include "attributes.h"
#include "buf.h"
#include "sql_scan.h"

#include <stdbool.h>
#include <stddef.h>

/* ident_fold appends the name that an identifier token means: quotes off, or folded to lower case
 * (ASCII only, as RisingWave). False for a token that is no plain identifier, or one with `""`. */
MUST_CHECK bool ident_fold(const char *text, const struct sql_token *token, struct buf *out_name);

/* ident_is_plain: `name` needs no quotes: [a-z_][a-z0-9_$]*. Says nothing of keywords. */
bool ident_is_plain(const char *name, size_t name_len);

/* ident_is_reserved: one of the words that cannot stand as a relation's name without quotes
 * (PostgreSQL manual, appendix C, and EMIT). Versions differ in the rest: see ident_quote. */
bool ident_is_reserved(const char *name);

/* ident_quote appends `name` in double quotes, an inner `"` doubled. Always quotes: which words are
 * keywords differs between versions. */
void ident_quote(struct buf *out, const char *name);

/* literal_quote appends `text` as a '...' literal, `'` doubled. Backslashes are plain in
 * RisingWave's
 * '...' literals whatever standard_conforming_strings says. */
void literal_quote(struct buf *out, const char *text);

#endif
