/*
 * finish: the new view is live, the statement has succeeded. The client's hook, index names, then
 * the old view: dropped when nobody reads it any more (drain.c), or kept. Nothing is dropped by
 * name alone: the id behind the name is read first.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

enum step begin_finish(struct replace *r)
{
    r->made = r->mode == REPLACE_CARRY_OUT ? MADE_SWAPPED : r->made;
    r->outcome.effect = REPLACE_REPLACED;
    r->index_at = 0;
    moved_add(r, r->statement.name);
    return begin_following(r);
}

enum step skip_ids_after(struct replace *r)
{
    return begin_finish(r);
}

static enum step end_without_swap(struct replace *r)
{
    return r->mode == REPLACE_PLAN ? end_planned(r) : end_swapped(r, NULL);
}

void ask_after_swap(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, settings_sql(&r->settings, SETTING_AFTER_SWAP));
    run(r, out);
    out->notices_to_client = true;
}

enum step take_after_swap(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return zero_downtime(r) ? begin_handover(r) : end_without_swap(r);
}

enum step refused_after_swap(struct replace *r, const struct replace_result *result)
{
    notice(r, "WARNING", "01000", "mvswap.after_swap failed; the new view is live",
           result->error.message, NULL);
    return take_after_swap(r, result);
}

/* zero_downtime = off: there is nothing to swap, and the hook runs all the same. */
enum step end_recreated(struct replace *r)
{
    return has_sql(r, SETTING_AFTER_SWAP) ? STEP_AFTER_SWAP : end_without_swap(r);
}

/* EXPLAIN: nothing was swapped. */
enum step skip_id_before_drop(struct replace *r)
{
    (void)r;
    return STEP_DROP;
}

enum step take_id_before_drop(struct replace *r, const struct replace_result *result)
{
    uint64_t id = id_behind(r, result, r->view.name);
    if (id == 0 && id_behind(r, result, r->statement.name) == 0) {
        warn_old_left(r, true, "The catalog's answer about it cannot be read.");
        leave_old(r, 0);
        return after_old(r);
    }
    if (id != r->old_id) {
        warn_lost_sight(r, r->schema, r->view.name, r->old_id);
        return after_old(r);
    }
    if (old_is_still_read(r)) {
        warn_old_left(r, false,
                      "Objects that stay on it read it; when they are gone a later replacement "
                      "through the proxy, or mvswap leftovers --clean, drops it.");
        leave_old(r, 0);
        return after_old(r);
    }
    return STEP_DROP;
}

void ask_drop(struct replace *r, struct replace_request *out)
{
    add_verb(r, &r->sql, "DROP");
    sql_format(&r->sql, "%I.%I", r->schema, r->view.name);
    run(r, out);
}

enum step take_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    if (r->mode == REPLACE_PLAN) {
        return end_planned(r);
    }
    r->made = MADE_DROPPED;
    return after_old(r);
}

enum step refused_drop(struct replace *r, const struct replace_result *result)
{
    if (strstr(result->error.message, "view not found") != NULL) {
        warn_lost_sight(r, r->schema, r->view.name, r->old_id);
        return after_old(r);
    }
    warn_old_left(r, false, result->error.message);
    leave_old(r, 0);
    return after_old(r);
}
