/*
 * promise: the judgement of script.h, from the catalog before and after a run and from what the
 * client was told. Objects that somebody else touched are not the engine's to answer for.
 */
#include "promise.h"

#include <stdio.h>
#include <string.h>

bool promise_broken(struct script *s, const char *what, const char *name)
{
    if (s->problem[0] == 0) {
        (void)snprintf(s->problem, SCRIPT_TEXT, "%s: %.1000s", what, name);
    }
    return false;
}

bool promise_met(const struct script *s, enum fault first, enum fault last)
{
    bool met = false;
    for (size_t i = 0; i < SCRIPT_FAULTS; i++) {
        enum fault fault = s->faults[i].fault;
        met = met || (s->faults[i].applied && fault >= first && fault <= last);
    }
    return met;
}

bool promise_same_object(const struct catalog_object *a, const struct catalog_object *b)
{
    bool same = strcmp(a->schema, b->schema) == 0 && strcmp(a->name, b->name) == 0 &&
                strcmp(a->kind, b->kind) == 0 && strcmp(a->owner, b->owner) == 0 &&
                strcmp(a->acl, b->acl) == 0 && strcmp(a->definition, b->definition) == 0 &&
                strcmp(a->comment, b->comment) == 0 &&
                strcmp(a->parallelism, b->parallelism) == 0 &&
                strcmp(a->resource_group, b->resource_group) == 0;
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        same = same && strcmp(a->columns[i].name, b->columns[i].name) == 0 &&
               strcmp(a->columns[i].comment, b->columns[i].comment) == 0;
    }
    for (size_t i = 0; i < CATALOG_GRANTS; i++) {
        same = same && strcmp(a->grants[i].user, b->grants[i].user) == 0 &&
               a->grants[i].option == b->grants[i].option;
    }
    return same;
}

bool script_unchanged(const struct script *s)
{
    bool same = s->before.background_ddl == s->catalog.background_ddl;
    static struct catalog now;
    static struct catalog before;
    now = s->catalog;
    before = s->before;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *was = catalog_by_id(&before, now.objects[i].id);
        struct catalog_object *is = catalog_by_id(&now, before.objects[i].id);
        same = same && (now.objects[i].id == 0 ||
                        (was != NULL && promise_same_object(&now.objects[i], was)));
        same = same && (before.objects[i].id == 0 || is != NULL);
    }
    return same;
}

/* How the conversation itself ended. */
static bool ended_properly(struct script *s)
{
    bool lost = promise_met(s, FAULT_LOST_BEFORE, FAULT_LOST_AFTER);
    if (s->catalog.violation[0] != 0) {
        return promise_broken(s, "violation", s->catalog.violation);
    }
    if (s->endless || s->outcome == REPLACE_PENDING) {
        return promise_broken(s, "no end",
                              s->num_requests != 0 ? s->steps[s->num_requests - 1] : "");
    }
    if (s->outcome == REPLACE_FAILED && (strlen(s->sqlstate) != 5 || s->error[0] == '\n')) {
        return promise_broken(s, "error without SQLSTATE or message", s->error);
    }
    if (s->outcome == REPLACE_SUCCEEDED && s->tag[0] == 0) {
        return promise_broken(s, "success without a tag", "");
    }
    if (lost != s->server_lost) {
        return promise_broken(s, "server_lost", lost ? "not told" : "though it was not");
    }
    return true;
}

/* Everybody else's objects are what they were. */
static bool others_untouched(struct script *s)
{
    const struct catalog *c = &s->catalog;
    bool swapped = c->swapped || c->gap;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *was = &s->before.objects[i];
        const struct catalog_object *is = catalog_by_id(&s->catalog, was->id);
        const struct catalog_object *table = catalog_by_id(&s->before, was->reads[0]);
        bool index =
            strcmp(was->kind, "index") == 0 && table != NULL &&
            (table->id == c->target_id || (c->rolls_back && table->id == c->predecessor_id) ||
             (c->cascades && promise_reads_target(s, table)));
        if (was->id == 0 || was->id == c->target_id || was->id == c->inspected_id ||
            was->id == c->seen_id || was->id == c->raced_id || was->left || was->touched ||
            (index && swapped) || (c->exchanged && promise_reads_target(s, was)) ||
            (c->exchanged && c->rolls_back && promise_reads(s, was, c->predecessor_id))) {
            continue;
        }
        if (is == NULL ? !promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS)
                       : !is->touched && !promise_same_object(was, is)) {
            return promise_broken(s, "somebody else's object changed", was->name);
        }
    }
    return true;
}

/* Success, and nothing was to be done. Without memory it need not be told. */
static bool was_left_alone(const struct script *s)
{
    bool silent = s->memory_fails_at != 0 && !s->catalog.created && !s->catalog.swapped &&
                  !script_sent(s, "DROP MAT");
    return silent || script_says(s, "nothing was done") || script_says(s, "was left as it is");
}

static bool gap_is_told(const struct script *s)
{
    return script_says(s, "was dropped and could not be created anew") ||
           (s->server_lost && script_says(s, "The new view is live.")) ||
           script_says(s, "The old view was dropped; whether") ||
           script_says(s, "The old view may have been dropped; whether");
}

/* Behind the name is the original, or the new view complete. */
static bool name_is_served(struct script *s)
{
    struct catalog *c = &s->catalog;
    const struct catalog_object *live = catalog_find(c, c->target_schema, c->target_name);
    const struct catalog_object *old = catalog_by_id(c, c->target_id);
    bool by_others = promise_met(s, FAULT_TARGET_DROPPED, FAULT_TEMP_SWAPPED);
    bool new_one = live != NULL && live->ours && catalog_created(c, live);
    if (c->target_id == 0 || by_others) {
        return s->outcome != REPLACE_SUCCEEDED || by_others || new_one ||
               promise_broken(s, "success without an object", c->target_name);
    }
    if (c->gap && s->outcome != REPLACE_SUCCEEDED) {
        return gap_is_told(s) || promise_broken(s, "the view is gone and it is not told", "");
    }
    if (live == NULL || (live != old && !new_one)) {
        return promise_broken(s, "the name means neither the original nor the new view",
                              c->target_name);
    }
    if (s->outcome == REPLACE_SUCCEEDED && !new_one && !was_left_alone(s)) {
        return promise_broken(s, "success, but the original is live", c->target_name);
    }
    if (s->outcome == REPLACE_SUCCEEDED && new_one && was_left_alone(s)) {
        return promise_broken(s, "told that nothing was done, but it was", c->target_name);
    }
    if (old == NULL && s->outcome != REPLACE_SUCCEEDED && !s->server_lost) {
        return promise_broken(s, "the original is gone without a success", c->target_name);
    }
    if (live == old) {
        const struct catalog_object *was = catalog_by_id(&s->before, c->target_id);
        return promise_same_object(was, old) ||
               promise_broken(s, "the original changed", c->target_name);
    }
    return true;
}

static bool background_is_back(struct script *s)
{
    return s->server_lost || s->before.background_ddl == s->catalog.background_ddl ||
           script_says(s, "background_ddl") ||
           promise_broken(s, "background_ddl was not put back", "");
}

bool script_kept_promise(struct script *s)
{
    s->problem[0] = 0;
    return ended_properly(s) && others_untouched(s) && name_is_served(s) && promise_carried(s) &&
           promise_leftovers_named(s) && promise_no_false_claims(s) && promise_dependents(s) &&
           promise_rolled_back(s) && promise_moved_told(s) && background_is_back(s);
}
