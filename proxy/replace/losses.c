/*
 * losses: what the view has that this engine cannot carry over yet, or must not touch: grants,
 * indexes, comments, whatever reads it. Refused with the reason before anything is built, and what
 * may have come meanwhile is looked for again before the swap.
 */
#include "replace_internal.h"

#include "sql_format.h"

#include <string.h>

/* What the engine cannot carry over yet, or must not touch. */
static enum step refuse_loss(struct replace *r, const char *what, const char *detail)
{
    return fail_format(r, "0A000", detail, "The view was not changed.",
                       "replacing \"%s\" would lose %s", r->view_name, what);
}

enum step check_grants(struct replace *r)
{
    struct buf grantee = {0};
    struct buf detail = {0};
    enum step next = STEP_TARGET_LISTED;
    if (r->acl != NULL && grants_beyond_superusers(r, r->acl, &grantee)) {
        const char *name = buf_text(&grantee);
        buf_add_format(&detail, "Privileges were granted to \"%s\".", name != NULL ? name : "?");
        next = refuse_loss(r, "its grants", buf_text(&detail));
    }
    buf_cleanup(&grantee);
    buf_cleanup(&detail);
    return next;
}

void ask_indexes(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT i.name FROM rw_catalog.rw_indexes i WHERE i.primary_table_id = %u",
               r->old_id);
    run(r, out);
}

/* Refuses what is in the first column of the result, naming up to a few. */
static enum step refuse_named(struct replace *r, const struct replace_result *result,
                              const char *what, const char *label)
{
    struct buf detail = {0};
    enum { SHOWN = 10 };
    for (size_t row = 0; row < result->num_rows && row < SHOWN; row++) {
        const char *name = cell(result, row, 0);
        buf_add_format(&detail, "%s\"%s\"", row == 0 ? label : ", ", name != NULL ? name : "?");
    }
    buf_add_text(&detail, result->num_rows > SHOWN ? " and more." : ".");
    enum step next = refuse_loss(r, what, buf_text(&detail));
    buf_cleanup(&detail);
    return next;
}

enum step take_indexes(struct replace *r, const struct replace_result *result)
{
    return result->num_rows == 0 ? STEP_COMMENTS
                                 : refuse_named(r, result, "its indexes", "Indexes: ");
}

void ask_comments(struct replace *r, struct replace_request *out)
{
    /* The catalog's comment tables list user tables only; DESCRIBE is the one place that tells. */
    sql_format(&r->sql, "DESCRIBE %I.%I", r->schema, r->statement.name);
    run(r, out);
}

enum step take_comments(struct replace *r, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        if (cell(result, row, 3) != NULL) {
            return refuse_loss(r, "its comments", NULL);
        }
    }
    return STEP_DEPENDENTS;
}

void ask_dependents(struct replace *r, struct replace_request *out)
{
    /* Outer joins: an id without a visible relation is somebody else's dependent and counts. */
    sql_format(&r->sql,
               "SELECT x.objid, s.name, d.name, d.relation_type FROM rw_catalog.rw_depend x"
               " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.objid"
               " LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id"
               " WHERE x.refobjid = %u",
               r->old_id);
    run(r, out);
}

static enum step refuse_dependent(struct replace *r, const struct replace_result *result,
                                  size_t row)
{
    const char *schema = cell(result, row, 1);
    const char *name = cell(result, row, 2);
    const char *kind = cell(result, row, 3);
    struct buf detail = {0};
    if (name != NULL && schema != NULL && kind != NULL) {
        buf_add_format(&detail, "The %s \"%s.%s\" reads it and would stay on the old view.", kind,
                       schema, name);
    } else {
        buf_add_text(&detail, "An object that this user cannot see reads it.");
    }
    enum step next = refuse_loss(r, "what reads it", buf_text(&detail));
    buf_cleanup(&detail);
    return next;
}

enum step take_dependents(struct replace *r, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        if (r->new_id != 0 && cell_id(result, row, 0) == r->new_id) {
            return fail(r, "42P17", "the query reads the view that it replaces", NULL, NULL);
        }
    }
    if (result->num_rows != 0) {
        return refuse_dependent(r, result, 0);
    }
    return r->step == STEP_DEPENDENTS ? STEP_CREATING_JOBS : STEP_CREATING_JOBS_AGAIN;
}

void ask_creating_jobs(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT p.ddl_statement FROM rw_catalog.rw_ddl_progress p");
    run(r, out);
}

enum step take_creating_jobs(struct replace *r, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        const char *sql = cell(result, row, 0);
        if (sql == NULL || names_view(r, sql)) {
            return refuse_loss(r, "what reads it",
                               "A job that is being created names the view or cannot be read.");
        }
    }
    if (r->step == STEP_CREATING_JOBS_AGAIN) {
        return STEP_IDS_BEFORE;
    }
    tell(r, REPLACE_NOTICES_SUMMARY,
         "Detected changes to materialized view definition."
         " Using zero downtime rebuild with SWAP.");
    return STEP_BACKGROUND_READ;
}
