/* definition: see definition.h. */
#include "definition.h"

#include <string.h>

void definition_cleanup(struct definition *d)
{
    statement_cleanup(&d->statement);
    sql_tokens_cleanup(&d->tokens);
}

bool definition_read(const char *text, struct definition *out)
{
    struct sql_piece piece;
    size_t cursor = 0;
    *out = (struct definition){.text = text};
    if (sql_scan(text, strlen(text), &out->tokens) != SQL_SCAN_OK) {
        return false;
    }
    bool read =
        sql_next_piece(text, strlen(text), &out->tokens, &cursor, &piece) &&
        statement_read_stored(text, &out->tokens, &piece, &out->statement) == STATEMENT_READ &&
        out->statement.kind != STATEMENT_OTHER &&
        !sql_next_piece(text, strlen(text), &out->tokens, &cursor, &piece);
    if (!read) {
        definition_cleanup(out);
    }
    return read;
}
