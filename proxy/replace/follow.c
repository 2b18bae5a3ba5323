/*
 * follow: after the swap each plain view that reads the old view is created anew, beside itself,
 * from the text that it had before, and swapped in, in the order in which they read one another.
 * This file owns the order, the swap, and what is tried when something goes wrong; follow_create.c
 * makes the new self. A view that cannot follow stays on the old one and is named in a WARNING;
 * nothing that goes wrong here harms the statement, which has succeeded.
 * Must not know: what becomes of the views' old selves (stayers.c).
 */
#include "follow.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

enum {
    /* As for the view itself (cutover.c). */
    SWAPPED_WITHIN_MS = 10000,
    LOOK_AGAIN_MS = 500
};

struct dependent *follow_current(const struct replace *r)
{
    return &r->dependents.items[r->follow_at];
}

void follow_set_why(struct replace *r, const char *why)
{
    mem_free(r->follow_why);
    r->follow_why = mem_copy(why, strlen(why)); /* without memory the reason is not said */
}

/* The names of its columns are put over those of a `*` only if that still means the same ones: they
 * would be put over others without a word. */
static bool may_keep_columns(const struct replace *r, const struct dependent *d)
{
    if (!d->follower.star || r->mode == REPLACE_PLAN) {
        return true;
    }
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *read = &r->dependents.items[i];
        if (read->follower.other_columns && dependents_reads(&r->dependents, d->id, read->id)) {
            return false;
        }
    }
    return same_column_names(r);
}

static enum step next_follower(struct replace *r);

enum step follow_give_up(struct replace *r)
{
    struct dependent *d = follow_current(r);
    d->fate = FATE_STAYS;
    warn_stays(r, d, r->follow_why);
    return next_follower(r);
}

static enum step next_follower(struct replace *r)
{
    while (r->follow_at < r->dependents.num && follow_current(r)->fate != FATE_FOLLOWS) {
        r->follow_at++;
    }
    mem_free(r->follow_why);
    r->follow_why = NULL;
    if (r->follow_at == r->dependents.num) {
        return after_following(r);
    }
    if (reads_view_that_stays(r, follow_current(r))) {
        follow_set_why(r, "it reads a view that stays");
        return follow_give_up(r);
    }
    if (r->cancelled && r->cancel_reason == REPLACE_SHUTDOWN) {
        follow_set_why(r, "the proxy is shutting down");
        return follow_give_up(r);
    }
    r->follow_try = may_keep_columns(r, follow_current(r)) ? TRY_AS_IT_IS : TRY_OTHER_COLUMNS;
    return STEP_FOLLOW_CREATE;
}

enum step begin_following(struct replace *r)
{
    r->follow_at = 0;
    warn_of_stayers(r);
    if (r->hands_off) {
        abandon_followers(r, "another replacement or rename came at the same moment");
    }
    return next_follower(r);
}

void doubt_followers(struct replace *r)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        r->dependents.items[i].in_doubt = true;
    }
}

void abandon_followers(struct replace *r, const char *why)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        struct dependent *d = &r->dependents.items[i];
        bool swapping = r->step == STEP_FOLLOW_SWAP || r->step == STEP_FOLLOW_IDS_AFTER ||
                        r->step == STEP_FOLLOW_SWAP_WAIT;
        d->in_doubt = d->in_doubt || (swapping && i == r->follow_at);
        if (d->fate == FATE_FOLLOWS && d->follower.made) {
            warn_follower_left(r, d);
        }
        if (d->fate == FATE_FOLLOWS || d->fate == FATE_REBUILDS) {
            d->fate = FATE_STAYS;
            warn_stays(r, d, why);
        }
    }
    warn_of_stayers(r);
}

bool follow_under_path(const struct replace *r)
{
    return r->follow_try != TRY_AS_IT_IS && r->follow_try != TRY_OTHER_COLUMNS;
}

enum step follow_try_again(struct replace *r)
{
    bool other_columns = follow_current(r)->follower.create_plain != NULL;
    r->follow_try++;
    while (follow_under_path(r) && r->follow_try < TRY_NO_MORE && r->restore_path == NULL) {
        r->follow_try++; /* what could not be put back is not changed */
    }
    if (r->follow_try >= TRY_NO_MORE || (r->follow_try == TRY_OTHER_COLUMNS && !other_columns)) {
        return follow_give_up(r);
    }
    return follow_under_path(r) ? STEP_FOLLOW_SET_PATH : STEP_FOLLOW_CREATE;
}

enum step follow_drop_and_try(struct replace *r, const char *why)
{
    follow_set_why(r, why);
    return STEP_FOLLOW_DROP_IDS;
}

enum step follow_drop_and_give_up(struct replace *r, const char *why)
{
    r->follow_try = TRY_OTHER_COLUMNS_UNDER_ITS_PATH_LAST;
    return follow_drop_and_try(r, why);
}

static enum step leave_and_give_up(struct replace *r, const char *why)
{
    follow_current(r)->in_doubt = true;
    warn_follower_left(r, follow_current(r));
    follow_set_why(r, why);
    return follow_give_up(r);
}

void ask_follow_ids(struct replace *r, struct replace_request *out)
{
    const struct dependent *d = follow_current(r);
    ask_ids_of(r, out, dependent_text(d, DEPENDENT_SCHEMA), dependent_text(d, DEPENDENT_NAME),
               d->follower.temporary);
}

static bool follower_ids_are(const struct replace *r, const struct replace_result *result,
                             uint64_t at_name, uint64_t at_temporary)
{
    const struct dependent *d = follow_current(r);
    return id_of_kind(result, dependent_text(d, DEPENDENT_NAME), "view") == at_name &&
           id_of_kind(result, d->follower.temporary, "view") == at_temporary;
}

enum step take_follow_ids(struct replace *r, const struct replace_result *result)
{
    const struct dependent *d = follow_current(r);
    return follower_ids_are(r, result, d->id, d->follower.new_id)
               ? STEP_FOLLOW_SWAP
               : follow_drop_and_give_up(r, "it was replaced or dropped by someone else meanwhile");
}

void ask_follow_swap(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, follow_current(r)->follower.swap);
    r->swap_in_doubt = false;
    r->follow_swap_ms = r->now.mono_ms;
    run(r, out);
}

static enum step followed(struct replace *r)
{
    follow_current(r)->fate = FATE_FOLLOWED;
    moved_add(r, dependent_text(follow_current(r), DEPENDENT_NAME));
    /* Statements that read the old one through this view may have begun until now. */
    r->swapped_ms = r->now.mono_ms;
    follow_current(r)->now_id = follow_current(r)->follower.new_id;
    return next_follower(r);
}

enum step take_follow_swap(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return r->mode == REPLACE_PLAN ? followed(r) : STEP_FOLLOW_IDS_AFTER;
}

enum step refused_follow_swap(struct replace *r, const struct replace_result *result)
{
    follow_set_why(r, result->error.message);
    r->swap_in_doubt = may_have_been_taken_on(&result->error);
    return STEP_FOLLOW_IDS_AFTER;
}

/* What the names mean by now is not known. */
static enum step look_again(struct replace *r, const char *why)
{
    return r->now.mono_ms - r->follow_swap_ms < SWAPPED_WITHIN_MS ? STEP_FOLLOW_SWAP_WAIT
                                                                  : leave_and_give_up(r, why);
}

void ask_follow_swap_wait(struct replace *r, struct replace_request *out)
{
    out->kind = REPLACE_WAIT;
    out->until_ms = r->now.mono_ms + LOOK_AGAIN_MS;
}

enum step take_follow_swap_wait(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_FOLLOW_IDS_AFTER;
}

/* The names are unswapped for certain: what was created is dropped. */
static enum step not_swapped(struct replace *r)
{
    struct buf why = {0};
    buf_add_text(&why, r->follow_why != NULL ? r->follow_why : "the server did not swap it");
    enum step next = follow_drop_and_give_up(r, buf_text(&why) != NULL ? buf_text(&why) : "");
    buf_cleanup(&why);
    return next;
}

enum step take_follow_ids_after(struct replace *r, const struct replace_result *result)
{
    struct dependent *d = follow_current(r);
    uint64_t at_name = id_of_kind(result, dependent_text(d, DEPENDENT_NAME), "view");
    uint64_t at_temporary = id_of_kind(result, d->follower.temporary, "view");
    if (at_name == d->follower.new_id) {
        d->follower.old_dropped = at_temporary != d->id;
        return followed(r);
    }
    bool unswapped = at_name == d->id;
    if (unswapped && !r->swap_in_doubt) {
        return not_swapped(r); /* what has the temporary name is looked at before it is dropped */
    }
    if (unswapped || (at_name == 0 && at_temporary == 0)) {
        return look_again(r, "the server may still swap it: look first");
    }
    return leave_and_give_up(r, "it was replaced or renamed by someone else at the same moment");
}

enum step refused_follow_ids_after(struct replace *r, const struct replace_result *result)
{
    return look_again(r, result->error.message);
}

/* Nothing is dropped by name alone. */
enum step take_follow_drop_ids(struct replace *r, const struct replace_result *result)
{
    struct dependent *d = follow_current(r);
    uint64_t id = id_of_kind(result, d->follower.temporary, "view");
    if (id != 0 && id == d->follower.new_id) {
        return STEP_FOLLOW_DROP;
    }
    bool gone = id == 0 && id_of_kind(result, dependent_text(d, DEPENDENT_NAME), "view") != 0;
    if (!gone) {
        return refused_follow_drop(r, result);
    }
    d->follower.made = false;
    return follow_try_again(r);
}

void ask_follow_drop(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, follow_current(r)->follower.drop);
    run(r, out);
}

enum step take_follow_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    follow_current(r)->follower.made = false;
    return follow_try_again(r);
}

enum step refused_follow_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    warn_follower_left(r, follow_current(r));
    follow_current(r)->follower.made = false;
    return follow_give_up(r);
}
