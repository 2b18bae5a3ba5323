/*
 * cutover: the two names change places, and the old view goes.
 *
 * Up to the answer of SWAP everything can still be undone. From then on the statement has
 * succeeded, and whatever goes wrong is a WARNING that names what is left. Nothing is ever dropped
 * by name alone: the id behind the name is read first.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <inttypes.h>
#include <string.h>

static void ask_ids(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT r.name, r.id, r.relation_type FROM rw_catalog.rw_relations r"
               " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
               " WHERE s.name = %L AND r.name IN (%L, %L)",
               r->schema, r->statement.name, r->temp);
    run(r, out);
}

/* What is behind a name: 0 when nothing, several, or no materialized view. */
static uint64_t id_behind(const struct replace_result *result, const char *name)
{
    uint64_t id = 0;
    for (size_t row = 0; row < result->num_rows; row++) {
        const char *got = cell(result, row, 0);
        const char *kind = cell(result, row, 2);
        if (got == NULL || strcmp(got, name) != 0) {
            continue;
        }
        if (id != 0 || kind == NULL || strcmp(kind, "materialized view") != 0) {
            return 0;
        }
        id = cell_id(result, row, 1);
    }
    return id;
}

static bool ids_are(const struct replace *r, const struct replace_result *result, uint64_t at_name,
                    uint64_t at_temp)
{
    return id_behind(result, r->statement.name) == at_name && id_behind(result, r->temp) == at_temp;
}

static void describe_ids(const struct replace *r, const struct replace_result *result,
                         struct buf *out)
{
    buf_add_format(out,
                   "Id behind \"%s\": %" PRIu64 ", behind \"%s\": %" PRIu64
                   "; the old view is %" PRIu64 ", the new one %" PRIu64 ".",
                   r->statement.name, id_behind(result, r->statement.name), r->temp,
                   id_behind(result, r->temp), r->old_id, r->new_id);
}

void ask_ids_before(struct replace *r, struct replace_request *out)
{
    ask_ids(r, out);
}

enum step take_ids_before(struct replace *r, const struct replace_result *result)
{
    if (ids_are(r, result, r->old_id, r->new_id)) {
        return STEP_SWAP;
    }
    struct buf detail = {0};
    describe_ids(r, result, &detail);
    enum step next = fail(r, "40001", "the view was replaced or dropped by someone else meanwhile",
                          buf_text(&detail), "Send the statement again if it is still wanted.");
    buf_cleanup(&detail);
    return next;
}

void ask_swap(struct replace *r, struct replace_request *out)
{
    /* Temporary name first: the server's meta process dies when the first name vanishes at this
     * moment, and nobody else drops ours (risingwave.md 2, direction of the swap). */
    sql_format(&r->sql, "ALTER MATERIALIZED VIEW %I.%I SWAP WITH %I.%I", r->schema, r->temp,
               r->schema, r->statement.name);
    run(r, out);
    if (!buf_failed(&r->sql)) {
        r->made = MADE_SWAPPING;
    }
}

enum step take_swap(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_IDS_AFTER;
}

enum step refused_swap(struct replace *r, const struct replace_result *result)
{
    /* An error is no proof that nothing was swapped (it may have come back late): read the ids. The
     * error is kept as the answer should the names turn out unswapped. */
    r->made = MADE_BUILT;
    (void)fail_by_server(r, result);
    r->made = MADE_SWAPPING;
    return STEP_IDS_AFTER;
}

void ask_ids_after(struct replace *r, struct replace_request *out)
{
    ask_ids(r, out);
}

static void forget_failure(struct replace *r)
{
    r->outcome = (struct replace_outcome){.kind = REPLACE_PENDING};
}

enum step take_ids_after(struct replace *r, const struct replace_result *result)
{
    if (ids_are(r, result, r->new_id, r->old_id)) {
        forget_failure(r);
        r->made = MADE_SWAPPED;
        r->wait_until_ms = r->now.mono_ms + r->settings.values[SETTING_DRAIN_MIN];
        return STEP_DRAIN;
    }
    if (r->outcome.kind != REPLACE_PENDING && ids_are(r, result, r->old_id, r->new_id)) {
        r->made = MADE_BUILT;
        return begin_undo(r);
    }
    /* Two opposite swaps cancel out, a rename beside a swap leaves neither name: stop here, drop
     * nothing, tell what was found. */
    struct buf detail = {0};
    describe_ids(r, result, &detail);
    forget_failure(r);
    r->made = MADE_NOTHING;
    (void)fail(r, "40001", "the view was replaced or renamed by someone else at the same moment",
               buf_text(&detail), "Nothing was dropped. Look at both names before cleaning up.");
    buf_cleanup(&detail);
    warn_perhaps_left(r, "The object behind this name may be the old or the new view: look first.");
    return STEP_DONE;
}

enum step refused_ids_after(struct replace *r, const struct replace_result *result)
{
    forget_failure(r);
    warn_perhaps_left(r,
                      "Whether the names were swapped could not be read: look before dropping it.");
    r->made = MADE_NOTHING;
    (void)fail_by_server(r, result);
    return STEP_DONE;
}

void ask_drain(struct replace *r, struct replace_request *out)
{
    (void)r;
    out->kind = REPLACE_WAIT;
    out->until_ms = r->wait_until_ms;
}

enum step take_drain(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_ID_BEFORE_DROP;
}

void ask_id_before_drop(struct replace *r, struct replace_request *out)
{
    ask_ids(r, out);
}

enum step take_id_before_drop(struct replace *r, const struct replace_result *result)
{
    uint64_t id = id_behind(result, r->temp);
    if (id == 0 && id_behind(result, r->statement.name) == 0) {
        warn_perhaps_left(r, "The catalog's answer about it cannot be read.");
        return end_swapped(r, NULL);
    }
    if (id != r->old_id) {
        warn_lost_sight(r, r->old_id);
        return end_swapped(r, NULL);
    }
    return STEP_DROP;
}

void ask_drop(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "DROP MATERIALIZED VIEW %I.%I", r->schema, r->temp);
    run(r, out);
}

enum step take_drop(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->made = MADE_DROPPED;
    return end_swapped(r, NULL);
}

enum step refused_drop(struct replace *r, const struct replace_result *result)
{
    if (strstr(result->error.message, "materialized view not found") != NULL) {
        warn_lost_sight(r, r->old_id);
        return end_swapped(r, NULL);
    }
    return end_swapped(r, result->error.message);
}
