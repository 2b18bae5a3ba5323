/*
 * readers: a READ ONLY transaction keeps the snapshot that it began with (docs/risingwave.md 13).
 * One that is older than the new view cannot read it under its name: so those of this process are
 * waited for before the swap. One that is older than the swap, or began before all frontends knew
 * of it, goes on using statements that were prepared on the old view: so they are waited for once
 * more before it is dropped. At most `drain` each time; the replacement goes on all the same, and
 * says so.
 */
#include "replace_internal.h"

enum { LOOK_AGAIN_MS = 50 };

static bool is_swapped(const struct replace *r)
{
    return r->made >= MADE_SWAPPED;
}

static enum step after_readers(struct replace *r)
{
    return is_swapped(r) ? begin_old_selves(r) : begin_facts(r, PHASE_CARRY);
}

enum step begin_readers(struct replace *r)
{
    /* A plain view has no rows of its own, of which a snapshot could be too old. */
    if (r->mode == REPLACE_PLAN || is_view(r)) {
        return after_readers(r);
    }
    r->readers_until_ms =
        (is_swapped(r) ? r->swapped_ms : r->now.mono_ms) + r->settings.values[SETTING_DRAIN];
    return STEP_READERS;
}

/* In a cascade those that were given `drain` once are not waited for again by the next rebuild: an
 * idle one would make each of them wait. */
static uint64_t *given_up(struct replace *r)
{
    while (r->parent != NULL) {
        r = r->parent;
    }
    return &r->readers_given_up_ms;
}

static uint64_t waits_for_those_before(const struct replace *r)
{
    /* Those that began until then are to keep what they have prepared, when it is told again. */
    return is_swapped(r) ? moved_known_ms(r) + 1 : r->built_ms;
}

void ask_readers(struct replace *r, struct replace_request *out)
{
    out->kind = REPLACE_READERS;
    out->from_ms = is_swapped(r) ? 0 : *given_up(r);
    out->before_ms = waits_for_those_before(r);
}

static void warn_of_readers(struct replace *r, size_t num)
{
    struct buf why = {0};
    buf_add_format(&why, "%zu of this proxy, after mvswap.drain. %s", num,
                   is_swapped(r) ? "Statements that they prepared on the old view fail in them."
                                 : "They cannot read the view until they end.");
    notice(r, "WARNING", "01000",
           is_swapped(r) ? "READ ONLY transactions that are older than the swap are still open"
                         : "READ ONLY transactions that are older than the new view are still open",
           buf_text(&why), NULL);
    buf_cleanup(&why);
}

enum step take_readers(struct replace *r, const struct replace_result *result)
{
    bool waits_on = r->now.mono_ms < r->readers_until_ms && !(is_swapped(r) && stops_draining(r));
    if (result->num_rows != 0 && waits_on) {
        return STEP_READERS_WAIT;
    }
    if (result->num_rows != 0) {
        warn_of_readers(r, result->num_rows);
        if (!is_swapped(r)) {
            *given_up(r) = waits_for_those_before(r);
        }
    }
    return after_readers(r);
}

void ask_readers_wait(struct replace *r, struct replace_request *out)
{
    out->kind = REPLACE_WAIT;
    out->until_ms = r->now.mono_ms + LOOK_AGAIN_MS;
}

enum step take_readers_wait(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_READERS;
}
