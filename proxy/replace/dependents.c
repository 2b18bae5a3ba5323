/*
 * dependents: reads who reads the view, level by level, what each of them reads, and which jobs
 * that are being created name it. Read to be inspected, and once more just before the swap, since
 * the swap rewrites their texts.
 * Must not know: what becomes of them (fates.c).
 */
#include "replace_internal.h"

#include "definition.h"
#include "mem.h"
#include "rewriting.h"
#include "sql_format.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* More than this is not read: somebody must look at such a schema first. */
    MOST_DEPENDENTS = 500,
    /* Each is looked at for each object that gets another name, while all sessions wait. */
    MOST_REFERENCES = 20000
};

void dependents_cleanup(struct dependents *d)
{
    for (size_t i = 0; i < d->num; i++) {
        kept_rows_cleanup(&d->items[i].row);
        follower_cleanup(&d->items[i].follower);
    }
    mem_free(d->items);
    mem_free(d->references);
    mem_free(d->by_id);
    kept_rows_cleanup(&d->reference_rows);
    kept_rows_cleanup(&d->columns);
    kept_rows_cleanup(&d->creating);
    *d = (struct dependents){0};
}

const char *dependent_text(const struct dependent *d, size_t at)
{
    return cell(&d->row.rows, 0, at);
}

struct dependent *dependents_find(const struct dependents *d, uint64_t id)
{
    size_t first = 0;
    size_t end = d->num;
    while (d->by_id != NULL && first < end) {
        size_t middle = first + (end - first) / 2;
        struct dependent *item = &d->items[d->by_id[middle]];
        if (item->id == id) {
            return item;
        }
        if (item->id < id) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    for (size_t i = 0; d->by_id == NULL && i < d->num; i++) {
        if (d->items[i].id == id) {
            return &d->items[i];
        }
    }
    return NULL;
}

const struct reference *dependents_references(const struct dependents *d, uint64_t reader,
                                              size_t *out_num)
{
    size_t first = 0;
    size_t end = d->num_references;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (d->references[middle].reader < reader) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    while (end < d->num_references && d->references[end].reader == reader) {
        end++;
    }
    *out_num = end - first;
    return d->references + first;
}

bool dependents_reads(const struct dependents *d, uint64_t reader, uint64_t id)
{
    size_t num = 0;
    const struct reference *references = dependents_references(d, reader, &num);
    for (size_t i = 0; i < num; i++) {
        if (references[i].id == id) {
            return true;
        }
    }
    return false;
}

enum step fail_reads_itself(struct replace *r)
{
    return fail(r, "42P17", "the query reads the view that it replaces", NULL, NULL);
}

enum step begin_dependents(struct replace *r)
{
    dependents_cleanup(&r->dependents);
    /* What reads the object that is gone back to counts, too. */
    return r->rollback && r->phase == PHASE_INSPECT ? STEP_PREDECESSORS : STEP_DEPENDENTS;
}

static void add_ids_from(struct replace *r, size_t first)
{
    const char *comma = "";
    for (size_t i = first; i < r->dependents.num; i++) {
        buf_add_text(&r->sql, comma);
        sql_format(&r->sql, "%u", r->dependents.items[i].id);
        comma = ", ";
    }
    buf_add_text(&r->sql, ")");
}

void ask_dependents(struct replace *r, struct replace_request *out)
{
    /* Outer joins: an id without a visible relation is somebody else's dependent and counts. */
    buf_add_text(&r->sql,
                 "SELECT x.objid, x.refobjid, s.name, d.name, d.relation_type, o.name,"
                 " d.definition, d.acl FROM rw_catalog.rw_depend x"
                 " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.objid"
                 " LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id"
                 " LEFT JOIN rw_catalog.rw_users o ON o.id = d.owner WHERE x.refobjid IN (");
    if (r->dependents.num == 0) {
        sql_format(&r->sql, "%u", r->old_id);
        if (r->rollback && r->view.id != 0) {
            sql_format(&r->sql, ", %u", r->view.id); /* it has been there for a while */
        }
        buf_add_text(&r->sql, ")");
    } else {
        add_ids_from(r, r->dependents.asked);
    }
    run(r, out);
}

static bool has_temporary_name(const char *name, bool probes_only)
{
    size_t base_len = 0;
    enum temp_kind kind = TEMP_BUILD;
    return name != NULL && temp_name_parse(name, &base_len, &kind) &&
           (!probes_only || kind == TEMP_PROBE);
}

bool is_temporary(const struct dependent *d)
{
    return has_temporary_name(dependent_text(d, DEPENDENT_NAME), false);
}

static enum dependent_kind kind_of(const char *kind)
{
    if (kind == NULL) {
        return DEPENDENT_UNSEEN;
    }
    if (strcmp(kind, "view") == 0) {
        return DEPENDENT_VIEW;
    }
    return strcmp(kind, "materialized view") == 0 ? DEPENDENT_MATERIALIZED_VIEW : DEPENDENT_OTHER;
}

static bool add_dependent(struct replace *r, const struct replace_result *result, size_t row)
{
    struct dependents *d = &r->dependents;
    struct dependent *items = mem_resize(d->items, (d->num + 1) * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    const struct replace_result one = {.num_rows = 1,
                                       .num_columns = result->num_columns,
                                       .cells = result->cells + row * result->num_columns};
    d->items = items;
    items[d->num] = (struct dependent){.id = cell_id(result, row, DEPENDENT_ID)};
    struct dependent *item = &items[d->num++];
    bool named = cell(&one, 0, DEPENDENT_NAME) != NULL && cell(&one, 0, DEPENDENT_SCHEMA) != NULL;
    item->kind = named ? kind_of(cell(&one, 0, DEPENDENT_KIND)) : DEPENDENT_UNSEEN;
    return kept_rows_set(&item->row, &one);
}

/* What a row of the answer means: the step that refuses, or STEP_COUNT. */
static enum step take_row(struct replace *r, const struct replace_result *result, size_t row)
{
    uint64_t id = cell_id(result, row, DEPENDENT_ID);
    const char *kind = cell(result, row, DEPENDENT_KIND);
    if (r->view.id != 0 && id == r->view.id) {
        return fail_reads_itself(r);
    }
    if (id == 0 || result->num_columns <= DEPENDENT_ACL) {
        return fail(r, "XX000", "the catalog's answer about dependents cannot be read", NULL,
                    unchanged_hint(r));
    }
    if (kind != NULL && strcmp(kind, "index") == 0) {
        bool of_view = cell_id(result, row, DEPENDENT_READS) == r->old_id;
        return of_view && !is_index_of_view(r, id)
                   ? fail(r, "40001", "an index was created on the view meanwhile", NULL,
                          "Send the statement again.")
                   : STEP_COUNT;
    }
    /* Probes of other replacements live for an instant, and are looked after by those. */
    if (is_index_of_view(r, id) || has_temporary_name(cell(result, row, DEPENDENT_NAME), true) ||
        dependents_find(&r->dependents, id) != NULL) {
        return STEP_COUNT;
    }
    if (r->dependents.num == MOST_DEPENDENTS) {
        return fail_format(r, "54000", NULL, unchanged_hint(r),
                           "\"%s\" has more than %d dependents", r->view_name, MOST_DEPENDENTS);
    }
    return add_dependent(r, result, row) ? STEP_COUNT : fail_without_memory(r);
}

enum step take_dependents(struct replace *r, const struct replace_result *result)
{
    r->dependents.asked = r->dependents.num;
    for (size_t row = 0; row < result->num_rows; row++) {
        enum step refusal = take_row(r, result, row);
        if (refusal != STEP_COUNT) {
            return refusal;
        }
    }
    if (r->dependents.num != r->dependents.asked) {
        return STEP_DEPENDENTS;
    }
    return r->dependents.num != 0 ? STEP_DEPENDENT_REFERENCES : STEP_CREATING_JOBS;
}

void ask_dependent_references(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, "SELECT x.objid, x.refobjid, d.name, s.name FROM rw_catalog.rw_depend x"
                          " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.refobjid"
                          " LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id"
                          " WHERE x.objid IN (");
    if (is_view(r)) {
        sql_format(&r->sql, "%u, ", r->old_id); /* may_come_through_view() */
    }
    add_ids_from(r, 0);
    run(r, out);
}

static int by_id(const void *a, const void *b)
{
    uint64_t left = ((const struct dependent *)a)->id;
    uint64_t right = ((const struct dependent *)b)->id;
    return (left > right) - (left < right);
}

static int by_depth(const void *a, const void *b)
{
    size_t left = ((const struct dependent *)a)->depth;
    size_t right = ((const struct dependent *)b)->depth;
    return left != right ? (left > right) - (left < right) : by_id(a, b);
}

static int by_reader(const void *a, const void *b)
{
    const struct reference *left = a;
    const struct reference *right = b;
    if (left->reader != right->reader) {
        return (left->reader > right->reader) - (left->reader < right->reader);
    }
    return (left->id > right->id) - (left->id < right->id);
}

static bool set_references(struct dependents *d, const struct replace_result *result)
{
    enum { READER, READ, NAME, SCHEMA };
    const struct replace_result *rows = &d->reference_rows.rows;
    if (!kept_rows_set(&d->reference_rows, result)) {
        return false;
    }
    d->references = mem_new(rows->num_rows * sizeof(*d->references));
    if (d->references == NULL) {
        return false;
    }
    for (size_t i = 0; i < rows->num_rows; i++) {
        d->references[i] = (struct reference){.reader = cell_id(rows, i, READER),
                                              .id = cell_id(rows, i, READ),
                                              .name = cell(rows, i, NAME),
                                              .schema = cell(rows, i, SCHEMA)};
    }
    d->num_references = rows->num_rows;
    qsort(d->references, d->num_references, sizeof(*d->references), by_reader);
    return true;
}

/* dependents_find is quick from now on. */
static bool index_by_id(struct dependents *d)
{
    mem_free(d->by_id);
    d->by_id = NULL;
    size_t *places = mem_new(d->num * sizeof(*places));
    if (places == NULL) {
        return false;
    }
    /* Few, and nearly in order: what reads is younger than what is read. */
    for (size_t i = 0; i < d->num; i++) {
        size_t at = i;
        for (; at > 0 && d->items[places[at - 1]].id > d->items[i].id; at--) {
            places[at] = places[at - 1];
        }
        places[at] = i;
    }
    d->by_id = places;
    return true;
}

/* Makes each deeper than what it reads, once. False: nothing was to be done. */
static bool deepen(struct dependents *d)
{
    bool deepened = false;
    for (size_t i = 0; i < d->num; i++) {
        struct dependent *reader = &d->items[i];
        size_t num = 0;
        const struct reference *references = dependents_references(d, reader->id, &num);
        for (size_t k = 0; k < num; k++) {
            const struct dependent *read = dependents_find(d, references[k].id);
            if (read != NULL && reader->depth <= read->depth) {
                reader->depth = read->depth + 1;
                deepened = true;
            }
        }
    }
    return deepened;
}

/* Readers behind what they read. Sorted by id one round settles nearly all: what reads is younger.
 * Were there a circle it would end all the same. */
static bool sort_by_depth(struct dependents *d)
{
    qsort(d->items, d->num, sizeof(*d->items), by_id);
    if (!index_by_id(d)) {
        return false;
    }
    for (size_t i = 0; i < d->num; i++) {
        d->items[i].depth = 1;
    }
    for (size_t round = 0; round < d->num && deepen(d); round++) {
    }
    qsort(d->items, d->num, sizeof(*d->items), by_depth);
    return index_by_id(d);
}

enum step take_dependent_references(struct replace *r, const struct replace_result *result)
{
    if (result->num_rows > MOST_REFERENCES) {
        return fail_format(r, "54000", NULL, unchanged_hint(r),
                           "what reads \"%s\" reads more than %d other objects", r->view_name,
                           MOST_REFERENCES);
    }
    return set_references(&r->dependents, result) && sort_by_depth(&r->dependents)
               ? STEP_DEPENDENT_COLUMNS
               : fail_without_memory(r);
}

void ask_dependent_columns(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, "SELECT c.relation_id, c.name FROM rw_catalog.rw_columns c"
                          " WHERE NOT c.is_hidden AND c.relation_id IN (");
    add_ids_from(r, 0);
    buf_add_text(&r->sql, " ORDER BY c.relation_id, c.position");
    run(r, out);
}

enum step take_dependent_columns(struct replace *r, const struct replace_result *result)
{
    return kept_rows_set(&r->dependents.columns, result) ? STEP_CREATING_JOBS
                                                         : fail_without_memory(r);
}

void ask_creating_jobs(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT p.ddl_statement FROM rw_catalog.rw_ddl_progress p");
    run(r, out);
}

/* The view that another replacement builds: that one looks for itself whether what it reads was
 * replaced meanwhile. */
static bool builds_temporary(const char *sql)
{
    struct definition job;
    if (!definition_read(sql, &job)) {
        return false;
    }
    bool temporary = has_temporary_name(job.statement.name, false);
    definition_cleanup(&job);
    return temporary;
}

/* Does it name the view, or a view through which that is read? */
static bool reads_closure(const struct replace *r, const char *sql)
{
    bool reads = rewriting_reads(sql, r->statement.name);
    for (size_t i = 0; i < r->dependents.num && !reads; i++) {
        const struct dependent *d = &r->dependents.items[i];
        reads =
            d->kind == DEPENDENT_VIEW && rewriting_reads(sql, dependent_text(d, DEPENDENT_NAME));
    }
    return reads;
}

/* They have no row in rw_depend yet. */
enum step take_creating_jobs(struct replace *r, const struct replace_result *result)
{
    const char **texts = mem_new(result->num_rows * sizeof(*texts));
    size_t num = 0;
    for (size_t row = 0; texts != NULL && row < result->num_rows; row++) {
        const char *sql = cell(result, row, 0);
        if (sql == NULL || (reads_closure(r, sql) && !builds_temporary(sql))) {
            texts[num++] = sql;
        }
    }
    const struct replace_result jobs = {.num_rows = num, .num_columns = 1, .cells = texts};
    bool kept = texts != NULL && kept_rows_set(&r->dependents.creating, &jobs);
    mem_free(texts);
    return kept ? judge_dependents(r) : fail_without_memory(r);
}
