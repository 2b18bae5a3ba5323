/*
 * promise_left: whatever of the engine's stays on the server is named in a message with the SQL
 * that removes it, or remembered by the process; and nobody is told to drop anything else.
 */
#include "promise.h"

#include <stdio.h>
#include <string.h>

static bool is_kind(const struct catalog_object *o, const char *kind)
{
    return strcmp(o->kind, kind) == 0;
}

static const char *drop_of(const struct catalog_object *o)
{
    return is_kind(o, "index")  ? "DROP INDEX"
           : is_kind(o, "view") ? "DROP VIEW"
                                : "DROP MATERIALIZED VIEW";
}

/* The SQL that drops this object was told, and its name. */
static bool is_named(const struct script *s, const struct catalog_object *o)
{
    char sql[3 * CATALOG_NAME];
    (void)snprintf(sql, sizeof(sql), "%s \"%s\".\"%s\"", drop_of(o), o->schema, o->name);
    return script_says(s, sql);
}

static bool is_at(const struct catalog_object *o, const struct script_left *left)
{
    return strcmp(o->schema, left->schema) == 0 && strcmp(o->name, left->name) == 0;
}

static bool is_remembered(const struct script *s, const struct catalog_object *o)
{
    bool found = false;
    for (size_t i = 0; i < s->num_left; i++) {
        found = found || (s->left[i].id == o->id && is_at(o, &s->left[i]));
    }
    return found || (o->left && !s->left_known);
}

/* Made by the engine, or its to remove. An index goes with its table; a view that followed has its
 * own name. */
static bool is_mine(struct script *s, const struct catalog_object *o)
{
    struct catalog *c = &s->catalog;
    bool live =
        (strcmp(o->name, c->target_name) == 0 && strcmp(o->schema, c->target_schema) == 0) ||
        ((is_kind(o, "view") || (c->cascades && is_kind(o, "materialized view"))) && o->ours &&
         !catalog_is_temporary(o->name, TEMP_BUILD) && !catalog_is_temporary(o->name, TEMP_PROBE));
    bool with_table = is_kind(o, "index") && catalog_by_id(c, o->reads[0]) != NULL;
    return o->id != 0 && (o->ours || o->id == c->target_id || o->left || o->swapped_away) &&
           !o->touched && !live && !with_table;
}

/* Somebody else reads it: it cannot be dropped. */
static bool is_held(const struct catalog *c, const struct catalog_object *held)
{
    bool found = false;
    for (size_t i = 0; i < CATALOG_OBJECTS * CATALOG_READS; i++) {
        const struct catalog_object *o = &c->objects[i / CATALOG_READS];
        found = found || (o->touched && o->reads[i % CATALOG_READS] == held->id);
    }
    return found;
}

/* What may have been swapped is nothing to be dropped: its name is told, that is all. */
static bool is_mentioned(const struct script *s, const struct catalog_object *o)
{
    char text[CATALOG_NAME + 4];
    (void)snprintf(text, sizeof(text), "\"%s\"", o->name);
    return s->rollback && s->outcome != REPLACE_SUCCEEDED && script_says(s, text);
}

bool promise_leftovers_named(struct script *s)
{
    const struct catalog *c = &s->catalog;
    bool may_leave = s->memory_fails_at != 0 || c->polls_fail_until_ms != 0 || c->swap_is_late ||
                     c->view_swap_is_late || promise_met(s, FAULT_ERROR, FAULT_LAST_BY_OTHERS) ||
                     promise_met(s, FAULT_CANCEL_HITS, FAULT_ODD_CELLS);
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (!is_mine(s, o)) {
            continue;
        }
        if (!is_named(s, o) && !is_remembered(s, o) && !is_mentioned(s, o)) {
            return promise_broken(s, "left behind and not named", o->name);
        }
        if (!may_leave && !is_remembered(s, o) && !is_held(c, o)) {
            return promise_broken(s, "left behind though nothing was in the way", o->name);
        }
    }
    for (size_t i = 0; !may_leave && i < s->num_left; i++) {
        const struct catalog_object *o = catalog_by_id(&s->catalog, s->left[i].id);
        if (o == NULL || !is_at(o, &s->left[i])) {
            return promise_broken(s, "remembered, but not there", s->left[i].name);
        }
    }
    return true;
}

/* The object that a DROP in this text is about: the longest name that it holds. */
static const struct catalog_object *told_object(const struct script *s, const char *drop)
{
    const struct catalog *c = &s->catalog;
    char sql[3 * CATALOG_NAME];
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        (void)snprintf(sql, sizeof(sql), "%s \"%s\".\"%s\";", drop_of(o), o->schema, o->name);
        if (o->id != 0 && strncmp(drop, sql, strlen(sql)) == 0) {
            return o;
        }
    }
    return NULL;
}

/* Nobody is told to drop what is not there, or what is somebody else's. */
bool promise_no_false_claims(struct script *s)
{
    for (size_t i = 0; i < s->num_notices; i++) {
        const char *at = strstr(s->notices[i], "\nDROP ");
        bool careful = strstr(s->notices[i], " may be left") != NULL;
        const struct catalog_object *o = at != NULL ? told_object(s, at + 1) : NULL;
        if (at != NULL && !careful &&
            (o == NULL ||
             !(o->ours || o->id == s->catalog.target_id || o->id == s->catalog.inspected_id ||
               o->id == s->catalog.seen_id || o->left || o->swapped_away))) {
            return promise_broken(s, "told to drop what is not there or not ours", s->notices[i]);
        }
    }
    return true;
}
