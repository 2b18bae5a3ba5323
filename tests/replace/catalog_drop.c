/*
 * catalog_drop: DROP of materialized views and indexes and the renaming of indexes, with everything
 * that the engine may not touch. See catalog.h.
 */
#include "catalog_internal.h"

#include <string.h>

/* What an earlier replacement left goes when its time is over, under the name that is remembered,
 * and not before the view itself was replaced. */
bool catalog_left_and_due(const struct catalog *c, const struct catalog_object *o)
{
    uint64_t now_us = 1767225600000000 + c->now_ms * 1000;
    return o->left && c->swapped && strcmp(o->name, o->left_name) == 0 &&
           (o->left_until_us <= now_us || c->keeps_old);
}

/* Only what was built may be dropped, what was inspected once it was swapped away, and what is
 * remembered. */
static void watch_drop(struct catalog *c, const struct catalog_object *o, const char *sql)
{
    /* The way back drops nothing of the view's. */
    bool inspected = o->id == c->inspected_id && !c->rolls_back;
    bool built = (o->ours || o->id == c->seen_id) && !c->swapped && !c->rolls_back;
    c->raced_id = c->racing && !o->ours ? o->id : c->raced_id;
    if (c->racing) {
        return;
    }
    if (!built && !(inspected && (c->swapped || c->gap_allowed)) && !catalog_left_and_due(c, o) &&
        !catalog_is_old_self(c, o)) {
        catalog_violated(c, "DROP of an object that is not ours to drop", sql);
    }
    if (!inspected || !c->gap_allowed) {
        watch_readers(c, o, sql);
    }
}

void catalog_remove(struct catalog *c, struct catalog_object *o)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *index = &c->objects[i];
        if (index->id != 0 && is_kind(index, "index") && index->reads[0] == o->id) {
            *index = (struct catalog_object){0};
        }
    }
    *o = (struct catalog_object){0};
}

bool catalog_is_read(const struct catalog *c, uint64_t id)
{
    bool found = false;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        for (size_t k = 0; o->id != 0 && k < CATALOG_READS; k++) {
            found = found || (o->reads[k] == id && !is_kind(o, "index"));
        }
    }
    return found;
}

static bool has_creating_index(const struct catalog *c, uint64_t id)
{
    bool found = false;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        found = found ||
                (o->id != 0 && is_kind(o, "index") && o->reads[0] == id && !catalog_created(c, o));
    }
    return found;
}

static bool may_be_named(const struct catalog *c, const char *schema, const char *name)
{
    struct catalog_object *left = catalog_find((struct catalog *)(uintptr_t)c, schema, name);
    return is_temp_of(name, TEMP_BUILD, c->target_name) || (left != NULL && left->left) ||
           (c->cascades && catalog_is_temporary(name, TEMP_BUILD)) ||
           (c->gap_allowed && strcmp(name, c->target_name) == 0);
}

void catalog_drop(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    const char *at = sql + strlen("DROP MATERIALIZED VIEW ");
    if (!read_qualified(&at, schema, name) || *at != 0 || !may_be_named(c, schema, name)) {
        catalog_violated(c, "DROP of another name than the temporary one", sql);
        return;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o == NULL || c->now_ms < o->visible_ms) {
        answer_not_found(a, "materialized view", name);
        return;
    }
    watch_drop(c, o, sql);
    if ((!catalog_created(c, o) && !catalog_at_least(c, 2, 7)) || has_creating_index(c, o->id)) {
        answer_error(a, "XX000",
                     "can not drop 1 creating streaming job, please cancel them firstly");
        return;
    }
    if (catalog_is_read(c, o->id)) {
        answer_error(a, "XX000", "Permission denied: table used by 1 other objects. ");
        return;
    }
    c->gap = c->gap || (c->gap_allowed && (c->racing || o->id == c->inspected_id));
    catalog_remove(c, o);
    a->result.tag = "DROP_MATERIALIZED_VIEW";
}

void catalog_drop_index(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    const char *at = sql + strlen("DROP INDEX ");
    if (!read_qualified(&at, schema, name) || *at != 0) {
        catalog_violated(c, "DROP INDEX without schema and name", sql);
        return;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o == NULL || !is_kind(o, "index") || c->now_ms < o->visible_ms) {
        answer_not_found(a, "index", name);
        return;
    }
    if (!o->ours || c->swapped) {
        catalog_violated(c, "DROP INDEX of an index that is not ours", sql);
    }
    if (!catalog_created(c, o) && !catalog_at_least(c, 2, 7)) {
        answer_error(a, "XX000",
                     "can not drop 1 creating streaming job, please cancel them firstly");
        return;
    }
    *o = (struct catalog_object){0};
    a->result.tag = "DROP_INDEX";
}

/* The old view's index gives its name up, and the one that was built takes it. */
static void watch_rename(struct catalog *c, const struct catalog_object *o, const char *to,
                         const char *sql)
{
    char own[CATALOG_NAME];
    catalog_own_name(o->name, own);
    bool gives = is_temp_of(to, TEMP_OLD, own) && o->reads[0] == c->inspected_id;
    bool takes = is_temp_of(o->name, c->rolls_back ? TEMP_OLD : TEMP_BUILD, to) && o->ours;
    if (!c->swapped || !(gives || takes)) {
        catalog_violated(c, "RENAME of an index that is not the engine's", sql);
    }
}

void catalog_rename_index(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char to[CATALOG_NAME];
    const char *at = sql + strlen("ALTER INDEX ");
    if (!read_qualified(&at, schema, name) || !read_word(&at, " RENAME TO ") ||
        !read_name(&at, to) || *at != 0) {
        catalog_violated(c, "ALTER INDEX of an unknown form", sql);
        return;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o == NULL || !is_kind(o, "index")) {
        answer_not_found(a, "index", name);
        return;
    }
    if (!c->racing) {
        watch_rename(c, o, to, sql);
    }
    if (catalog_find(c, schema, to) != NULL) {
        answer_exists(c, a, to);
        return;
    }
    set_text(o->name, CATALOG_NAME, to);
    a->result.tag = "ALTER_INDEX";
}
