/*
 * report: what the client is told besides the answer: notices, progress, and the warnings that name
 * what may be left behind, with the SQL that removes it. Knows no steps.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

struct queued_notice *warning_new(const char *message, const char *why, const char *hint)
{
    return notice_new("WARNING", "01000", (const char *const[3]){message, why, hint});
}

void warn_or_reserved(struct replace *r, struct queued_notice *n, struct queued_notice **reserved)
{
    if (n == NULL) {
        n = *reserved;
        *reserved = NULL;
    }
    queue(r, n);
}

static bool is_told(const struct replace *r, enum replace_notices least)
{
    return r->settings.values[SETTING_NOTICES] <= (uint32_t)least && r->mode == REPLACE_CARRY_OUT;
}

void tell(struct replace *r, enum replace_notices least, const char *message)
{
    if (is_told(r, least)) {
        notice(r, "NOTICE", "00000", message, NULL, NULL);
    }
}

/* `progress` as "12.50%", or NULL. */
static void set_progress(struct queued_notice *n, const char *progress)
{
    enum { PERMILLE_MOST = 1000 };
    if (n == NULL) {
        return;
    }
    n->notice.progress = progress != NULL ? REPLACE_PROGRESS_KNOWN : REPLACE_PROGRESS_UNKNOWN;
    if (progress != NULL) {
        char *end = NULL;
        unsigned long permille = strtoul(progress, &end, 10) * 10;
        permille += end[0] == '.' && end[1] >= '0' && end[1] <= '9' ? (unsigned)(end[1] - '0') : 0;
        n->notice.permille = permille < PERMILLE_MOST ? (unsigned)permille : PERMILLE_MOST;
    }
}

void tell_progress(struct replace *r, const char *progress)
{
    struct buf message = {0};
    uint64_t seconds = (r->now.mono_ms - r->build_started_ms) / 1000;
    /* "12.50% (100/800)": the figures in parentheses mean nothing to most. */
    int percent = progress != NULL ? (int)strcspn(progress, " (") : 0;
    bool index = r->building == &r->index;
    buf_add_format(&message, "Building %s \"%s\": %.*s%s%" PRIu64 " s elapsed.",
                   index ? "index" : kind_name(r),
                   index ? index_name(r, r->index_at) : r->view_name, percent,
                   progress != NULL ? progress : "", percent != 0 ? ", " : "", seconds);
    const char *text = buf_text(&message);
    if (text != NULL && is_told(r, REPLACE_NOTICES_PROGRESS)) {
        struct queued_notice *n =
            notice_new("NOTICE", "00000", (const char *const[3]){text, NULL, NULL});
        set_progress(n, percent != 0 ? progress : NULL);
        queue(r, n);
    }
    buf_cleanup(&message);
    r->next_progress_ms = r->now.mono_ms + r->settings.values[SETTING_PROGRESS_INTERVAL];
}

bool replace_next_notice(struct replace *r, struct replace_notice *out_notice)
{
    notices_free(r->shown);
    r->shown = r->notices;
    if (r->shown == NULL) {
        return r->child != NULL && replace_next_notice(r->child, out_notice);
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

/* `drop` is the statement that removes it, but for the names. */
static struct queued_notice *leftover_notice(const struct replace *r, const char *name,
                                             const char *drop, const char *verb, const char *why)
{
    struct buf message = {0};
    struct buf hint = {0};
    struct queued_notice *n = NULL;
    buf_add_format(&message, "\"%s\" %s left in schema \"%s\"", name, verb, r->schema);
    buf_add_text(&hint, drop);
    sql_format(&hint, " %I.%I;", r->schema, name);
    /* The view's own name is nothing to be dropped without a second thought. */
    bool own_name = strcmp(name, r->statement.name) == 0;
    const char *texts[3] = {buf_text(&message), why, own_name ? NULL : buf_text(&hint)};
    if (texts[0] != NULL && !buf_failed(&hint)) {
        n = notice_new("WARNING", "01000", texts);
    }
    buf_cleanup(&message);
    buf_cleanup(&hint);
    return n;
}

static const char *drop_view(const struct replace *r)
{
    return is_view(r) ? "DROP VIEW" : "DROP MATERIALIZED VIEW";
}

/* Neither is to be dropped. */
static struct queued_notice *in_doubt_notice(const struct replace *r, const char *why)
{
    struct buf message = {0};
    buf_add_format(&message, "\"%s\" and \"%s\" may have been swapped", r->view_name, r->view.name);
    const char *text = buf_text(&message);
    struct queued_notice *n =
        text != NULL ? warning_new(text, why, "Look at both names before dropping either.") : NULL;
    buf_cleanup(&message);
    return n;
}

bool reserve_leftover_warning(struct replace *r)
{
    notices_free(r->leftover);
    r->leftover = r->rollback ? in_doubt_notice(r, NULL)
                              : leftover_notice(r, r->view.name, drop_view(r), "may be", NULL);
    return r->leftover != NULL;
}

static void warn_left(struct replace *r, const char *name, const char *drop, const char *verb,
                      const char *why)
{
    if (name == NULL || r->schema == NULL) {
        return;
    }
    warn_or_reserved(r, leftover_notice(r, name, drop, verb, why), &r->leftover);
}

void warn_leftover(struct replace *r, const char *why)
{
    warn_left(r, r->view.name, drop_view(r), "is", why);
}

void warn_perhaps_left(struct replace *r, const char *why)
{
    if (r->view.sent) {
        warn_left(r, r->view.name, drop_view(r), "may be", why);
    } else if (r->probe != PROBE_NONE) {
        warn_left(r, r->probe_name, "DROP VIEW", "may be", why);
    }
}

void warn_old_left(struct replace *r, bool perhaps, const char *why)
{
    if (r->parent == NULL && perhaps) {
        warn_perhaps_left(r, why);
    } else if (r->parent == NULL) {
        warn_leftover(r, why);
    }
}

void warn_swap_in_doubt(struct replace *r, const char *why)
{
    if (r->rollback) {
        warn_or_reserved(r, in_doubt_notice(r, why), &r->leftover);
    } else {
        warn_perhaps_left(r, why);
    }
}

void warn_build_left(struct replace *r, const struct build *build, const char *why)
{
    warn_left(r, build->name, build == &r->index ? "DROP INDEX" : drop_view(r), "is", why);
}

void warn_build_perhaps_left(struct replace *r, const struct build *build, const char *why)
{
    warn_left(r, build->name, build == &r->index ? "DROP INDEX" : drop_view(r), "may be", why);
}

void warn_named_left(struct replace *r, const char *schema, const char *name, const char *drop)
{
    struct buf message = {0};
    struct buf hint = {0};
    buf_add_format(&message, "\"%s\" may be left in schema \"%s\"", name, schema);
    buf_add_text(&hint, drop);
    sql_format(&hint, " %I.%I;", schema, name);
    if (buf_text(&message) != NULL && buf_text(&hint) != NULL) {
        notice(r, "WARNING", "01000", buf_text(&message),
               "It could not be dropped: something may still read it.", buf_text(&hint));
    }
    buf_cleanup(&message);
    buf_cleanup(&hint);
}

void warn_probe_left(struct replace *r, const char *why)
{
    warn_left(r, r->probe_name, "DROP VIEW", "may be", why);
}

void warn_lost_sight(struct replace *r, const char *schema, const char *name, uint64_t id)
{
    struct buf message = {0};
    struct buf detail = {0};
    buf_add_format(&message, "\"%s\" in schema \"%s\" was dropped or renamed by someone else", name,
                   schema);
    buf_add_format(&detail, "It was the object with the id %" PRIu64 "; nothing was dropped here.",
                   id);
    const char *text = buf_text(&message);
    if (text != NULL) {
        notice(r, "WARNING", "01000", text, buf_text(&detail), NULL);
    }
    buf_cleanup(&message);
    buf_cleanup(&detail);
}

static struct queued_notice *lost_view_notice(const struct replace *r, const char *fate)
{
    struct buf message = {0};
    struct buf hint = {0};
    struct queued_notice *n = NULL;
    buf_add_format(&message, "%s \"%s\" %s", kind_name(r), r->view_name, fate);
    buf_add_format(&hint,
                   "The detail is the definition that it had; its owner was \"%s\", its grants %s.",
                   r->owner, r->acl != NULL ? r->acl : "{}");
    if (buf_text(&message) != NULL && buf_text(&hint) != NULL) {
        n = warning_new(buf_text(&message), r->definition, buf_text(&hint));
    }
    buf_cleanup(&message);
    buf_cleanup(&hint);
    return n;
}

static struct queued_notice *not_carried_notice(const struct replace *r, const char *why)
{
    struct buf hint = {0};
    buf_add_format(&hint, "Compare with what the view had: owner \"%s\", grants %s.", r->owner,
                   r->acl != NULL ? r->acl : "{}");
    const char *text = buf_text(&hint);
    struct queued_notice *n =
        text != NULL ? warning_new("the view was created anew, but not all was done", why, text)
                     : NULL;
    buf_cleanup(&hint);
    return n;
}

bool reserve_gap_warnings(struct replace *r)
{
    notices_free(r->lost_view);
    notices_free(r->not_carried);
    r->lost_view = lost_view_notice(r, "was dropped and could not be created anew");
    r->not_carried = not_carried_notice(r, NULL);
    return r->lost_view != NULL && r->not_carried != NULL && reserve_index_warnings(r);
}

void warn_lost_view(struct replace *r, const char *fate)
{
    if (r->lost_view_told) {
        return;
    }
    r->lost_view_told = true;
    warn_or_reserved(r, lost_view_notice(r, fate), &r->lost_view);
    r->index_at = 0;
    warn_indexes_missing(r);
}

void warn_not_carried(struct replace *r, const char *why)
{
    warn_or_reserved(r, not_carried_notice(r, why), &r->not_carried);
    for (; r->carry_at < r->carry.num; r->carry_at++) {
        notice(r, "WARNING", "01000", "something of the old view was not given to the new one",
               NULL, r->carry.items[r->carry_at]);
    }
    warn_indexes_missing(r);
}

const char *unchanged_hint(const struct replace *r)
{
    return r->made < MADE_GAP ? "The view is unchanged." : NULL;
}
