/*
 * dependents: who reads the view. What the engine cannot move yet is refused with the reason before
 * anything is built, and what may have come meanwhile is looked for again before the swap.
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

static bool is_index(const struct replace_result *result, size_t row)
{
    const char *kind = cell(result, row, 3);
    return kind != NULL && strcmp(kind, "index") == 0;
}

/* Probes and builds of other replacements: they look for themselves whether what they read was
 * replaced meanwhile. */
static bool is_temporary(const struct replace_result *result, size_t row)
{
    const char *name = cell(result, row, 2);
    size_t base_len = 0;
    enum temp_kind kind = TEMP_BUILD;
    return name != NULL && temp_name_parse(name, &base_len, &kind);
}

enum step fail_reads_itself(struct replace *r)
{
    return fail(r, "42P17", "the query reads the view that it replaces", NULL, NULL);
}

enum step take_dependents(struct replace *r, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        uint64_t id = cell_id(result, row, 0);
        if (r->view.id != 0 && id == r->view.id) {
            return fail_reads_itself(r);
        }
        if (is_index_of_view(r, id) || is_temporary(result, row)) {
            continue;
        }
        if (r->step == STEP_DEPENDENTS_AGAIN && is_index(result, row)) {
            return fail(r, "40001", "an index was created on the view meanwhile", NULL,
                        "Send the statement again.");
        }
        return refuse_dependent(r, result, row);
    }
    return r->step == STEP_DEPENDENTS ? STEP_CREATING_JOBS : STEP_CREATING_JOBS_AGAIN;
}

void ask_creating_jobs(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT p.ddl_statement FROM rw_catalog.rw_ddl_progress p");
    run(r, out);
}

/* The view that another replacement builds: see is_temporary. */
static bool builds_temporary(const char *sql)
{
    struct sql_tokens tokens = {0};
    struct statement statement = {0};
    struct sql_piece piece;
    size_t cursor = 0;
    size_t base_len = 0;
    enum temp_kind kind = TEMP_BUILD;
    if (sql_scan(sql, strlen(sql), &tokens) != SQL_SCAN_OK) {
        return false;
    }
    bool temporary = sql_next_piece(sql, strlen(sql), &tokens, &cursor, &piece) &&
                     statement_read_stored(sql, &tokens, &piece, &statement) == STATEMENT_READ &&
                     statement.name != NULL && temp_name_parse(statement.name, &base_len, &kind);
    statement_cleanup(&statement);
    sql_tokens_cleanup(&tokens);
    return temporary;
}

enum step take_creating_jobs(struct replace *r, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        const char *sql = cell(result, row, 0);
        if (sql == NULL || (names_view(r, sql) && !builds_temporary(sql))) {
            return refuse_loss(r, "what reads it",
                               "A job that is being created names the view or cannot be read.");
        }
    }
    if (r->step == STEP_CREATING_JOBS_AGAIN) {
        return r->view.id != 0 ? STEP_NEW_READS_AGAIN : STEP_IDS_BEFORE;
    }
    return begin_probe(r);
}
