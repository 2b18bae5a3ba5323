/*
 * fates: what becomes of each dependent when the names are swapped: mvswap.dependents and what is
 * possible at all. Decided when the view is inspected, and once more just before the swap.
 */
#include "replace_internal.h"

#include "definition.h"
#include "rewriting.h"

#include <string.h>

static uint32_t policy(const struct replace *r)
{
    return r->settings.values[SETTING_DEPENDENTS];
}

/* Does it read a plain view that is fated so? */
static bool reads_view_fated(const struct replace *r, const struct dependent *d, enum fate fate)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *other = &r->dependents.items[i];
        if (other->fate == fate && other->kind == DEPENDENT_VIEW &&
            dependents_reads(&r->dependents, d->id, other->id)) {
            return true;
        }
    }
    return false;
}

bool reads_view_that_stays(const struct replace *r, const struct dependent *d)
{
    return reads_view_fated(r, d, FATE_STAYS);
}

/* Does it read a materialized view that is to be rebuilt? */
static bool reads_rebuild(const struct replace *r, const struct dependent *d)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *other = &r->dependents.items[i];
        if (other->fate == FATE_REBUILDS && dependents_reads(&r->dependents, d->id, other->id)) {
            return true;
        }
    }
    return false;
}

/* What stays on a view that is rebuilt is told when that is done; a plan has no later. */
static bool is_told_in_plan(const struct replace *r, const struct dependent *d)
{
    return r->mode == REPLACE_PLAN && d->kind != DEPENDENT_VIEW;
}

/* Does it read what gets another name at the swap of the view? Views that read what is rebuilt
 * later follow that. */
static bool is_concerned(const struct replace *r, const struct dependent *d)
{
    return dependents_reads(&r->dependents, d->id, r->old_id) ||
           reads_view_fated(r, d, FATE_FOLLOWS) ||
           ((d->kind == DEPENDENT_MATERIALIZED_VIEW || is_told_in_plan(r, d)) &&
            reads_rebuild(r, d));
}

bool gets_another_name(const struct replace *r, const struct dependent *d)
{
    return d->fate == FATE_FOLLOWS || d->fate == FATE_REBUILDS ||
           (d->kind == DEPENDENT_VIEW && reads_rebuild(r, d));
}

static bool has_parameter(const char *text)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
        return true;
    }
    bool has = sql_tokens_have_parameter(&tokens);
    sql_tokens_cleanup(&tokens);
    return has;
}

static bool has_columns(const struct replace *r, const struct dependent *d)
{
    for (size_t i = 0; i < r->dependents.columns.rows.num_rows; i++) {
        if (cell_id(&r->dependents.columns.rows, i, 0) == d->id) {
            return true;
        }
    }
    return false;
}

/* Why the view cannot be created anew from what the catalog tells; NULL: it can. */
static const char *why_not_anew(const struct replace *r, const struct dependent *d)
{
    const char *text = dependent_text(d, DEPENDENT_DEFINITION);
    const char *owner = dependent_text(d, DEPENDENT_OWNER);
    struct definition definition;
    if (text == NULL || owner == NULL || !definition_read(text, &definition)) {
        return "its definition cannot be read";
    }
    definition_cleanup(&definition);
    if (!has_columns(r, d)) {
        return "its columns cannot be read";
    }
    if (has_parameter(text)) {
        return "it was created with parameters";
    }
    if (strcmp(owner, r->user) != 0 && !is_superuser(r, r->user)) {
        return "it belongs to another user";
    }
    return survives_rename(r, dependent_text(d, DEPENDENT_NAME))
               ? NULL
               : "this RisingWave stores its name without the quotes that it needs when it swaps";
}

/* Why it stays; NULL: it follows. */
static const char *why_it_stays(const struct replace *r, const struct dependent *d)
{
    if (d->kind == DEPENDENT_UNSEEN) {
        return "this user cannot see it, so that nothing is known of its text";
    }
    if (policy(r) == REPLACE_DEPENDENTS_KEPT) {
        return "mvswap.dependents is keep";
    }
    if (is_temporary(d)) {
        return "it has a temporary name of a replacement";
    }
    if (d->kind == DEPENDENT_OTHER) {
        return "only views are moved";
    }
    if (d->kind == DEPENDENT_MATERIALIZED_VIEW && policy(r) != REPLACE_DEPENDENTS_CASCADE) {
        return "mvswap.dependents is not cascade";
    }
    if (reads_view_that_stays(r, d)) {
        return "it reads a view that stays";
    }
    return why_not_anew(r, d);
}

static void decide_fates(struct replace *r)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        struct dependent *d = &r->dependents.items[i];
        d->fate = FATE_APART;
        if (will_be_rebuilt(r, d->id)) {
            d->fate = FATE_STAYS; /* for now, and without a word */
        } else if (is_concerned(r, d)) {
            d->why = why_it_stays(r, d);
            d->fate = d->why != NULL              ? FATE_STAYS
                      : d->kind == DEPENDENT_VIEW ? FATE_FOLLOWS
                                                  : FATE_REBUILDS;
        }
    }
}

size_t num_fated(const struct replace *r, enum fate fate)
{
    size_t num = 0;
    for (size_t i = 0; i < r->dependents.num; i++) {
        num += r->dependents.items[i].fate == fate;
    }
    return num;
}

void add_dependent_name(const struct dependent *d, struct buf *out)
{
    if (d->kind == DEPENDENT_UNSEEN) {
        buf_add_text(out, "an object that this user cannot see");
    } else {
        buf_add_format(out, "%s \"%s.%s\"", dependent_text(d, DEPENDENT_KIND),
                       dependent_text(d, DEPENDENT_SCHEMA), dependent_text(d, DEPENDENT_NAME));
    }
}

/* Names the first few, and tells how many there are. */
static void describe_concerned(const struct replace *r, struct buf *out)
{
    enum { NAMED = 10 };
    size_t num = 0;
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *d = &r->dependents.items[i];
        if (d->fate != FATE_APART && ++num <= NAMED) {
            buf_add_text(out, num == 1 ? "" : ", ");
            add_dependent_name(d, out);
        }
    }
    size_t creating = r->dependents.creating.rows.num_rows;
    if (num > NAMED) {
        buf_add_format(out, " and %zu more", num - NAMED);
    }
    if (creating != 0) {
        buf_add_format(out, "%s%zu %s being created", num != 0 ? ", " : "", creating,
                       creating == 1 ? "job that is" : "jobs that are");
    }
    buf_add_text(out, num + creating == 1 ? " reads it." : " read it.");
}

static bool any_concerned(const struct replace *r)
{
    return num_fated(r, FATE_APART) != r->dependents.num ||
           r->dependents.creating.rows.num_rows != 0;
}

/* Dropped first, the view would take them along, or not be dropped at all. */
static enum step refuse_dependents(struct replace *r)
{
    struct buf detail = {0};
    describe_concerned(r, &detail);
    enum step next =
        zero_downtime(r)
            ? fail_format(r, "2BP01", buf_text(&detail), unchanged_hint(r),
                          "other objects depend on \"%s\" and mvswap.dependents is refuse",
                          r->view_name)
            : fail_format(r, "2BP01", buf_text(&detail),
                          "With mvswap.zero_downtime = on the view can be replaced under them.",
                          "cannot drop \"%s\" because other objects depend on it", r->view_name);
    buf_cleanup(&detail);
    return next;
}

static enum step check_creating_index(struct replace *r)
{
    const struct replace_result *jobs = &r->dependents.creating.rows;
    for (size_t i = 0; i < jobs->num_rows; i++) {
        const char *sql = cell(jobs, i, 0);
        /* It would be lost with the old view, or keep it. */
        if (sql != NULL && rewriting_indexes(sql, r->statement.name)) {
            return fail(r, "55006", "an index is being created on the view", NULL,
                        "Wait until it is finished.");
        }
    }
    return STEP_COUNT;
}

/* What the probe reads, when that reads the view: through others, then. */
bool reads_through_dependents(const struct replace *r, const struct replace_result *reads,
                              uint64_t reader)
{
    for (size_t i = 0; i < reads->num_rows; i++) {
        if (cell_id(reads, i, 0) == reader &&
            dependents_find(&r->dependents, cell_id(reads, i, 1)) != NULL) {
            return true;
        }
    }
    return false;
}

/* All that is known of them is known now. */
static enum step after_dependents(struct replace *r)
{
    if (r->phase != PHASE_INSPECT) {
        return zero_downtime(r) ? begin_reserving_followers(r) : last_look(r);
    }
    return lock_closure(r);
}

enum step judge_dependents(struct replace *r)
{
    decide_fates(r);
    bool refuses = !zero_downtime(r) || policy(r) == REPLACE_DEPENDENTS_REFUSED;
    if (refuses && any_concerned(r)) {
        return refuse_dependents(r);
    }
    enum step refusal = check_creating_index(r);
    if (refusal == STEP_COUNT) {
        refusal = check_hazards_of_dependents(r);
    }
    return refusal != STEP_COUNT ? refusal : after_dependents(r);
}
