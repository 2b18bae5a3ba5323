/* setting_sql: see setting_sql.h. */
#include "setting_sql.h"

#include "sql_scan.h"

#include <stdio.h>
#include <string.h>

static bool refuse(const char *name, const char *why, const char *hint,
                   struct settings_problem *out_problem)
{
    *out_problem = (struct settings_problem){.sqlstate = "22023"};
    (void)snprintf(out_problem->message, sizeof(out_problem->message),
                   "invalid value for setting \"mvswap.%s\": %s", name, why);
    (void)snprintf(out_problem->hint, sizeof(out_problem->hint), "%s", hint);
    return false;
}

/* Statements, not counting pieces of blanks and comments. */
static size_t count_statements(const char *text, size_t len, const struct sql_tokens *tokens)
{
    struct sql_piece piece;
    size_t cursor = 0;
    size_t num = 0;
    while (sql_next_piece(text, len, tokens, &cursor, &piece)) {
        num += piece.empty ? 0 : 1;
    }
    return num;
}

static bool judge_tokens(const char *name, const char *text, const struct sql_tokens *tokens,
                         bool one_statement, struct settings_problem *out_problem)
{
    /* In a simple Query, which is how it runs, a parameter can stop the server (risingwave.md 13).
     */
    if (sql_tokens_have_parameter(tokens)) {
        return refuse(name, "it holds a parameter", "Nothing is bound to $1 here.", out_problem);
    }
    size_t num = count_statements(text, strlen(text), tokens);
    if (num == 0) {
        return refuse(name, "it holds no statement", "An empty value switches it off.",
                      out_problem);
    }
    if (one_statement && num > 1) {
        return refuse(name, "it holds more than one statement", "Write one query.", out_problem);
    }
    return true;
}

bool setting_sql_judge(const char *name, const char *text, bool one_statement,
                       struct settings_problem *out_problem)
{
    struct sql_tokens tokens = {0};
    size_t len = strlen(text);
    if (len > LIMIT_SETTING_SQL) {
        return refuse(name, "it is too long",
                      "At most 8192 bytes; a view or function can hold more.", out_problem);
    }
    switch (sql_scan(text, len, &tokens)) {
    case SQL_SCAN_OK:
        break;
    case SQL_SCAN_REFUSED:
        return refuse(name, "it cannot be read as SQL",
                      "Close quotes and comments; leave out U&\"\" and nested comments.",
                      out_problem);
    case SQL_SCAN_NO_MEMORY:
        settings_lack_memory(out_problem);
        return false;
    }
    bool good = judge_tokens(name, text, &tokens, one_statement, out_problem);
    sql_tokens_cleanup(&tokens);
    return good;
}
