/*
 * leftovers: what stays behind under a temporary name and is remembered by the process: an old view
 * that is kept on purpose (keep_old), or that was still read. The next replacement of the family
 * drops what is over and read by nobody. What the process does not remember is never dropped here:
 * users may own such names.
 */
#include "replace_internal.h"

#include "mem.h"
#include "processes.h"
#include "sql_format.h"

#include <stdlib.h>
#include <string.h>

/* Cells of what is remembered. */
enum { REMEMBERED_SCHEMA, REMEMBERED_NAME, REMEMBERED_ID, REMEMBERED_UNTIL };

bool reserve_left(struct replace *r)
{
    size_t num = r->remembered.rows.num_rows + 1 + r->dependents.num + r->num_adopted;
    struct replace_left *left = mem_new(num * sizeof(*left));
    enum left_fate *fates = mem_new(num * sizeof(*fates));
    if (left == NULL || fates == NULL) {
        /* What was set aside before is needed all the same. */
        mem_free(left);
        mem_free(fates);
        return false;
    }
    mem_free(r->left);
    mem_free(r->left_fates);
    r->left = left;
    r->left_fates = fates;
    return true;
}

void leave_old(struct replace *r, uint64_t until_us)
{
    r->old_left = true;
    r->old_left_until_us = until_us;
}

enum step keep_old(struct replace *r)
{
    uint64_t for_us = (uint64_t)r->settings.values[SETTING_KEEP_OLD] * 1000;
    if (r->mode == REPLACE_PLAN) {
        plan_keep(r);
        return end_planned(r);
    }
    leave_old(r, r->now.unix_us + for_us);
    return after_old(r);
}

static void remove_left(struct replace *r, size_t at)
{
    r->num_left--;
    for (size_t i = at; i < r->num_left; i++) {
        r->left[i] = r->left[i + 1];
        r->left_fates[i] = r->left_fates[i + 1];
    }
}

/* The next one to be dropped, from r->left_at on. */
static bool find_due(struct replace *r)
{
    while (r->left_at < r->num_left && r->left_fates[r->left_at] == LEFT_STAYS) {
        r->left_at++;
    }
    return r->left_at < r->num_left;
}

static bool any_due(struct replace *r)
{
    r->left_at = 0;
    return find_due(r);
}

void remember(struct replace *r)
{
    const struct replace_result *rows = &r->remembered.rows;
    /* Of those that are kept on purpose only the newest: each one costs what a view costs. */
    bool superseded = r->old_left && r->old_left_until_us != 0;
    if (r->left == NULL) {
        return; /* EXPLAIN takes no lock and remembers nothing */
    }
    for (size_t i = 0; i < rows->num_rows; i++) {
        const char *schema = cell(rows, i, REMEMBERED_SCHEMA);
        const char *name = cell(rows, i, REMEMBERED_NAME);
        const char *until = cell(rows, i, REMEMBERED_UNTIL);
        bool live = r->rollback && cell_id(rows, i, REMEMBERED_ID) == r->view.id;
        if (schema == NULL || name == NULL || until == NULL || live) {
            continue; /* what was gone back to is not left any more */
        }
        struct replace_left left = {
            .schema = schema,
            .name = name,
            .id = cell_id(rows, i, REMEMBERED_ID),
            .until_us = strtoull(until, NULL, 10),
        };
        bool due = superseded || left.until_us <= r->now.unix_us;
        r->left_fates[r->num_left] = due ? LEFT_DUE : LEFT_STAYS;
        r->left[r->num_left++] = left;
    }
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *d = &r->dependents.items[i];
        /* A swap that is in doubt has left its old self there, if it came to pass. */
        if (d->follower.old_left || (d->in_doubt && d->follower.new_id != 0)) {
            r->left_fates[r->num_left] = r->num_rebuilt != 0 ? LEFT_DUE : LEFT_STAYS;
            r->left[r->num_left++] =
                (struct replace_left){.schema = dependent_text(d, DEPENDENT_SCHEMA),
                                      .name = d->follower.temporary,
                                      .id = d->id};
        }
    }
    for (size_t i = 0; i < r->num_adopted; i++) {
        r->left_fates[r->num_left] = r->adopted[i].until_us == 0 ? LEFT_DUE : LEFT_STAYS;
        r->left[r->num_left++] = r->adopted[i];
    }
    if (r->old_left) {
        r->left_fates[r->num_left] = r->old_due ? LEFT_DUE : LEFT_STAYS;
        r->left[r->num_left++] = (struct replace_left){.schema = r->schema,
                                                       .name = r->view.name,
                                                       .id = r->old_id,
                                                       .until_us = r->old_left_until_us};
    }
    r->left_known = true;
}

enum step after_old(struct replace *r)
{
    remember(r);
    return any_due(r) && !r->hands_off ? STEP_LEFT_IDS : end_swapped(r, NULL);
}

static void ask_left_range(struct replace *r, size_t from, size_t end, struct replace_request *out)
{
    const char *comma = "";
    buf_add_text(&r->sql, "SELECT r.id, s.name, r.name, r.relation_type"
                          " FROM rw_catalog.rw_relations r"
                          " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id WHERE r.id IN (");
    for (size_t i = from; i < end; i++) {
        if (r->left_fates[i] != LEFT_STAYS) {
            buf_add_text(&r->sql, comma);
            sql_format(&r->sql, "%u", r->left[i].id);
            comma = ", ";
        }
    }
    buf_add_text(&r->sql, ")");
    run(r, out);
}

void ask_left_ids(struct replace *r, struct replace_request *out)
{
    ask_left_range(r, 0, r->num_left, out);
}

/* What it is; LEFT_STAYS: it is not there any more, or was renamed or moved by somebody who wants
 * it: not ours any more. */
static enum left_fate find_left(const struct replace_result *result,
                                const struct replace_left *left)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        if (cell_id(result, row, 0) != left->id || !same_text(cell(result, row, 1), left->schema) ||
            !same_text(cell(result, row, 2), left->name)) {
            continue;
        }
        if (same_text(cell(result, row, 3), "view")) {
            return LEFT_DUE_VIEW;
        }
        return same_text(cell(result, row, 3), "materialized view") ? LEFT_DUE : LEFT_STAYS;
    }
    return LEFT_STAYS;
}

enum step take_left_ids(struct replace *r, const struct replace_result *result)
{
    for (size_t i = r->num_left; i-- > 0;) {
        if (r->left_fates[i] != LEFT_STAYS) {
            r->left_fates[i] = find_left(result, &r->left[i]);
            if (r->left_fates[i] == LEFT_STAYS) {
                remove_left(r, i);
            }
        }
    }
    return any_due(r) ? STEP_LEFT_PROCESSES : end_swapped(r, NULL);
}

/* Was it left by an earlier replacement? Then that was said. */
static bool was_remembered(const struct replace *r, uint64_t id)
{
    const struct replace_result *rows = &r->remembered.rows;
    for (size_t i = 0; i < rows->num_rows; i++) {
        if (cell_id(rows, i, REMEMBERED_ID) == id) {
            return true;
        }
    }
    return false;
}

/* Does a statement read it by its name, or is one of those that read it when it had the view's
 * name, or through a view? A plain view may go under its readers. */
static bool is_being_read(const struct replace *r, const struct replace_result *result,
                          const struct replace_left *left)
{
    const char *const name[] = {left->name};
    for (size_t row = 0; row < result->num_rows; row++) {
        if (process_reads(result, row, name, 1, 0) ||
            process_reads(result, row, r->drain_names, r->num_drain_names, older_than_swap(r))) {
            return true;
        }
    }
    return false;
}

enum step take_left_processes(struct replace *r, const struct replace_result *result)
{
    for (size_t i = 0; i < r->num_left; i++) {
        /* For what this replacement leaves the drain has looked. */
        bool drained = !r->still_read && !was_remembered(r, r->left[i].id);
        if (r->left_fates[i] == LEFT_DUE && !drained && is_being_read(r, result, &r->left[i])) {
            r->left_fates[i] = LEFT_STAYS;
        }
    }
    r->left_dropped = false;
    return any_due(r) ? STEP_LEFT_LOOK : end_swapped(r, NULL);
}

/* A drop goes by the name: what is behind it is looked at right before each one. */
void ask_left_look(struct replace *r, struct replace_request *out)
{
    ask_left_range(r, r->left_at, r->left_at + 1, out);
}

void ask_left_drop(struct replace *r, struct replace_request *out)
{
    const struct replace_left *left = &r->left[r->left_at];
    bool view = r->left_fates[r->left_at] == LEFT_DUE_VIEW;
    sql_format(&r->sql, view ? "DROP VIEW %I.%I" : "DROP MATERIALIZED VIEW %I.%I", left->schema,
               left->name);
    run(r, out);
}

/* Of a cascade nothing should be left but what something that stays reads. */
void warn_of_cascade_left(struct replace *r)
{
    for (size_t i = 0; i < r->num_left && r->num_rebuilt != 0; i++) {
        const struct replace_left *left = &r->left[i];
        bool kept = r->rollback && left->id == r->old_id; /* as it should be */
        if (left->until_us == 0 && !kept && !was_remembered(r, left->id)) {
            warn_named_left(r, left->schema, left->name,
                            r->left_fates[i] == LEFT_DUE_VIEW ? "DROP VIEW"
                                                              : "DROP MATERIALIZED VIEW");
        }
    }
}

/* They may read one another: as long as one could be dropped the others are tried once more. */
static enum step next_left(struct replace *r)
{
    if (find_due(r)) {
        return STEP_LEFT_LOOK;
    }
    bool again = r->left_dropped && any_due(r);
    r->left_dropped = false;
    return again ? STEP_LEFT_LOOK : end_swapped(r, NULL);
}

enum step take_left_look(struct replace *r, const struct replace_result *result)
{
    r->left_fates[r->left_at] = find_left(result, &r->left[r->left_at]);
    if (r->left_fates[r->left_at] == LEFT_STAYS) {
        remove_left(r, r->left_at);
        return next_left(r);
    }
    return STEP_LEFT_DROP;
}

enum step take_left_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    if (r->left[r->left_at].id == r->old_id) {
        r->made = MADE_DROPPED;
    }
    remove_left(r, r->left_at);
    r->left_dropped = true;
    return next_left(r);
}

/* Something reads it still: it is remembered for the next time. */
enum step refused_left_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->left_at++;
    return next_left(r);
}

/* What cannot be asked is remembered for the next time. */
enum step refused_left_question(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return end_swapped(r, NULL);
}
