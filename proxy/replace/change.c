/*
 * change: what the probe's answers mean: is the definition the one that the view has, are the new
 * columns acceptable, and what does the client want to be done about it.
 * Unchanged is only what is certainly so: a replacement for nothing costs an hour, a change that
 * was not carried out is never noticed.
 */
#include "replace_internal.h"

#include "definition.h"
#include "same_query.h"
#include "sql_format.h"

#include <string.h>

static struct query_text part(const struct definition *d, struct byte_range range)
{
    return (struct query_text){.text = d->text, .tokens = &d->tokens, .range = range};
}

/* The client's clauses are compared as they were written: they are stored as written, too. */
static bool same_clauses(const struct replace *r, const struct definition *old)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(r->text, strlen(r->text), &tokens) != SQL_SCAN_OK) {
        return false;
    }
    struct query_text options = {r->text, &tokens, r->statement.options};
    struct query_text emit = {r->text, &tokens, r->statement.emit};
    struct query_text old_options = part(old, old->statement.options);
    struct query_text old_emit = part(old, old->statement.emit);
    bool same = same_tokens(&options, &old_options) && same_tokens(&emit, &old_emit);
    sql_tokens_cleanup(&tokens);
    return same;
}

bool same_definition(const struct replace *r, const char *probe)
{
    struct definition old;
    struct definition new;
    bool same = false;
    if (r->definition == NULL || !definition_read(r->definition, &old)) {
        return false;
    }
    if (definition_read(probe, &new)) {
        struct query_text old_query = part(&old, old.statement.query);
        struct query_text new_query = part(&new, new.statement.query);
        same = same_query(&old_query, &new_query) && query_is_fixed(&new_query) &&
               same_clauses(r, &old);
        definition_cleanup(&new);
    }
    definition_cleanup(&old);
    return same;
}

bool definition_names(const struct replace *r, const char *const *names, size_t num,
                      bool *out_named)
{
    struct definition old;
    if (!definition_read(r->definition, &old)) {
        return false;
    }
    struct query_text query = part(&old, old.statement.query);
    for (size_t i = 0; i < num; i++) {
        out_named[i] = query_names(&query, names[i]);
    }
    definition_cleanup(&old);
    return true;
}

enum { COLUMN_NAME, COLUMN_TYPE };

static const struct replace_result *old_columns(const struct replace *r)
{
    return &r->old_columns.rows;
}

static const struct replace_result *new_columns(const struct replace *r)
{
    return &r->new_columns.rows;
}

/* How many columns at the beginning are the same. */
static size_t num_same_columns(const struct replace *r)
{
    size_t i = 0;
    while (i < old_columns(r)->num_rows && i < new_columns(r)->num_rows &&
           same_text(cell(old_columns(r), i, COLUMN_NAME), cell(new_columns(r), i, COLUMN_NAME)) &&
           same_text(cell(old_columns(r), i, COLUMN_TYPE), cell(new_columns(r), i, COLUMN_TYPE))) {
        i++;
    }
    return i;
}

bool same_columns(const struct replace *r)
{
    return old_columns(r)->num_rows != 0 && old_columns(r)->num_rows == new_columns(r)->num_rows &&
           num_same_columns(r) == old_columns(r)->num_rows;
}

bool same_column_names(const struct replace *r)
{
    const struct replace_result *old = old_columns(r);
    const struct replace_result *new = new_columns(r);
    bool same = old->num_rows == new->num_rows;
    for (size_t i = 0; i < old->num_rows && same; i++) {
        same = same_text(cell(old, i, COLUMN_NAME), cell(new, i, COLUMN_NAME));
    }
    return same;
}

bool has_column(const struct replace *r, const char *name)
{
    for (size_t i = 0; i < new_columns(r)->num_rows; i++) {
        if (same_text(cell(new_columns(r), i, COLUMN_NAME), name)) {
            return true;
        }
    }
    return false;
}

static void add_column(struct buf *out, const struct replace_result *columns, size_t num)
{
    const char *name = cell(columns, num, COLUMN_NAME);
    const char *type = cell(columns, num, COLUMN_TYPE);
    if (num >= columns->num_rows) {
        buf_add_text(out, "nothing");
    } else {
        buf_add_format(out, "\"%s\" %s", name != NULL ? name : "?", type != NULL ? type : "?");
    }
}

/* The rule of PostgreSQL's CREATE OR REPLACE VIEW: what is there stays as it is, more may come
 * behind it (manual, CREATE VIEW). */
enum step check_columns(struct replace *r)
{
    uint32_t policy = r->settings.values[SETTING_COLUMNS];
    size_t same = num_same_columns(r);
    bool kept = same == old_columns(r)->num_rows;
    if (policy == REPLACE_COLUMNS_ANY || (kept && same == new_columns(r)->num_rows) ||
        (kept && policy == REPLACE_COLUMNS_COMPATIBLE)) {
        return STEP_COUNT;
    }
    struct buf detail = {0};
    buf_add_format(&detail, "Column %zu was ", same + 1);
    add_column(&detail, old_columns(r), same);
    buf_add_text(&detail, " and would be ");
    add_column(&detail, new_columns(r), same);
    buf_add_text(&detail, ".");
    enum step next = fail_format(
        r, "42P16", buf_text(&detail), "mvswap.columns = any accepts every change of columns.",
        "the new columns of \"%s\" are not %s", r->view_name,
        policy == REPLACE_COLUMNS_SAME ? "the same" : "compatible with the old ones");
    buf_cleanup(&detail);
    return next;
}

static enum step refuse_change(struct replace *r)
{
    return fail_format(r, "42P07", "mvswap.on_change is fail.", NULL,
                       "%s \"%s\" exists with another definition", kind_name(r), r->view_name);
}

/* Without zero_downtime the old view goes first: what is not known then is known too late. */
static enum step check_off(struct replace *r)
{
    if (r->change == CHANGE_NOT_KNOWN || !r->probe_answered) {
        return fail(r, "0A000",
                    "with mvswap.zero_downtime = off the query must be one that can be tried first",
                    r->probe_refused != NULL
                        ? r->probe_refused
                        : "A query with parameters cannot be tried as a plain view.",
                    "The view was not changed. mvswap.zero_downtime = on replaces it.");
    }
    if (has_sql(r, SETTING_CHECK) || r->settings.values[SETTING_KEEP_OLD] != 0) {
        return fail(r, "0A000", "mvswap.check and mvswap.keep_old need mvswap.zero_downtime = on",
                    NULL, NULL);
    }
    return STEP_COUNT;
}

static void tell_detected(struct replace *r)
{
    tell(r, REPLACE_NOTICES_SUMMARY,
         zero_downtime(r) ? is_view(r) ? "Detected changes to view definition. Using SWAP."
                                       : "Detected changes to materialized view definition."
                                         " Using zero downtime rebuild with SWAP."
                          : "Detected changes to the view's definition."
                            " Dropping and creating it anew (mvswap.zero_downtime is off).");
}

/* A plain view has nothing to build. */
static enum step begin_slot(struct replace *r)
{
    return is_view(r) ? begin_build(r, &r->view) : STEP_SLOT;
}

enum step decide(struct replace *r)
{
    plan_change(r);
    if (r->reads_itself) {
        return fail_reads_itself(r);
    }
    bool unchanged = r->change == CHANGE_NONE;
    if (unchanged && r->settings.values[SETTING_UNCHANGED] == REPLACE_UNCHANGED_SKIPS) {
        return end_untouched(r, "is unchanged", "nothing was done");
    }
    if (!unchanged && r->settings.values[SETTING_ON_CHANGE] == REPLACE_CHANGE_FAILS) {
        return refuse_change(r);
    }
    if (!unchanged && r->settings.values[SETTING_ON_CHANGE] == REPLACE_CHANGE_CONTINUES) {
        return end_untouched(r, "was left as it is", "mvswap.on_change is continue");
    }
    enum step refusal = r->probe_answered ? check_columns(r) : STEP_COUNT;
    if (refusal == STEP_COUNT && r->probe_answered) {
        refusal = check_indexes(r);
    }
    if (refusal == STEP_COUNT && r->probe_answered) {
        refusal = check_hazards_of_dependents(r); /* with the new columns known */
    }
    if (refusal == STEP_COUNT && !zero_downtime(r)) {
        refusal = check_off(r);
    }
    if (refusal != STEP_COUNT) {
        return refusal;
    }
    tell_detected(r);
    return has_sql(r, SETTING_BEFORE_BUILD) ? STEP_BEFORE_BUILD : begin_slot(r);
}

void ask_before_build(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, settings_sql(&r->settings, SETTING_BEFORE_BUILD));
    run(r, out);
    out->notices_to_client = true;
    out->cancellable = true;
}

enum step take_before_build(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return r->statement.schema == NULL && r->mode == REPLACE_CARRY_OUT ? STEP_SCHEMA_AGAIN
                                                                       : begin_slot(r);
}

void ask_schema_again(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT current_schema()");
    run(r, out);
}

enum step take_schema_again(struct replace *r, const struct replace_result *result)
{
    const char *schema = cell(result, 0, 0);
    if (schema == NULL || strcmp(schema, r->schema) != 0) {
        return fail_format(r, "55000", NULL, "Give the view's name with its schema.",
                           "mvswap.before_build has changed the schema in which \"%s\" would be"
                           " created",
                           r->statement.name);
    }
    return begin_slot(r);
}

void ask_slot(struct replace *r, struct replace_request *out)
{
    (void)r;
    out->kind = REPLACE_SLOT;
}

enum step skip_slot(struct replace *r)
{
    (void)r;
    return STEP_BACKGROUND_READ;
}

enum step take_slot(struct replace *r, const struct replace_result *result)
{
    if (result->kind == REPLACE_FULL) {
        return fail(r, "53300", "too many replacements at once",
                    "All slots of max_builds are taken, and too many wait for one.",
                    "Send the statement again later.");
    }
    return skip_slot(r);
}
