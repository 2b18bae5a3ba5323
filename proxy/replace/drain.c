/*
 * drain: after the swap the old view is dropped only when no statement that was already reading it
 * runs any more: it would fail (`table id N has been dropped`, docs/risingwave.md 13). The process
 * list shows the statements of all users on all frontends. In doubt a statement counts.
 */
#include "replace_internal.h"

#include "sql_format.h"
#include "sql_scan.h"

#include <stdlib.h>
#include <string.h>

enum {
    AGAIN_MS = 250,
    /* Two readings in a row: a statement may be between two lists. */
    QUIET_READINGS = 2,
    /* Other frontends learn of a swap a moment later (38 to 167 ms were seen): what began there
     * meanwhile reads the old view, too. */
    LATE_MS = 250,
    /* Who cancels waits no longer than this for drain_min; a longer one leaves the old view. */
    LEAST_MS = 500,
    /* The process list cuts longer texts, and says so behind the cut: "...(truncated,N)". */
    INFO_CUT = 1024
};
static const char cut_mark[] = "(truncated,";

/* The last columns of SHOW PROCESSLIST are Id, User, Host, Database, Time, Info, counted from the
 * end: before 2.5 there is no worker's id in front. */
enum { PROCESS_ID = 6, PROCESS_TIME = 2, PROCESS_INFO = 1, MOST_OF_PROCESS = 6 };

static const char *process_cell(const struct replace_result *result, size_t row, size_t from_end)
{
    return cell(result, row, result->num_columns - from_end);
}

bool stops_draining(const struct replace *r)
{
    return r->cancelled && r->cancel_reason != REPLACE_CLIENT_GONE;
}

/* When the time of a setting, counted from the swap, is over. */
static uint64_t after_swap_ms(const struct replace *r, enum setting setting)
{
    return r->swapped_ms + r->settings.values[setting];
}

/* Is the old view to be dropped? */
static bool drops_old(const struct replace *r)
{
    return !r->rollback && !r->old_left && r->settings.values[SETTING_KEEP_OLD] == 0 &&
           !old_is_still_read(r);
}

enum step begin_drain(struct replace *r)
{
    if (num_fated(r, FATE_FOLLOWED) == 0 && r->num_rebuilt == 0 && !drops_old(r)) {
        return settle_old(r); /* whoever reads it goes on */
    }
    r->quiet_readings = 0;
    return STEP_DRAIN_MIN;
}

void ask_drain_min(struct replace *r, struct replace_request *out)
{
    uint64_t least = r->swapped_ms + LEAST_MS;
    uint64_t until = after_swap_ms(r, SETTING_DRAIN_MIN);
    out->kind = REPLACE_WAIT;
    out->until_ms = stops_draining(r) && least < until ? least : until;
}

/* A statement that reads a plain view reads what stands behind it: the view itself may go. */
static bool waits_for_readers(const struct replace *r)
{
    return (drops_old(r) && !is_view(r)) || r->num_rebuilt != 0;
}

enum step take_drain_min(struct replace *r, const struct replace_result *result)
{
    (void)result;
    if (r->now.mono_ms < after_swap_ms(r, SETTING_DRAIN_MIN) && drops_old(r)) {
        r->still_read = true;
        warn_old_left(r, false,
                      "mvswap.drain_min was not waited for: the replacement was cancelled.");
        leave_old(r, 0);
        return begin_old_selves(r);
    }
    return waits_for_readers(r) ? STEP_PROCESSES : begin_old_selves(r);
}

enum step skip_drain(struct replace *r)
{
    plan_drain(r, waits_for_readers(r));
    return begin_old_selves(r);
}

void ask_processes(struct replace *r, struct replace_request *out)
{
    r->processes_asked_ms = r->now.mono_ms;
    sql_format(&r->sql, "SHOW PROCESSLIST");
    run(r, out);
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

uint64_t older_than_swap(const struct replace *r)
{
    /* As of the question: the answer may be late. */
    uint64_t since = r->processes_asked_ms - r->swapped_ms;
    return since > LATE_MS ? since - LATE_MS : 0;
}

/* The ids of those that read it, and how many there are. */
static size_t add_readers(const struct replace *r, const struct replace_result *result,
                          struct buf *out_ids)
{
    size_t num = 0;
    for (size_t row = 0; row < result->num_rows; row++) {
        if (process_reads(result, row, r->drain_names, r->num_drain_names, older_than_swap(r))) {
            const char *id = result->num_columns < MOST_OF_PROCESS
                                 ? NULL
                                 : process_cell(result, row, PROCESS_ID);
            buf_add_format(out_ids, "%s%s", num == 0 ? "" : ", ", id != NULL ? id : "?");
            num++;
        }
    }
    return num;
}

static enum step keep_for_readers(struct replace *r, struct buf *ids)
{
    r->still_read = true;
    struct buf why = {0};
    buf_add_format(&why, "Statements that were reading it still run: %s. KILL ends one of them.",
                   buf_text(ids) != NULL ? buf_text(ids) : "?");
    const char *text = buf_text(&why);
    warn_old_left(r, true, text != NULL ? text : "Statements that were reading it still run.");
    buf_cleanup(&why);
    leave_old(r, 0);
    return begin_old_selves(r);
}

enum step take_processes(struct replace *r, const struct replace_result *result)
{
    struct buf ids = {0};
    size_t num = add_readers(r, result, &ids);
    enum step next = STEP_DRAIN_WAIT;
    r->quiet_readings = num == 0 ? r->quiet_readings + 1 : 0;
    if (r->quiet_readings >= QUIET_READINGS) {
        next = begin_readers(r);
    } else if (num != 0 &&
               (r->now.mono_ms >= after_swap_ms(r, SETTING_DRAIN) || stops_draining(r))) {
        next = keep_for_readers(r, &ids);
    }
    buf_cleanup(&ids);
    return next;
}

/* Who reads it cannot be known: it is kept, as when somebody did. */
enum step refused_processes(struct replace *r, const struct replace_result *result)
{
    r->still_read = true;
    warn_old_left(r, true, result->error.message);
    leave_old(r, 0);
    return begin_old_selves(r);
}

void ask_drain_wait(struct replace *r, struct replace_request *out)
{
    /* After a quiet reading the second one may come soon. */
    out->kind = REPLACE_WAIT;
    out->until_ms = r->now.mono_ms + (r->quiet_readings != 0 ? AGAIN_MS / 5 : AGAIN_MS);
}

enum step take_drain_wait(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_PROCESSES;
}
