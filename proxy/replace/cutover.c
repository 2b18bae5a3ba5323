/*
 * cutover: the client's check, the last look at everything that may have changed meanwhile, and the
 * swap of the two names (or, with zero_downtime = off, the drop of the old view before the new one
 * is built).
 *
 * Up to the answer of SWAP everything can still be undone. From then on the statement has
 * succeeded, and whatever goes wrong is a WARNING that names what is left (finish.c).
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <inttypes.h>
#include <string.h>

enum {
    /* A swap takes less than a second (docs/risingwave.md 13). */
    SWAPPED_WITHIN_MS = 10000,
    LOOK_AGAIN_MS = 500
};

void ask_ids_of(struct replace *r, struct replace_request *out, const char *schema,
                const char *name, const char *temporary)
{
    sql_format(&r->sql,
               "SELECT r.name, r.id, r.relation_type FROM rw_catalog.rw_relations r"
               " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
               " WHERE s.name = %L AND r.name IN (%L, %L)",
               schema, name, temporary);
    run(r, out);
}

void ask_ids(struct replace *r, struct replace_request *out)
{
    ask_ids_of(r, out, r->schema, r->statement.name,
               r->view.name != NULL ? r->view.name : r->statement.name);
}

uint64_t id_of_kind(const struct replace_result *result, const char *name, const char *kind)
{
    uint64_t id = 0;
    for (size_t row = 0; row < result->num_rows; row++) {
        const char *got = cell(result, row, 0);
        const char *found = cell(result, row, 2);
        if (got == NULL || strcmp(got, name) != 0) {
            continue;
        }
        if (id != 0 || found == NULL || strcmp(found, kind) != 0) {
            return 0;
        }
        id = cell_id(result, row, 1);
    }
    return id;
}

uint64_t id_behind(const struct replace *r, const struct replace_result *result, const char *name)
{
    return id_of_kind(result, name, kind_name(r));
}

enum step last_look(struct replace *r)
{
    return r->view.id != 0 && r->mode == REPLACE_CARRY_OUT ? STEP_NEW_READS_AGAIN : STEP_IDS_BEFORE;
}

static bool ids_are(const struct replace *r, const struct replace_result *result, uint64_t at_name,
                    uint64_t at_temp)
{
    return id_behind(r, result, r->statement.name) == at_name &&
           id_behind(r, result, r->view.name) == at_temp;
}

static void describe_ids(const struct replace *r, const struct replace_result *result,
                         struct buf *out)
{
    buf_add_format(out, "Id behind \"%s\": %" PRIu64, r->statement.name,
                   id_behind(r, result, r->statement.name));
    if (r->view.name != NULL && zero_downtime(r)) {
        buf_add_format(out, ", behind \"%s\": %" PRIu64, r->view.name,
                       id_behind(r, result, r->view.name));
    }
    buf_add_format(out, "; the old view is %" PRIu64 ", the new one %" PRIu64 ".", r->old_id,
                   r->view.id);
}

/* The text of a check, with the names in place of {new} and {old}. */
static void add_check(struct replace *r)
{
    const char *text = settings_sql(&r->settings, SETTING_CHECK);
    while (*text != 0) {
        if (strncmp(text, "{new}", 5) == 0) {
            sql_format(&r->sql, "%I.%I", r->schema, r->view.name);
            text += 5;
        } else if (strncmp(text, "{old}", 5) == 0) {
            sql_format(&r->sql, "%I.%I", r->schema, r->statement.name);
            text += 5;
        } else {
            buf_add_byte(&r->sql, (uint8_t)*text++);
        }
    }
}

void ask_check(struct replace *r, struct replace_request *out)
{
    add_check(r);
    run(r, out);
    out->notices_to_client = true;
    out->cancellable = true;
}

enum step take_check(struct replace *r, const struct replace_result *result)
{
    const char *answer = cell(result, 0, 0);
    bool passed = result->num_rows == 0 ||
                  (result->num_rows == 1 && answer != NULL && strcmp(answer, "t") == 0);
    if (passed || r->mode == REPLACE_PLAN) {
        return begin_readers(r);
    }
    return fail(r, "23514", "the check query says no to the new view",
                result->num_rows == 1 ? "It answered one row whose first column is not true."
                                      : "It answered several rows.",
                "The view was not changed. See mvswap.check.");
}

static enum step refuse_ids(struct replace *r, const struct replace_result *result)
{
    struct buf detail = {0};
    describe_ids(r, result, &detail);
    enum step next = fail(r, "40001", "the view was replaced or dropped by someone else meanwhile",
                          buf_text(&detail), "Send the statement again if it is still wanted.");
    buf_cleanup(&detail);
    return next;
}

enum step take_ids_before(struct replace *r, const struct replace_result *result)
{
    if (!zero_downtime(r)) {
        return id_behind(r, result, r->statement.name) == r->old_id ? STEP_DROP_FIRST
                                                                    : refuse_ids(r, result);
    }
    return ids_are(r, result, r->old_id, r->view.id) ? STEP_SWAP : refuse_ids(r, result);
}

/* EXPLAIN: there is no new view whose id could be looked at. */
enum step skip_ids_before(struct replace *r)
{
    return zero_downtime(r) ? STEP_SWAP : STEP_DROP_FIRST;
}

static void forget_failure(struct replace *r)
{
    r->outcome = (struct replace_outcome){.kind = REPLACE_PENDING};
}

void ask_drop_first(struct replace *r, struct replace_request *out)
{
    if (!reserve_gap_warnings(r)) {
        r->sql.failed = true;
        return;
    }
    add_verb(r, &r->sql, "DROP");
    sql_format(&r->sql, "%I.%I", r->schema, r->statement.name);
    run(r, out);
}

enum step take_drop_first(struct replace *r, const struct replace_result *result)
{
    (void)result;
    if (r->mode == REPLACE_CARRY_OUT) {
        r->made = MADE_GAP;
    } else {
        r->outcome.effect = REPLACE_REPLACED;
    }
    return STEP_CREATE;
}

enum step refused_drop_first(struct replace *r, const struct replace_result *result)
{
    if (strstr(result->error.message, "view not found") != NULL) {
        return fail(r, "40001", "the view was replaced or dropped by someone else meanwhile", NULL,
                    "Send the statement again if it is still wanted.");
    }
    /* Another error is no proof that it is still there: look, with the error kept as the answer. */
    (void)fail_by_server(r, result);
    return STEP_FIRST_GONE;
}

enum step take_first_gone(struct replace *r, const struct replace_result *result)
{
    if (result->num_rows == 0) {
        forget_failure(r);
        r->made = MADE_GAP;
        return STEP_CREATE;
    }
    if (id_behind(r, result, r->statement.name) != r->old_id) {
        warn_lost_sight(r, r->schema, r->statement.name, r->old_id);
    }
    return begin_undo(r);
}

enum step refused_first_gone(struct replace *r, const struct replace_result *result)
{
    (void)result;
    warn_lost_view(r, "may have been dropped");
    return begin_undo(r);
}

void ask_swap(struct replace *r, struct replace_request *out)
{
    /* The server's meta process dies when the first name vanishes at this moment (risingwave.md 2,
     * direction of the swap). So first stands what nobody else drops: the view that we have made;
     * a predecessor that was kept may be dropped by whoever cleans up. */
    const char *first = r->rollback ? r->statement.name : r->view.name;
    const char *second = r->rollback ? r->view.name : r->statement.name;
    add_verb(r, &r->sql, "ALTER");
    sql_format(&r->sql, "%I.%I SWAP WITH %I.%I", r->schema, first, r->schema, second);
    run(r, out);
    if (!buf_failed(&r->sql) && r->mode == REPLACE_CARRY_OUT) {
        r->made = MADE_SWAPPING;
    }
}

enum step take_swap(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->swapped_ms = r->now.mono_ms;
    return STEP_IDS_AFTER;
}

enum step refused_swap(struct replace *r, const struct replace_result *result)
{
    /* An error is no proof that nothing was swapped (it may have come back late): read the ids. The
     * error is kept as the answer should the names turn out unswapped. */
    r->made = MADE_NOTHING;
    (void)fail_by_server(r, result);
    r->made = MADE_SWAPPING;
    r->swapped_ms = r->now.mono_ms;
    r->swap_in_doubt = may_have_been_taken_on(&result->error);
    return STEP_IDS_AFTER;
}

/* The names are unswapped. An answer that was lost on its way from meta says nothing of what meta
 * still does: to drop the temporary view then would drop the live one, or stop the server, when the
 * swap comes late. It is left, and named. */
static enum step after_refused_swap(struct replace *r)
{
    if (r->swap_in_doubt && r->now.mono_ms - r->swapped_ms < SWAPPED_WITHIN_MS) {
        return STEP_SWAP_WAIT;
    }
    r->made = MADE_NOTHING;
    r->hands_off = r->swap_in_doubt;
    if (r->swap_in_doubt) {
        warn_swap_in_doubt(r, "The server may still swap the names: look before dropping it.");
        r->view.sent = false;
    }
    return begin_undo(r);
}

/* The statement has succeeded; what is behind the temporary name is not known for certain. */
static enum step finish_live(struct replace *r, const char *why)
{
    warn_perhaps_left(r, why);
    leave_old(r, 0);
    r->hands_off = true;
    return begin_finish(r);
}

void ask_swap_wait(struct replace *r, struct replace_request *out)
{
    out->kind = REPLACE_WAIT;
    out->until_ms = r->now.mono_ms + LOOK_AGAIN_MS;
}

enum step take_swap_wait(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_IDS_AFTER;
}

enum step take_ids_after(struct replace *r, const struct replace_result *result)
{
    if (ids_are(r, result, r->view.id, r->old_id)) {
        forget_failure(r);
        return begin_finish(r);
    }
    if (r->outcome.kind != REPLACE_PENDING && ids_are(r, result, r->old_id, r->view.id)) {
        return after_refused_swap(r);
    }
    if (id_behind(r, result, r->statement.name) == r->view.id) {
        /* Another swap fell in with ours, and lost: the new view is live all the same. */
        struct buf detail = {0};
        describe_ids(r, result, &detail);
        forget_failure(r);
        enum step live = finish_live(r, buf_text(&detail));
        buf_cleanup(&detail);
        return live;
    }
    /* Two opposite swaps cancel out, a rename beside a swap leaves neither name: stop here, drop
     * nothing, tell what was found. */
    struct buf detail = {0};
    describe_ids(r, result, &detail);
    forget_failure(r);
    r->made = MADE_NOTHING;
    warn_swap_in_doubt(r,
                       "The object behind this name may be the old or the new view: look first.");
    r->hands_off = true;
    r->view.sent = false; /* not to be undone */
    (void)fail(r, "40001", "the view was replaced or renamed by someone else at the same moment",
               buf_text(&detail), "Nothing was dropped. Look at both names before cleaning up.");
    buf_cleanup(&detail);
    return STEP_DONE;
}

enum step refused_ids_after(struct replace *r, const struct replace_result *result)
{
    if (r->outcome.kind == REPLACE_PENDING) {
        /* SWAP was answered well: only the look at it failed. */
        return r->now.mono_ms - r->swapped_ms < SWAPPED_WITHIN_MS
                   ? STEP_SWAP_WAIT
                   : finish_live(r, result->error.message);
    }
    forget_failure(r);
    warn_swap_in_doubt(
        r, "Whether the names were swapped could not be read: look before dropping it.");
    r->hands_off = true;
    r->made = MADE_NOTHING;
    r->view.sent = false;
    (void)fail_by_server(r, result);
    return STEP_DONE;
}
