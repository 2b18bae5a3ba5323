/*
 * inspect: everything that is read before anything is made. Whatever would make the end impossible,
 * or lose something that the view has, is refused here, before an hour of building.
 * Changes nothing on the server but for the plain CREATE of a first creation.
 */
#include "replace_internal.h"

#include "ident.h"
#include "mem.h"
#include "sql_format.h"

#include <stdlib.h>
#include <string.h>

void ask_identify(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT version(), current_user, current_schema(), current_database()");
    run(r, out);
}

static enum step refuse_version(struct replace *r)
{
    return fail(r, "0A000", "this RisingWave has no ALTER ... SWAP WITH",
                "The statement needs version 2.1 or later.", NULL);
}

/* Sets the schema in which CREATE would create, and the view's full name. */
static bool resolve_name(struct replace *r, const struct replace_result *result)
{
    const char *given = r->statement.schema;
    r->user = copy_cell(result, 0, 1);
    r->schema = given != NULL ? mem_copy(given, strlen(given)) : copy_cell(result, 0, 2);
    r->database = copy_cell(result, 0, 3);
    if (r->user == NULL || r->schema == NULL || r->database == NULL) {
        return false;
    }
    struct buf full = {0};
    buf_add_format(&full, "%s.%s", r->schema, r->statement.name);
    const char *text = buf_text(&full);
    char *view_name = text != NULL ? mem_copy(text, buf_len(&full)) : NULL;
    buf_cleanup(&full);
    if (view_name == NULL) {
        return false;
    }
    mem_free(r->view_name);
    r->view_name = view_name;
    return true;
}

enum step take_identify(struct replace *r, const struct replace_result *result)
{
    const char *version = cell(result, 0, 0);
    if (version == NULL || !server_version_parse(version, &r->version)) {
        return end_not_ours(r);
    }
    const char *database = cell(result, 0, 3);
    if (r->statement.database != NULL &&
        (database == NULL || strcmp(r->statement.database, database) != 0)) {
        /* Another database: the server refuses cross-database DDL in its own words. */
        return end_not_ours(r);
    }
    if (!server_has_swap(r->version)) {
        return refuse_version(r);
    }
    if (r->statement.schema == NULL && cell(result, 0, 2) == NULL) {
        /* No schema of the search path exists: CREATE says so better than we can. */
        return STEP_CREATE_FIRST;
    }
    if (cell(result, 0, 1) == NULL || database == NULL) {
        return end_not_ours(r);
    }
    return resolve_name(r, result) ? begin_locking(r) : fail_without_memory(r);
}

void ask_target(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT r.id, r.relation_type, o.name, r.definition"
               " FROM rw_catalog.rw_relations r"
               " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
               " LEFT JOIN rw_catalog.rw_users o ON o.id = r.owner"
               " WHERE s.name = %L AND r.name = %L",
               r->schema, r->statement.name);
    run(r, out);
}

static enum step refuse_kind(struct replace *r, const char *kind)
{
    bool vowel = kind[0] != 0 && strchr("aeiou", kind[0]) != NULL;
    return fail_format(r, "42809", NULL, "Drop it first, or choose another name.",
                       "\"%s\" is %s %s, not a %s", r->view_name, vowel ? "an" : "a", kind,
                       kind_name(r));
}

bool survives_rename(const struct replace *r, const char *name)
{
    bool digit_first = name[0] >= '0' && name[0] <= '9';
    return (server_quotes_on_swap(r->version) || ident_is_plain(name, strlen(name))) &&
           (server_quotes_digits(r->version) || !digit_first) &&
           (server_quotes_keywords(r->version) || !ident_is_reserved(name));
}

static enum step check_hazards(struct replace *r, const char *definition)
{
    if (definition == NULL || definition_is_unsafe(definition)) {
        return fail(
            r, "55000", "swapping this view could stop the server",
            "Its stored definition is one that the server cannot read back when it renames.",
            "Drop the view and create it anew.");
    }
    if (!survives_rename(r, r->statement.name)) {
        return fail(
            r, "55000", "swapping this view could stop the server",
            "This RisingWave stores names that need quotes without them when it swaps (before 2.5;"
            " keywords before 2.8).",
            "Upgrade RisingWave, or give the view a name of lower-case letters, digits and _.");
    }
    return STEP_SUPERUSERS;
}

enum step take_target(struct replace *r, const struct replace_result *result)
{
    if (r->expected_id != 0 && (result->num_rows == 0 || cell_id(result, 0, 0) != r->expected_id)) {
        r->gone = true;
        return fail(r, "40001", "it was dropped or replaced by someone else meanwhile", NULL, NULL);
    }
    if (result->num_rows == 0 && r->rollback) {
        return fail_format(r, "42704", NULL, NULL, "there is no view \"%s\"", r->view_name);
    }
    if (r->rollback) {
        r->statement.kind = same_text(cell(result, 0, 1), "view")
                                ? STATEMENT_REPLACE_VIEW
                                : STATEMENT_REPLACE_MATERIALIZED_VIEW;
    }
    if (result->num_rows == 0) {
        /* Not there, or not visible to this user: then CREATE says that it exists. */
        plan_first(r);
        return STEP_CREATE_FIRST;
    }
    for (size_t row = 0; row < result->num_rows; row++) {
        const char *kind = cell(result, row, 1);
        if (kind == NULL || strcmp(kind, kind_name(r)) != 0) {
            return refuse_kind(r, kind != NULL ? kind : "relation of unknown kind");
        }
    }
    r->old_id = cell_id(result, 0, 0);
    r->owner = copy_cell(result, 0, 2);
    if (r->old_id == 0 || result->num_rows != 1) {
        return fail(r, "XX000", "the catalog's answer about the view cannot be read", NULL, NULL);
    }
    if (r->owner == NULL) {
        return cell(result, 0, 2) == NULL
                   ? fail(r, "42501", "the owner of the view cannot be seen", NULL, NULL)
                   : fail_without_memory(r);
    }
    r->definition = copy_cell(result, 0, 3);
    if (r->definition == NULL && cell(result, 0, 3) != NULL) {
        return fail_without_memory(r);
    }
    return check_hazards(r, r->definition);
}

void ask_superusers(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT u.name FROM rw_catalog.rw_users u WHERE u.is_super");
    run(r, out);
}

enum step take_superusers(struct replace *r, const struct replace_result *result)
{
    if (result->num_rows != 0) {
        r->superusers = mem_new(result->num_rows * sizeof(*r->superusers));
        if (r->superusers == NULL) {
            return fail_without_memory(r);
        }
    }
    for (size_t row = 0; row < result->num_rows; row++) {
        char *name = copy_cell(result, row, 0);
        if (name == NULL) {
            return fail_without_memory(r);
        }
        r->superusers[r->num_superusers++] = name;
    }
    if (strcmp(r->owner, r->user) != 0 && !is_superuser(r, r->user)) {
        return fail_format(r, "42501", NULL, NULL, "must be owner of %s %s", kind_name(r),
                           r->view_name);
    }
    return is_view(r) ? begin_facts(r, PHASE_INSPECT) : STEP_TARGET_LISTED;
}

void ask_listed(struct replace *r, struct replace_request *out)
{
    /* Lists finished views only: the one test that every version has. */
    sql_format(&r->sql, "SHOW MATERIALIZED VIEWS FROM %I", r->schema);
    run(r, out);
}

static enum step refuse_creating(struct replace *r)
{
    return fail(r, "55006", "the materialized view is still being created", NULL,
                "Wait until it is finished, or drop it.");
}

void ask_target_listed(struct replace *r, struct replace_request *out)
{
    ask_listed(r, out);
}

enum step take_target_listed(struct replace *r, const struct replace_result *result)
{
    if (!listed(r, result, r->statement.name)) {
        return refuse_creating(r);
    }
    return server_has_streaming_jobs(r->version) ? STEP_TARGET_STATUS : STEP_INDEXES;
}

void ask_target_status(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT j.status FROM rw_catalog.rw_streaming_jobs j WHERE j.id = %u",
               r->old_id);
    run(r, out);
}

enum step take_target_status(struct replace *r, const struct replace_result *result)
{
    const char *status = cell(result, 0, 0);
    if (status == NULL || strcmp(status, "CREATED") != 0) {
        return refuse_creating(r);
    }
    return STEP_INDEXES;
}

void ask_create_first(struct replace *r, struct replace_request *out)
{
    start_build_clock(r);
    ask_create_plain(r);
    run(r, out);
    out->notices_to_client = true;
    out->with_parameters = r->statement.has_parameters;
    out->cancellable = true;
}

enum step take_create_first(struct replace *r, const struct replace_result *result)
{
    r->outcome.effect = REPLACE_CREATED;
    if (r->mode == REPLACE_PLAN) {
        return end_planned(r);
    }
    return end_succeeded(r, result->tag);
}
