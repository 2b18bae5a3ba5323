/*
 * indexes: the old view's indexes are built on the new one, one after the other, under temporary
 * names (handover.c gives them their own).
 * An index that cannot be built on the new view ends the replacement before the swap.
 */
#include "replace_internal.h"

#include "index_definition.h"
#include "sql_format.h"

#include <string.h>

bool carries_indexes(const struct replace *r)
{
    return r->settings.values[SETTING_INDEXES] == REPLACE_INDEXES_CARRIED;
}

static enum step refuse_index_without_column(struct replace *r, const char *index,
                                             const char *column)
{
    struct buf detail = {0};
    buf_add_format(&detail, "It names the column \"%s\", which the new view does not have.",
                   column);
    enum step next = fail_format(r, "42703", buf_text(&detail),
                                 "mvswap.indexes = drop replaces the view without its indexes.",
                                 "index \"%s\" cannot be built on the new view", index);
    buf_cleanup(&detail);
    return next;
}

/* Does the definition, behind the names of index and table, name the column? */
static bool index_names_column(const char *definition, const char *column)
{
    const char *parenthesis = strchr(definition, '(');
    struct sql_tokens tokens = {0};
    if (parenthesis == NULL || sql_scan(parenthesis, strlen(parenthesis), &tokens) != SQL_SCAN_OK) {
        return false; /* then the server says it */
    }
    bool named = sql_tokens_name(parenthesis, &tokens, column, strlen(column));
    sql_tokens_cleanup(&tokens);
    return named;
}

/* Found before an hour of building. What is not found here is refused by the server then. */
enum step check_indexes(struct replace *r)
{
    for (size_t i = 0; carries_indexes(r) && i < num_indexes(r); i++) {
        for (size_t k = 0; k < r->old_columns.rows.num_rows; k++) {
            const char *column = cell(&r->old_columns.rows, k, 0);
            if (column != NULL && !has_column(r, column) &&
                index_names_column(index_definition(r, i), column)) {
                return refuse_index_without_column(r, index_name(r, i), column);
            }
        }
    }
    return STEP_COUNT;
}

static bool name_index(struct replace *r)
{
    struct buf name = {0};
    if (zero_downtime(r)) {
        add_index_name(r, r->index_at, TEMP_BUILD, &name);
    } else {
        add_own_index_name(r, r->index_at, &name);
    }
    return set_name(&r->index, &name) && reserve_handover(r) && reserve_spare(r);
}

enum step next_index(struct replace *r)
{
    if (r->rollback) {
        return skip_end_slot(r);
    }
    if (!carries_indexes(r) || r->index_at >= num_indexes(r)) {
        return is_view(r) ? skip_end_slot(r) : STEP_END_SLOT;
    }
    build_cleanup(&r->index);
    return name_index(r) ? begin_build(r, &r->index) : fail_without_memory(r);
}

void ask_create_index(struct replace *r, struct replace_request *out)
{
    if (!index_definition_renamed(index_definition(r, r->index_at), r->index.name, r->schema,
                                  r->view.name, &r->sql)) {
        /* It could be read when it was inspected. */
        r->sql.failed = true;
        return;
    }
    run_create(r, out);
}

enum step take_create_index(struct replace *r, const struct replace_result *result)
{
    (void)result;
    if (!server_has_streaming_jobs(r->version)) {
        /* Built in the foreground: it is finished. */
        r->index.finished = true;
        r->index.answered = true;
        return r->background_changed ? STEP_BACKGROUND_RESTORE : after_index(r);
    }
    return create_answered(r);
}

enum step fail_index(struct replace *r, const char *sqlstate, const char *why)
{
    struct buf message = {0};
    buf_add_format(&message, "index \"%s\" cannot be built on the new view",
                   index_name(r, r->index_at));
    const char *text = buf_text(&message);
    enum step next;
    if (r->made >= MADE_SWAPPED) {
        warn_of_index(r, text, why, index_definition(r, r->index_at));
        next = skip_index(r);
    } else if (text == NULL) {
        next = fail_without_memory(r);
    } else {
        next = fail(r, sqlstate, text, why,
                    "mvswap.indexes = drop replaces the view without its indexes.");
    }
    buf_cleanup(&message);
    return next;
}

enum step fail_build(struct replace *r, const struct replace_result *result)
{
    return r->building == &r->view ? fail_by_server(r, result)
                                   : fail_index(r, result->error.sqlstate, result->error.message);
}

/* The one that was being built is left out. */
enum step skip_index(struct replace *r)
{
    if (r->index.in_doubt) {
        warn_build_perhaps_left(r, &r->index, "The server may still build it.");
    }
    r->index.sent = false;
    r->index.answered = false;
    r->index_at++;
    return r->background_changed ? STEP_BACKGROUND_RESTORE : next_index(r);
}

static bool carry_comment(struct replace *r, const char *column, const char *text)
{
    struct buf sql = {0};
    add_comment(&sql, r->schema, r->index.name, column, text);
    return text_list_take(&r->carry, &sql);
}

enum step after_index(struct replace *r)
{
    const struct replace_result *rows = &r->index_comments[r->index_at].rows;
    bool kept = true;
    for (size_t i = 0; kept && i < rows->num_rows; i++) {
        const char *text = cell(rows, i, DESCRIBE_COMMENT);
        if (text != NULL) {
            kept = carry_comment(r, described_column(rows, i), text);
        }
    }
    r->index_at++;
    r->carrying = CARRIES_INDEX_COMMENTS;
    return kept ? next_carry(r) : fail_without_memory(r);
}
