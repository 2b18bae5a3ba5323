/*
 * replace: the conversation itself: the table of steps, what one result leads to, cancel, loss.
 * Owns the state; the steps live in inspect.c, build.c, cutover.c and undo.c. See replace.h.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_scan.h"

#include <string.h>

struct step_entry {
    const char *name;
    void (*ask)(struct replace *r, struct replace_request *out);
    enum step (*take)(struct replace *r, const struct replace_result *result);
    /* NULL: the server's error is the answer to the client, after undo. */
    enum step (*refused)(struct replace *r, const struct replace_result *result);
};

/* clang-format off */
static const struct step_entry steps[STEP_COUNT] = {
    [STEP_IDENTIFY]            = {"identify", ask_identify, take_identify, NULL},
    [STEP_LOCK]                = {"lock", ask_lock, take_lock, NULL},
    [STEP_TARGET]              = {"inspect", ask_target, take_target, NULL},
    [STEP_SUPERUSERS]          = {"inspect users", ask_superusers, take_superusers, NULL},
    [STEP_TARGET_LISTED]       = {"inspect state", ask_target_listed, take_target_listed, NULL},
    [STEP_TARGET_STATUS]       = {"inspect job", ask_target_status, take_target_status, NULL},
    [STEP_INDEXES]             = {"inspect indexes", ask_indexes, take_indexes, NULL},
    [STEP_COMMENTS]            = {"inspect comments", ask_comments, take_comments, NULL},
    [STEP_DEPENDENTS]          = {"inspect dependents", ask_dependents, take_dependents, NULL},
    [STEP_CREATING_JOBS]       = {"inspect jobs", ask_creating_jobs, take_creating_jobs, NULL},
    [STEP_CREATE_FIRST]        = {"create", ask_create_first, take_create_first, NULL},
    [STEP_BACKGROUND_READ]     = {"read background_ddl", ask_background_read, take_background_read, NULL},
    [STEP_BACKGROUND_SET]      = {"set background_ddl", ask_background_set, take_background_set, NULL},
    [STEP_CREATE]              = {"build", ask_create, take_create, refused_create},
    [STEP_BACKGROUND_RESTORE]  = {"restore background_ddl", ask_background_restore, take_background_restore, NULL},
    [STEP_POLL_WAIT]           = {"poll the build", ask_poll_wait, take_poll_wait, NULL},
    [STEP_POLL_PROGRESS]       = {"poll the build", ask_poll_progress, take_poll_progress, refused_poll_progress},
    [STEP_POLL_STATUS]         = {"poll the build", ask_poll_status, take_poll_status, NULL},
    [STEP_POLL_LISTED]         = {"poll the build", ask_poll_listed, take_poll_listed, NULL},
    [STEP_NEW_FACTS]           = {"read the new view", ask_new_facts, take_new_facts, NULL},
    [STEP_OWNER]               = {"owner", ask_owner, take_owner, NULL},
    [STEP_DEPENDENTS_AGAIN]    = {"dependents again", ask_dependents, take_dependents, NULL},
    [STEP_CREATING_JOBS_AGAIN] = {"jobs again", ask_creating_jobs, take_creating_jobs, NULL},
    [STEP_IDS_BEFORE]          = {"ids before the swap", ask_ids_before, take_ids_before, NULL},
    [STEP_SWAP]                = {"swap", ask_swap, take_swap, refused_swap},
    [STEP_IDS_AFTER]           = {"ids after the swap", ask_ids_after, take_ids_after, refused_ids_after},
    [STEP_DRAIN]               = {"drain", ask_drain, take_drain, NULL},
    [STEP_ID_BEFORE_DROP]      = {"id before the drop", ask_id_before_drop, take_id_before_drop, refused_drop},
    [STEP_DROP]                = {"drop", ask_drop, take_drop, refused_drop},
    [STEP_UNDO_FIND]           = {"undo: find", ask_undo_find, take_undo_find, refused_undo_find},
    [STEP_UNDO_CANCEL_JOB]     = {"undo: cancel the job", ask_undo_cancel_job, take_undo_cancel_job, take_undo_cancel_job},
    [STEP_UNDO_DROP]           = {"undo: drop", ask_undo_drop, take_undo_drop, refused_undo_drop},
    [STEP_UNDO_WAIT]           = {"undo: wait", ask_undo_wait, take_undo_wait, NULL},
    [STEP_UNDO_BACKGROUND]     = {"undo: background_ddl", ask_undo_background, take_undo_background, take_undo_background},
    [STEP_DONE]                = {"done", NULL, NULL, NULL},
};
/* clang-format on */

static bool is_undo(enum step step)
{
    return step >= STEP_UNDO_FIND;
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
    if (!found || r->statement.kind != STATEMENT_REPLACE_MATERIALIZED_VIEW) {
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
    mem_free(r->temp);
    mem_free(r->owner);
    mem_free(r->acl);
    mem_free(r->raw);
    buf_cleanup(&r->sql);
    buf_cleanup(&r->spare);
    for (size_t i = 0; i < sizeof(r->texts) / sizeof(r->texts[0]); i++) {
        buf_cleanup(&r->texts[i]);
    }
    notices_free(r->notices);
    notices_free(r->shown);
    notices_free(r->leftover);
    mem_free(r);
}

/* From here on a statement that cannot be sent leaves something behind. */
static bool must_not_fail(const struct replace *r)
{
    return is_undo(r->step) || r->made >= MADE_SWAPPING;
}

static void empty_sql(struct replace *r)
{
    if (must_not_fail(r) && !r->spare_taken) {
        buf_swap(&r->sql, &r->spare);
        r->spare_taken = true;
    }
    if (r->spare_taken) {
        buf_truncate(&r->sql, 0);
    } else {
        buf_cleanup(&r->sql);
    }
}

bool replace_next(struct replace *r, struct replace_request *out_request)
{
    if (r->owed) {
        return false;
    }
    for (;;) {
        *out_request = (struct replace_request){.kind = REPLACE_DONE};
        if (r->mode == REPLACE_PLAN && r->step >= STEP_CREATE_FIRST && !is_undo(r->step)) {
            static const char *const lines[] = {"Replace materialized view"};
            r->outcome =
                (struct replace_outcome){.kind = REPLACE_PLANNED, .plan = lines, .num_plan = 1};
            r->step = STEP_DONE;
        }
        if (r->step == STEP_DONE) {
            return true;
        }
        empty_sql(r);
        steps[r->step].ask(r, out_request);
        if (!buf_failed(&r->sql)) {
            break;
        }
        /* No memory for a statement of ours. */
        if (must_not_fail(r)) {
            warn_leftover(r, "out of memory");
            r->step = STEP_DONE;
        } else {
            r->step = fail_without_memory(r);
        }
    }
    r->owed = true;
    return true;
}

/* What a result leads to, before any cancel is looked at. */
static enum step next_step(struct replace *r, const struct replace_result *result)
{
    const struct step_entry *entry = &steps[r->step];
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
    if (r->cancel_reason == REPLACE_SHUTDOWN) {
        return fail(r, "57P01", "the replacement was cancelled because the proxy is shutting down",
                    NULL, "The view is unchanged. Send the statement again.");
    }
    if (r->cancel_reason == REPLACE_TIMED_OUT) {
        return fail_timed_out(r);
    }
    return fail(r, "57014", "canceling statement due to user request", NULL, NULL);
}

/* Cancelling means something until the swap is sent and while no undo runs. */
static bool acts_on_cancel(const struct replace *r, enum step next)
{
    return r->cancelled && r->made < MADE_SWAPPING && !is_undo(next);
}

void replace_result(struct replace *r, const struct replace_result *result, struct moment now)
{
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
    if (r->cancelled || r->step == STEP_DONE) {
        return;
    }
    r->now = now;
    r->cancelled = true;
    r->cancel_reason = why;
    bool idle = !r->owed || r->step == STEP_POLL_WAIT || r->step == STEP_LOCK;
    if (idle && acts_on_cancel(r, r->step)) {
        r->owed = false;
        r->step = fail_cancelled(r);
    }
}

/* A build in the foreground: nothing else can be asked meanwhile. */
static bool runs_long(const struct replace *r)
{
    return r->owed && (r->step == STEP_CREATE || r->step == STEP_CREATE_FIRST);
}

uint64_t replace_due(const struct replace *r)
{
    if (!runs_long(r) || r->cancelled) {
        return MOMENT_NEVER;
    }
    return r->next_progress_ms < r->build_ends_ms ? r->next_progress_ms : r->build_ends_ms;
}

bool replace_tick(struct replace *r, struct moment now)
{
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

const char *replace_id(const struct replace *r)
{
    return r->stamp;
}

const char *replace_step_name(const struct replace *r)
{
    return steps[r->step].name;
}

const char *replace_view_name(const struct replace *r)
{
    return r->view_name;
}
