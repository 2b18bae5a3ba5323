/*
 * catalog_rollback: what the way back asks for: which objects there are beside the view, and the
 * indexes of one of them. See catalog.h.
 */
#include "catalog_internal.h"

#include <string.h>

static bool is_candidate(const struct catalog *c, const struct catalog_object *o, const char *kind)
{
    size_t len = strlen(o->name);
    if (o->id == 0 || !is_temp_of(o->name, TEMP_BUILD, c->target_name) || !is_kind(o, kind)) {
        return false;
    }
    return c->stamp != NULL ? strcmp(o->name + len - strlen(c->stamp), c->stamp) == 0
                            : o->id < c->inspected_id;
}

/* What is to be gone back to as things are by now: what was live last, by its stamp, of those that
 * are remembered if there are any. */
static uint64_t newest(const struct catalog *c, const char *kind)
{
    const struct catalog_object *found = NULL;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (!is_candidate(c, o, kind) || (found != NULL && found->left && !o->left)) {
            continue;
        }
        /* The names differ in their stamps only. */
        bool better =
            found == NULL || (o->left && !found->left) || strcmp(o->name, found->name) > 0;
        found = better ? o : found;
    }
    return found != NULL ? found->id : 0;
}

void read_predecessors(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char id[24];
    const struct catalog_object *view = catalog_by_id(c, c->inspected_id);
    read_literal(sql, 0, schema);
    if (!c->rolls_back) {
        catalog_violated(c, "a replacement that looks for a predecessor", sql);
    }
    c->seen_id = c->disturbed && view != NULL ? newest(c, view->kind) : c->predecessor_id;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (catalog_visible(c, o) && strcmp(o->schema, schema) == 0) {
            answer_row(a, 3, (const char *const[]){id_text(o->id, id), o->name, o->kind});
        }
    }
}

void read_predecessor_indexes(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t id = read_number_behind(sql, "i.primary_table_id = ");
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (catalog_visible(c, o) && is_kind(o, "index") && o->reads[0] == id) {
            answer_row(a, 1, (const char *const[]){o->name});
        }
    }
}

bool catalog_is_new(const struct catalog *c, const struct catalog_object *o)
{
    return o->ours || (c->rolls_back && o->id == c->seen_id);
}

void catalog_go_back(struct catalog *c, struct catalog_object *predecessor)
{
    predecessor->ours = true;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *o = &c->objects[i];
        if (o->id != 0 && is_kind(o, "index") && o->reads[0] == predecessor->id) {
            o->ours = true;
        }
    }
}
