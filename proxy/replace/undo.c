/*
 * undo: takes back what was made before the swap, newest first (the probe, an index that is being
 * built, the view with its finished indexes), and puts the session's setting back. The original
 * view was never touched. Whatever cannot be taken back is named in a WARNING; the outcome was set
 * before undo began.
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
    /* The longest statement has 350 bytes of its own and each name up to twice, its quotes doubled;
     * a temporary name is the view's or an index's with a stamp. */
    size_t longest = strlen(r->statement.name);
    for (size_t i = 0; i < num_indexes(r); i++) {
        size_t len = index_name(r, i) != NULL ? strlen(index_name(r, i)) : 0;
        longest = len > longest ? len : longest;
    }
    longest = longest_name_of_followers(r, longest);
    size_t size = 512 + 4 * strlen(r->schema) + 8 * longest;
    size_t follower = longest_of_followers(r);
    size = follower > size ? follower : size;
    /* zero_downtime = off: CREATE must not fail in the gap. */
    size += zero_downtime(r) ? 0 : strlen(r->text);
    buf_truncate(&r->spare, 0);
    for (size_t i = 0; i < size; i++) {
        buf_add_byte(&r->spare, 0);
    }
    bool reserved = !buf_failed(&r->spare);
    buf_truncate(&r->spare, 0);
    return reserved;
}

/* What is left to be taken back. */
static enum step next_undo(struct replace *r)
{
    if (r->probe != PROBE_NONE) {
        return STEP_UNDO_PROBE;
    }
    if (r->index.sent && !r->index.finished) {
        return STEP_UNDO_INDEX_FIND;
    }
    if (r->view.sent) {
        return STEP_UNDO_FIND;
    }
    /* EXPLAIN has only written down that it would be set. */
    bool put_back = r->background_changed && r->mode == REPLACE_CARRY_OUT;
    return put_back ? STEP_UNDO_BACKGROUND : STEP_DONE;
}

enum step begin_undo(struct replace *r)
{
    if (r->made == MADE_GAP) {
        warn_lost_view(r, "was dropped and could not be created anew");
    }
    return next_undo(r);
}

void ask_undo_probe(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "DROP VIEW IF EXISTS %I.%I", r->schema, r->probe_name);
    run(r, out);
}

enum step take_undo_probe(struct replace *r, const struct replace_result *result)
{
    if (result->kind == REPLACE_ERROR) {
        warn_probe_left(r, result->error.message);
    }
    r->probe = PROBE_NONE;
    return next_undo(r);
}

/* The build is gone, or given up. */
static enum step undone(struct replace *r, struct build *build)
{
    build->sent = false;
    r->drop_attempts = 0;
    r->job_cancelled = false;
    return next_undo(r);
}

static bool is_index_step(const struct replace *r)
{
    return r->step == STEP_UNDO_INDEX_FIND || r->step == STEP_UNDO_INDEX_CANCEL_JOB ||
           r->step == STEP_UNDO_INDEX_DROP;
}

static struct build *build_of_step(struct replace *r)
{
    return is_index_step(r) ? &r->index : &r->view;
}

void ask_undo_index_find(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT i.id FROM rw_catalog.rw_indexes i"
               " JOIN rw_catalog.rw_schemas s ON s.id = i.schema_id"
               " WHERE s.name = %L AND i.name = %L",
               r->schema, r->index.name);
    run(r, out);
}

void ask_undo_find(struct replace *r, struct replace_request *out)
{
    ask_temp_id(r, out);
}

static enum step drop_or_cancel(const struct replace *r, const struct build *build)
{
    bool creating = !build->finished && !r->job_cancelled && !is_view(r);
    bool cancels = creating && !server_drops_creating(r->version);
    if (build == &r->index) {
        return cancels ? STEP_UNDO_INDEX_CANCEL_JOB : STEP_UNDO_INDEX_DROP;
    }
    return cancels ? STEP_UNDO_CANCEL_JOB : STEP_UNDO_DROP;
}

enum step take_undo_find(struct replace *r, const struct replace_result *result)
{
    struct build *build = build_of_step(r);
    uint64_t id = cell_id(result, 0, 0);
    if (result->num_rows == 0 && may_still_be_seen(r, build)) {
        /* The frontend may not show yet what CREATE has begun: to leave now would leave it behind.
         */
        return STEP_UNDO_WAIT;
    }
    if (result->num_rows == 0) {
        if ((build->answered || build->in_doubt) && build->id == 0) {
            warn_build_perhaps_left(r, build,
                                    "The server may still build it: it was not seen here.");
        }
        return undone(r, build);
    }
    if (id == 0) {
        warn_build_perhaps_left(r, build, "The catalog's answer about it cannot be read.");
        return undone(r, build);
    }
    if ((build->id != 0 && id != build->id) || (zero_downtime(r) && id <= r->old_id)) {
        warn_lost_sight(r, r->schema, build->name, build->id);
        return undone(r, build);
    }
    if (build->id == 0 && !zero_downtime(r)) {
        /* Under the view's own name it may be somebody else's by now. */
        warn_build_perhaps_left(r, build, "Whether it is ours is not known.");
        return undone(r, build);
    }
    build->id = id;
    return drop_or_cancel(r, build);
}

enum step refused_undo_find(struct replace *r, const struct replace_result *result)
{
    struct build *build = build_of_step(r);
    warn_build_perhaps_left(r, build, result->error.message);
    return undone(r, build);
}

void ask_undo_cancel_job(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "CANCEL JOBS %u", build_of_step(r)->id);
    run(r, out);
}

enum step take_undo_cancel_job(struct replace *r, const struct replace_result *result)
{
    /* Whatever it answered (the job may have finished meanwhile), what is still there is dropped.
     */
    (void)result;
    bool index = is_index_step(r);
    r->job_cancelled = true;
    return index ? STEP_UNDO_INDEX_FIND : STEP_UNDO_FIND;
}

void ask_undo_drop(struct replace *r, struct replace_request *out)
{
    r->drop_attempts++;
    if (is_index_step(r)) {
        buf_add_text(&r->sql, "DROP INDEX ");
    } else {
        add_verb(r, &r->sql, "DROP");
    }
    sql_format(&r->sql, "%I.%I", r->schema, build_of_step(r)->name);
    run(r, out);
}

enum step take_undo_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return undone(r, build_of_step(r));
}

enum step refused_undo_drop(struct replace *r, const struct replace_result *result)
{
    struct build *build = build_of_step(r);
    if (strstr(result->error.message, "view not found") != NULL ||
        strstr(result->error.message, "index not found") != NULL) {
        return undone(r, build);
    }
    if (r->drop_attempts < DROP_ATTEMPTS) {
        return STEP_UNDO_WAIT;
    }
    warn_build_left(r, build, result->error.message);
    return undone(r, build);
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
    return next_undo(r);
}

enum step take_undo_background(struct replace *r, const struct replace_result *result)
{
    if (result->kind == REPLACE_ERROR) {
        notice(r, "WARNING", "01000", "the session's background_ddl could not be put back",
               result->error.message, NULL);
    }
    r->background_changed = false;
    return STEP_DONE;
}
