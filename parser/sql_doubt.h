/*
 * sql_doubt: texts which RisingWave's lexer and PostgreSQL's scanner may split differently. Five
 * classes were found by comparing both over millions of generated texts (docs/risingwave.md,
 * lexer):
 *
 * 1. a carriage return without line feed in a `--` comment (PostgreSQL ends the comment there),
 * 2. nested comments whose marks overlap: a `/` or `*` that both closes and opens,
 * 3. dollar quotes whose tag begins with a digit,
 * 4. numbers with a dangling exponent (`1e`, `1.5E-`),
 * 5. zero-byte escapes in E'' strings,
 *
 * and, up to RisingWave 3.0.3, `""` inside a quoted identifier (two words there, one here).
 * When in doubt the text is left alone: a missed interception is an error message, a wrong one
 * costs somebody's view.
 */
#ifndef MVSWAP_PARSER_SQL_DOUBT_H
#define MVSWAP_PARSER_SQL_DOUBT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * sql_doubt looks at raw text, before and without any scanner, and errs on the side of doubt.
 * On true `*out_why` is a static sentence. Classes 4 and 5 are scan errors for PostgreSQL's scanner
 * and need no test here. Also true: an inner NUL, bytes that are not UTF-8, anything unterminated,
 * and runs of operator characters longer than any sane text has (33 in code, 201 with comments):
 * over those PostgreSQL's scanner needs time by the square of their length.
 */
bool sql_doubt(const char *text, size_t len, const char **out_why);

#endif
