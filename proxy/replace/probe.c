/*
 * probe: the query is made a plain view, looked at, and dropped. That costs milliseconds and tells
 * the server's normalised text, the columns and what is read, before an hour of building. Views
 * refuse some things that materialized views take, and the reverse: when the probe is refused, the
 * replacement goes on without these answers (with zero_downtime = off it does not).
 * Must not know: what is made of the answers (change.c).
 */
#include "replace_internal.h"

#include "ident.h"
#include "mem.h"
#include "sql_format.h"

#include <string.h>

static bool name_probe(struct replace *r)
{
    struct buf name = {0};
    temp_name(&name, r->statement.name, TEMP_PROBE, r->stamp);
    const char *text = buf_text(&name);
    mem_free(r->probe_name);
    r->probe_name = text != NULL ? mem_copy(text, buf_len(&name)) : NULL;
    buf_cleanup(&name);
    return r->probe_name != NULL;
}

enum step begin_probe(struct replace *r)
{
    if (r->rollback) {
        plan_change(r);
        return STEP_PREDECESSOR_INDEXES;
    }
    if (r->statement.has_parameters) {
        /* A plain view would store the parameter and stop the session that reads it. */
        return decide(r);
    }
    return name_probe(r) && reserve_spare(r) ? STEP_PROBE_CREATE : fail_without_memory(r);
}

void ask_probe_create(struct replace *r, struct replace_request *out)
{
    const struct statement *s = &r->statement;
    sql_format(&r->sql, "CREATE VIEW %I.%I ", r->schema, r->probe_name);
    buf_add(&r->sql, r->text + s->columns.start, s->columns.end - s->columns.start);
    buf_add_text(&r->sql, " AS ");
    buf_add(&r->sql, r->text + s->query.start, s->query.end - s->query.start);
    run(r, out);
    if (!buf_failed(&r->sql)) {
        r->probe = PROBE_MAYBE;
    }
}

enum step take_probe_create(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->probe = PROBE_THERE;
    return STEP_PROBE_FIND;
}

enum step refused_probe_create(struct replace *r, const struct replace_result *result)
{
    mem_free(r->probe_refused);
    r->probe_refused = mem_copy(result->error.message, strlen(result->error.message));
    if (r->probe_refused == NULL) {
        return fail_without_memory(r);
    }
    if (strcmp(result->error.sqlstate, "42710") == 0 ||
        strstr(result->error.message, r->probe_name) != NULL) {
        /* Somebody else's object has the name. */
        r->probe = PROBE_NONE;
        return decide(r);
    }
    /* An error is no proof that it is not there. */
    return STEP_PROBE_DROP;
}

void ask_probe_find(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT r.id, r.relation_type, r.definition FROM rw_catalog.rw_relations r"
               " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
               " WHERE s.name = %L AND r.name = %L",
               r->schema, r->probe_name);
    run(r, out);
}

enum step take_probe_find(struct replace *r, const struct replace_result *result)
{
    const char *kind = cell(result, 0, 1);
    const char *definition = cell(result, 0, 2);
    r->probe_id = cell_id(result, 0, 0);
    if (r->probe_id == 0 || definition == NULL || kind == NULL || strcmp(kind, "view") != 0) {
        /* Another frontend's catalog, or an answer that cannot be read: no answer. */
        return STEP_PROBE_DROP;
    }
    r->change = same_definition(r, definition) ? CHANGE_NONE : CHANGE_SOME;
    return STEP_PROBE_COLUMNS;
}

void ask_probe_columns(struct replace *r, struct replace_request *out)
{
    ask_columns_of(r, out, r->probe_id);
}

enum step take_probe_columns(struct replace *r, const struct replace_result *result)
{
    if (!kept_rows_set(&r->new_columns, result)) {
        return fail_without_memory(r);
    }
    if (!same_columns(r)) {
        r->change = CHANGE_SOME;
    }
    return STEP_PROBE_READS;
}

/* Columns of the answer about what is read. */
enum { READER, READ, READ_SCHEMA, READ_NAME, READ_KIND };

void ask_probe_reads(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT x.objid, x.refobjid, s.name, d.name, d.relation_type"
               " FROM rw_catalog.rw_depend x"
               " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.refobjid"
               " LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id"
               " WHERE x.objid IN (%u, %u)",
               r->old_id, r->probe_id);
    run(r, out);
}

static bool reads(const struct replace_result *rows, uint64_t reader, uint64_t id)
{
    for (size_t i = 0; i < rows->num_rows; i++) {
        if (cell_id(rows, i, READER) == reader && cell_id(rows, i, READ) == id) {
            return true;
        }
    }
    return false;
}

/* More than this is compared with nothing: it counts as a change. */
enum { MOST_READ = 200 };

/* Both read the same objects; all of them can be seen, and no two have the same name. */
static bool same_reads(const struct replace *r, const struct replace_result *rows)
{
    if (rows->num_rows > MOST_READ) {
        return false;
    }
    for (size_t i = 0; i < rows->num_rows; i++) {
        uint64_t reader = cell_id(rows, i, READER);
        uint64_t id = cell_id(rows, i, READ);
        const char *name = cell(rows, i, READ_NAME);
        uint64_t other = reader == r->probe_id ? r->old_id : r->probe_id;
        if (id == 0 || name == NULL || cell(rows, i, READ_SCHEMA) == NULL ||
            !reads(rows, other, id)) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (cell_id(rows, k, READ) != id && strcmp(cell(rows, k, READ_NAME), name) == 0) {
                return false;
            }
        }
    }
    return true;
}

/* What the probe reads, as "id, id, ..." */
static void add_ids_read(struct replace *r)
{
    const char *comma = "";
    for (size_t i = 0; i < r->reads.rows.num_rows; i++) {
        if (cell_id(&r->reads.rows, i, READER) == r->probe_id) {
            buf_add_text(&r->sql, comma);
            sql_format(&r->sql, "%u", cell_id(&r->reads.rows, i, READ));
            comma = ", ";
        }
    }
}

enum step take_probe_reads(struct replace *r, const struct replace_result *result)
{
    r->probe_answered = true;
    r->reads_itself =
        reads(result, r->probe_id, r->old_id) || reads_through_dependents(r, result, r->probe_id);
    if (!kept_rows_set(&r->reads, result)) {
        return fail_without_memory(r);
    }
    enum step refusal = check_reads_of_rebuild(r, result, r->probe_id, READ, READ_NAME);
    if (refusal != STEP_COUNT) {
        return refusal;
    }
    /* No rows at all are an answer that came too early rather than a query that reads nothing. */
    if (result->num_rows == 0 || !same_reads(r, result)) {
        r->change = CHANGE_SOME;
    }
    /* The rest is asked only to make sure that nothing has changed. */
    return r->change == CHANGE_NONE ? STEP_PROBE_INDIRECT : STEP_PROBE_DROP;
}

void ask_probe_indirect(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT x.objid, x.refobjid FROM rw_catalog.rw_depend x WHERE x.objid IN (");
    add_ids_read(r);
    buf_add_text(&r->sql, ")");
    run(r, out);
}

/* Is it read by a view that is read, which stands for it in the text? */
static bool read_through_view(const struct replace *r, const struct replace_result *result,
                              uint64_t id)
{
    for (size_t i = 0; i < r->reads.rows.num_rows; i++) {
        const char *kind = cell(&r->reads.rows, i, READ_KIND);
        uint64_t view = cell_id(&r->reads.rows, i, READ);
        if (kind == NULL || strcmp(kind, "view") != 0) {
            continue;
        }
        for (size_t k = 0; k < result->num_rows; k++) {
            if (cell_id(result, k, 0) == view && cell_id(result, k, 1) == id) {
                return true;
            }
        }
    }
    return false;
}

/* Is each thing that is read mentioned in the text, or read through something that is? Otherwise a
 * name in the text means something else than what is read. */
static bool all_are_mentioned(const struct replace *r, const struct replace_result *result)
{
    const char *names[MOST_READ] = {NULL};
    bool named[MOST_READ] = {false};
    size_t num = r->reads.rows.num_rows;
    for (size_t i = 0; i < num; i++) {
        names[i] = cell(&r->reads.rows, i, READ_NAME);
    }
    if (!definition_names(r, names, num, named)) {
        return false;
    }
    for (size_t i = 0; i < num; i++) {
        if (!named[i] && !read_through_view(r, result, cell_id(&r->reads.rows, i, READ))) {
            return false;
        }
    }
    return true;
}

enum step take_probe_indirect(struct replace *r, const struct replace_result *result)
{
    if (!all_are_mentioned(r, result)) {
        r->change = CHANGE_SOME;
    }
    return r->change == CHANGE_NONE ? STEP_PROBE_ZONES : STEP_PROBE_DROP;
}

void ask_probe_zones(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT c.relation_id FROM rw_catalog.rw_columns c"
                        " WHERE c.relation_id IN (");
    add_ids_read(r);
    buf_add_text(&r->sql, ") AND NOT c.is_hidden AND c.data_type LIKE '%with time zone%'");
    run(r, out);
}

enum step take_probe_zones(struct replace *r, const struct replace_result *result)
{
    if (result->num_rows != 0) {
        /* The same text may have been built under another time zone (risingwave.md 13). */
        r->change = CHANGE_SOME;
    }
    return STEP_PROBE_DROP;
}

/* What is asked about the probe is not worth a replacement: without answers it is a change. */
enum step refused_probe_question(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->change = CHANGE_SOME;
    return STEP_PROBE_DROP;
}

void ask_probe_drop(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, r->probe == PROBE_THERE ? "DROP VIEW %I.%I" : "DROP VIEW IF EXISTS %I.%I",
               r->schema, r->probe_name);
    run(r, out);
}

enum step take_probe_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->probe = PROBE_NONE;
    return decide(r);
}

/* It has no reader but us: what stays is named, and the replacement goes on. */
enum step refused_probe_drop(struct replace *r, const struct replace_result *result)
{
    warn_probe_left(r, result->error.message);
    r->probe = PROBE_NONE;
    return decide(r);
}

/* Is what stands in this row of the new view read by the probe, too, under the same name? */
static bool probe_read(const struct replace *r, const struct replace_result *new, size_t row)
{
    const struct replace_result *old = &r->reads.rows;
    for (size_t i = 0; i < old->num_rows; i++) {
        if (cell_id(old, i, READER) == r->probe_id &&
            cell_id(old, i, READ) == cell_id(new, row, 0)) {
            return same_text(cell(old, i, READ_SCHEMA), cell(new, row, 1)) &&
                   same_text(cell(old, i, READ_NAME), cell(new, row, 2));
        }
    }
    return false;
}

enum step check_reads_of_probe(struct replace *r, const struct replace_result *new)
{
    size_t visible = 0;
    size_t probed = 0;
    if (!r->probe_answered) {
        return STEP_COUNT;
    }
    for (size_t i = 0; i < r->reads.rows.num_rows; i++) {
        probed += cell_id(&r->reads.rows, i, READER) == r->probe_id &&
                  cell(&r->reads.rows, i, READ_NAME) != NULL;
    }
    if (probed == 0) {
        return STEP_COUNT; /* it reads nothing, or what it reads cannot be seen */
    }
    for (size_t row = 0; row < new->num_rows; row++) {
        /* Functions are no relations: a view's rows do not have them. */
        bool relation = cell(new, row, 2) != NULL;
        visible += relation;
        if (relation && !probe_read(r, new, row)) {
            return fail_moved(r, cell(new, row, 2));
        }
    }
    return visible == probed ? STEP_COUNT : fail_moved(r, NULL);
}
