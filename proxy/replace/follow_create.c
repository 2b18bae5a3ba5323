/*
 * follow_create: the new self of a view that follows is created under its temporary name, found,
 * and judged: before its swap it must read exactly what its old self reads, moved objects at their
 * new ids (names in a view's text mean what the search_path makes of them), have the columns that
 * it had, and the grants.
 */
#include "follow.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

/* How often its grants are read back. */
enum { MOST_GRANT_ROUNDS = 2 };

void ask_follow_set_path(struct replace *r, struct replace_request *out)
{
    /* Marked before it is sent: to put it back is harmless. */
    r->path_is_set = true;
    const struct follower *f = &follow_current(r)->follower;
    bool last = r->follow_try == TRY_UNDER_ITS_PATH_LAST ||
                r->follow_try == TRY_OTHER_COLUMNS_UNDER_ITS_PATH_LAST;
    buf_add_text(&r->sql, last ? f->set_path_last : f->set_path);
    run(r, out);
}

enum step take_follow_set_path(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_FOLLOW_CREATE;
}

void ask_follow_create(struct replace *r, struct replace_request *out)
{
    struct follower *f = &follow_current(r)->follower;
    bool with_columns = r->follow_try < TRY_OTHER_COLUMNS;
    buf_add_text(&r->sql, with_columns ? f->create : f->create_plain);
    f->made = r->mode == REPLACE_CARRY_OUT;
    f->new_id = 0;
    r->follow_rounds = 0;
    r->follow_refused = false;
    run(r, out);
}

static enum step after_create(struct replace *r)
{
    if (r->path_is_set) {
        return STEP_FOLLOW_RESTORE_PATH;
    }
    return follow_current(r)->follower.made ? STEP_FOLLOW_FIND : follow_try_again(r);
}

enum step take_follow_create(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return r->mode == REPLACE_PLAN ? STEP_FOLLOW_SWAP : after_create(r);
}

enum step refused_follow_create(struct replace *r, const struct replace_result *result)
{
    struct follower *f = &follow_current(r)->follower;
    follow_set_why(r, result->error.message);
    /* An error is no proof that it is not there: it is looked for, unless it is somebody else's. */
    r->follow_refused = true;
    f->made = f->made && strstr(result->error.message, f->temporary) == NULL;
    return after_create(r);
}

void ask_follow_restore_path(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, r->restore_path);
    run(r, out);
}

enum step take_follow_restore_path(struct replace *r, const struct replace_result *result)
{
    if (result->kind == REPLACE_ERROR) {
        notice(r, "WARNING", "01000", "the session's search_path could not be put back",
               result->error.message, r->restore_path);
    }
    r->path_is_set = false;
    return after_create(r);
}

void ask_follow_find(struct replace *r, struct replace_request *out)
{
    const struct dependent *d = follow_current(r);
    sql_format(&r->sql,
               "SELECT r.id, r.relation_type, r.acl, o.name FROM rw_catalog.rw_relations r"
               " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
               " LEFT JOIN rw_catalog.rw_users o ON o.id = r.owner"
               " WHERE s.name = %L AND r.name = %L",
               dependent_text(d, DEPENDENT_SCHEMA), d->follower.temporary);
    run(r, out);
}

/* Grants and owner of what was created (a row of the answer to ask_follow_find) become those of the
 * view. */
static enum step carry_to_follower(struct replace *r, const struct replace_result *result)
{
    const struct dependent *d = follow_current(r);
    const char *owner = dependent_text(d, DEPENDENT_OWNER);
    const struct grants_object object = {.kind = "VIEW",
                                         .schema = dependent_text(d, DEPENDENT_SCHEMA),
                                         .name = d->follower.temporary};
    if (!grants_are_readable(r, dependent_text(d, DEPENDENT_ACL)) ||
        !grants_are_readable(r, cell(result, 0, 2))) {
        return follow_drop_and_give_up(r, "its grants cannot be read for certain");
    }
    text_list_cleanup(&r->carry);
    r->carry_at = 0;
    bool listed =
        carry_difference_of(r, &object, dependent_text(d, DEPENDENT_ACL), cell(result, 0, 2));
    if (listed && !same_text(owner, cell(result, 0, 3))) {
        struct buf sql = {0};
        sql_format(&sql, "ALTER VIEW %I.%I OWNER TO %I", object.schema, object.name, owner);
        listed = text_list_take(&r->carry, &sql);
    }
    if (!listed) {
        text_list_cleanup(&r->carry);
        return follow_drop_and_give_up(r, "out of memory");
    }
    if (r->carry.num == 0) {
        return STEP_FOLLOW_IDS;
    }
    if (r->follow_rounds++ == MOST_GRANT_ROUNDS) {
        text_list_cleanup(&r->carry);
        return follow_drop_and_give_up(r, "its grants cannot be given to its new self exactly");
    }
    r->carrying = CARRIES_TO_FOLLOWER;
    return next_carry(r);
}

/* Of the objects that are known; ids grow. */
static uint64_t newest_id(const struct replace *r)
{
    uint64_t newest = r->view.id > r->old_id ? r->view.id : r->old_id;
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *d = &r->dependents.items[i];
        newest = d->id > newest ? d->id : newest;
        newest = d->now_id > newest ? d->now_id : newest;
    }
    return newest;
}

enum step take_follow_find(struct replace *r, const struct replace_result *result)
{
    struct follower *f = &follow_current(r)->follower;
    uint64_t id = cell_id(result, 0, 0);
    if (r->follow_refused && result->num_rows == 0) {
        f->made = false;
        return follow_try_again(r);
    }
    if (r->follow_refused) {
        /* Ours, or somebody's who had the name before. */
        warn_follower_left(r, follow_current(r));
        f->made = false;
        return follow_give_up(r);
    }
    if (id != 0 && f->new_id == 0 && id <= newest_id(r)) {
        return refused_follow_drop(r,
                                   result); /* older than what we made: it took the place of that */
    }
    if (id == 0 || !same_text(cell(result, 0, 1), "view") || (f->new_id != 0 && f->new_id != id)) {
        return follow_drop_and_try(r, "what was created for it was not found");
    }
    if (f->new_id != 0) {
        return carry_to_follower(r, result); /* once more, to see that it has all */
    }
    f->new_id = id;
    return STEP_FOLLOW_REFERENCES;
}

enum step refused_follow_question(struct replace *r, const struct replace_result *result)
{
    return follow_drop_and_give_up(r, result->error.message);
}

void ask_follow_references(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT x.refobjid FROM rw_catalog.rw_depend x WHERE x.objid = %u",
               follow_current(r)->follower.new_id);
    run(r, out);
}

static bool is_referred_to(const struct replace_result *rows, uint64_t id)
{
    for (size_t i = 0; i < rows->num_rows; i++) {
        if (cell_id(rows, i, 0) == id) {
            return true;
        }
    }
    return false;
}

static bool was_referred_to(const struct replace *r, const struct reference *before, size_t num,
                            uint64_t id)
{
    for (size_t i = 0; i < num; i++) {
        if (moved_id(r, before[i].id) == id) {
            return true;
        }
    }
    return false;
}

/* Does it read what its old self reads, and nothing else? */
static bool reads_the_same(const struct replace *r, const struct replace_result *rows)
{
    size_t num = 0;
    const struct reference *before =
        dependents_references(&r->dependents, follow_current(r)->id, &num);
    for (size_t i = 0; i < num; i++) {
        if (!is_referred_to(rows, moved_id(r, before[i].id)) &&
            !may_come_through_view(r, before[i].id)) {
            return false;
        }
    }
    for (size_t i = 0; i < rows->num_rows; i++) {
        uint64_t id = cell_id(rows, i, 0);
        if (!was_referred_to(r, before, num, id) && !new_view_reads(r, id)) {
            return false;
        }
    }
    return true;
}

enum step take_follow_references(struct replace *r, const struct replace_result *result)
{
    if (!reads_the_same(r, result)) {
        return follow_drop_and_try(r, "created anew it would read other objects than before");
    }
    return STEP_FOLLOW_COLUMNS;
}

void ask_follow_columns(struct replace *r, struct replace_request *out)
{
    ask_columns_of(r, out, follow_current(r)->follower.new_id);
}

/* Are the columns that it had still among them? */
enum step take_follow_columns(struct replace *r, const struct replace_result *result)
{
    const struct replace_result *before = &r->dependents.columns.rows;
    for (size_t i = 0; i < before->num_rows; i++) {
        bool found = cell_id(before, i, 0) != follow_current(r)->id;
        for (size_t k = 0; k < result->num_rows && !found; k++) {
            found = same_text(cell(before, i, 1), cell(result, k, 0));
        }
        if (!found) {
            return follow_drop_and_try(r, "created anew it would lose a column");
        }
    }
    follow_current(r)->follower.other_columns = r->follow_try >= TRY_OTHER_COLUMNS;
    r->follow_rounds = 0;
    return STEP_FOLLOW_FIND;
}

enum step after_carry_to_follower(struct replace *r)
{
    text_list_cleanup(&r->carry);
    r->carry_at = 0;
    return STEP_FOLLOW_FIND;
}

enum step refused_carry_to_follower(struct replace *r, const struct replace_result *result)
{
    text_list_cleanup(&r->carry);
    r->carry_at = 0;
    return follow_drop_and_give_up(r, result->error.message);
}
