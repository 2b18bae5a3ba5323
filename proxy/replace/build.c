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
    CREATE_ATTEMPTS = 5
};

void ask_background_read(struct replace *r, struct replace_request *out)
{
    if (!reserve_spare(r)) {
        r->sql.failed = true;
        return;
    }
    sql_format(&r->sql, "SHOW background_ddl");
    run(r, out);
}

enum step take_background_read(struct replace *r, const struct replace_result *result)
{
    const char *value = cell(result, 0, 0);
    r->background_on = value != NULL && strcmp(value, "true") == 0;
    bool wanted = r->settings.values[SETTING_BUILD] == REPLACE_BUILD_BACKGROUND;
    return r->background_on == wanted ? STEP_CREATE : STEP_BACKGROUND_SET;
}

static void ask_set_background(struct replace *r, struct replace_request *out, bool on)
{
    sql_format(&r->sql, on ? "SET background_ddl = true" : "SET background_ddl = false");
    run(r, out);
}

void ask_background_set(struct replace *r, struct replace_request *out)
{
    /* Marked before it is sent: whatever becomes of the answer, putting it back is harmless. */
    r->background = r->background_on ? "true" : "false";
    ask_set_background(r, out, !r->background_on);
}

enum step take_background_set(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_CREATE;
}

/* The temporary name. Its stamp is the replacement's id from the beginning, so that all log lines
 * of one replacement carry it; only when the name is taken does a later one replace it. */
static bool name_temporary(struct replace *r)
{
    struct buf name = {0};
    if (r->attempts > 1) {
        temp_stamp(r->now.unix_us + r->attempts, r->stamp);
    }
    temp_name(&name, r->statement.name, TEMP_BUILD, r->stamp);
    const char *text = buf_text(&name);
    mem_free(r->temp);
    r->temp = text != NULL ? mem_copy(text, buf_len(&name)) : NULL;
    buf_cleanup(&name);
    return r->temp != NULL && reserve_leftover_warning(r);
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

void ask_create(struct replace *r, struct replace_request *out)
{
    if (r->attempts++ == 0) {
        start_build_clock(r);
    }
    r->new_id = 0;
    if (!name_temporary(r)) {
        r->sql.failed = true;
        return;
    }
    /* With the client's own comments around it: people find their statement by them in the list of
     * processes. */
    buf_add(&r->sql, r->text, r->statement.whole.start);
    statement_renamed(r->text, &r->statement, r->temp, &r->sql);
    buf_add_text(&r->sql, r->text + r->statement.whole.end);
    run(r, out);
    out->notices_to_client = true;
    out->with_parameters = r->statement.has_parameters;
    /* Also in the background, where it is answered after the first barrier only, or when it is
     * done: a plan over VALUES is built in the foreground all the same (risingwave.md 4). */
    out->cancellable = true;
    if (!buf_failed(&r->sql)) {
        r->made = MADE_MAYBE;
    }
}

enum step take_create(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->create_answered = true;
    r->create_answered_ms = r->now.mono_ms;
    r->poll_interval_ms = POLL_FIRST_MS;
    return r->background != NULL ? STEP_BACKGROUND_RESTORE : STEP_POLL_STATUS;
}

/* Is this the server's "materialized view with name {temp} exists [but under creation]"? Taken for
 * another error it would make somebody else's object ours to drop, so this must need no memory. */
static bool name_is_taken(const struct replace *r, const struct replace_server_error *error)
{
    static const char front[] = "with name ";
    static const char back[] = " exists";
    size_t len = strlen(r->temp);
    if (strcmp(error->sqlstate, "42710") == 0) {
        return true;
    }
    for (const char *at = strstr(error->message, front); at != NULL; at = strstr(at + 1, front)) {
        const char *name = at + strlen(front);
        if (strncmp(name, r->temp, len) == 0 && strncmp(name + len, back, strlen(back)) == 0) {
            return true;
        }
    }
    return false;
}

/* Errors that may come although the server has taken the job: the way back from meta was lost, or
 * the answer could not be read here. A cancel and a recovery have removed it. */
static bool may_have_been_taken_on(const struct replace_server_error *error)
{
    if (strstr(error->message, "Cancelled: create") != NULL ||
        strstr(error->message, "failed to wait streaming job finish") != NULL) {
        return false;
    }
    return strstr(error->message, "gRPC request to meta service") != NULL ||
           strcmp(error->sqlstate, "54000") == 0;
}

enum step refused_create(struct replace *r, const struct replace_result *result)
{
    if (name_is_taken(r, &result->error)) {
        /* Somebody else's object: not ours to drop. */
        r->made = MADE_NOTHING;
        return r->attempts < CREATE_ATTEMPTS ? STEP_CREATE : fail_by_server(r, result);
    }
    if (may_have_been_taken_on(&result->error)) {
        r->create_answered = true; /* undo looks for it as long as after a success */
        r->create_answered_ms = r->now.mono_ms;
        r->create_in_doubt = true;
    }
    return fail_by_server(r, result);
}

void ask_background_restore(struct replace *r, struct replace_request *out)
{
    ask_set_background(r, out, r->background_on);
}

enum step take_background_restore(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->background = NULL;
    return STEP_POLL_STATUS;
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
               r->new_id);
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
    if (server_has_streaming_jobs(r->version)) {
        sql_format(&r->sql,
                   "SELECT m.id, j.status FROM rw_catalog.rw_materialized_views m"
                   " JOIN rw_catalog.rw_schemas s ON s.id = m.schema_id"
                   " LEFT JOIN rw_catalog.rw_streaming_jobs j ON j.id = m.id"
                   " WHERE s.name = %L AND m.name = %L",
                   r->schema, r->temp);
        run(r, out);
    } else {
        ask_temp_id(r, out);
    }
}

bool may_still_be_seen(const struct replace *r)
{
    return r->create_answered && r->new_id == 0 &&
           r->now.mono_ms - r->create_answered_ms < SEEN_WITHIN_MS;
}

enum step take_poll_status(struct replace *r, const struct replace_result *result)
{
    uint64_t id = cell_id(result, 0, 0);
    if (id == 0 && !may_still_be_seen(r)) {
        return fail(r, "57014", "the build of the new view was cancelled or failed on the server",
                    NULL, "The view is unchanged. The server's log may say more.");
    }
    if (id == 0) {
        return STEP_POLL_WAIT;
    }
    if (r->new_id != 0 && id != r->new_id) {
        return fail(r, "40001", "the view being built was replaced by another object", NULL, NULL);
    }
    r->new_id = id;
    if (server_has_streaming_jobs(r->version)) {
        const char *status = cell(result, 0, 1);
        if (status == NULL || strcmp(status, "CREATED") != 0) {
            return STEP_POLL_WAIT;
        }
    }
    return STEP_POLL_LISTED;
}

void ask_poll_listed(struct replace *r, struct replace_request *out)
{
    ask_listed(r, out);
}

enum step take_poll_listed(struct replace *r, const struct replace_result *result)
{
    if (!listed(r, result, r->temp)) {
        return STEP_POLL_WAIT;
    }
    r->made = MADE_BUILT;
    return STEP_NEW_FACTS;
}

void ask_new_facts(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT r.definition, r.acl, o.name FROM rw_catalog.rw_relations r"
               " LEFT JOIN rw_catalog.rw_users o ON o.id = r.owner WHERE r.id = %u",
               r->new_id);
    run(r, out);
}

static enum step refuse_new_grants(struct replace *r, struct buf *grantee)
{
    struct buf detail = {0};
    const char *name = buf_text(grantee);
    buf_add_format(&detail, "Default privileges granted access to \"%s\".",
                   name != NULL ? name : "?");
    enum step next =
        fail(r, "0A000", "the new view would be open to users who could not read the old one",
             buf_text(&detail), "The view was not changed.");
    buf_cleanup(&detail);
    return next;
}

enum step take_new_facts(struct replace *r, const struct replace_result *result)
{
    const char *definition = cell(result, 0, 0);
    const char *acl = cell(result, 0, 1);
    const char *owner = cell(result, 0, 2);
    if (definition == NULL || owner == NULL) {
        return fail(r, "40001", "the view being built was dropped by someone else", NULL, NULL);
    }
    if (definition_is_unsafe(definition)) {
        return fail(
            r, "55000", "swapping the new view could stop the server",
            "Its stored definition is one that the server cannot read back when it renames.",
            "Write the query without a minus in front of a negative number.");
    }
    struct buf grantee = {0};
    enum step next = strcmp(owner, r->owner) == 0 ? STEP_DEPENDENTS_AGAIN : STEP_OWNER;
    if (acl != NULL && grants_beyond_superusers(r, acl, &grantee)) {
        next = refuse_new_grants(r, &grantee);
    }
    buf_cleanup(&grantee);
    return next;
}

void ask_owner(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "ALTER MATERIALIZED VIEW %I.%I OWNER TO %I", r->schema, r->temp, r->owner);
    run(r, out);
}

enum step take_owner(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_DEPENDENTS_AGAIN;
}
