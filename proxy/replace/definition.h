/*
 * definition: a view's definition as the catalog stores it, read.
 * Must not know: replacements.
 */
#ifndef MVSWAP_REPLACE_DEFINITION_H
#define MVSWAP_REPLACE_DEFINITION_H

#include "attributes.h"
#include "sql_scan.h"
#include "statement.h"

/* `text` is borrowed; the ranges of `statement` point into it. */
struct definition {
    const char *text;
    struct sql_tokens tokens;
    struct statement statement;
};

/* definition_read: is `text` one CREATE [MATERIALIZED] VIEW, and nothing else? On true the caller
 * frees `out` with definition_cleanup; false (also without memory): nothing is to be freed. */
MUST_CHECK bool definition_read(const char *text, struct definition *out);
void definition_cleanup(struct definition *d);

#endif
