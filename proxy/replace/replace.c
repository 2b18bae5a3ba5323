/*
 * replace: the conversation itself: what one result leads to, cancel, loss.
 * Owns the state; the steps stand in step_table.c. See replace.h.
 */
#include "step_table.h"

#include "mem.h"
#include "sql_scan.h"

#include <string.h>

static bool is_undo(enum step step)
{
    return step >= STEP_UNDO_PROBE;
}

struct replace *replace_new(const char *text, size_t len, const struct replace_settings *settings,
                            enum replace_mode mode, struct moment now)
{
    struct replace *r = mem_new(sizeof(*r));
    struct sql_tokens tokens = {0};
    if (r == NULL) {
        return NULL;
    }
    r->mode = mode;
    r->now = now;
    r->started = now;
    r->text = mem_copy(text, len);
    if (r->text == NULL || !settings_copy(settings, &r->settings) ||
        sql_scan(r->text, len, &tokens) != SQL_SCAN_OK) {
        goto refused;
    }
    size_t cursor = 0;
    struct sql_piece piece;
    bool found = false;
    while (!found && sql_next_piece(r->text, len, &tokens, &cursor, &piece)) {
        if (!piece.empty &&
            statement_read(r->text, &tokens, &piece, &r->statement) != STATEMENT_READ) {
            goto refused;
        }
        found = !piece.empty;
    }
    if (!found || r->statement.kind == STATEMENT_OTHER) {
        goto refused;
    }
    r->next_progress_ms = MOMENT_NEVER;
    r->build_ends_ms = MOMENT_NEVER;
    temp_stamp(now.unix_us, r->stamp);
    r->view_name = mem_copy(r->statement.name, strlen(r->statement.name));
    if (r->view_name == NULL) {
        goto refused;
    }
    sql_tokens_cleanup(&tokens);
    return r;

refused:
    sql_tokens_cleanup(&tokens);
    replace_free(r);
    return NULL;
}

void replace_free(struct replace *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->num_superusers; i++) {
        mem_free(r->superusers[i]);
    }
    mem_free(r->superusers);
    settings_cleanup(&r->settings);
    mem_free(r->text);
    statement_cleanup(&r->statement);
    mem_free(r->user);
    mem_free(r->schema);
    mem_free(r->database);
    mem_free(r->view_name);
    build_cleanup(&r->view);
    build_cleanup(&r->index);
    mem_free(r->definition);
    mem_free(r->owner);
    mem_free(r->acl);
    mem_free(r->new_owner);
    mem_free(r->new_acl);
    facts_cleanup(r);
    dependents_cleanup(&r->dependents);
    text_list_cleanup(&r->families);
    replace_free(r->child);
    adopted_cleanup(r);
    mem_free(r->server_words);
    mem_free(r->rollback_to);
    text_list_cleanup(&r->index_renames);
    mem_free(r->restore_path);
    mem_free(r->follow_why);
    mem_free(r->drain_names);
    mem_free(r->probe_name);
    mem_free(r->probe_refused);
    text_list_cleanup(&r->carry);
    text_list_cleanup(&r->plan);
    text_list_cleanup(&r->moved);
    mem_free(r->left);
    mem_free(r->left_fates);
    mem_free(r->raw);
    buf_cleanup(&r->sql);
    buf_cleanup(&r->spare);
    for (size_t i = 0; i < sizeof(r->texts) / sizeof(r->texts[0]); i++) {
        buf_cleanup(&r->texts[i]);
    }
    notices_free(r->notices);
    notices_free(r->shown);
    notices_free(r->leftover);
    notices_free(r->creating_warnings);
    notices_free(r->lost_view);
    notices_free(r->not_carried);
    mem_free(r);
}

/* From here on a statement that cannot be sent leaves something behind. */
static bool must_not_fail(const struct replace *r)
{
    return is_undo(r->step) || r->made >= MADE_GAP;
}

static void empty_sql(struct replace *r)
{
    if (must_not_fail(r) && !r->spare_taken) {
        buf_swap(&r->sql, &r->spare);
        r->spare_taken = true;
    }
    if (r->spare_taken) {
        /* What was too long for it is not the next statement's fault. */
        r->sql.failed = false;
        buf_truncate(&r->sql, 0);
    } else {
        buf_cleanup(&r->sql);
    }
}

/* A step that would change something: its statement becomes a line of the plan, and it counts as
 * done. */
enum step step_written(struct replace *r)
{
    const struct step_entry *entry = &step_table[r->step];
    struct replace_request request = {.kind = REPLACE_RUN};
    empty_sql(r);
    entry->ask(r, &request);
    const char *sql = buf_text(&r->sql);
    if (sql == NULL) {
        return fail_without_memory(r);
    }
    plan_step(r, entry->name, sql);
    return entry->take(r, &(struct replace_result){.kind = REPLACE_OK, .tag = ""});
}

/* No memory for a statement of ours. */
static enum step cannot_ask(struct replace *r)
{
    if (!is_undo(r->step)) {
        return fail_without_memory(r);
    }
    warn_perhaps_left(r, "out of memory");
    return STEP_DONE;
}

bool replace_next(struct replace *r, struct replace_request *out_request)
{
    if (r->owed) {
        return false;
    }
    for (;;) {
        if (r->child != NULL) {
            if (!replace_next(r->child, out_request)) {
                return false;
            }
            if (out_request->kind != REPLACE_DONE) {
                return true;
            }
            r->step = take_child(r);
            continue;
        }
        *out_request = (struct replace_request){.kind = REPLACE_DONE};
        if (r->step == STEP_DONE) {
            return true;
        }
        if (r->mode == REPLACE_PLAN && step_table[r->step].in_plan != NULL) {
            r->step = step_table[r->step].in_plan(r);
            continue;
        }
        empty_sql(r);
        step_table[r->step].ask(r, out_request);
        if (!buf_failed(&r->sql)) {
            break;
        }
        r->step = cannot_ask(r);
    }
    r->owed = true;
    return true;
}

/* What a result leads to, before any cancel is looked at. */
static enum step next_step(struct replace *r, const struct replace_result *result)
{
    const struct step_entry *entry = &step_table[r->step];
    if (result->kind == REPLACE_LOST) {
        return end_lost(r);
    }
    if (result->kind != REPLACE_ERROR) {
        return entry->take(r, result);
    }
    if (entry->refused != NULL) {
        return entry->refused(r, result);
    }
    return fail_by_server(r, result);
}

static enum step fail_cancelled(struct replace *r)
{
    if (r->cancel_reason == REPLACE_SHUTDOWN && r->made == MADE_GAP) {
        r->view.sent = false; /* it goes on being built on the server, and is not dropped */
        return fail(r, "57P01",
                    "the replacement was not finished because the proxy is shutting down",
                    "The old view was dropped; the new one is being built by the server.",
                    "Its indexes, grants and comments are still to be made.");
    }
    if (r->cancel_reason == REPLACE_SHUTDOWN) {
        return fail(r, "57P01", "the replacement was cancelled because the proxy is shutting down",
                    NULL, "The view is unchanged. Send the statement again.");
    }
    if (r->cancel_reason == REPLACE_TIMED_OUT) {
        return fail_timed_out(r);
    }
    return fail(r, "57014", "canceling statement due to user request", NULL, NULL);
}

/* zero_downtime = off, in the gap: to undo now would leave nothing at all. A client that is gone is
 * not asked any more; for a shutdown it is enough that the server has taken the new view on. */
static bool gap_outlasts_cancel(const struct replace *r)
{
    bool in_gap = r->made == MADE_GAP || r->step == STEP_DROP_FIRST || r->step == STEP_FIRST_GONE;
    if (!in_gap || r->cancel_reason == REPLACE_CANCELLED_BY_CLIENT ||
        r->cancel_reason == REPLACE_TIMED_OUT) {
        return false;
    }
    return r->cancel_reason == REPLACE_CLIENT_GONE || !r->view.answered;
}

/* Cancelling means something until the swap is sent and while no undo runs. */
static bool acts_on_cancel(const struct replace *r, enum step next)
{
    return r->cancelled && r->made < MADE_SWAPPING && !is_undo(next) && !gap_outlasts_cancel(r);
}

void replace_result(struct replace *r, const struct replace_result *result, struct moment now)
{
    if (r->child != NULL) {
        replace_result(r->child, result, now);
        return;
    }
    if (!r->owed) {
        return;
    }
    r->owed = false;
    r->now = now;
    if (result->kind == REPLACE_ERROR && acts_on_cancel(r, r->step)) {
        /* The server stopped what ran: the cancel is the reason, not the words for its end. */
        (void)fail_cancelled(r);
    }
    enum step next = next_step(r, result);
    if (acts_on_cancel(r, next)) {
        next = fail_cancelled(r);
    }
    r->step = next;
}

void replace_cancel(struct replace *r, enum replace_reason why, struct moment now)
{
    /* A shutdown is more urgent than a client that has gone. */
    bool overrides = why == REPLACE_SHUTDOWN && r->made >= MADE_GAP;
    if ((r->cancelled && !overrides) || r->step == STEP_DONE) {
        return;
    }
    r->now = now;
    r->cancelled = true;
    r->cancel_reason = why;
    if (r->child != NULL) {
        replace_cancel(r->child, why, now);
        return;
    }
    bool idle = !r->owed || r->step == STEP_POLL_WAIT || r->step == STEP_RETRY_WAIT ||
                r->step == STEP_LOCK || r->step == STEP_SLOT;
    if (idle && acts_on_cancel(r, r->step)) {
        r->owed = false;
        r->step = fail_cancelled(r);
    } else if (r->step == STEP_DRAIN_MIN && stops_draining(r)) {
        r->owed = false; /* asked again, with less to wait */
    }
}

/* A build in the foreground: nothing else can be asked meanwhile. */
static bool runs_long(const struct replace *r)
{
    return r->owed &&
           (r->step == STEP_CREATE || r->step == STEP_CREATE_FIRST || r->step == STEP_CREATE_INDEX);
}

uint64_t replace_due(const struct replace *r)
{
    if (r->child != NULL) {
        return replace_due(r->child);
    }
    if (!runs_long(r) || r->cancelled) {
        return MOMENT_NEVER;
    }
    return r->next_progress_ms < r->build_ends_ms ? r->next_progress_ms : r->build_ends_ms;
}

bool replace_tick(struct replace *r, struct moment now)
{
    if (r->child != NULL) {
        return replace_tick(r->child, now);
    }
    if (now.mono_ms < replace_due(r)) {
        return false;
    }
    r->now = now;
    if (now.mono_ms >= r->build_ends_ms) {
        replace_cancel(r, REPLACE_TIMED_OUT, now);
        return true;
    }
    tell_progress(r, NULL);
    return false;
}

bool replace_outlives_client(const struct replace *r)
{
    return r->settings.values[SETTING_ON_DISCONNECT] == REPLACE_DISCONNECT_FINISHES;
}

const struct replace_outcome *replace_outcome(const struct replace *r)
{
    return &r->outcome;
}

enum replace_live replace_live(const struct replace *r)
{
    return r->made >= MADE_SWAPPED                           ? REPLACE_LIVE
           : r->made == MADE_SWAPPING || r->made == MADE_GAP ? REPLACE_PERHAPS_LIVE
                                                             : REPLACE_NOT_LIVE;
}

const char *replace_temporary_name(const struct replace *r)
{
    return r->view.name;
}

const char *replace_id(const struct replace *r)
{
    return r->stamp;
}

const char *replace_step_name(const struct replace *r)
{
    return r->child != NULL ? replace_step_name(r->child) : step_table[r->step].name;
}

const char *replace_view_name(const struct replace *r)
{
    return r->view_name;
}
