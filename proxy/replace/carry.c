/*
 * carry: what the old view has is given to the new one before any reader meets it: owner, grants
 * exactly as they are, comments, parallelism and resource group of its job. What is to be sent is
 * made as a list of statements and sent one after the other.
 * Must not know: indexes (indexes.c), how grants are read (grants.c).
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

void ask_new_facts(struct replace *r, struct replace_request *out)
{
    ask_relation(r, out, r->view.id);
}

enum step take_new_facts(struct replace *r, const struct replace_result *result)
{
    const char *definition = cell(result, 0, 0);
    if (definition == NULL || cell(result, 0, 2) == NULL) {
        return fail(r, "40001", "the view being built was dropped by someone else", NULL, NULL);
    }
    if (zero_downtime(r) && definition_is_unsafe(definition)) {
        return fail(
            r, "55000", "swapping the new view could stop the server",
            "Its stored definition is one that the server cannot read back when it renames.",
            "Write the query without a minus in front of a negative number.");
    }
    mem_free(r->new_acl);
    mem_free(r->new_owner);
    r->new_acl = copy_cell(result, 0, 1);
    r->new_owner = copy_cell(result, 0, 2);
    if (r->new_owner == NULL || (r->new_acl == NULL && cell(result, 0, 1) != NULL)) {
        return fail_without_memory(r);
    }
    enum step refusal = check_grants(r, r->new_acl);
    return refusal != STEP_COUNT ? refusal : STEP_NEW_COLUMNS;
}

/* With zero_downtime = off the old view is gone, and with it what could be read again; and readers
 * wait for grants, not for indexes. */
static enum step after_new_facts(struct replace *r)
{
    return zero_downtime(r) ? begin_facts(r, PHASE_INDEXES) : begin_carrying(r);
}

/* EXPLAIN: a new view is its creator's, and what default privileges add is not known. (A rollback
 * is explained as if what it goes back to were like that.) */
enum step skip_new_facts(struct replace *r)
{
    r->new_owner = mem_copy(r->user, strlen(r->user));
    return r->new_owner != NULL ? after_new_facts(r) : fail_without_memory(r);
}

void ask_new_columns(struct replace *r, struct replace_request *out)
{
    ask_columns_of(r, out, r->view.id);
}

enum step take_new_columns(struct replace *r, const struct replace_result *result)
{
    if (!kept_rows_set(&r->new_columns, result)) {
        return fail_without_memory(r);
    }
    enum step refusal = zero_downtime(r) ? check_columns(r) : STEP_COUNT;
    return refusal != STEP_COUNT ? refusal : STEP_NEW_READS;
}

void ask_new_reads(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT x.refobjid, s.name, d.name FROM rw_catalog.rw_depend x"
               " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.refobjid"
               " LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id"
               " WHERE x.objid = %u ORDER BY x.refobjid",
               r->view.id);
    run(r, out);
}

enum step fail_moved(struct replace *r, const char *name)
{
    return fail_format(r, "40001",
                       "The new view would go on reading what is not behind that name any more.",
                       "Send the statement again.",
                       "\"%s\", which the new view reads, was replaced or renamed meanwhile",
                       name != NULL ? name : "an object");
}

enum step take_new_reads(struct replace *r, const struct replace_result *result)
{
    for (size_t i = 0; i < result->num_rows; i++) {
        if (cell_id(result, i, 0) == r->old_id) {
            return fail_reads_itself(r);
        }
    }
    enum step refusal = check_reads_of_rebuild(r, result, 0, 0, 2);
    if (refusal == STEP_COUNT && zero_downtime(r)) {
        refusal = check_reads_of_probe(r, result);
    }
    if (refusal != STEP_COUNT) {
        return refusal;
    }
    if (!kept_rows_set(&r->reads, result)) {
        return fail_without_memory(r);
    }
    return after_new_facts(r);
}

static bool same_row(const struct replace_result *a, const struct replace_result *b, size_t row)
{
    for (size_t column = 0; column < a->num_columns; column++) {
        const char *in_a = cell(a, row, column);
        const char *in_b = cell(b, row, column);
        if ((in_a == NULL) != (in_b == NULL) || (in_a != NULL && strcmp(in_a, in_b) != 0)) {
            return false;
        }
    }
    return true;
}

enum step take_new_reads_again(struct replace *r, const struct replace_result *result)
{
    const struct replace_result *before = &r->reads.rows;
    if (result->num_rows != before->num_rows) {
        return fail_moved(r, NULL);
    }
    for (size_t i = 0; i < before->num_rows; i++) {
        if (!same_row(before, result, i)) {
            return fail_moved(r, cell(before, i, 2));
        }
    }
    return STEP_IDS_BEFORE;
}

void add_comment(struct buf *out, const char *schema, const char *relation, const char *column,
                 const char *text)
{
    if (column != NULL) {
        sql_format(out, "COMMENT ON COLUMN %I.%I.%I IS %L", schema, relation, column, text);
    } else {
        sql_format(out, "COMMENT ON TABLE %I.%I IS %L", schema, relation, text);
    }
}

const char *described_column(const struct replace_result *rows, size_t row)
{
    /* The rows behind the columns (keys, indexes, "table description") say nothing of hidden. */
    return cell(rows, row, DESCRIBE_HIDDEN) != NULL ? cell(rows, row, DESCRIBE_NAME) : NULL;
}

static void tell_lost_comment(struct replace *r, const char *column)
{
    struct buf message = {0};
    buf_add_format(&message, "The comment on column \"%s\" is gone with the column.", column);
    const char *text = buf_text(&message);
    if (text != NULL) {
        tell(r, REPLACE_NOTICES_SUMMARY, text);
    }
    buf_cleanup(&message);
}

static bool carry_comments(struct replace *r)
{
    const struct replace_result *rows = &r->comments.rows;
    for (size_t i = 0; i < rows->num_rows; i++) {
        const char *text = cell(rows, i, DESCRIBE_COMMENT);
        const char *column = described_column(rows, i);
        struct buf sql = {0};
        if (text == NULL) {
            continue;
        }
        if (column != NULL && !has_column(r, column)) {
            tell_lost_comment(r, column);
            continue;
        }
        add_comment(&sql, r->schema, r->view.name, column, text);
        if (!text_list_take(&r->carry, &sql)) {
            return false;
        }
        r->num_comments++;
    }
    return true;
}

static bool carry_owner(struct replace *r)
{
    struct buf sql = {0};
    if (strcmp(r->new_owner, r->owner) == 0) {
        return true;
    }
    add_verb(r, &sql, "ALTER");
    sql_format(&sql, "%I.%I OWNER TO %I", r->schema, r->view.name, r->owner);
    return text_list_take(&r->carry, &sql);
}

enum step begin_carrying(struct replace *r)
{
    r->num_comments = 0;
    r->grant_rounds = 0;
    /* What default privileges opened is closed first. */
    if (!carry_grants(r) || !carry_owner(r) || !carry_comments(r)) {
        return fail_without_memory(r);
    }
    /* EXPLAIN has no new view whose grants could be read. */
    r->carrying = r->mode == REPLACE_CARRY_OUT ? CARRIES_TO_VIEW : CARRIED;
    bool has_job = r->job.rows.num_rows != 0 && r->mode == REPLACE_CARRY_OUT;
    return has_job ? STEP_NEW_JOB : next_carry(r);
}

enum step next_carry(struct replace *r)
{
    if (r->carry_at < r->carry.num) {
        return STEP_CARRY;
    }
    text_list_cleanup(&r->carry);
    r->carry_at = 0;
    switch (r->carrying) {
    case CARRIES_INDEX_COMMENTS:
        return next_index(r);
    case CARRIES_TO_VIEW:
        return STEP_CARRIED_GRANTS;
    case CARRIES_TO_FOLLOWER:
        return after_carry_to_follower(r);
    case CARRIES_INDEX_NAMES:
        return begin_cascade(r);
    case CARRIED:
        break;
    }
    r->index_at = 0;
    return zero_downtime(r) ? begin_dependents(r) : next_index(r);
}

void ask_carry(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, r->carry.items[r->carry_at]);
    run(r, out);
}

enum step take_carry(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->carry_at++;
    return next_carry(r);
}

/* Before the swap nothing may be missing. Afterwards (zero_downtime = off) it is told. */
enum step refused_carry(struct replace *r, const struct replace_result *result)
{
    if (r->carrying == CARRIES_TO_FOLLOWER) {
        return refused_carry_to_follower(r, result);
    }
    if (r->made < MADE_SWAPPED) {
        return fail_by_server(r, result);
    }
    notice(r, "WARNING", "01000", "something of the old view could not be given to the new one",
           result->error.message, r->carry.items[r->carry_at]);
    return take_carry(r, result);
}

void ask_carried_grants(struct replace *r, struct replace_request *out)
{
    ask_relation(r, out, r->view.id);
}

/* The new view must be open to exactly those to whom the old one is: read it back. */
enum step take_carried_grants(struct replace *r, const struct replace_result *result)
{
    mem_free(r->new_acl);
    r->new_acl = copy_cell(result, 0, 1);
    if (r->new_acl == NULL && cell(result, 0, 1) != NULL) {
        return fail_without_memory(r);
    }
    enum step refusal = check_grants(r, r->new_acl);
    if (refusal != STEP_COUNT) {
        return refusal;
    }
    if (!carry_grants(r)) {
        return fail_without_memory(r);
    }
    if (r->carry.num != 0 && r->grant_rounds++ != 0) {
        text_list_cleanup(&r->carry);
        return fail(r, "0A000", "the grants of the view cannot be given to the new one exactly",
                    r->new_acl, unchanged_hint(r));
    }
    r->carrying = r->carry.num != 0 ? CARRIES_TO_VIEW : CARRIED;
    return next_carry(r);
}

void ask_end_slot(struct replace *r, struct replace_request *out)
{
    (void)r;
    out->kind = REPLACE_END_SLOT;
}

enum step skip_end_slot(struct replace *r)
{
    if (!zero_downtime(r)) {
        return end_recreated(r);
    }
    r->built_ms = r->now.mono_ms;
    return has_sql(r, SETTING_CHECK) ? STEP_CHECK : begin_readers(r);
}

enum step take_end_slot(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return skip_end_slot(r);
}
