/*
 * promise_carry: after a replacement the new view has exactly the owner, grants, comments, job and
 * indexes that the old one had, or the client was told what it has not.
 */
#include "promise.h"

#include <stdio.h>
#include <string.h>

/* 0: nothing, 1: SELECT, 2: with grant option. */
static int right_of(const struct catalog_object *o, const char *user)
{
    int most = 0;
    for (size_t i = 0; i < CATALOG_GRANTS; i++) {
        const struct catalog_grant *g = &o->grants[i];
        int right = g->option ? 2 : 1;
        most = g->user[0] != 0 && strcmp(g->user, user) == 0 && right > most ? right : most;
    }
    return most;
}

bool promise_same_grants(struct script *s, const struct catalog_object *old,
                         const struct catalog_object *live)
{
    for (size_t i = 0; i < 2 * (size_t)CATALOG_GRANTS; i++) {
        const struct catalog_object *o = i < CATALOG_GRANTS ? old : live;
        const char *user = o->grants[i % CATALOG_GRANTS].user;
        if (user[0] != 0 && !catalog_is_superuser(&s->catalog, user) &&
            right_of(old, user) != right_of(live, user)) {
            return promise_broken(s, "other grants", user);
        }
    }
    return true;
}

static bool same_comments(struct script *s, const struct catalog_object *old,
                          const struct catalog_object *live)
{
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        for (size_t k = 0; k < CATALOG_COLUMNS; k++) {
            const struct catalog_column *was = &old->columns[i];
            const struct catalog_column *is = &live->columns[k];
            if (was->name[0] != 0 && strcmp(was->name, is->name) == 0 &&
                strcmp(was->comment, is->comment) != 0) {
                return promise_broken(s, "another comment on a column", was->name);
            }
        }
    }
    return strcmp(old->comment, live->comment) == 0 ||
           promise_broken(s, "another comment", live->comment);
}

static bool same_job(struct script *s, const struct catalog_object *old,
                     const struct catalog_object *live)
{
    bool chosen = strcmp(s->catalog.session_parallelism, "default") != 0 ||
                  strcmp(s->catalog.session_parallelism_of_views, "default") != 0;
    if (s->catalog.major == 2 && s->catalog.minor < 6) {
        return true;
    }
    if (!chosen && strcmp(old->parallelism, live->parallelism) != 0) {
        return promise_broken(s, "another parallelism", live->parallelism);
    }
    return strcmp(old->resource_group, live->resource_group) == 0 ||
           promise_broken(s, "another resource group", live->resource_group);
}

/* "CREATE INDEX ... ON ...": what stands behind the table's name. */
static const char *key_of(const struct catalog_object *index)
{
    bool quoted = false;
    const char *at = index->definition;
    for (; *at != 0 && (quoted || *at != '('); at++) {
        quoted = quoted != (*at == '"');
    }
    return at;
}

/* Its name is told, with the statement that gives it back. */
static bool rename_is_told(const struct script *s, const char *own)
{
    char sql[2 * CATALOG_NAME + 16];
    (void)snprintf(sql, sizeof(sql), " RENAME TO \"%s\"", own);
    return script_says(s, sql);
}

static bool has_index(struct script *s, const struct catalog_object *was,
                      const struct catalog_object *live)
{
    char own[CATALOG_NAME];
    catalog_own_name(was->name, own);
    const struct catalog_object *is = catalog_find(&s->catalog, was->schema, own);
    if (rename_is_told(s, own)) {
        return true;
    }
    if (is == NULL || strcmp(is->kind, "index") != 0 || is->reads[0] != live->id ||
        !catalog_created(&s->catalog, is)) {
        return promise_broken(s, "an index is missing on the new view", was->name);
    }
    if (strcmp(key_of(was), key_of(is)) != 0) {
        return promise_broken(s, "the index is another one", is->definition);
    }
    return same_comments(s, was, is);
}

/* What is gone back to may have been without it. */
static bool was_never_there(const struct script *s, const struct catalog_object *was)
{
    char text[2 * CATALOG_NAME];
    (void)snprintf(text, sizeof(text), "index \"%s\" is not on the view that was gone back to",
                   was->name);
    return s->rollback && script_says(s, text);
}

static bool same_indexes(struct script *s, const struct catalog_object *old,
                         const struct catalog_object *live)
{
    bool carried = s->settings.values[SETTING_INDEXES] == REPLACE_INDEXES_CARRIED;
    size_t num = 0;
    bool same = true;
    for (size_t i = 0; same && i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *was = &s->before.objects[i];
        if (was->id != 0 && strcmp(was->kind, "index") == 0 && was->reads[0] == old->id &&
            !was_never_there(s, was)) {
            num++;
            same = !carried || has_index(s, was, live);
        }
    }
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *is = &s->catalog.objects[i];
        num -=
            is->id != 0 && is->ours && strcmp(is->kind, "index") == 0 && is->reads[0] == live->id;
    }
    return same && (!carried || num == 0 || promise_broken(s, "another number of indexes", ""));
}

bool promise_same_facts(struct script *s, const struct catalog_object *old,
                        const struct catalog_object *live)
{
    return promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS) ||
           promise_met(s, FAULT_NO_ROWS, FAULT_ODD_CELLS) || s->outcome != REPLACE_SUCCEEDED ||
           (same_comments(s, old, live) && same_job(s, old, live) && same_indexes(s, old, live));
}

bool promise_carried(struct script *s)
{
    const struct catalog_object *old = catalog_by_id(&s->before, s->catalog.target_id);
    const struct catalog_object *live =
        catalog_find(&s->catalog, s->catalog.target_schema, s->catalog.target_name);
    bool off = s->settings.values[SETTING_ZERO_DOWNTIME] == REPLACE_ZERO_DOWNTIME_OFF;
    /* zero_downtime = off: what could not be given to the new view is told. */
    bool told = off && (script_says(s, "could not be given to the new one") ||
                        script_says(s, "not all was done") ||
                        script_says(s, "cannot be built on the new view"));
    if (s->outcome != REPLACE_SUCCEEDED || old == NULL || live == NULL || !live->ours || told ||
        promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS) ||
        promise_met(s, FAULT_NO_ROWS, FAULT_ODD_CELLS)) {
        return true; /* nothing was replaced; or others, or untrue answers, were in the way */
    }
    if (strcmp(old->owner, live->owner) != 0) {
        return promise_broken(s, "another owner", live->owner);
    }
    return promise_same_grants(s, old, live) && promise_same_facts(s, old, live);
}
