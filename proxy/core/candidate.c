/* candidate: see candidate.h. */
#include "candidate.h"

#include "sql_scan.h"
#include "statement.h"

enum verdict {
    VERDICT_OTHER,     /* the server's; goes on before or behind a candidate */
    VERDICT_CANDIDATE, /* ours, perhaps */
    VERDICT_DOUBT      /* the whole text passes */
};

static enum verdict judge(const char *text, const struct sql_tokens *tokens,
                          const struct sql_piece *piece, struct candidate *out_candidate)
{
    struct statement statement = {0};
    struct sql_piece inner = *piece;
    enum statement_explain explain = statement_explained(text, tokens, piece, &inner);
    if (statement_read(text, tokens, &inner, &statement) != STATEMENT_READ) {
        return VERDICT_DOUBT;
    }
    enum verdict verdict = VERDICT_OTHER;
    bool explained = explain == EXPLAIN_BARE && !statement.has_parameters;
    if (statement.kind != STATEMENT_OTHER && (explain == EXPLAIN_NOTHING || explained)) {
        verdict = VERDICT_CANDIDATE;
        out_candidate->materialized = statement.kind == STATEMENT_REPLACE_MATERIALIZED_VIEW;
        out_candidate->explained = explained;
        out_candidate->start = tokens->items[piece->first].start;
        out_candidate->create = tokens->items[inner.first].start;
        out_candidate->end = tokens->items[piece->first + piece->num - 1].end;
    } else if (statement.refused_alike ||
               (explain != EXPLAIN_NOTHING && statement.explain_refused_alike)) {
        verdict = VERDICT_DOUBT;
    }
    statement_cleanup(&statement);
    return verdict;
}

/* Looks at the statements up to the candidate; behind it only for where they begin. */
static bool find(const char *text, size_t len, const struct sql_tokens *tokens,
                 struct candidate *out_candidate)
{
    struct candidate found = {.rest = len};
    bool is_found = false;
    size_t cursor = 0;
    struct sql_piece piece;
    while (sql_next_piece(text, len, tokens, &cursor, &piece)) {
        if (piece.empty) {
            continue;
        }
        if (is_found) {
            found.rest = tokens->items[piece.first].start;
            break;
        }
        switch (judge(text, tokens, &piece, &found)) {
        case VERDICT_OTHER:
            break;
        case VERDICT_CANDIDATE:
            is_found = true;
            break;
        case VERDICT_DOUBT:
            return false;
        }
    }
    if (is_found) {
        *out_candidate = found;
    }
    return is_found;
}

/* Where the first statement that is not empty begins. */
static size_t first_statement(const uint8_t *text, size_t len, const struct sql_tokens *tokens)
{
    size_t cursor = 0;
    struct sql_piece piece;
    while (sql_next_piece((const char *)text, len, tokens, &cursor, &piece)) {
        if (!piece.empty) {
            return tokens->items[piece.first].start;
        }
    }
    return len;
}

bool candidate_find_alone(const uint8_t *text, size_t len, struct candidate *out_candidate)
{
    struct sql_tokens tokens = {0};
    struct candidate found = {0};
    if (!sql_gate(text, len) || sql_scan((const char *)text, len, &tokens) != SQL_SCAN_OK) {
        return false;
    }
    bool alone = find((const char *)text, len, &tokens, &found) && found.rest == len &&
                 found.start == first_statement(text, len, &tokens);
    sql_tokens_cleanup(&tokens);
    if (alone) {
        *out_candidate = found;
    }
    return alone;
}

bool candidate_find(const uint8_t *text, size_t len, struct candidate *out_candidate)
{
    struct sql_tokens tokens = {0};
    if (!sql_gate(text, len) || sql_scan((const char *)text, len, &tokens) != SQL_SCAN_OK) {
        return false;
    }
    /* A parameter behind the candidate would reach the server in a Query of ours, out of the
     * original. */
    bool found = !sql_tokens_have_parameter(&tokens) &&
                 find((const char *)text, len, &tokens, out_candidate);
    sql_tokens_cleanup(&tokens);
    return found;
}

const char *candidate_words(const struct candidate *candidate)
{
    return candidate->materialized ? "CREATE OR REPLACE MATERIALIZED VIEW"
                                   : "CREATE OR REPLACE VIEW";
}
