/*
 * facts: what the view has that its successor must have as well: indexes with their comments, its
 * own comments, owner, grants, the parallelism of its job, columns. Read twice: to be inspected,
 * and once more when the new view is built, since hours may lie between.
 * Must not know: how it is carried over (carry.c, indexes.c).
 */
#include "replace_internal.h"

#include "index_definition.h"
#include "mem.h"
#include "sql_format.h"

#include <string.h>

/* Columns of the kept rows. */
enum { INDEX_ID, INDEX_NAME, INDEX_DEFINITION };

size_t num_indexes(const struct replace *r)
{
    return r->indexes.rows.num_rows;
}

const char *index_name(const struct replace *r, size_t num)
{
    return cell(&r->indexes.rows, num, INDEX_NAME);
}

const char *index_definition(const struct replace *r, size_t num)
{
    return cell(&r->indexes.rows, num, INDEX_DEFINITION);
}

bool is_index_of_view(const struct replace *r, uint64_t id)
{
    for (size_t i = 0; i < num_indexes(r); i++) {
        if (cell_id(&r->indexes.rows, i, INDEX_ID) == id) {
            return true;
        }
    }
    return false;
}

void ask_indexes(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT i.id, i.name, i.definition FROM rw_catalog.rw_indexes i"
               " WHERE i.primary_table_id = %u ORDER BY i.id",
               r->old_id);
    run(r, out);
}

static void forget_index_comments(struct replace *r)
{
    for (size_t i = 0; i < r->num_index_comments; i++) {
        kept_rows_cleanup(&r->index_comments[i]);
    }
    mem_free(r->index_comments);
    r->index_comments = NULL;
    r->num_index_comments = 0;
}

void facts_cleanup(struct replace *r)
{
    forget_index_comments(r);
    kept_rows_cleanup(&r->indexes);
    kept_rows_cleanup(&r->comments);
    kept_rows_cleanup(&r->job);
    kept_rows_cleanup(&r->old_columns);
    kept_rows_cleanup(&r->new_columns);
    kept_rows_cleanup(&r->reads);
    kept_rows_cleanup(&r->remembered);
    handover_cleanup(r);
}

static enum step refuse_index(struct replace *r, size_t num)
{
    const char *name = index_name(r, num);
    return fail_format(r, "55000",
                       "Its stored definition is one that the server cannot read back when the view"
                       " is renamed.",
                       "Drop the index first, and create it in another way.",
                       "swapping this view with its index \"%s\" could stop the server",
                       name != NULL ? name : "?");
}

/* Is it a CREATE INDEX as it is expected? */
static bool can_be_built_anew(const struct replace *r, size_t num)
{
    struct buf sql = {0};
    const char *name = index_name(r, num);
    bool read = index_definition_renamed(index_definition(r, num), name, r->schema, name, &sql);
    read = read && !buf_failed(&sql);
    buf_cleanup(&sql);
    return read;
}

enum step begin_facts(struct replace *r, enum phase phase)
{
    r->phase = phase;
    if (is_view(r)) {
        /* It has neither indexes nor comments nor a job. */
        return phase == PHASE_INDEXES ? next_index(r) : STEP_GRANTS;
    }
    return phase == PHASE_CARRY ? STEP_COMMENTS : STEP_INDEXES;
}

static enum step after_indexes(struct replace *r)
{
    r->index_at = 0;
    return r->phase == PHASE_INDEXES ? next_index(r) : STEP_COMMENTS;
}

enum step take_indexes(struct replace *r, const struct replace_result *result)
{
    forget_index_comments(r);
    handover_cleanup(r);
    r->index_at = 0;
    if (!kept_rows_set(&r->indexes, result)) {
        return fail_without_memory(r);
    }
    for (size_t i = 0; i < num_indexes(r); i++) {
        const char *definition = index_definition(r, i);
        if (index_name(r, i) == NULL || definition == NULL || definition_is_unsafe(definition) ||
            !can_be_built_anew(r, i) || !survives_rename(r, index_name(r, i))) {
            return refuse_index(r, i);
        }
    }
    if (num_indexes(r) == 0 || !carries_indexes(r)) {
        return after_indexes(r);
    }
    r->index_comments = mem_new(num_indexes(r) * sizeof(*r->index_comments));
    if (r->index_comments == NULL || !begin_reserving_handover(r)) {
        return fail_without_memory(r);
    }
    r->num_index_comments = num_indexes(r);
    return STEP_INDEX_COMMENTS;
}

void ask_index_comments(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "DESCRIBE %I.%I", r->schema, index_name(r, r->index_at));
    run(r, out);
}

static enum step next_index_comments(struct replace *r)
{
    r->index_at++;
    return r->index_at < num_indexes(r) ? STEP_INDEX_COMMENTS : after_indexes(r);
}

enum step take_index_comments(struct replace *r, const struct replace_result *result)
{
    if (!kept_rows_set(&r->index_comments[r->index_at], result)) {
        return fail_without_memory(r);
    }
    r->indexes_described = true;
    return next_index_comments(r);
}

static bool is_not_found(const struct replace_result *result)
{
    return strstr(result->error.message, "not found") != NULL;
}

/* Whether every version describes indexes is not known; one that does not has no way to show their
 * comments either. */
enum step refused_index_comments(struct replace *r, const struct replace_result *result)
{
    if (r->indexes_described) {
        return is_not_found(result)
                   ? fail(r, "40001", "an index of the view was renamed or dropped meanwhile", NULL,
                          "Send the statement again.")
                   : fail_by_server(r, result);
    }
    return next_index_comments(r);
}

void ask_comments(struct replace *r, struct replace_request *out)
{
    /* The catalog's comment tables list user tables only; DESCRIBE is the one place that tells. */
    sql_format(&r->sql, "DESCRIBE %I.%I", r->schema, r->statement.name);
    run(r, out);
}

enum step refused_comments(struct replace *r, const struct replace_result *result)
{
    return is_not_found(result)
               ? fail(r, "40001", "the view was dropped or renamed by someone else meanwhile", NULL,
                      "Send the statement again if it is still wanted.")
               : fail_by_server(r, result);
}

enum step take_comments(struct replace *r, const struct replace_result *result)
{
    return kept_rows_set(&r->comments, result) ? STEP_GRANTS : fail_without_memory(r);
}

void ask_grants(struct replace *r, struct replace_request *out)
{
    ask_relation(r, out, r->old_id);
}

enum step take_grants(struct replace *r, const struct replace_result *result)
{
    const char *owner = cell(result, 0, 2);
    if (owner == NULL) {
        return fail(r, "40001", "the view was dropped by someone else meanwhile", NULL, NULL);
    }
    mem_free(r->acl);
    mem_free(r->owner);
    r->acl = copy_cell(result, 0, 1);
    r->owner = copy_cell(result, 0, 2);
    if (r->owner == NULL || (r->acl == NULL && cell(result, 0, 1) != NULL)) {
        return fail_without_memory(r);
    }
    if (r->phase != PHASE_INSPECT && strcmp(r->owner, r->user) != 0 && !is_superuser(r, r->user)) {
        return fail(r, "40001", "the owner of the view was changed meanwhile", NULL, NULL);
    }
    if (definition_is_unsafe(cell(result, 0, 0) != NULL ? cell(result, 0, 0) : "")) {
        return fail(
            r, "55000", "swapping this view could stop the server",
            "Its stored definition is one that the server cannot read back when it renames.",
            unchanged_hint(r));
    }
    enum step refusal = check_grants(r, r->acl);
    if (refusal != STEP_COUNT) {
        return refusal;
    }
    return server_has_streaming_jobs(r->version) && !is_view(r) ? STEP_JOB : after_facts(r);
}

static void ask_job_of(struct replace *r, struct replace_request *out, uint64_t id)
{
    sql_format(&r->sql,
               "SELECT j.parallelism, j.resource_group FROM rw_catalog.rw_streaming_jobs j"
               " WHERE j.id = %u",
               id);
    run(r, out);
}

void ask_job(struct replace *r, struct replace_request *out)
{
    ask_job_of(r, out, r->old_id);
}

void ask_new_job(struct replace *r, struct replace_request *out)
{
    ask_job_of(r, out, r->view.id);
}

enum step take_job(struct replace *r, const struct replace_result *result)
{
    return kept_rows_set(&r->job, result) ? after_facts(r) : fail_without_memory(r);
}

void ask_columns_of(struct replace *r, struct replace_request *out, uint64_t id)
{
    sql_format(&r->sql,
               "SELECT c.name, c.data_type FROM rw_catalog.rw_columns c"
               " WHERE c.relation_id = %u AND NOT c.is_hidden ORDER BY c.position",
               id);
    run(r, out);
}

void ask_old_columns(struct replace *r, struct replace_request *out)
{
    ask_columns_of(r, out, r->old_id);
}

enum step take_old_columns(struct replace *r, const struct replace_result *result)
{
    return kept_rows_set(&r->old_columns, result) ? begin_dependents(r) : fail_without_memory(r);
}

enum step after_facts(struct replace *r)
{
    switch (r->phase) {
    case PHASE_INSPECT:
        return STEP_OLD_COLUMNS;
    case PHASE_LAST_LOOK:
        return begin_dependents(r);
    case PHASE_INDEXES: /* ends with the indexes */
    case PHASE_CARRY:
        break;
    }
    return begin_carrying(r);
}
