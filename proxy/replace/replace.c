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
    /* EXPLAIN: in place of asking; NULL: it asks, since nothing that lasts is changed. */
    enum step (*in_plan)(struct replace *r);
};

static enum step written(struct replace *r);

/* clang-format off */
static const struct step_entry steps[STEP_COUNT] = {
    [STEP_IDENTIFY] = {"identify", ask_identify, take_identify, NULL, NULL},
    [STEP_LOCK] = {"lock", ask_lock, take_lock, NULL, skip_lock},
    [STEP_TARGET] = {"inspect", ask_target, take_target, NULL, NULL},
    [STEP_SUPERUSERS] = {"inspect users", ask_superusers, take_superusers, NULL, NULL},
    [STEP_TARGET_LISTED] = {"inspect state", ask_target_listed, take_target_listed, NULL, NULL},
    [STEP_TARGET_STATUS] = {"inspect job", ask_target_status, take_target_status, NULL, NULL},
    [STEP_CREATE_FIRST] = {"create", ask_create_first, take_create_first, NULL, written},
    [STEP_INDEXES] = {"inspect indexes", ask_indexes, take_indexes, NULL, NULL},
    [STEP_INDEX_COMMENTS] = {"inspect indexes", ask_index_comments, take_index_comments, refused_index_comments, NULL},
    [STEP_COMMENTS] = {"inspect comments", ask_comments, take_comments, refused_comments, NULL},
    [STEP_GRANTS] = {"inspect grants", ask_grants, take_grants, NULL, NULL},
    [STEP_JOB] = {"inspect job", ask_job, take_job, NULL, NULL},
    [STEP_OLD_COLUMNS] = {"inspect columns", ask_old_columns, take_old_columns, NULL, NULL},
    [STEP_DEPENDENTS] = {"inspect dependents", ask_dependents, take_dependents, NULL, NULL},
    [STEP_CREATING_JOBS] = {"inspect jobs", ask_creating_jobs, take_creating_jobs, NULL, NULL},
    [STEP_PROBE_CREATE] = {"probe", ask_probe_create, take_probe_create, refused_probe_create, NULL},
    [STEP_PROBE_FIND] = {"read the probe", ask_probe_find, take_probe_find, refused_probe_question, NULL},
    [STEP_PROBE_COLUMNS] = {"read the probe", ask_probe_columns, take_probe_columns, refused_probe_question, NULL},
    [STEP_PROBE_READS] = {"read the probe", ask_probe_reads, take_probe_reads, refused_probe_question, NULL},
    [STEP_PROBE_INDIRECT] = {"read the probe", ask_probe_indirect, take_probe_indirect, refused_probe_question, NULL},
    [STEP_PROBE_ZONES] = {"read the probe", ask_probe_zones, take_probe_zones, refused_probe_question, NULL},
    [STEP_PROBE_DROP] = {"drop the probe", ask_probe_drop, take_probe_drop, refused_probe_drop, NULL},
    [STEP_BEFORE_BUILD] = {"before_build", ask_before_build, take_before_build, NULL, written},
    [STEP_SCHEMA_AGAIN] = {"before_build", ask_schema_again, take_schema_again, NULL, NULL},
    [STEP_SLOT] = {"slot", ask_slot, take_slot, NULL, skip_slot},
    [STEP_BACKGROUND_READ] = {"read background_ddl", ask_background_read, take_background_read, NULL, NULL},
    [STEP_BACKGROUND_SET] = {"set background_ddl", ask_background_set, take_background_set, NULL, written},
    [STEP_CREATE] = {"build", ask_create, take_create, refused_create, written},
    [STEP_CREATE_INDEX] = {"build an index", ask_create_index, take_create_index, refused_create, written},
    [STEP_BACKGROUND_RESTORE] = {"restore background_ddl", ask_background_restore, take_background_restore, refused_background_restore, written},
    [STEP_RETRY_WAIT] = {"wait for the cluster", ask_retry_wait, take_retry_wait, NULL, NULL},
    [STEP_POLL_WAIT] = {"poll the build", ask_poll_wait, take_poll_wait, NULL, NULL},
    [STEP_POLL_PROGRESS] = {"poll the build", ask_poll_progress, take_poll_progress, refused_poll_progress, NULL},
    [STEP_POLL_STATUS] = {"poll the build", ask_poll_status, take_poll_status, refused_poll, skip_poll},
    [STEP_POLL_LISTED] = {"poll the build", ask_poll_listed, take_poll_listed, refused_poll, NULL},
    [STEP_NEW_FACTS] = {"read the new view", ask_new_facts, take_new_facts, NULL, skip_new_facts},
    [STEP_NEW_COLUMNS] = {"read the new view", ask_new_columns, take_new_columns, NULL, NULL},
    [STEP_NEW_READS] = {"read the new view", ask_new_reads, take_new_reads, NULL, NULL},
    [STEP_NEW_JOB] = {"read the new view", ask_new_job, take_new_job, NULL, NULL},
    [STEP_JOB_CONFIG] = {"read configuration", ask_job_config, take_job_config, NULL, NULL},
    [STEP_SESSION_PARALLELISM] = {"read parallelism", ask_session_parallelism, take_session_parallelism, refused_session_parallelism, NULL},
    [STEP_SESSION_PARALLELISM_OF_VIEWS] = {"read parallelism", ask_session_parallelism_of_views, take_session_parallelism_of_views, refused_session_parallelism_of_views, NULL},
    [STEP_CARRY] = {"carry over", ask_carry, take_carry, refused_carry, written},
    [STEP_CARRIED_GRANTS] = {"read grants", ask_carried_grants, take_carried_grants, NULL, NULL},
    [STEP_END_SLOT] = {"end of the builds", ask_end_slot, take_end_slot, NULL, skip_end_slot},
    [STEP_CHECK] = {"check", ask_check, take_check, NULL, written},
    [STEP_DEPENDENTS_AGAIN] = {"dependents again", ask_dependents, take_dependents, NULL, NULL},
    [STEP_CREATING_JOBS_AGAIN] = {"jobs again", ask_creating_jobs, take_creating_jobs, NULL, NULL},
    [STEP_NEW_READS_AGAIN] = {"what it reads", ask_new_reads, take_new_reads_again, NULL, NULL},
    [STEP_IDS_BEFORE] = {"ids before the swap", ask_ids, take_ids_before, NULL, skip_ids_before},
    [STEP_DROP_FIRST] = {"drop", ask_drop_first, take_drop_first, refused_drop_first, written},
    [STEP_FIRST_GONE] = {"is it dropped", ask_ids, take_first_gone, refused_first_gone, NULL},
    [STEP_SWAP] = {"swap", ask_swap, take_swap, refused_swap, written},
    [STEP_IDS_AFTER] = {"ids after the swap", ask_ids, take_ids_after, refused_ids_after, skip_ids_after},
    [STEP_SWAP_WAIT] = {"ids after the swap", ask_swap_wait, take_swap_wait, NULL, NULL},
    [STEP_AFTER_SWAP] = {"after_swap", ask_after_swap, take_after_swap, refused_after_swap, written},
    [STEP_INDEX_NAMES] = {"hand over index names", ask_index_names, take_index_names, refused_index_names, skip_index_names},
    [STEP_INDEX_WAIT] = {"hand over index names", ask_index_wait, take_index_wait, NULL, NULL},
    [STEP_INDEX_RENAME_OLD] = {"hand over index names", ask_index_rename_old, take_index_rename_old, refused_index_rename_old, written},
    [STEP_INDEX_RENAME_NEW] = {"hand over index names", ask_index_rename_new, take_index_rename_new, refused_index_rename_new, written},
    [STEP_DRAIN_MIN] = {"drain", ask_drain_min, take_drain_min, NULL, skip_drain},
    [STEP_PROCESSES] = {"drain", ask_processes, take_processes, refused_processes, NULL},
    [STEP_DRAIN_WAIT] = {"drain", ask_drain_wait, take_drain_wait, NULL, NULL},
    [STEP_ID_BEFORE_DROP] = {"id before the drop", ask_ids, take_id_before_drop, refused_drop, skip_id_before_drop},
    [STEP_DROP] = {"drop", ask_drop, take_drop, refused_drop, written},
    [STEP_LEFT_IDS] = {"leftovers", ask_left_ids, take_left_ids, refused_left_question, NULL},
    [STEP_LEFT_PROCESSES] = {"leftovers", ask_processes, take_left_processes, refused_left_question, NULL},
    [STEP_LEFT_DROP] = {"leftovers", ask_left_drop, take_left_drop, refused_left_drop, NULL},
    [STEP_UNDO_PROBE] = {"undo: drop the probe", ask_undo_probe, take_undo_probe, take_undo_probe, NULL},
    [STEP_UNDO_INDEX_FIND] = {"undo: find the index", ask_undo_index_find, take_undo_find, refused_undo_find, NULL},
    [STEP_UNDO_INDEX_CANCEL_JOB] = {"undo: cancel the index", ask_undo_cancel_job, take_undo_cancel_job, take_undo_cancel_job, NULL},
    [STEP_UNDO_INDEX_DROP] = {"undo: drop the index", ask_undo_drop, take_undo_drop, refused_undo_drop, NULL},
    [STEP_UNDO_FIND] = {"undo: find", ask_undo_find, take_undo_find, refused_undo_find, NULL},
    [STEP_UNDO_CANCEL_JOB] = {"undo: cancel the job", ask_undo_cancel_job, take_undo_cancel_job, take_undo_cancel_job, NULL},
    [STEP_UNDO_DROP] = {"undo: drop", ask_undo_drop, take_undo_drop, refused_undo_drop, NULL},
    [STEP_UNDO_WAIT] = {"undo: wait", ask_undo_wait, take_undo_wait, NULL, NULL},
    [STEP_UNDO_BACKGROUND] = {"undo: background_ddl", ask_background_restore, take_undo_background, take_undo_background, NULL},
    [STEP_DONE] = {"done", NULL, NULL, NULL, NULL},
};
/* clang-format on */

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
    build_cleanup(&r->view);
    build_cleanup(&r->index);
    mem_free(r->definition);
    mem_free(r->owner);
    mem_free(r->acl);
    mem_free(r->new_owner);
    mem_free(r->new_acl);
    facts_cleanup(r);
    mem_free(r->probe_name);
    mem_free(r->probe_refused);
    text_list_cleanup(&r->carry);
    text_list_cleanup(&r->plan);
    mem_free(r->left);
    mem_free(r->due);
    mem_free(r->raw);
    buf_cleanup(&r->sql);
    buf_cleanup(&r->spare);
    for (size_t i = 0; i < sizeof(r->texts) / sizeof(r->texts[0]); i++) {
        buf_cleanup(&r->texts[i]);
    }
    notices_free(r->notices);
    notices_free(r->shown);
    notices_free(r->leftover);
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
static enum step written(struct replace *r)
{
    const struct step_entry *entry = &steps[r->step];
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
        *out_request = (struct replace_request){.kind = REPLACE_DONE};
        if (r->step == STEP_DONE) {
            return true;
        }
        if (r->mode == REPLACE_PLAN && steps[r->step].in_plan != NULL) {
            r->step = steps[r->step].in_plan(r);
            continue;
        }
        empty_sql(r);
        steps[r->step].ask(r, out_request);
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
