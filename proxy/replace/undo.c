/*
 * undo: takes back what was made before the swap, newest first, and puts the session's setting
 * back. The original view was never touched. Whatever cannot be taken back is named in a WARNING;
 * the outcome was set before undo began.
 */
#include "replace_internal.h"

#include "sql_format.h"

#include <string.h>

enum {
    /* A job that is being cancelled refuses its drop for a moment. */
    DROP_ATTEMPTS = 6,
    DROP_AGAIN_MS = 500
};

bool reserve_spare(struct replace *r)
{
    /* The longest statement has 250 bytes of its own and each name up to twice, its quotes doubled;
     * the temporary name is the view's with a stamp. */
    size_t size = 512 + 4 * strlen(r->schema) + 8 * strlen(r->statement.name);
    for (size_t i = 0; i < size; i++) {
        buf_add_byte(&r->spare, 0);
    }
    bool reserved = !buf_failed(&r->spare);
    buf_truncate(&r->spare, 0);
    return reserved;
}

static enum step after_drop(struct replace *r)
{
    r->made = MADE_NOTHING;
    return r->background != NULL ? STEP_UNDO_BACKGROUND : STEP_DONE;
}

enum step begin_undo(struct replace *r)
{
    if (r->made == MADE_MAYBE || r->made == MADE_BUILT) {
        return STEP_UNDO_FIND;
    }
    return after_drop(r);
}

void ask_undo_find(struct replace *r, struct replace_request *out)
{
    ask_temp_id(r, out);
}

enum step take_undo_find(struct replace *r, const struct replace_result *result)
{
    uint64_t id = cell_id(result, 0, 0);
    if (result->num_rows == 0 && may_still_be_seen(r)) {
        /* The frontend may not show yet what CREATE has begun: to leave now would leave it behind.
         */
        return STEP_UNDO_WAIT;
    }
    if (result->num_rows == 0) {
        if (r->create_in_doubt && r->new_id == 0) {
            warn_perhaps_left(r, "The server may still begin to build it: it was not seen here.");
        }
        return after_drop(r);
    }
    if (id == 0) {
        warn_perhaps_left(r, "The catalog's answer about it cannot be read.");
        return after_drop(r);
    }
    if (r->new_id != 0 && id != r->new_id) {
        warn_lost_sight(r, r->new_id);
        return after_drop(r);
    }
    r->new_id = id;
    bool creating = r->made == MADE_MAYBE && !r->job_cancelled;
    return creating && !server_drops_creating(r->version) ? STEP_UNDO_CANCEL_JOB : STEP_UNDO_DROP;
}

enum step refused_undo_find(struct replace *r, const struct replace_result *result)
{
    warn_perhaps_left(r, result->error.message);
    return after_drop(r);
}

void ask_undo_cancel_job(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "CANCEL JOBS %u", r->new_id);
    run(r, out);
}

enum step take_undo_cancel_job(struct replace *r, const struct replace_result *result)
{
    /* Whatever it answered (the job may have finished meanwhile), what is still there is dropped.
     */
    (void)result;
    r->job_cancelled = true;
    return STEP_UNDO_FIND;
}

void ask_undo_drop(struct replace *r, struct replace_request *out)
{
    r->drop_attempts++;
    sql_format(&r->sql, "DROP MATERIALIZED VIEW %I.%I", r->schema, r->temp);
    run(r, out);
}

enum step take_undo_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return after_drop(r);
}

enum step refused_undo_drop(struct replace *r, const struct replace_result *result)
{
    if (strstr(result->error.message, "materialized view not found") != NULL) {
        return after_drop(r);
    }
    if (r->drop_attempts < DROP_ATTEMPTS) {
        return STEP_UNDO_WAIT;
    }
    warn_leftover(r, result->error.message);
    return after_drop(r);
}

void ask_undo_wait(struct replace *r, struct replace_request *out)
{
    out->kind = REPLACE_WAIT;
    out->until_ms = r->now.mono_ms + DROP_AGAIN_MS;
}

enum step take_undo_wait(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->job_cancelled = false;
    return STEP_UNDO_FIND;
}

void ask_undo_background(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               r->background_on ? "SET background_ddl = true" : "SET background_ddl = false");
    run(r, out);
}

enum step take_undo_background(struct replace *r, const struct replace_result *result)
{
    if (result->kind == REPLACE_ERROR) {
        notice(r, "WARNING", "01000", "the session's background_ddl could not be put back",
               result->error.message, NULL);
    }
    r->background = NULL;
    return STEP_DONE;
}
