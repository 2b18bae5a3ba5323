/*
 * plan: what EXPLAIN shows: what was found, and the statements that a replacement would send, in
 * their order. The engine itself runs; steps that would change something are written down here in
 * place of being sent (replace.c). Nothing here decides anything.
 */
#include "replace_internal.h"

#include <inttypes.h>
#include <string.h>

static void add_line(struct replace *r, struct buf *line)
{
    if (!text_list_take(&r->plan, line)) {
        r->plan_incomplete = true;
    }
}

void plan_add(struct replace *r, const char *format, ...)
{
    struct buf line = {0};
    va_list args;
    va_start(args, format);
    buf_add_vformat(&line, format, args);
    va_end(args);
    add_line(r, &line);
}

void plan_step(struct replace *r, const char *step, const char *text)
{
    if (r->plan_steps++ == 0) {
        plan_add(r, "Steps:");
    }
    plan_add(r, "  %zu. %s: %s", r->plan_steps, step, text);
}

static void plan_columns(struct replace *r)
{
    const struct replace_result *old = &r->old_columns.rows;
    const struct replace_result *new = &r->new_columns.rows;
    if (same_columns(r)) {
        plan_add(r, "Columns: the same");
        return;
    }
    for (size_t i = 0; i < old->num_rows || i < new->num_rows; i++) {
        const char *texts[4] = {cell(old, i, 0), cell(old, i, 1), cell(new, i, 0), cell(new, i, 1)};
        if (!same_text(texts[0], texts[2]) || !same_text(texts[1], texts[3])) {
            plan_add(r, "Column %zu: %s%s%s becomes %s%s%s", i + 1,
                     texts[0] != NULL ? texts[0] : "none", texts[1] != NULL ? " " : "",
                     texts[1] != NULL ? texts[1] : "", texts[2] != NULL ? texts[2] : "none",
                     texts[3] != NULL ? " " : "", texts[3] != NULL ? texts[3] : "");
        }
    }
}

static void plan_dependents(struct replace *r)
{
    const struct dependents *d = &r->dependents;
    size_t concerned = d->num - num_fated(r, FATE_APART);
    if (concerned + d->creating.rows.num_rows == 0) {
        plan_add(r, "Dependents: none");
    }
    for (size_t i = 0; i < d->num; i++) {
        struct buf name = {0};
        add_dependent_name(&d->items[i], &name);
        const char *text = buf_text(&name);
        if (text == NULL) {
            r->plan_incomplete = true;
        } else if (d->items[i].fate == FATE_FOLLOWS) {
            plan_add(r, "Dependent: %s follows", text);
        } else if (d->items[i].fate == FATE_REBUILDS) {
            plan_add(r, "Dependent: %s is rebuilt", text);
        } else if (d->items[i].fate == FATE_STAYS) {
            plan_add(r, "Dependent: %s stays on the old one: %s%s", text, d->items[i].why,
                     reads_new_in_places(r, &d->items[i]) ? "; in places it will read the new one"
                                                          : "");
        }
        buf_cleanup(&name);
    }
    if (d->creating.rows.num_rows != 0) {
        plan_add(r, "Dependents being created, which stay on the old one: %zu",
                 d->creating.rows.num_rows);
    }
}

void plan_change(struct replace *r)
{
    if (r->mode != REPLACE_PLAN) {
        return;
    }
    if (r->rollback) {
        plan_add(r, "Roll back %s \"%s\" to \"%s\"", kind_name(r), r->view_name, r->view.name);
        plan_dependents(r);
        return;
    }
    plan_add(r, "Replace %s \"%s\" (id %" PRIu64 ")%s", kind_name(r), r->view_name, r->old_id,
             zero_downtime(r) ? " with zero downtime" : " with a gap: mvswap.zero_downtime is off");
    if (r->probe_refused != NULL) {
        const char *why = strstr(r->probe_refused, "  ");
        why = why != NULL ? why + 2 : r->probe_refused;
        plan_add(r, "Definition: the server does not take the query as a plain view: %.*s",
                 (int)strcspn(why, "\n"), why);
        return;
    }
    plan_add(r, "Definition: %s",
             r->change == CHANGE_NONE   ? "unchanged"
             : r->change == CHANGE_SOME ? "changed, or not certainly unchanged"
                                        : "could not be compared");
    if (r->probe_answered) {
        plan_columns(r);
    }
    plan_dependents(r);
}

void plan_first(struct replace *r)
{
    if (r->mode == REPLACE_PLAN) {
        plan_add(r, "Create %s \"%s\": there is no relation of that name", kind_name(r),
                 r->view_name);
    }
}

void plan_wait(struct replace *r)
{
    plan_step(r, "wait", "until it is built");
}

void plan_drain(struct replace *r, bool for_readers)
{
    char least[SETTING_TEXT_LEN];
    char most[SETTING_TEXT_LEN];
    struct buf text = {0};
    duration_text(r->settings.values[SETTING_DRAIN_MIN], least);
    duration_text(r->settings.values[SETTING_DRAIN], most);
    buf_add_format(&text, "at least %s", least);
    if (for_readers) {
        buf_add_format(&text, ", at most %s, until no statement reads the old view", most);
    }
    if (buf_text(&text) != NULL) {
        plan_step(r, "drain", buf_text(&text));
    }
    buf_cleanup(&text);
}

void plan_keep(struct replace *r)
{
    char text[SETTING_TEXT_LEN];
    duration_text(r->settings.values[SETTING_KEEP_OLD], text);
    plan_add(r, "The old view is kept for %s.", text);
}

void plan_refusal(struct replace *r, const char *sqlstate, const char *message, const char *detail,
                  const char *hint)
{
    r->outcome.would_be_refused = true;
    plan_add(r, "Refused (%s): %s", sqlstate, message);
    if (detail != NULL) {
        plan_add(r, "  Detail: %s", detail);
    }
    if (hint != NULL) {
        plan_add(r, "  Hint: %s", hint);
    }
}

enum step end_planned(struct replace *r)
{
    if (r->plan_incomplete) {
        return fail_without_memory(r);
    }
    r->outcome.kind = REPLACE_PLANNED;
    r->outcome.plan = (const char *const *)r->plan.items;
    r->outcome.num_plan = r->plan.num;
    return begin_undo(r);
}
