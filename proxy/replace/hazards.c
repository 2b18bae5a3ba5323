/*
 * hazards: a swap rewrites the stored text of everything that reads one of the two relations, and
 * does so with faults that break or silently change somebody's view, or stop the server
 * (docs/risingwave.md 2 and 13). What would meet such a fault is refused here (55000), before an
 * hour of building and again before the swap.
 * Must not know: what becomes of dependents (fates.c).
 */
#include "replace_internal.h"

#include "definition.h"
#include "rewriting.h"

#include <string.h>

/* A relation that gets another name. */
struct renamed {
    uint64_t id;
    const char *schema;
    const char *name;
};

static enum step refuse(struct replace *r, const char *hazard, const char *who, const char *name)
{
    struct buf detail = {0};
    buf_add_format(&detail, "%s %s", who, hazard);
    if (name != NULL) {
        buf_add_format(&detail, " \"%s\".", name);
    } else {
        buf_add_text(&detail, ".");
    }
    enum step next = fail_format(
        r, "55000", buf_text(&detail), "Change or drop that object first. The view is unchanged.",
        "swapping \"%s\" would break or change what reads it", r->view_name);
    buf_cleanup(&detail);
    return next;
}

static const char *describe_fault(enum rewriting_fault fault)
{
    switch (fault) {
    case REWRITING_UNREADABLE:
        return "has a stored definition that the server cannot read back when it renames";
    case REWRITING_QUERY_NAMED:
        return "has a WITH query of the name";
    case REWRITING_QUALIFIED:
        return "reads a relation of another schema with the name";
    case REWRITING_FINE:
        break;
    }
    return "";
}

/* Two relations of that name, in different schemas: the rewriting tells them apart by nothing. */
static bool reads_namesake(const struct replace *r, const struct dependent *d,
                           const struct renamed *renamed)
{
    size_t num = 0;
    const struct reference *references = dependents_references(&r->dependents, d->id, &num);
    for (size_t i = 0; i < num; i++) {
        if (references[i].id != renamed->id && same_text(references[i].name, renamed->name)) {
            return true;
        }
    }
    return false;
}

/* The fault of the part of a definition that names what is read. */
static enum rewriting_fault fault_of(const char *text, const struct renamed *renamed)
{
    struct definition definition;
    if (text == NULL) {
        return REWRITING_UNREADABLE;
    }
    if (!definition_read(text, &definition)) {
        return rewriting_fault(text, renamed->schema, renamed->name);
    }
    enum rewriting_fault fault =
        rewriting_fault(text + definition.statement.query.start, renamed->schema, renamed->name);
    definition_cleanup(&definition);
    return fault;
}

static void describe(const struct dependent *d, struct buf *out)
{
    buf_add_format(out, "The %s \"%s.%s\"", dependent_text(d, DEPENDENT_KIND),
                   dependent_text(d, DEPENDENT_SCHEMA), dependent_text(d, DEPENDENT_NAME));
}

/* The column of the old view that the text names and the new one has not; NULL: none. */
static const char *lost_column(const struct replace *r, const char *text)
{
    struct sql_tokens tokens = {0};
    const char *lost = NULL;
    if (r->new_columns.rows.num_rows == 0 || sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
        return NULL; /* not known yet */
    }
    for (size_t i = 0; i < r->old_columns.rows.num_rows && lost == NULL; i++) {
        const char *column = cell(&r->old_columns.rows, i, 0);
        bool gone = column != NULL && !has_column(r, column);
        lost = gone && sql_tokens_name(text, &tokens, column, strlen(column)) ? column : NULL;
    }
    sql_tokens_cleanup(&tokens);
    return lost;
}

/* Places that the rewriting misses read the new relation at once. A plain view that reads nothing
 * else follows a moment later; any other one would be broken, or mix old and new. */
static const char *miss_of(const struct replace *r, const struct dependent *d,
                           const struct renamed *renamed)
{
    const char *text = dependent_text(d, DEPENDENT_DEFINITION);
    if (d->kind != DEPENDENT_VIEW || text == NULL) {
        return NULL;
    }
    struct rewriting_places places = rewriting_count(text, renamed->name);
    bool kept = r->settings.values[SETTING_DEPENDENTS] == REPLACE_DEPENDENTS_KEPT;
    if (places.missed == 0) {
        return NULL;
    }
    if (places.rewritten != 0) {
        return "would read both the old and the new one, since the server does not rewrite all of"
               " its text, for the name";
    }
    if (d->fate == FATE_STAYS && !kept) {
        return "stays on the old one but would read the new one, since the server does not rewrite"
               " its text, for the name";
    }
    return renamed->id == r->old_id && lost_column(r, text) != NULL
               ? "would fail, since the server does not rewrite its text and the new view lacks a"
                 " column of it, for the name"
               : NULL;
}

/* Why the dependent must not be rewritten, or NULL. */
static const char *hazard_of(const struct replace *r, const struct dependent *d,
                             const struct renamed *renamed)
{
    enum rewriting_fault fault = fault_of(dependent_text(d, DEPENDENT_DEFINITION), renamed);
    if (reads_namesake(r, d, renamed)) {
        return "reads two relations of the name";
    }
    return fault != REWRITING_FINE ? describe_fault(fault) : miss_of(r, d, renamed);
}

/* What reads `renamed`. STEP_COUNT: nothing is in danger. What cannot be seen cannot be looked at.
 */
static enum step check_readers(struct replace *r, const struct renamed *renamed)
{
    const struct dependents *d = &r->dependents;
    for (size_t i = 0; i < d->num; i++) {
        const struct dependent *item = &d->items[i];
        if (item->kind == DEPENDENT_UNSEEN || !dependents_reads(d, item->id, renamed->id)) {
            continue;
        }
        struct buf who = {0};
        describe(item, &who);
        const char *hazard = hazard_of(r, item, renamed);
        const char *name = renamed->name;
        /* Of a predecessor there may be readers, that of the view were asked then. */
        if (hazard == NULL && r->view.id != 0 && renamed->id != r->view.id &&
            dependents_reads(d, item->id, r->view.id)) {
            hazard = "reads both the view and the one that would take its place";
            name = NULL;
        }
        enum step refusal = STEP_COUNT;
        if (buf_text(&who) == NULL) {
            refusal = fail_without_memory(r);
        } else if (hazard != NULL) {
            refusal = refuse(r, hazard, buf_text(&who), name);
        }
        buf_cleanup(&who);
        if (refusal != STEP_COUNT) {
            return refusal;
        }
    }
    return STEP_COUNT;
}

/* Jobs that are being created are rewritten, too; what they read is not in the catalog yet. */
static enum step check_creating(struct replace *r, const struct renamed *renamed)
{
    const struct replace_result *jobs = &r->dependents.creating.rows;
    for (size_t i = 0; i < jobs->num_rows; i++) {
        enum rewriting_fault fault = fault_of(cell(jobs, i, 0), renamed);
        if (fault != REWRITING_FINE) {
            return refuse(r, describe_fault(fault), "A job that is being created", renamed->name);
        }
    }
    return STEP_COUNT;
}

enum step check_hazards_of_dependents(struct replace *r)
{
    const struct renamed view = {r->old_id, r->schema, r->statement.name};
    enum step refusal = check_readers(r, &view);
    if (refusal == STEP_COUNT) {
        refusal = check_creating(r, &view);
    }
    if (refusal == STEP_COUNT && r->rollback && r->view.id != 0) {
        const struct renamed predecessor = {r->view.id, r->schema, r->view.name};
        refusal = check_readers(r, &predecessor);
    }
    for (size_t i = 0; i < r->dependents.num && refusal == STEP_COUNT; i++) {
        const struct dependent *d = &r->dependents.items[i];
        if (d->fate == FATE_FOLLOWS || d->fate == FATE_REBUILDS) {
            const struct renamed follower = {d->id, dependent_text(d, DEPENDENT_SCHEMA),
                                             dependent_text(d, DEPENDENT_NAME)};
            refusal = check_readers(r, &follower);
        }
    }
    return refusal;
}
