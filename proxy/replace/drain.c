/*
 * drain: after the swap the old view is dropped only when no statement that was already reading it
 * runs any more: it would fail (`table id N has been dropped`, docs/risingwave.md 13). The process
 * list shows the statements of all users on all frontends. In doubt a statement counts.
 */
#include "replace_internal.h"

#include "processes.h"
#include "sql_format.h"

enum {
    AGAIN_MS = 250,
    /* Two readings in a row: a statement may be between two lists. */
    QUIET_READINGS = 2,
    /* Other frontends learn of a swap a moment later (38 to 167 ms were seen): what began there
     * meanwhile reads the old view, too. */
    LATE_MS = 250,
    /* Who cancels waits no longer than this for drain_min; a longer one leaves the old view. */
    LEAST_MS = 500
};

bool stops_draining(const struct replace *r)
{
    return r->cancelled && r->cancel_reason != REPLACE_CLIENT_GONE;
}

/* When the time of a setting, counted from the swap, is over. */
static uint64_t after_swap_ms(const struct replace *r, enum setting setting)
{
    return r->swapped_ms + r->settings.values[setting];
}

/* Is the old view to be dropped? */
static bool drops_old(const struct replace *r)
{
    return !r->rollback && !r->old_left && r->settings.values[SETTING_KEEP_OLD] == 0 &&
           !old_is_still_read(r);
}

enum step begin_drain(struct replace *r)
{
    if (num_fated(r, FATE_FOLLOWED) == 0 && r->num_rebuilt == 0 && !drops_old(r)) {
        return settle_old(r); /* whoever reads it goes on */
    }
    r->quiet_readings = 0;
    return STEP_DRAIN_MIN;
}

void ask_drain_min(struct replace *r, struct replace_request *out)
{
    uint64_t least = r->swapped_ms + LEAST_MS;
    uint64_t until = after_swap_ms(r, SETTING_DRAIN_MIN);
    out->kind = REPLACE_WAIT;
    out->until_ms = stops_draining(r) && least < until ? least : until;
}

/* A statement that reads a plain view reads what stands behind it: the view itself may go. */
static bool waits_for_readers(const struct replace *r)
{
    return (drops_old(r) && !is_view(r)) || r->num_rebuilt != 0;
}

enum step take_drain_min(struct replace *r, const struct replace_result *result)
{
    (void)result;
    if (r->now.mono_ms < after_swap_ms(r, SETTING_DRAIN_MIN) && drops_old(r)) {
        r->still_read = true;
        warn_old_left(r, false,
                      "mvswap.drain_min was not waited for: the replacement was cancelled.");
        leave_old(r, 0);
        return begin_old_selves(r);
    }
    return waits_for_readers(r) ? STEP_PROCESSES : begin_old_selves(r);
}

enum step skip_drain(struct replace *r)
{
    plan_drain(r, waits_for_readers(r));
    return begin_old_selves(r);
}

void ask_processes(struct replace *r, struct replace_request *out)
{
    r->processes_asked_ms = r->now.mono_ms;
    sql_format(&r->sql, "SHOW PROCESSLIST");
    run(r, out);
}

uint64_t known_everywhere_ms(const struct replace *r)
{
    return r->swapped_ms + LATE_MS;
}

uint64_t older_than_swap(const struct replace *r)
{
    /* As of the question: the answer may be late. */
    uint64_t since = r->processes_asked_ms - r->swapped_ms;
    return since > LATE_MS ? since - LATE_MS : 0;
}

/* The ids of those that read it, and how many there are. */
static size_t add_readers(const struct replace *r, const struct replace_result *result,
                          struct buf *out_ids)
{
    size_t num = 0;
    for (size_t row = 0; row < result->num_rows; row++) {
        if (process_reads(result, row, r->drain_names, r->num_drain_names, older_than_swap(r))) {
            const char *id = process_id(result, row);
            buf_add_format(out_ids, "%s%s", num == 0 ? "" : ", ", id != NULL ? id : "?");
            num++;
        }
    }
    return num;
}

static enum step keep_for_readers(struct replace *r, struct buf *ids)
{
    r->still_read = true;
    struct buf why = {0};
    buf_add_format(&why, "Statements that were reading it still run: %s. KILL ends one of them.",
                   buf_text(ids) != NULL ? buf_text(ids) : "?");
    const char *text = buf_text(&why);
    warn_old_left(r, true, text != NULL ? text : "Statements that were reading it still run.");
    buf_cleanup(&why);
    leave_old(r, 0);
    return begin_old_selves(r);
}

enum step take_processes(struct replace *r, const struct replace_result *result)
{
    struct buf ids = {0};
    size_t num = add_readers(r, result, &ids);
    enum step next = STEP_DRAIN_WAIT;
    r->quiet_readings = num == 0 ? r->quiet_readings + 1 : 0;
    if (r->quiet_readings >= QUIET_READINGS) {
        next = begin_readers(r);
    } else if (num != 0 &&
               (r->now.mono_ms >= after_swap_ms(r, SETTING_DRAIN) || stops_draining(r))) {
        next = keep_for_readers(r, &ids);
    }
    buf_cleanup(&ids);
    return next;
}

/* Who reads it cannot be known: it is kept, as when somebody did. */
enum step refused_processes(struct replace *r, const struct replace_result *result)
{
    r->still_read = true;
    warn_old_left(r, true, result->error.message);
    leave_old(r, 0);
    return begin_old_selves(r);
}

void ask_drain_wait(struct replace *r, struct replace_request *out)
{
    /* After a quiet reading the second one may come soon. */
    out->kind = REPLACE_WAIT;
    out->until_ms = r->now.mono_ms + (r->quiet_readings != 0 ? AGAIN_MS / 5 : AGAIN_MS);
}

enum step take_drain_wait(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_PROCESSES;
}
