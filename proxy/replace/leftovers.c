/*
 * leftovers: what stays behind under a temporary name and is remembered by the process: an old view
 * that is kept on purpose (keep_old), or that was still read. The next replacement of the family
 * drops what is over and read by nobody. What the process does not remember is never dropped here:
 * users may own such names.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <stdlib.h>
#include <string.h>

/* Cells of what is remembered. */
enum { REMEMBERED_NAME, REMEMBERED_ID, REMEMBERED_UNTIL };

bool reserve_left(struct replace *r)
{
    size_t num = r->remembered.rows.num_rows + 1;
    r->left = mem_new(num * sizeof(*r->left));
    r->due = mem_new(num * sizeof(*r->due));
    return r->left != NULL && r->due != NULL;
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
        r->due[i] = r->due[i + 1];
    }
}

/* The next one to be dropped, from r->left_at on. */
static bool find_due(struct replace *r)
{
    while (r->left_at < r->num_left && !r->due[r->left_at]) {
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
        const char *name = cell(rows, i, REMEMBERED_NAME);
        const char *until = cell(rows, i, REMEMBERED_UNTIL);
        if (name == NULL || until == NULL) {
            continue;
        }
        struct replace_left left = {
            .name = name,
            .id = cell_id(rows, i, REMEMBERED_ID),
            .until_us = strtoull(until, NULL, 10),
        };
        r->due[r->num_left] = superseded || left.until_us <= r->now.unix_us;
        r->left[r->num_left++] = left;
    }
    if (r->old_left) {
        r->due[r->num_left] = false;
        r->left[r->num_left++] = (struct replace_left){
            .name = r->view.name, .id = r->old_id, .until_us = r->old_left_until_us};
    }
    r->left_known = true;
}

enum step after_old(struct replace *r)
{
    remember(r);
    return any_due(r) && !r->hands_off ? STEP_LEFT_IDS : end_swapped(r, NULL);
}

void ask_left_ids(struct replace *r, struct replace_request *out)
{
    const char *comma = "";
    sql_format(&r->sql,
               "SELECT r.id, r.name FROM rw_catalog.rw_relations r"
               " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
               " WHERE s.name = %L AND r.relation_type = 'materialized view' AND r.id IN (",
               r->schema);
    for (size_t i = 0; i < r->num_left; i++) {
        if (r->due[i]) {
            buf_add_text(&r->sql, comma);
            sql_format(&r->sql, "%u", r->left[i].id);
            comma = ", ";
        }
    }
    buf_add_text(&r->sql, ")");
    run(r, out);
}

static bool is_there(const struct replace_result *result, const struct replace_left *left)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        const char *name = cell(result, row, 1);
        if (cell_id(result, row, 0) == left->id && name != NULL && strcmp(name, left->name) == 0) {
            return true;
        }
    }
    return false;
}

enum step take_left_ids(struct replace *r, const struct replace_result *result)
{
    for (size_t i = r->num_left; i-- > 0;) {
        /* Gone, or renamed by somebody who wants it: not ours any more. */
        if (r->due[i] && !is_there(result, &r->left[i])) {
            remove_left(r, i);
        }
    }
    return any_due(r) ? STEP_LEFT_PROCESSES : end_swapped(r, NULL);
}

enum step take_left_processes(struct replace *r, const struct replace_result *result)
{
    for (size_t i = 0; i < r->num_left; i++) {
        const char *const name[] = {r->left[i].name};
        /* What read it when it had the view's name still says so. */
        const char *const view[] = {r->statement.name};
        for (size_t row = 0; r->due[i] && row < result->num_rows; row++) {
            r->due[i] = !process_reads(result, row, name, 1, 0) &&
                        !process_reads(result, row, view, 1, older_than_swap(r));
        }
    }
    return any_due(r) ? STEP_LEFT_DROP : end_swapped(r, NULL);
}

void ask_left_drop(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "DROP MATERIALIZED VIEW %I.%I", r->schema, r->left[r->left_at].name);
    run(r, out);
}

static enum step next_left(struct replace *r)
{
    return find_due(r) ? STEP_LEFT_DROP : end_swapped(r, NULL);
}

enum step take_left_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    remove_left(r, r->left_at);
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
