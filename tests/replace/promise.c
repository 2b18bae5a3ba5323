/*
 * promise: the judgement of script.h, from the catalog before and after a run and from what the
 * client was told. Objects that somebody else touched are not the engine's to answer for.
 */
#include "script.h"

#include <stdio.h>
#include <string.h>

static bool broken(struct script *s, const char *what, const char *name)
{
    if (s->problem[0] == 0) {
        (void)snprintf(s->problem, SCRIPT_TEXT, "%s: %.1000s", what, name);
    }
    return false;
}

static bool same_object(const struct catalog_object *a, const struct catalog_object *b)
{
    return strcmp(a->schema, b->schema) == 0 && strcmp(a->name, b->name) == 0 &&
           strcmp(a->kind, b->kind) == 0 && strcmp(a->owner, b->owner) == 0 &&
           strcmp(a->acl, b->acl) == 0 && strcmp(a->definition, b->definition) == 0 &&
           strcmp(a->comment, b->comment) == 0;
}

bool script_unchanged(const struct script *s)
{
    bool same = s->before.background_ddl == s->catalog.background_ddl;
    struct catalog now = s->catalog;
    struct catalog before = s->before;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *was = catalog_by_id(&before, now.objects[i].id);
        struct catalog_object *is = catalog_by_id(&now, before.objects[i].id);
        same =
            same && (now.objects[i].id == 0 || (was != NULL && same_object(&now.objects[i], was)));
        same = same && (before.objects[i].id == 0 || is != NULL);
    }
    return same;
}

/* How the conversation itself ended. */
static bool ended_properly(struct script *s)
{
    bool lost = false;
    for (size_t i = 0; i < SCRIPT_FAULTS; i++) {
        enum fault fault = s->faults[i].fault;
        lost = lost ||
               (s->faults[i].applied && (fault == FAULT_LOST_BEFORE || fault == FAULT_LOST_AFTER));
    }
    if (s->catalog.violation[0] != 0) {
        return broken(s, "violation", s->catalog.violation);
    }
    if (s->endless || s->outcome == REPLACE_PENDING) {
        return broken(s, "no end", s->num_requests != 0 ? s->steps[s->num_requests - 1] : "");
    }
    if (s->outcome == REPLACE_FAILED && (strlen(s->sqlstate) != 5 || s->error[0] == '\n')) {
        return broken(s, "error without SQLSTATE or message", s->error);
    }
    if (s->outcome == REPLACE_SUCCEEDED && s->tag[0] == 0) {
        return broken(s, "success without a tag", "");
    }
    if (lost != s->server_lost) {
        return broken(s, "server_lost", lost ? "not told" : "though it was not");
    }
    return true;
}

/* Everybody else's objects are what they were. */
static bool others_untouched(struct script *s)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *was = &s->before.objects[i];
        const struct catalog_object *is = catalog_by_id(&s->catalog, was->id);
        if (was->id == 0 || was->id == s->catalog.target_id || was->id == s->catalog.inspected_id ||
            was->id == s->catalog.seen_id || was->id == s->catalog.raced_id) {
            continue;
        }
        if (is == NULL || (!is->touched && !same_object(was, is))) {
            return broken(s, "somebody else's object changed", was->name);
        }
    }
    return true;
}

/* Behind the name is the original, or the new view complete. */
static bool name_is_served(struct script *s)
{
    struct catalog *c = &s->catalog;
    const struct catalog_object *live = catalog_find(c, c->target_schema, c->target_name);
    const struct catalog_object *old = catalog_by_id(c, c->target_id);
    bool by_others = false;
    for (size_t i = 0; i < SCRIPT_FAULTS; i++) {
        by_others =
            by_others || (s->faults[i].applied && s->faults[i].fault >= FAULT_TARGET_DROPPED &&
                          s->faults[i].fault <= FAULT_TEMP_SWAPPED);
    }
    bool new_one = live != NULL && live->ours && catalog_created(c, live);
    if (c->target_id == 0 || by_others) {
        return s->outcome != REPLACE_SUCCEEDED || by_others || new_one ||
               broken(s, "success without an object", c->target_name);
    }
    if (live == NULL || (live != old && !new_one)) {
        return broken(s, "the name means neither the original nor the new view", c->target_name);
    }
    if (s->outcome == REPLACE_SUCCEEDED && !new_one) {
        return broken(s, "success, but the original is live", c->target_name);
    }
    if (old == NULL && s->outcome != REPLACE_SUCCEEDED && !s->server_lost) {
        return broken(s, "the original is gone without a success", c->target_name);
    }
    if (live == old) {
        const struct catalog_object *was = catalog_by_id(&s->before, c->target_id);
        return same_object(was, old) || broken(s, "the original changed", c->target_name);
    }
    return true;
}

/* The SQL that drops this object was told, and its name. */
static bool is_named(const struct script *s, const struct catalog_object *o)
{
    char sql[3 * CATALOG_NAME];
    (void)snprintf(sql, sizeof(sql), "DROP MATERIALIZED VIEW \"%s\".\"%s\"", o->schema, o->name);
    return script_says(s, sql);
}

static bool leftovers_named(struct script *s)
{
    const struct catalog *c = &s->catalog;
    bool may_leave = s->memory_fails_at != 0;
    for (size_t i = 0; i < SCRIPT_FAULTS; i++) {
        enum fault fault = s->faults[i].fault;
        bool cancel = fault >= FAULT_CANCEL_FIRST && fault <= FAULT_SHUTDOWN;
        may_leave = may_leave || (s->faults[i].applied && !cancel);
    }
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        bool live =
            strcmp(o->name, c->target_name) == 0 && strcmp(o->schema, c->target_schema) == 0;
        bool mine = o->id != 0 && (o->ours || o->id == c->target_id) && !o->touched && !live;
        if (mine && !is_named(s, o)) {
            return broken(s, "left behind and not named", o->name);
        }
        if (mine && !may_leave) {
            return broken(s, "left behind though nothing was in the way", o->name);
        }
    }
    return true;
}

/* Nobody is told to drop what is not there, or what is somebody else's. */
static bool no_false_claims(struct script *s)
{
    static const char drop[] = "DROP MATERIALIZED VIEW \"";
    struct catalog *c = &s->catalog;
    for (size_t i = 0; i < s->num_notices; i++) {
        const char *at = strstr(s->notices[i], drop);
        const struct catalog_object *found = NULL;
        for (size_t k = 0; at != NULL && k < CATALOG_OBJECTS; k++) {
            const struct catalog_object *o = &c->objects[k];
            found = o->id != 0 && o->name[0] != 0 && strstr(at, o->name) != NULL &&
                            strlen(o->name) > strlen(c->target_name)
                        ? o
                        : found;
        }
        bool careful = strstr(s->notices[i], " may be left") != NULL;
        if (at != NULL && !careful &&
            (found == NULL || !(found->ours || found->id == c->target_id))) {
            return broken(s, "told to drop what is not there or not ours", s->notices[i]);
        }
    }
    return true;
}

bool script_kept_promise(struct script *s)
{
    s->problem[0] = 0;
    bool kept = ended_properly(s) && others_untouched(s) && name_is_served(s) &&
                leftovers_named(s) && no_false_claims(s);
    if (kept && !s->server_lost && s->before.background_ddl != s->catalog.background_ddl &&
        !script_says(s, "background_ddl")) {
        return broken(s, "background_ddl was not put back", "");
    }
    return kept;
}
