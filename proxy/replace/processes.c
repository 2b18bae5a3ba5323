/* processes: see processes.h. */
#include "processes.h"

#include "rows.h"
#include "sql_scan.h"

#include <stdlib.h>
#include <string.h>

/* The process list cuts longer texts, and says so behind the cut: "...(truncated,N)". */
enum { INFO_CUT = 1024 };
static const char cut_mark[] = "(truncated,";

/* The last columns of SHOW PROCESSLIST are Id, User, Host, Database, Time, Info, counted from the
 * end: before 2.5 there is no worker's id in front. */
enum { PROCESS_ID = 6, PROCESS_TIME = 2, PROCESS_INFO = 1, MOST_OF_PROCESS = 6 };

static const char *process_cell(const struct replace_result *result, size_t row, size_t from_end)
{
    return cell(result, row, result->num_columns - from_end);
}

/* How long a statement has been running, from "279ms"; UINT64_MAX when that cannot be read. */
static uint64_t read_time(const char *text)
{
    char *end = NULL;
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return UINT64_MAX;
    }
    unsigned long long number = strtoull(text, &end, 10);
    return strcmp(end, "ms") == 0 ? number : UINT64_MAX;
}

/* NULL: there is no statement in the row. */
static const char *text_of(const struct replace_result *result, size_t row)
{
    const char *info = process_cell(result, row, PROCESS_INFO);
    return info == NULL || info[0] == 0 ? NULL : info;
}

static bool begins_with_fetch(const char *info)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(info, strlen(info), &tokens) != SQL_SCAN_OK) {
        return true;
    }
    bool fetch = tokens.num_items != 0 && sql_token_is_word(info, &tokens.items[0], "fetch");
    sql_tokens_cleanup(&tokens);
    return fetch;
}

bool process_has_run(const struct replace_result *result, size_t row, uint64_t for_ms)
{
    return result->num_columns < MOST_OF_PROCESS ||
           (text_of(result, row) != NULL &&
            read_time(process_cell(result, row, PROCESS_TIME)) >= for_ms);
}

bool process_is_unclear(const struct replace_result *result, size_t row)
{
    if (result->num_columns < MOST_OF_PROCESS) {
        return true;
    }
    const char *info = text_of(result, row);
    return info != NULL &&
           (strlen(info) >= INFO_CUT || strstr(info, cut_mark) != NULL || begins_with_fetch(info));
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool begins_with(const char *text, const char *name)
{
    while (*name != 0 && lower(*text) == lower(*name)) {
        text++;
        name++;
    }
    return *name == 0;
}

/* Does the text hold one of them, in whatever case? It is scanned only then: lists are long. */
static bool holds_any(const char *info, const char *const *names, size_t num_names)
{
    for (size_t i = 0; i < num_names; i++) {
        for (const char *at = info; *at != 0; at++) {
            if (begins_with(at, names[i])) {
                return true;
            }
        }
    }
    return false;
}

bool process_names(const struct replace_result *result, size_t row, const char *const *view_names,
                   size_t num_names)
{
    if (result->num_columns < MOST_OF_PROCESS) {
        return true;
    }
    const char *info = text_of(result, row);
    struct sql_tokens tokens = {0};
    bool named = false;
    if (info == NULL || !holds_any(info, view_names, num_names)) {
        return false;
    }
    if (sql_scan(info, strlen(info), &tokens) != SQL_SCAN_OK) {
        return true;
    }
    for (size_t i = 0; i < num_names && !named; i++) {
        named = sql_tokens_name(info, &tokens, view_names[i], strlen(view_names[i]));
    }
    sql_tokens_cleanup(&tokens);
    return named;
}

bool process_reads(const struct replace_result *result, size_t row, const char *const *view_names,
                   size_t num_names, uint64_t older_than_ms)
{
    return process_has_run(result, row, older_than_ms) &&
           (process_is_unclear(result, row) || process_names(result, row, view_names, num_names));
}

const char *process_id(const struct replace_result *result, size_t row)
{
    return result->num_columns < MOST_OF_PROCESS ? NULL : process_cell(result, row, PROCESS_ID);
}
