/*
 * build: the new view is made under its temporary name, and found finished, or not.
 * Owns the session's background_ddl for the time of one CREATE and puts it back.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

enum {
    POLL_FIRST_MS = 50,
    POLL_MOST_MS = 1000,
    /* A background CREATE is answered before the frontend's own catalog has caught up
     * (risingwave.md 4): an id not seen after this long will not come. */
    SEEN_WITHIN_MS = 10000,
    /* A stamp that is taken is a microsecond shared with another process; five in a row are not. */
    CREATE_ATTEMPTS = 5,
    /* How often a recovering cluster is asked, and for how long. */
    RETRY_MS = 1000,
    RECOVERED_WITHIN_MS = 60000
};

void ask_background_read(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SHOW background_ddl");
    run(r, out);
}

/* Before 2.6 nothing tells when an index that is built in the background is finished. */
static bool wants_background(const struct replace *r)
{
    return r->settings.values[SETTING_BUILD] == REPLACE_BUILD_BACKGROUND &&
           (r->building == &r->view || server_has_streaming_jobs(r->version));
}

static enum step create_step(struct replace *r)
{
    if (r->building == &r->index) {
        return STEP_CREATE_INDEX;
    }
    return zero_downtime(r) ? STEP_CREATE : begin_facts(r, PHASE_LAST_LOOK);
}

enum step begin_build(struct replace *r, struct build *build)
{
    r->building = build;
    r->poll_interval_ms = POLL_FIRST_MS;
    /* When it could not be put back after the last CREATE it is still what that one wanted. */
    bool as_wanted = !r->background_changed && r->background_on == wants_background(r);
    return as_wanted ? create_step(r) : STEP_BACKGROUND_SET;
}

enum step take_background_read(struct replace *r, const struct replace_result *result)
{
    const char *value = cell(result, 0, 0);
    r->background_on = value != NULL && strcmp(value, "true") == 0;
    return begin_build(r, &r->view);
}

static void ask_set_background(struct replace *r, struct replace_request *out, bool on)
{
    sql_format(&r->sql, on ? "SET background_ddl = true" : "SET background_ddl = false");
    run(r, out);
}

void ask_background_set(struct replace *r, struct replace_request *out)
{
    /* Marked before it is sent: whatever becomes of the answer, putting it back is harmless. */
    r->background_changed = true;
    ask_set_background(r, out, wants_background(r));
}

enum step take_background_set(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return create_step(r);
}

/* The name under which the view is built. The stamp is the replacement's id from the beginning, so
 * that all log lines of one replacement carry it; only when the name is taken does a later one
 * replace it. */
static bool name_view(struct replace *r)
{
    struct buf name = {0};
    if (r->view.taken != 0) {
        temp_stamp(r->now.unix_us + r->view.taken, r->stamp);
    }
    if (zero_downtime(r)) {
        temp_name(&name, r->statement.name, TEMP_BUILD, r->stamp);
    } else {
        buf_add_text(&name, r->statement.name);
    }
    return set_name(&r->view, &name) && reserve_leftover_warning(r) && reserve_spare(r);
}

void build_cleanup(struct build *build)
{
    mem_free(build->name);
    *build = (struct build){0};
}

bool set_name(struct build *build, struct buf *name)
{
    const char *text = buf_text(name);
    char *copy = text != NULL ? mem_copy(text, buf_len(name)) : NULL;
    buf_cleanup(name);
    if (copy == NULL) {
        return false; /* what exists under the name that it had is still known by it */
    }
    mem_free(build->name);
    build->name = copy;
    return true;
}

void start_build_clock(struct replace *r)
{
    uint32_t timeout = r->settings.values[SETTING_BUILD_TIMEOUT];
    uint32_t interval = r->settings.values[SETTING_PROGRESS_INTERVAL];
    bool tells = r->settings.values[SETTING_NOTICES] == REPLACE_NOTICES_PROGRESS && interval != 0;
    r->build_started_ms = r->now.mono_ms;
    r->build_ends_ms = timeout != 0 ? r->now.mono_ms + timeout : MOMENT_NEVER;
    r->next_progress_ms = tells ? r->now.mono_ms + interval : MOMENT_NEVER;
}

void ask_create_plain(struct replace *r)
{
    /* With the client's own comments around it: people find their statement by them in the list of
     * processes. */
    buf_add(&r->sql, r->text, r->statement.whole.start);
    statement_plain(r->text, &r->statement, &r->sql);
    buf_add_text(&r->sql, r->text + r->statement.whole.end);
}

/* CREATE of the build that is on is the request. */
void run_create(struct replace *r, struct replace_request *out)
{
    run(r, out);
    out->notices_to_client = true;
    /* Also in the background, where it is answered after the first barrier only, or when it is
     * done: a plan over VALUES is built in the foreground all the same (risingwave.md 4). */
    out->cancellable = true;
    r->building->id = 0;
    r->building->answered = false;
    r->building->in_doubt = false;
    r->building->sent = !buf_failed(&r->sql) && r->mode == REPLACE_CARRY_OUT;
}

void ask_create(struct replace *r, struct replace_request *out)
{
    if (r->view.name == NULL) {
        start_build_clock(r);
    }
    if (!name_view(r)) {
        r->sql.failed = true;
        return;
    }
    if (zero_downtime(r)) {
        buf_add(&r->sql, r->text, r->statement.whole.start);
        statement_renamed(r->text, &r->statement, r->view.name, &r->sql);
        buf_add_text(&r->sql, r->text + r->statement.whole.end);
    } else {
        ask_create_plain(r);
    }
    run_create(r, out);
    out->with_parameters = r->statement.has_parameters;
}

enum step create_answered(struct replace *r)
{
    r->building->answered = true;
    r->building->answered_ms = r->now.mono_ms;
    r->poll_interval_ms = POLL_FIRST_MS;
    return r->background_changed ? STEP_BACKGROUND_RESTORE : STEP_POLL_STATUS;
}

enum step take_create(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return create_answered(r);
}

/* Is this the server's "materialized view with name {temp} exists [but under creation]"? Taken for
 * another error it would make somebody else's object ours to drop, so this must need no memory. */
static bool name_is_taken(const struct replace *r, const struct replace_server_error *error)
{
    static const char front[] = "with name ";
    static const char back[] = " exists";
    size_t len = strlen(r->building->name);
    if (strcmp(error->sqlstate, "42710") == 0) {
        return true;
    }
    for (const char *at = strstr(error->message, front); at != NULL; at = strstr(at + 1, front)) {
        const char *name = at + strlen(front);
        if (strncmp(name, r->building->name, len) == 0 &&
            strncmp(name + len, back, strlen(back)) == 0) {
            return true;
        }
    }
    return false;
}

/* A recovery has removed what was being built in the foreground. */
static bool job_died(const struct replace_server_error *error)
{
    return strstr(error->message, "failed to wait streaming job finish") != NULL;
}

/* Errors that may come although the server has taken the job: the way back from meta was lost, or
 * the answer could not be read here. A cancel and a recovery have removed it. */
bool may_have_been_taken_on(const struct replace_server_error *error)
{
    if (strstr(error->message, "Cancelled: create") != NULL || job_died(error)) {
        return false;
    }
    return strstr(error->message, "gRPC request to meta service") != NULL ||
           strcmp(error->sqlstate, "54000") == 0;
}

/* A recovery of the cluster has ended it, or keeps it from beginning. */
static bool cluster_recovers(const struct replace_server_error *error)
{
    return job_died(error) || strstr(error->message, "The cluster is ") != NULL;
}

/* A recovery removes what is built in the foreground, and in the background what has not met its
 * first barrier: that is tried once more, when the cluster takes jobs again. */
static bool may_try_again(struct replace *r, const struct replace_server_error *error)
{
    struct build *b = r->building;
    if (!cluster_recovers(error) || r->cancelled) {
        return false;
    }
    bool died = job_died(error);
    if (died && b->died) {
        return false;
    }
    if (died || b->retry_until_ms == 0) {
        b->retry_until_ms = r->now.mono_ms + RECOVERED_WITHIN_MS;
    }
    b->died = b->died || died;
    return r->now.mono_ms < b->retry_until_ms;
}

enum step refused_create(struct replace *r, const struct replace_result *result)
{
    struct build *b = r->building;
    if (name_is_taken(r, &result->error)) {
        if (b->retry_until_ms != 0 && zero_downtime(r)) {
            return create_answered(r); /* what was thought dead has survived */
        }
        /* Somebody else's object: not ours to drop. */
        b->sent = false;
        b->taken++;
        return zero_downtime(r) && b == &r->view && b->taken < CREATE_ATTEMPTS
                   ? STEP_CREATE
                   : fail_build(r, result);
    }
    if (may_try_again(r, &result->error)) {
        return STEP_RETRY_WAIT; /* under the same name */
    }
    if (may_have_been_taken_on(&result->error)) {
        b->answered = true; /* undo looks for it as long as after a success */
        b->answered_ms = r->now.mono_ms;
        b->in_doubt = true;
    }
    return fail_build(r, result);
}

void ask_retry_wait(struct replace *r, struct replace_request *out)
{
    uint64_t until = r->now.mono_ms + RETRY_MS;
    out->kind = REPLACE_WAIT;
    out->until_ms = until < r->build_ends_ms ? until : r->build_ends_ms;
}

enum step take_retry_wait(struct replace *r, const struct replace_result *result)
{
    (void)result;
    if (r->now.mono_ms >= r->build_ends_ms) {
        return fail_timed_out(r);
    }
    return r->building == &r->index ? STEP_CREATE_INDEX : STEP_CREATE;
}

void ask_background_restore(struct replace *r, struct replace_request *out)
{
    ask_set_background(r, out, r->background_on);
}

static enum step after_create(struct replace *r)
{
    if (r->building == &r->index && r->index.finished) {
        return after_index(r);
    }
    /* Not answered: an index that was left out. */
    return r->building->answered ? STEP_POLL_STATUS : next_index(r);
}

enum step take_background_restore(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->background_changed = false;
    return after_create(r);
}

/* No reason to give up what is being built: it is put back at the end. */
enum step refused_background_restore(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return after_create(r);
}

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
    } else if (server_has_streaming_jobs(r->version)) {
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
    if (b->id != 0 && id != b->id) {
        return fail(r, "40001", "what was being built was replaced by another object", NULL, NULL);
    }
    b->id = id;
    if (server_has_streaming_jobs(r->version)) {
        const char *status = cell(result, 0, 1);
        if (status == NULL || strcmp(status, "CREATED") != 0) {
            return STEP_POLL_WAIT;
        }
    }
    return b == &r->index ? finished(r) : STEP_POLL_LISTED;
}

void ask_poll_listed(struct replace *r, struct replace_request *out)
{
    ask_listed(r, out);
}

enum step take_poll_listed(struct replace *r, const struct replace_result *result)
{
    return listed(r, result, r->view.name) ? finished(r) : STEP_POLL_WAIT;
}
