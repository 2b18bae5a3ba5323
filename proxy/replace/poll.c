/*
 * poll: is what was created finished? Asked again and again until it is, or its time is up.
 * Must not know: how it was created.
 */
#include "replace_internal.h"

#include "sql_format.h"

#include <string.h>

enum {
    POLL_MOST_MS = 1000,
    /* A background CREATE is answered before the frontend's own catalog has caught up
     * (risingwave.md 4): an id not seen after this long will not come. */
    SEEN_WITHIN_MS = 10000
};

void ask_poll_wait(struct replace *r, struct replace_request *out)
{
    uint64_t until = r->now.mono_ms + r->poll_interval_ms;
    out->kind = REPLACE_WAIT;
    out->until_ms = until < r->build_ends_ms ? until : r->build_ends_ms;
    r->poll_interval_ms += r->poll_interval_ms / 2;
    if (r->poll_interval_ms > POLL_MOST_MS) {
        r->poll_interval_ms = POLL_MOST_MS;
    }
}

enum step take_poll_wait(struct replace *r, const struct replace_result *result)
{
    (void)result;
    if (r->now.mono_ms >= r->build_ends_ms) {
        return fail_timed_out(r);
    }
    return r->now.mono_ms >= r->next_progress_ms ? STEP_POLL_PROGRESS : STEP_POLL_STATUS;
}

void ask_poll_progress(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT p.progress FROM rw_catalog.rw_ddl_progress p WHERE p.ddl_id = %u",
               r->building->id);
    run(r, out);
}

enum step take_poll_progress(struct replace *r, const struct replace_result *result)
{
    tell_progress(r, cell(result, 0, 0));
    return STEP_POLL_STATUS;
}

/* Not worth a replacement. */
enum step refused_poll_progress(struct replace *r, const struct replace_result *result)
{
    (void)result;
    tell_progress(r, NULL);
    return STEP_POLL_STATUS;
}

void ask_poll_status(struct replace *r, struct replace_request *out)
{
    const char *name = r->building->name;
    if (r->building == &r->index) {
        sql_format(&r->sql,
                   "SELECT i.id, j.status FROM rw_catalog.rw_indexes i"
                   " JOIN rw_catalog.rw_schemas s ON s.id = i.schema_id"
                   " LEFT JOIN rw_catalog.rw_streaming_jobs j ON j.id = i.id"
                   " WHERE s.name = %L AND i.name = %L",
                   r->schema, name);
        run(r, out);
    } else if (server_has_streaming_jobs(r->version) && !is_view(r)) {
        sql_format(&r->sql,
                   "SELECT m.id, j.status FROM rw_catalog.rw_materialized_views m"
                   " JOIN rw_catalog.rw_schemas s ON s.id = m.schema_id"
                   " LEFT JOIN rw_catalog.rw_streaming_jobs j ON j.id = m.id"
                   " WHERE s.name = %L AND m.name = %L",
                   r->schema, name);
        run(r, out);
    } else {
        ask_temp_id(r, out);
    }
}

bool may_still_be_seen(const struct replace *r, const struct build *build)
{
    return build->answered && build->id == 0 &&
           r->now.mono_ms - build->answered_ms < SEEN_WITHIN_MS;
}

/* Before 2.6 an index is built in the foreground: it is finished when CREATE has answered. */
static enum step finished(struct replace *r)
{
    r->building->finished = true;
    if (r->made == MADE_GAP) {
        r->made = MADE_SWAPPED;
        r->outcome.effect = REPLACE_REPLACED;
        moved_add(r, r->statement.name);
    }
    return r->building == &r->index ? after_index(r) : STEP_NEW_FACTS;
}

enum step skip_poll(struct replace *r)
{
    plan_wait(r);
    return finished(r);
}

/* The cluster recovers, or a frontend is away from it: the build goes on meanwhile. */
enum step refused_poll(struct replace *r, const struct replace_result *result)
{
    if (r->poll_failing_since_ms == 0) {
        r->poll_failing_since_ms = r->now.mono_ms;
    }
    return r->now.mono_ms - r->poll_failing_since_ms < RECOVERED_WITHIN_MS
               ? STEP_POLL_WAIT
               : fail_by_server(r, result);
}

enum step take_poll_status(struct replace *r, const struct replace_result *result)
{
    struct build *b = r->building;
    uint64_t id = cell_id(result, 0, 0);
    r->poll_failing_since_ms = 0;
    if (id == 0 && !may_still_be_seen(r, b)) {
        const char *why =
            "The build was cancelled or failed on the server, whose log may say more.";
        return b == &r->index
                   ? fail_index(r, "57014", why)
                   : fail(r, "57014", "the new view could not be built", why, unchanged_hint(r));
    }
    if (id == 0) {
        return STEP_POLL_WAIT;
    }
    /* Ids grow: what is older than the view that is replaced was not built here. */
    if ((b->id != 0 && id != b->id) || (zero_downtime(r) && id <= r->old_id)) {
        return fail(r, "40001", "what was being built was replaced by another object", NULL, NULL);
    }
    b->id = id;
    if (server_has_streaming_jobs(r->version) && !is_view(r)) {
        const char *status = cell(result, 0, 1);
        if (status == NULL || strcmp(status, "CREATED") != 0) {
            return STEP_POLL_WAIT;
        }
    }
    return b == &r->index || is_view(r) ? finished(r) : STEP_POLL_LISTED;
}

void ask_poll_listed(struct replace *r, struct replace_request *out)
{
    ask_listed(r, out);
}

enum step take_poll_listed(struct replace *r, const struct replace_result *result)
{
    return listed(r, result, r->view.name) ? finished(r) : STEP_POLL_WAIT;
}
