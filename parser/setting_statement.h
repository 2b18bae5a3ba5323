/*
 * setting_statement: recognises the statements about settings of ours, by tokens.
 *
 *     SET [SESSION|LOCAL] mvswap.name {=|TO} {value|DEFAULT}    RESET mvswap.name
 *     SHOW mvswap.name                                          SHOW mvswap
 *     RESET ALL                                                 DISCARD ALL
 *
 * All but the last two are syntax errors for RisingWave. What has another form is not recognised
 * and passes. Must not know: which settings there are.
 */
#ifndef MVSWAP_PARSER_SETTING_STATEMENT_H
#define MVSWAP_PARSER_SETTING_STATEMENT_H

#include "attributes.h"
#include "sql_scan.h"

#include <stdbool.h>

enum setting_statement_kind {
    SETTING_NO_STATEMENT, /* something else */
    SETTING_SET,
    SETTING_SET_LOCAL,
    SETTING_RESET, /* also SET ... TO DEFAULT */
    SETTING_SHOW,
    SETTING_SHOW_ALL,
    SETTING_RESET_ALL /* RESET ALL or DISCARD ALL: the server's, but ours are reset as well */
};

/* Zero bytes are no statement. Texts are newly allocated; NULL where the kind has none. */
struct setting_statement {
    enum setting_statement_kind kind;
    char *name;  /* folded, without "mvswap." */
    char *value; /* of SET: what a literal means; of anything longer than one token its text */
};

enum setting_statement_result { SETTING_STATEMENT_READ, SETTING_STATEMENT_NO_MEMORY };

/* On SETTING_STATEMENT_READ the caller owns `out_statement` (setting_statement_cleanup). */
MUST_CHECK enum setting_statement_result
setting_statement_read(const char *text, const struct sql_tokens *tokens,
                       const struct sql_piece *piece, struct setting_statement *out_statement);
void setting_statement_cleanup(struct setting_statement *statement);

#endif
