/*
 * report: how a replacement ends and what the client is told: outcomes, notices, the texts of what
 * may be left behind. Knows no steps but the one with which undo begins.
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
    r->outcome.kind = REPLACE_FAILED;
    r->outcome.error = (struct replace_notice){
        .severity = "ERROR",
        .sqlstate = sqlstate,
        .message = kept != NULL ? kept : "the replacement failed; there is no memory to say why",
        .detail = text_or_null(&r->texts[1], detail),
        .hint = text_or_null(&r->texts[2], hint),
    };
}

enum step fail(struct replace *r, const char *sqlstate, const char *message, const char *detail,
               const char *hint)
{
    if (r->made >= MADE_SWAPPED) {
        return end_swapped(r, message);
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

/* The statements with which a person finds out what a lost connection left, and removes it. */
static void add_look_and_clean(const struct replace *r, struct buf *out)
{
    buf_add_text(out, "Look with: ");
    sql_format(out,
               "SELECT r.id, r.name FROM rw_catalog.rw_relations r JOIN rw_catalog.rw_schemas s"
               " ON s.id = r.schema_id WHERE s.name = %L AND r.name IN (%L, %L);",
               r->schema, r->statement.name, r->temp);
    buf_add_text(out, " Clean up with: ");
    sql_format(out, "DROP MATERIALIZED VIEW %I.%I;", r->schema, r->temp);
}

enum step end_swapped(struct replace *r, const char *why)
{
    if (why != NULL) {
        warn_leftover(r, why);
    }
    struct buf summary = {0};
    buf_add_format(&summary, "Replaced materialized view \"%s\" in %.1f s; the old one was %s.",
                   r->view_name, (double)(r->now.mono_ms - r->started.mono_ms) / 1000.0,
                   r->made == MADE_DROPPED ? "dropped" : "kept");
    const char *text = buf_text(&summary);
    if (text != NULL) {
        tell(r, REPLACE_NOTICES_SUMMARY, text);
    }
    buf_cleanup(&summary);
    return end_succeeded(r, statement_command_tag(r->statement.kind));
}

enum step end_lost(struct replace *r)
{
    if (r->made == MADE_SWAPPING) {
        /* An error of SWAP itself is no longer the whole story. */
        r->outcome.kind = REPLACE_PENDING;
    }
    r->outcome.server_lost = true;
    if (has_outcome(r)) {
        if (r->made != MADE_NOTHING) {
            warn_perhaps_left(r, "The server connection was lost while this was being removed.");
        }
        return STEP_DONE;
    }
    struct buf detail = {0};
    struct buf hint = {0};
    if (r->step == STEP_CREATE_FIRST) {
        buf_add_format(&detail, "Whether \"%s\" was created is not known.", r->view_name);
    } else if (r->made == MADE_NOTHING) {
        buf_add_format(&detail, "Nothing had been created; \"%s\" is as it was.", r->view_name);
    } else {
        if (r->made >= MADE_SWAPPING && r->made < MADE_SWAPPED) {
            buf_add_format(&detail, "Whether the names were swapped is not known.");
        } else if (r->made >= MADE_SWAPPED) {
            buf_add_format(&detail, "The new view is live.");
        } else {
            buf_add_format(&detail, "\"%s\" is as it was.", r->view_name);
        }
        buf_add_format(&detail, " \"%s\" may be left in schema \"%s\"", r->temp, r->schema);
        buf_add_format(&detail, "; the id of the view before was %" PRIu64, r->old_id);
        if (r->new_id != 0) {
            buf_add_format(&detail, ", that of the new one %" PRIu64, r->new_id);
        }
        buf_add_text(&detail, ".");
        add_look_and_clean(r, &hint);
    }
    bool hint_wanted = r->made != MADE_NOTHING;
    set_failure(r, "08006", "the server connection was lost during the replacement",
                buf_text(&detail), hint_wanted ? buf_text(&hint) : NULL);
    if (hint_wanted && r->outcome.error.hint == NULL) {
        warn_perhaps_left(r, NULL);
    }
    buf_cleanup(&detail);
    buf_cleanup(&hint);
    return STEP_DONE;
}

static struct queued_notice *notice_new(const char *severity, const char *sqlstate,
                                        const char *const texts[3])
{
    struct queued_notice *n = mem_new(sizeof(*n));
    const char *copies[3] = {NULL, NULL, NULL};
    bool complete = n != NULL;
    for (int i = 0; complete && i < 3; i++) {
        if (texts[i] != NULL) {
            copies[i] = mem_copy(texts[i], strlen(texts[i]));
            complete = copies[i] != NULL;
        }
    }
    if (n != NULL) {
        n->notice = (struct replace_notice){.severity = severity,
                                            .sqlstate = sqlstate,
                                            .message = copies[0],
                                            .detail = copies[1],
                                            .hint = copies[2]};
    }
    if (!complete) {
        notices_free(n);
        return NULL;
    }
    return n;
}

static void queue(struct replace *r, struct queued_notice *n)
{
    struct queued_notice **end = &r->notices;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = n;
}

void notice(struct replace *r, const char *severity, const char *sqlstate, const char *message,
            const char *detail, const char *hint)
{
    /* Notices tell the story and are never needed for correctness: without memory, silence. */
    queue(r, notice_new(severity, sqlstate, (const char *const[3]){message, detail, hint}));
}

void tell(struct replace *r, enum replace_notices least, const char *message)
{
    if (r->settings.values[SETTING_NOTICES] <= (uint32_t)least) {
        notice(r, "NOTICE", "00000", message, NULL, NULL);
    }
}

void tell_progress(struct replace *r, const char *progress)
{
    struct buf message = {0};
    uint64_t seconds = (r->now.mono_ms - r->build_started_ms) / 1000;
    /* "12.50% (100/800)": the figures in parentheses mean nothing to most. */
    int percent = progress != NULL ? (int)strcspn(progress, " (") : 0;
    buf_add_format(&message, "Building materialized view \"%s\": %.*s%s%" PRIu64 " s elapsed.",
                   r->view_name, percent, progress != NULL ? progress : "",
                   percent != 0 ? ", " : "", seconds);
    const char *text = buf_text(&message);
    if (text != NULL) {
        tell(r, REPLACE_NOTICES_PROGRESS, text);
    }
    buf_cleanup(&message);
    r->next_progress_ms = r->now.mono_ms + r->settings.values[SETTING_PROGRESS_INTERVAL];
}

enum step fail_timed_out(struct replace *r)
{
    char timeout[SETTING_TEXT_LEN];
    struct buf detail = {0};
    settings_text(&r->settings, SETTING_BUILD_TIMEOUT, timeout);
    buf_add_format(&detail, "mvswap.build_timeout is %s.", timeout);
    enum step next = fail(r, "57014", "canceling statement due to build timeout", buf_text(&detail),
                          "The view is unchanged.");
    buf_cleanup(&detail);
    return next;
}

bool replace_next_notice(struct replace *r, struct replace_notice *out_notice)
{
    notices_free(r->shown);
    r->shown = r->notices;
    if (r->shown == NULL) {
        return false;
    }
    r->notices = r->shown->next;
    r->shown->next = NULL;
    *out_notice = r->shown->notice;
    return true;
}

void notices_free(struct queued_notice *list)
{
    while (list != NULL) {
        struct queued_notice *next = list->next;
        mem_free((char *)(uintptr_t)list->notice.message);
        mem_free((char *)(uintptr_t)list->notice.detail);
        mem_free((char *)(uintptr_t)list->notice.hint);
        mem_free(list);
        list = next;
    }
}

static struct queued_notice *leftover_notice(const struct replace *r, const char *verb,
                                             const char *why)
{
    struct buf message = {0};
    struct buf hint = {0};
    struct queued_notice *n = NULL;
    buf_add_format(&message, "\"%s\" %s left in schema \"%s\"", r->temp, verb, r->schema);
    sql_format(&hint, "DROP MATERIALIZED VIEW %I.%I;", r->schema, r->temp);
    const char *texts[3] = {buf_text(&message), why, buf_text(&hint)};
    if (texts[0] != NULL && texts[2] != NULL) {
        n = notice_new("WARNING", "01000", texts);
    }
    buf_cleanup(&message);
    buf_cleanup(&hint);
    return n;
}

bool reserve_leftover_warning(struct replace *r)
{
    notices_free(r->leftover);
    r->leftover = leftover_notice(r, "may be", NULL);
    return r->leftover != NULL;
}

static void warn_left(struct replace *r, const char *verb, const char *why)
{
    if (r->temp == NULL || r->schema == NULL) {
        return;
    }
    struct queued_notice *n = leftover_notice(r, verb, why);
    if (n == NULL) {
        n = r->leftover;
        r->leftover = NULL;
    }
    queue(r, n);
}

void warn_leftover(struct replace *r, const char *why)
{
    warn_left(r, "is", why);
}

void warn_perhaps_left(struct replace *r, const char *why)
{
    warn_left(r, "may be", why);
}

void warn_lost_sight(struct replace *r, uint64_t id)
{
    struct buf message = {0};
    struct buf detail = {0};
    buf_add_format(&message, "\"%s\" in schema \"%s\" was dropped or renamed by someone else",
                   r->temp, r->schema);
    buf_add_format(&detail, "It was the object with the id %" PRIu64 "; nothing was dropped here.",
                   id);
    const char *text = buf_text(&message);
    if (text != NULL) {
        notice(r, "WARNING", "01000", text, buf_text(&detail), NULL);
    }
    buf_cleanup(&message);
    buf_cleanup(&detail);
}
