/*
 * stayers: what goes on reading the old view after the swap, and the old selves of the views that
 * followed. Each object that stays is named in a WARNING; old selves are dropped, readers first,
 * unless something that stays reads them; what must stay is remembered for later replacements
 * (leftovers.c). Nothing is dropped by name alone.
 */
#include "replace_internal.h"

#include <string.h>

static struct dependent *current(const struct replace *r)
{
    return &r->dependents.items[r->follow_at];
}

/* The server connection may be lost at any time: it is said as soon as the statement has succeeded.
 */
void warn_of_stayers(struct replace *r)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        struct dependent *d = &r->dependents.items[i];
        if (d->fate == FATE_STAYS && d->why != NULL && r->mode == REPLACE_CARRY_OUT) {
            warn_stays(r, d, d->why);
        }
    }
    while (r->creating_warnings != NULL && r->mode == REPLACE_CARRY_OUT) {
        struct queued_notice *n = r->creating_warnings;
        r->creating_warnings = n->next;
        n->next = NULL;
        warn_or_reserved(r, n, &r->creating_warnings);
    }
}

enum step after_following(struct replace *r)
{
    return has_sql(r, SETTING_AFTER_SWAP) ? STEP_AFTER_SWAP : begin_handover(r);
}

/* Does something that is left there read the object? */
static bool is_still_read(const struct replace *r, uint64_t id)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *d = &r->dependents.items[i];
        bool there = d->fate == FATE_STAYS || (d->fate == FATE_FOLLOWED && d->follower.old_left);
        if (there && dependents_reads(&r->dependents, d->id, id)) {
            return true;
        }
    }
    return false;
}

bool old_is_still_read(const struct replace *r)
{
    return is_still_read(r, r->old_id) || r->dependents.creating.rows.num_rows != 0;
}

static enum step next_old_self(struct replace *r)
{
    while (r->follow_at-- > 0) {
        struct dependent *d = current(r);
        if (d->fate != FATE_FOLLOWED || d->follower.old_dropped) {
            continue;
        }
        if (!is_still_read(r, d->id)) {
            return r->mode == REPLACE_PLAN ? STEP_OLD_SELF_DROP : STEP_OLD_SELF_IDS;
        }
        d->follower.old_left = true;
        if (r->mode == REPLACE_CARRY_OUT && r->parent == NULL) {
            warn_follower_left(r, d);
        }
    }
    return settle_old(r);
}

/* Old selves of a cascade read one another: they are leftovers of which all are due. */
static enum step drop_cascade(struct replace *r)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        struct dependent *d = &r->dependents.items[i];
        d->follower.old_left = d->fate == FATE_FOLLOWED && !d->follower.old_dropped;
    }
    if (r->old_left) {
        return after_old(r);
    }
    if (r->settings.values[SETTING_KEEP_OLD] != 0) {
        return keep_old(r);
    }
    r->old_due = !r->rollback; /* what was live is kept in its turn */
    leave_old(r, 0);
    return after_old(r);
}

enum step after_cascade(struct replace *r)
{
    if (r->num_rebuilt != 0) {
        /* Readers of the last one count, too. */
        r->swapped_ms = r->now.mono_ms;
    }
    return begin_drain(r);
}

enum step begin_old_selves(struct replace *r)
{
    moved_again(r);
    if (r->num_rebuilt != 0) {
        return drop_cascade(r);
    }
    r->follow_at = r->dependents.num;
    return next_old_self(r);
}

enum step take_old_self_ids(struct replace *r, const struct replace_result *result)
{
    struct dependent *d = current(r);
    if (id_of_kind(result, d->follower.temporary, "view") == d->id) {
        return STEP_OLD_SELF_DROP;
    }
    if (id_of_kind(result, dependent_text(d, DEPENDENT_NAME), "view") == 0) {
        return refused_old_self(r, result); /* an answer that cannot be read */
    }
    d->follower.old_dropped = true;
    warn_lost_sight(r, dependent_text(d, DEPENDENT_SCHEMA), d->follower.temporary, d->id);
    return next_old_self(r);
}

void leave_old_selves(struct replace *r)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        struct dependent *d = &r->dependents.items[i];
        if (d->fate == FATE_FOLLOWED && !d->follower.old_dropped && !d->follower.old_left) {
            d->follower.old_left = true;
            warn_follower_left(r, d);
        }
    }
}

/* It stays, and with it what it reads. */
enum step refused_old_self(struct replace *r, const struct replace_result *result)
{
    (void)result;
    struct dependent *d = current(r);
    d->follower.old_left = true;
    warn_follower_left(r, d);
    return next_old_self(r);
}

enum step take_old_self_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    current(r)->follower.old_dropped = true;
    return next_old_self(r);
}

/* The old view itself. */
enum step settle_old(struct replace *r)
{
    if (r->rollback && !r->old_left) {
        if (r->mode == REPLACE_PLAN) {
            plan_add(r, "What is live now is kept as \"%s\".", r->view.name);
            return end_planned(r);
        }
        if (r->settings.values[SETTING_KEEP_OLD] != 0) {
            return keep_old(r);
        }
        leave_old(r, 0); /* until the next replacement */
        return after_old(r);
    }
    if (r->old_left) {
        return after_old(r); /* it was said why */
    }
    if (r->settings.values[SETTING_KEEP_OLD] != 0) {
        return keep_old(r);
    }
    if (old_is_still_read(r) && r->mode == REPLACE_PLAN) {
        plan_add(r, "The old view is left: what stays reads it.");
        return end_planned(r);
    }
    return r->mode == REPLACE_PLAN ? STEP_DROP : STEP_ID_BEFORE_DROP;
}
