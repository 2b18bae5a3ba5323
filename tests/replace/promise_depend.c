/*
 * promise_depend: after a swap each object that read the view either reads the new one, in all else
 * as it was, or reads exactly what it read before, which is still there, and was named in a
 * WARNING.
 */
#include "promise.h"

#include <stdio.h>
#include <string.h>

static bool is_view(const struct catalog_object *o)
{
    return strcmp(o->kind, "view") == 0;
}

static bool reads(const struct catalog_object *o, uint64_t id)
{
    bool found = false;
    for (size_t i = 0; id != 0 && i < CATALOG_READS; i++) {
        found = found || o->reads[i] == id;
    }
    return found;
}

bool promise_reads(const struct script *s, const struct catalog_object *was, uint64_t id)
{
    bool concerned = reads(was, id);
    for (size_t i = 0; i < CATALOG_OBJECTS && !concerned; i++) {
        const struct catalog_object *o = &s->before.objects[i];
        concerned = o->id != 0 && reads(was, o->id) && promise_reads(s, o, id);
    }
    return concerned && strcmp(was->kind, "index") != 0;
}

bool promise_reads_target(const struct script *s, const struct catalog_object *was)
{
    return promise_reads(s, was, s->catalog.target_id);
}

/* What has the name by now. */
static const struct catalog_object *behind(struct script *s, const struct catalog_object *was)
{
    return catalog_find(&s->catalog, was->schema, was->name);
}

/* Has the object of that id another self by now? */
static bool was_moved(struct script *s, uint64_t id)
{
    const struct catalog_object *was = catalog_by_id(&s->before, id);
    const struct catalog_object *is = was != NULL ? behind(s, was) : NULL;
    if (id == s->catalog.target_id && id != s->catalog.inspected_id) {
        return false; /* somebody else swapped it away before it was looked at */
    }
    return is != NULL && is->id != id && is->ours;
}

static uint64_t moved_to(struct script *s, uint64_t id)
{
    return behind(s, catalog_by_id(&s->before, id))->id;
}

/* Did it read what has another name by now? */
static bool is_concerned(struct script *s, const struct catalog_object *was)
{
    bool concerned = false;
    for (size_t i = 0; i < CATALOG_READS; i++) {
        concerned = concerned || (was->reads[i] != 0 && was_moved(s, was->reads[i]));
    }
    return concerned;
}

/* Does it read the view directly, or through plain views? Then it stays when these do. (Of a
 * cascade also through what was not rebuilt.) */
static bool reads_through_views(const struct script *s, const struct catalog_object *was)
{
    bool through =
        reads(was, s->catalog.target_id) || (s->catalog.cascades && promise_reads_target(s, was));
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &s->before.objects[i];
        through = through ||
                  (o->id != 0 && is_view(o) && reads(was, o->id) && promise_reads_target(s, o));
    }
    return through;
}

/* `how`: "stays", or "may stay" when more cannot be known. */
static bool is_named(const struct script *s, const struct catalog_object *was, const char *how)
{
    char text[3 * CATALOG_NAME];
    if (was->hidden) {
        (void)snprintf(text, sizeof(text), "an object that this user cannot see %s on the old \"",
                       how);
    } else {
        (void)snprintf(text, sizeof(text), "\"%s.%s\" %s on the old \"", was->schema, was->name,
                       how);
    }
    return script_says(s, text);
}

/* Nobody can tell who stays: somebody else was in the way, answers were untrue, or it was said that
 * more is not known. */
static bool need_not_be_named(const struct script *s)
{
    bool not_known = script_says(s, "Whether the names were swapped") ||
                     script_says(s, "were swapped is not known") ||
                     script_says(s, "The server may still swap the names");
    return promise_met(s, FAULT_NO_ROWS, FAULT_ODD_CELLS) ||
           (s->outcome != REPLACE_SUCCEEDED && not_known) ||
           (s->outcome == REPLACE_FAILED && strcmp(s->sqlstate, "40001") == 0);
}

/* All that it read is there. */
static bool still_reads(struct script *s, const struct catalog_object *was)
{
    for (size_t i = 0; i < CATALOG_READS; i++) {
        const struct catalog_object *read = catalog_by_id(&s->before, was->reads[i]);
        if (read != NULL && catalog_by_id(&s->catalog, read->id) == NULL) {
            return promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS) ||
                   promise_broken(s, "what a reader of the view read is gone", was->name);
        }
    }
    return true;
}

static bool same_columns(const struct catalog_object *a, const struct catalog_object *b)
{
    bool same = true;
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        same = same && strcmp(a->columns[i].name, b->columns[i].name) == 0;
    }
    return same;
}

static bool stayed(struct script *s, const struct catalog_object *was,
                   const struct catalog_object *is)
{
    if (memcmp(was->reads, is->reads, sizeof(was->reads)) != 0 || !same_columns(was, is) ||
        strcmp(was->owner, is->owner) != 0 || strcmp(was->acl, is->acl) != 0 ||
        memcmp(was->grants, is->grants, sizeof(was->grants)) != 0) {
        return promise_broken(s, "a reader that stays changed", was->name);
    }
    bool named = is_named(s, was, "stays") || is_named(s, was, "may stay");
    if (is_concerned(s, was) && !named && !need_not_be_named(s)) {
        return promise_broken(s, "a reader stays on the old view, and is not named", was->name);
    }
    if (!is_concerned(s, was) && named && !reads_through_views(s, was) &&
        !promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS)) {
        return promise_broken(s, "a reader is named as staying, which reads nothing that was moved",
                              was->name);
    }
    return still_reads(s, was);
}

/* The objects that it read, moved ones at their new ids, and no others. */
static bool reads_the_same(struct script *s, const struct catalog_object *was,
                           const struct catalog_object *is)
{
    size_t num = 0;
    for (size_t i = 0; i < CATALOG_READS; i++) {
        const struct catalog_object *read = catalog_by_id(&s->before, was->reads[i]);
        uint64_t id = was->reads[i];
        num += is->reads[i] != 0;
        if (id == 0) {
            continue;
        }
        num--;
        id = read != NULL && was_moved(s, id) ? behind(s, read)->id : id;
        if (!reads(is, id)) {
            return false;
        }
    }
    return num == 0;
}

static bool has_columns(const struct catalog_object *was, const struct catalog_object *is)
{
    bool all = true;
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        bool found = was->columns[i].name[0] == 0;
        for (size_t k = 0; k < CATALOG_COLUMNS; k++) {
            found = found || strcmp(was->columns[i].name, is->columns[k].name) == 0;
        }
        all = all && found;
    }
    return all;
}

/* A view of several that were rebuilt may follow one of them and stay on another. */
static bool followed_partly(struct script *s, const struct catalog_object *was,
                            const struct catalog_object *is)
{
    bool partly =
        s->catalog.cascades && is_view(was) &&
        (is_named(s, was, "stays") || is_named(s, was, "may stay") || need_not_be_named(s));
    for (size_t i = 0; partly && i < CATALOG_READS; i++) {
        uint64_t id = was->reads[i];
        partly = id == 0 || reads(is, id) || (was_moved(s, id) && reads(is, moved_to(s, id)));
    }
    return partly && has_columns(was, is);
}

static bool followed(struct script *s, const struct catalog_object *was,
                     const struct catalog_object *is)
{
    bool by_others = promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS);
    if (strcmp(was->kind, is->kind) != 0 || strcmp(was->owner, is->owner) != 0) {
        return promise_broken(s, "a view that followed has another owner", is->owner);
    }
    if (followed_partly(s, was, is)) {
        return promise_same_grants(s, was, is) && still_reads(s, is);
    }
    if (!has_columns(was, is)) {
        return promise_broken(s, "a view that followed has lost a column", was->name);
    }
    if (is_view(was) && strcmp(was->definition, is->definition) != 0 && !by_others) {
        return promise_broken(s, "a view that followed has another text", is->definition);
    }
    if (!by_others && !reads_the_same(s, was, is)) {
        return promise_broken(s, "a view that followed reads something else", was->name);
    }
    if (is_named(s, was, "stays")) {
        return promise_broken(s, "a view followed, and is named as staying", was->name);
    }
    return promise_same_grants(s, was, is) && (is_view(was) || promise_same_facts(s, was, is));
}

static bool path_is_back(struct script *s)
{
    /* What cannot be a path cannot be told from one. */
    return s->server_lost || strcmp(s->before.search_path, s->catalog.search_path) == 0 ||
           promise_met(s, FAULT_ODD_CELLS, FAULT_ODD_CELLS) ||
           script_says(s, "search_path could not be put back") ||
           promise_broken(s, "search_path was not put back", s->catalog.search_path);
}

bool promise_dependents(struct script *s)
{
    bool kept = path_is_back(s);
    for (size_t i = 0; kept && s->catalog.swapped && i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *was = &s->before.objects[i];
        const struct catalog_object *old_self = catalog_by_id(&s->catalog, was->id);
        if (was->id == 0 || was->id == s->catalog.target_id || was->left || was->touched ||
            !promise_reads_target(s, was)) {
            continue;
        }
        const struct catalog_object *is = behind(s, was);
        if ((old_self != NULL && old_self->touched) || (is != NULL && is->touched)) {
            continue;
        }
        if (is == NULL) {
            kept = promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS) ||
                   promise_broken(s, "a reader of the view is gone", was->name);
        } else {
            kept = is->id == was->id ? stayed(s, was, is) : followed(s, was, is);
        }
    }
    return kept;
}
