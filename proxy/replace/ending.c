/*
 * ending: how a replacement ends: the outcome, set once, and the step that comes next. The first
 * failure is the one that the client is told; after the swap there is none.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <inttypes.h>
#include <string.h>

static const char *text_or_null(struct buf *b, const char *text)
{
    buf_cleanup(b);
    if (text == NULL) {
        return NULL;
    }
    buf_add_text(b, text);
    return buf_text(b);
}

/* The first failure is the one the client is told. */
static bool has_outcome(const struct replace *r)
{
    return r->outcome.kind != REPLACE_PENDING;
}

static void set_failure(struct replace *r, const char *sqlstate, const char *message,
                        const char *detail, const char *hint)
{
    if (has_outcome(r)) {
        return;
    }
    const char *kept = text_or_null(&r->texts[0], message);
    const char *code = text_or_null(&r->texts[3], sqlstate);
    r->outcome.kind = REPLACE_FAILED;
    r->outcome.error = (struct replace_notice){
        .severity = "ERROR",
        .sqlstate = code != NULL && code[0] != 0 ? code : "XX000",
        .message = kept != NULL ? kept : "the replacement failed; there is no memory to say why",
        .detail = text_or_null(&r->texts[1], detail),
        .hint = text_or_null(&r->texts[2], hint),
    };
}

/* EXPLAIN tells what would be refused; what keeps it from looking is an error there, too. */
static bool is_part_of_plan(const struct replace *r, const char *sqlstate)
{
    return r->mode == REPLACE_PLAN && !r->cancelled && strcmp(sqlstate, "53200") != 0;
}

enum step fail(struct replace *r, const char *sqlstate, const char *message, const char *detail,
               const char *hint)
{
    if (r->made >= MADE_SWAPPED) {
        return end_swapped(r, message);
    }
    if (is_part_of_plan(r, sqlstate) && !has_outcome(r)) {
        plan_refusal(r, sqlstate, message, detail, hint);
        return end_planned(r);
    }
    set_failure(r, sqlstate, message, detail, hint);
    return begin_undo(r);
}

enum step fail_format(struct replace *r, const char *sqlstate, const char *detail, const char *hint,
                      const char *format, ...)
{
    struct buf message = {0};
    va_list args;
    va_start(args, format);
    buf_add_vformat(&message, format, args);
    va_end(args);
    const char *text = buf_text(&message);
    enum step next = text != NULL ? fail(r, sqlstate, text, detail, hint) : fail_without_memory(r);
    buf_cleanup(&message);
    return next;
}

enum step fail_by_server(struct replace *r, const struct replace_result *result)
{
    if (r->made >= MADE_SWAPPED) {
        return end_swapped(r, result->error.message);
    }
    if (!has_outcome(r)) {
        if (r->parent != NULL) {
            mem_free(r->server_words);
            r->server_words = mem_copy(result->error.message, strlen(result->error.message));
        }
        mem_free(r->raw);
        r->raw = (uint8_t *)mem_copy(result->error.raw, result->error.raw_len);
        if (r->raw == NULL) {
            return fail_without_memory(r);
        }
        r->outcome.kind = REPLACE_FAILED_BY_SERVER;
        r->outcome.raw = r->raw;
        r->outcome.raw_len = result->error.raw_len;
    }
    return begin_undo(r);
}

enum step fail_without_memory(struct replace *r)
{
    return fail(r, "53200", "out of memory", NULL, NULL);
}

enum step end_not_ours(struct replace *r)
{
    r->outcome.kind = REPLACE_NOT_OURS;
    return STEP_DONE;
}

enum step end_succeeded(struct replace *r, const char *tag)
{
    r->outcome.kind = REPLACE_SUCCEEDED;
    const char *kept = text_or_null(&r->texts[0], tag);
    r->outcome.tag = kept != NULL ? kept : statement_command_tag(r->statement.kind);
    return STEP_DONE;
}

enum step end_untouched(struct replace *r, const char *state, const char *why)
{
    struct buf message = {0};
    if (r->mode == REPLACE_PLAN) {
        plan_add(r, "Nothing to do: %s \"%s\" %s", kind_name(r), r->view_name, state);
        return end_planned(r);
    }
    buf_add_format(&message, "%s \"%s\" %s: %s.", is_view(r) ? "View" : "Materialized view",
                   r->view_name, state, why);
    const char *text = buf_text(&message);
    if (text != NULL) {
        tell(r, REPLACE_NOTICES_SUMMARY, text);
    }
    buf_cleanup(&message);
    return end_succeeded(r, statement_command_tag(r->statement.kind));
}

/* The statements with which a person finds out what a lost connection left, and removes it. */
static void add_look_and_clean(const struct replace *r, struct buf *out)
{
    buf_add_text(out, "Look with: ");
    sql_format(out,
               "SELECT r.id, r.name FROM rw_catalog.rw_relations r JOIN rw_catalog.rw_schemas s"
               " ON s.id = r.schema_id WHERE s.name = %L AND r.name IN (%L, %L);",
               r->schema, r->statement.name, r->view.sent ? r->view.name : r->probe_name);
    buf_add_text(out, " Clean up with: ");
    if (r->view.sent) {
        if (r->index.sent && !r->index.finished) {
            sql_format(out, "DROP INDEX %I.%I; ", r->schema, r->index.name);
        }
        add_verb(r, out, "DROP");
        sql_format(out, "%I.%I;", r->schema, r->view.name);
        if (r->made >= MADE_SWAPPING) {
            add_index_names(r, out);
        }
    } else {
        sql_format(out, "DROP VIEW %I.%I;", r->schema, r->probe_name);
    }
}

static const char *fate_of_old(const struct replace *r)
{
    if (!zero_downtime(r)) {
        return "it was dropped first";
    }
    if (r->made == MADE_DROPPED) {
        return "the old one was dropped";
    }
    return r->old_left_until_us != 0 ? "the old one is kept" : "the old one was left";
}

static void tell_summary(struct replace *r)
{
    struct buf summary = {0};
    size_t indexes = carries_indexes(r) ? num_indexes(r) : 0;
    size_t followed = num_fated(r, FATE_FOLLOWED);
    buf_add_format(&summary, "%s %s \"%s\" in %.1f s; %s.",
                   r->rollback ? "Rolled back" : "Replaced", kind_name(r), r->view_name,
                   (double)(r->now.mono_ms - r->started.mono_ms) / 1000.0, fate_of_old(r));
    if (r->num_rebuilt != 0) {
        buf_add_format(&summary, " %zu materialized %s rebuilt on it.", r->num_rebuilt,
                       r->num_rebuilt == 1 ? "view was" : "views were");
    }
    if (followed != 0) {
        buf_add_format(&summary, " %zu %s to it.", followed,
                       followed == 1 ? "view was moved" : "views were moved");
    }
    if (indexes + r->num_grants + r->num_comments != 0) {
        buf_add_format(&summary, " Carried over: %zu %s, %zu %s, %zu %s.", indexes,
                       indexes == 1 ? "index" : "indexes", r->num_grants,
                       r->num_grants == 1 ? "grant" : "grants", r->num_comments,
                       r->num_comments == 1 ? "comment" : "comments");
    }
    if (r->old_left && r->old_left_until_us != 0) {
        char text[SETTING_TEXT_LEN];
        duration_text(r->settings.values[SETTING_KEEP_OLD], text);
        buf_add_format(&summary, " It is \"%s\" for %s.", r->view.name, text);
    }
    const char *text = buf_text(&summary);
    if (text != NULL) {
        tell(r, REPLACE_NOTICES_SUMMARY, text);
    }
    buf_cleanup(&summary);
}

static void tell_left(struct replace *r)
{
    r->outcome.left_known = r->left_known;
    r->outcome.left = r->left;
    r->outcome.num_left = r->num_left;
}

enum step end_swapped(struct replace *r, const char *why)
{
    if (why != NULL && !zero_downtime(r)) {
        warn_not_carried(r, why);
    } else if (why != NULL && !r->left_known) {
        if (!r->rollback) {
            warn_index_names(r, why);
        }
        abandon_followers(r, why);
        leave_old_selves(r);
        warn_leftover(r, why);
        leave_old(r, 0);
        remember(r);
    }
    warn_of_cascade_left(r);
    tell_summary(r);
    tell_left(r);
    (void)end_succeeded(r, statement_command_tag(r->statement.kind));
    bool put_back = r->background_changed && !r->outcome.server_lost;
    return put_back ? STEP_UNDO_BACKGROUND : STEP_DONE;
}

/* May something of ours be on the server? */
static bool may_have_left(const struct replace *r)
{
    return (r->view.sent && r->made != MADE_DROPPED) || r->probe != PROBE_NONE;
}

static void describe_lost(const struct replace *r, struct buf *detail)
{
    if (r->step == STEP_CREATE_FIRST) {
        buf_add_format(detail, "Whether \"%s\" was created is not known.", r->view_name);
        return;
    }
    if (!may_have_left(r) && r->made == MADE_NOTHING && r->step != STEP_DROP_FIRST) {
        buf_add_format(detail, "Nothing had been created; \"%s\" is as it was.", r->view_name);
        return;
    }
    if (r->made == MADE_SWAPPING && r->rollback) {
        buf_add_format(detail, "Whether \"%s\" and \"%s\" were swapped is not known", r->view_name,
                       r->view.name);
    } else if (r->made == MADE_SWAPPING) {
        buf_add_text(detail, "Whether the names were swapped is not known.");
    } else if (r->made >= MADE_SWAPPED) {
        buf_add_text(detail, "The new view is live.");
        if (zero_downtime(r) && carries_indexes(r) && r->index_at < num_indexes(r)) {
            buf_add_text(detail, " Indexes may still have their temporary names.");
        }
        if (num_fated(r, FATE_STAYS) != 0) {
            buf_add_text(detail, " Not all that reads the old one has followed.");
        }
    } else if (r->made == MADE_GAP || r->step == STEP_DROP_FIRST) {
        buf_add_format(detail,
                       "The old view %s dropped; whether \"%s\" was created anew is not"
                       " known.",
                       r->made == MADE_GAP ? "was" : "may have been", r->view_name);
    } else {
        buf_add_format(detail, "\"%s\" is as it was.", r->view_name);
    }
    if (may_have_left(r) && (zero_downtime(r) || r->probe != PROBE_NONE)) {
        buf_add_format(detail, " \"%s\" may be left in schema \"%s\"",
                       r->view.sent ? r->view.name : r->probe_name, r->schema);
    }
    buf_add_format(detail, "; the id of the view before was %" PRIu64, r->old_id);
    if (r->view.id != 0) {
        buf_add_format(detail, ", that of the new one %" PRIu64, r->view.id);
    }
    buf_add_text(detail, ".");
}

static void remember_what_is_left(struct replace *r)
{
    if (r->made != MADE_DROPPED && zero_downtime(r)) {
        leave_old(r, r->old_left ? r->old_left_until_us : 0);
    }
    remember(r);
    tell_left(r);
}

enum step end_lost(struct replace *r)
{
    if (r->made == MADE_SWAPPING) {
        /* An error of SWAP itself is no longer the whole story. */
        r->outcome.kind = REPLACE_PENDING;
    }
    r->outcome.server_lost = true;
    if (r->made == MADE_GAP || r->step == STEP_DROP_FIRST || r->step == STEP_FIRST_GONE) {
        warn_lost_view(r, "may be gone: the server connection was lost while it was made anew");
    }
    bool only_leftovers = r->left_known || r->made == MADE_DROPPED;
    if (r->made == MADE_SWAPPING) {
        doubt_followers(r);
    }
    /* Under its id and the temporary name the old view is there only if the swap came to pass. */
    if (r->made >= MADE_SWAPPING && !r->left_known) {
        abandon_followers(r, "the server connection was lost");
        leave_old_selves(r);
        remember_what_is_left(r);
    }
    if (only_leftovers && !has_outcome(r)) {
        /* Only what earlier replacements left was still to be looked at. */
        return end_swapped(r, NULL);
    }
    bool hint_wanted = may_have_left(r) && (zero_downtime(r) || r->probe != PROBE_NONE);
    if (has_outcome(r)) {
        if (hint_wanted) {
            warn_perhaps_left(r, "The server connection was lost while this was being removed.");
        }
        return STEP_DONE;
    }
    struct buf detail = {0};
    struct buf hint = {0};
    describe_lost(r, &detail);
    if (hint_wanted) {
        add_look_and_clean(r, &hint);
    }
    set_failure(r, "08006", "the server connection was lost during the replacement",
                buf_text(&detail), hint_wanted ? buf_text(&hint) : NULL);
    if (hint_wanted && r->outcome.error.hint == NULL) {
        warn_perhaps_left(r, NULL);
    }
    if (r->rollback && r->made == MADE_SWAPPING && r->outcome.error.detail == NULL) {
        warn_swap_in_doubt(r, NULL);
    }
    buf_cleanup(&detail);
    buf_cleanup(&hint);
    return STEP_DONE;
}

enum step fail_timed_out(struct replace *r)
{
    char timeout[SETTING_TEXT_LEN];
    struct buf detail = {0};
    settings_text(&r->settings, SETTING_BUILD_TIMEOUT, timeout);
    buf_add_format(&detail, "mvswap.build_timeout is %s.", timeout);
    enum step next = fail(r, "57014", "canceling statement due to build timeout", buf_text(&detail),
                          unchanged_hint(r));
    buf_cleanup(&detail);
    return next;
}
