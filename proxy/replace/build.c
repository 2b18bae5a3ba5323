/*
 * build: the new view is made under its temporary name; whether it is finished, poll.c finds out.
 * Owns the session's background_ddl for the time of one CREATE and puts it back.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

enum {
    POLL_FIRST_MS = 50,
    /* A stamp that is taken is a microsecond shared with another process; five in a row are not. */
    CREATE_ATTEMPTS = 5,
    /* How often a recovering cluster is asked. */
    RETRY_MS = 1000
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
    if (is_view(r)) {
        return create_step(r);
    }
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
