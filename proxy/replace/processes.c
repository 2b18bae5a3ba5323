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

static bool names_any(const char *info, const char *const *view_names, size_t num_names)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(info, strlen(info), &tokens) != SQL_SCAN_OK) {
        return true;
    }
    bool named = false;
    for (size_t i = 0; i < num_names && !named; i++) {
        named = sql_tokens_name(info, &tokens, view_names[i], strlen(view_names[i]));
    }
    sql_tokens_cleanup(&tokens);
    return named;
}

bool process_reads(const struct replace_result *result, size_t row, const char *const *view_names,
                   size_t num_names, uint64_t older_than_ms)
{
    if (result->num_columns < MOST_OF_PROCESS) {
        return true;
    }
    const char *info = process_cell(result, row, PROCESS_INFO);
    uint64_t time = read_time(process_cell(result, row, PROCESS_TIME));
    if (info == NULL || info[0] == 0 || time < older_than_ms) {
        return false; /* idle, or it began when the names were swapped everywhere */
    }
    return strlen(info) >= INFO_CUT || strstr(info, cut_mark) != NULL || begins_with_fetch(info) ||
           names_any(info, view_names, num_names);
}

bool process_has_run(const struct replace_result *result, size_t row, uint64_t for_ms)
{
    if (result->num_columns < MOST_OF_PROCESS) {
        return true;
    }
    const char *info = process_cell(result, row, PROCESS_INFO);
    return info != NULL && info[0] != 0 &&
           read_time(process_cell(result, row, PROCESS_TIME)) >= for_ms;
}

const char *process_id(const struct replace_result *result, size_t row)
{
    return result->num_columns < MOST_OF_PROCESS ? NULL : process_cell(result, row, PROCESS_ID);
}
