/*
 * rollback: the way back is one more swap, with an object that was kept under a temporary name in
 * place of one that is built. Everything else is as in a replacement: the same inspection, hazards,
 * grants and comments, the checks of ids, the views that follow. What was live is kept in its turn.
 * Must not know: how an object is swapped in (cutover.c).
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

struct replace *replace_new_rollback(const char *schema, const char *name, const char *to,
                                     const struct replace_settings *settings,
                                     enum replace_mode mode, struct moment now)
{
    struct replace *r = mem_new(sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    r->rollback = true;
    r->mode = mode;
    r->now = now;
    r->started = now;
    r->next_progress_ms = MOMENT_NEVER;
    r->build_ends_ms = MOMENT_NEVER;
    temp_stamp(now.unix_us, r->stamp);
    /* The kind is that of what is found. */
    r->statement.kind = STATEMENT_REPLACE_MATERIALIZED_VIEW;
    r->statement.schema = mem_copy(schema, strlen(schema));
    r->statement.name = mem_copy(name, strlen(name));
    r->text = mem_copy("", 0);
    r->view_name = mem_copy(name, strlen(name));
    r->rollback_to = to != NULL ? mem_copy(to, strlen(to)) : NULL;
    bool copied = r->statement.schema != NULL && r->statement.name != NULL && r->text != NULL &&
                  r->view_name != NULL && (to == NULL || r->rollback_to != NULL) &&
                  settings_copy(settings, &r->settings);
    if (copied) {
        /* There is nothing to be dropped first. */
        r->settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_ON;
    }
    if (!copied) {
        replace_free(r);
        return NULL;
    }
    return r;
}

void ask_predecessors(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT r.id, r.name, r.relation_type FROM rw_catalog.rw_relations r"
               " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id WHERE s.name = %L",
               r->schema);
    run(r, out);
}

/* Does this process remember it as one that was live? */
static bool is_remembered(const struct replace *r, uint64_t id)
{
    enum { REMEMBERED_ID = 2 };
    for (size_t i = 0; i < r->remembered.rows.num_rows; i++) {
        if (cell_id(&r->remembered.rows, i, REMEMBERED_ID) == id) {
            return true;
        }
    }
    return false;
}

static const char *stamp_of(const char *name)
{
    return name + strlen(name) - TEMP_STAMP_LEN;
}

/* May it be gone back to? Ids grow: what has a higher one than the view that is live was not live
 * before it, but built in vain, or gone back from. That is taken only if it was asked for. */
static bool is_candidate(const struct replace *r, const struct replace_result *rows, size_t row)
{
    const char *name = cell(rows, row, 1);
    size_t base_len = 0;
    enum temp_kind kind = TEMP_PROBE;
    if (name == NULL || !temp_name_parse(name, &base_len, &kind) || kind != TEMP_BUILD ||
        strlen(r->statement.name) != base_len || strncmp(name, r->statement.name, base_len) != 0 ||
        !same_text(cell(rows, row, 2), kind_name(r))) {
        return false;
    }
    return r->rollback_to != NULL ? strcmp(stamp_of(name), r->rollback_to) == 0
                                  : cell_id(rows, row, 0) < r->old_id;
}

static enum step refuse_without_predecessor(struct replace *r)
{
    return fail_format(r, "42704", NULL,
                       "mvswap.keep_old keeps the view that a replacement has replaced.",
                       "there is no predecessor of \"%s\"%s%s to go back to", r->view_name,
                       r->rollback_to != NULL ? " with the stamp " : "",
                       r->rollback_to != NULL ? r->rollback_to : "");
}

/* The last one that was live: it got its name, with the stamp, when it was replaced. Only those
 * that are remembered, if any are: others may be builds that were broken off and have never been
 * live.
 * `*out_num` of the same kind. */
static const char *choose(struct replace *r, const struct replace_result *rows, size_t *out_num)
{
    const char *name = NULL;
    bool remembered = false;
    *out_num = 0;
    for (size_t row = 0; row < rows->num_rows; row++) {
        uint64_t id = cell_id(rows, row, 0);
        bool known = is_remembered(r, id);
        if (!is_candidate(r, rows, row) || (remembered && !known)) {
            continue;
        }
        bool first = name == NULL || (known && !remembered);
        if (first || strcmp(stamp_of(cell(rows, row, 1)), stamp_of(name)) > 0) {
            r->view.id = id;
            name = cell(rows, row, 1);
        }
        *out_num = first ? 1 : *out_num + 1;
        remembered = remembered || known;
    }
    *out_num = remembered ? 1 : *out_num;
    return name;
}

/* Which of them were live the server does not tell. */
static void warn_others(struct replace *r, const struct replace_result *rows, const char *chosen)
{
    struct buf others = {0};
    buf_add_text(&others, "Others:");
    for (size_t row = 0; row < rows->num_rows; row++) {
        if (is_candidate(r, rows, row) && !same_text(cell(rows, row, 1), chosen)) {
            buf_add_format(&others, " \"%s\"", cell(rows, row, 1));
        }
    }
    notice(r, "WARNING", "01000", "the newest of several objects under temporary names is taken",
           buf_text(&others), "Another one is taken with its stamp: mvswap rollback --to STAMP.");
    buf_cleanup(&others);
}

enum step take_predecessors(struct replace *r, const struct replace_result *result)
{
    size_t num = 0;
    struct buf name = {0};
    const char *chosen = choose(r, result, &num);
    if (chosen == NULL) {
        return refuse_without_predecessor(r);
    }
    if (num > 1) {
        warn_others(r, result, chosen);
    }
    buf_add_text(&name, chosen);
    r->view.finished = true;
    if (!set_name(&r->view, &name) || !reserve_leftover_warning(r) || !reserve_spare(r)) {
        return fail_without_memory(r);
    }
    return is_view(r) ? STEP_DEPENDENTS : STEP_PREDECESSOR_LISTED;
}

enum step take_predecessor_listed(struct replace *r, const struct replace_result *result)
{
    if (listed(r, result, r->view.name)) {
        return STEP_DEPENDENTS;
    }
    return fail_format(r, "55006", NULL, NULL, "\"%s\" is still being created", r->view.name);
}

void ask_predecessor_indexes(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SELECT i.name FROM rw_catalog.rw_indexes i WHERE i.primary_table_id = %u",
               r->view.id);
    run(r, out);
}

/* Its index that had the name, by what replacements call an index that is out of the way; NULL:
 * there was none. */
static const char *index_that_had(const struct replace_result *rows, const char *own)
{
    for (size_t i = 0; i < rows->num_rows; i++) {
        const char *name = cell(rows, i, 0);
        size_t base_len = 0;
        enum temp_kind kind = TEMP_BUILD;
        if (name != NULL && temp_name_parse(name, &base_len, &kind) && strlen(own) == base_len &&
            strncmp(name, own, base_len) == 0) {
            return name;
        }
    }
    return NULL;
}

static bool add_rename(struct replace *r, const char *from, const char *to)
{
    struct buf sql = {0};
    sql_format(&sql, "ALTER INDEX %I.%I RENAME TO %I", r->schema, from, to);
    return text_list_take(&r->index_renames, &sql);
}

/* Without memory to say so nothing may be lost: false. */
static bool warn_missing_index(struct replace *r, size_t num)
{
    struct buf message = {0};
    struct queued_notice *n = NULL;
    buf_add_format(&message, "index \"%s\" is not on the view that was gone back to",
                   index_name(r, num));
    if (buf_text(&message) != NULL) {
        n = warning_new(buf_text(&message), NULL, index_definition(r, num));
    }
    buf_cleanup(&message);
    if (n != NULL) {
        warn_or_reserved(r, n, NULL);
    }
    return n != NULL;
}

/* The indexes of both exchange their names after the swap. */
enum step take_predecessor_indexes(struct replace *r, const struct replace_result *result)
{
    bool listed = true;
    text_list_cleanup(&r->index_renames);
    for (size_t i = 0; i < num_indexes(r) && listed; i++) {
        struct buf own = {0};
        struct buf aside = {0};
        add_own_index_name(r, i, &own);
        add_index_name(r, i, TEMP_OLD, &aside);
        const char *name = buf_text(&own) != NULL ? index_that_had(result, buf_text(&own)) : NULL;
        listed = buf_text(&own) != NULL && buf_text(&aside) != NULL;
        if (listed && name != NULL) {
            listed = add_rename(r, index_name(r, i), buf_text(&aside)) &&
                     add_rename(r, name, buf_text(&own));
        } else if (listed && r->mode == REPLACE_CARRY_OUT) {
            listed = warn_missing_index(r, i);
        }
        buf_cleanup(&own);
        buf_cleanup(&aside);
    }
    return listed ? STEP_NEW_FACTS : fail_without_memory(r);
}

enum step begin_index_renames(struct replace *r)
{
    text_list_cleanup(&r->carry);
    r->carry = r->index_renames;
    r->index_renames = (struct text_list){0};
    r->carry_at = 0;
    r->carrying = CARRIES_INDEX_NAMES;
    return next_carry(r);
}
