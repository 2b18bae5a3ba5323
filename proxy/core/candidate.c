/* candidate: see candidate.h. */
#include "candidate.h"

#include "sql_scan.h"
#include "statement.h"

/* Reads the one statement of a scanned text; false when there are several or none. */
static bool read_single(const char *text, size_t len, const struct sql_tokens *tokens,
                        struct statement *out_statement)
{
    size_t cursor = 0;
    struct sql_piece piece;
    struct sql_piece only = {0};
    size_t num_statements = 0;
    while (sql_next_piece(text, len, tokens, &cursor, &piece)) {
        if (!piece.empty) {
            only = piece;
            num_statements++;
        }
    }
    return num_statements == 1 &&
           statement_read(text, tokens, &only, out_statement) == STATEMENT_READ;
}

bool candidate_query(const uint8_t *body, size_t body_len)
{
    const char *text = (const char *)body;
    if (body_len == 0 || body[body_len - 1] != 0 || !sql_gate(body, body_len - 1)) {
        return false;
    }
    struct sql_tokens tokens = {0};
    if (sql_scan(text, body_len - 1, &tokens) != SQL_SCAN_OK) {
        return false;
    }
    struct statement statement = {0};
    bool found = read_single(text, body_len - 1, &tokens, &statement) &&
                 statement.kind == STATEMENT_REPLACE_MATERIALIZED_VIEW && !statement.has_parameters;
    statement_cleanup(&statement);
    sql_tokens_cleanup(&tokens);
    return found;
}
