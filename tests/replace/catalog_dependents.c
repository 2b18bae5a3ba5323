/*
 * catalog_dependents: what is told about those who read the view, level by level, and about the
 * views that are made anew for them. See catalog.h.
 */
#include "catalog_internal.h"

#include <stdio.h>
#include <string.h>

/* The cells of a row about a reader; NULLs for what this user cannot see. */
static void tell_reader(struct catalog *c, const struct catalog_object *o, uint64_t read,
                        struct answer *a)
{
    char ids[2][24];
    char acl[CATALOG_TEXT];
    const char *cells[8] = {id_text(o->id, ids[0]), id_text(read, ids[1])};
    if (catalog_visible(c, o)) {
        const char *const seen[] = {o->schema,
                                    o->name,
                                    o->kind,
                                    null_if_empty(o->owner),
                                    null_if_empty(o->definition),
                                    catalog_acl(c, o, acl)};
        memcpy(cells + 2, seen, sizeof(seen));
    }
    answer_row(a, 8, cells);
}

void read_dependents(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t ids[CATALOG_OBJECTS];
    size_t num = read_ids_of_list(sql, ids, CATALOG_OBJECTS);
    for (size_t i = 0; i < num * CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i % CATALOG_OBJECTS];
        uint64_t read = ids[i / CATALOG_OBJECTS];
        for (size_t k = 0; o->id != 0 && k < CATALOG_READS; k++) {
            if (o->reads[k] == read && catalog_created(c, o)) {
                tell_reader(c, o, read, a);
            }
        }
    }
}

void read_references(struct catalog *c, const char *sql, struct answer *a)
{
    tell_reads(c, sql, "odns", a);
}

void read_references_of(struct catalog *c, const char *sql, struct answer *a)
{
    tell_reads(c, sql, "d", a);
}

void read_columns_of_views(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t ids[CATALOG_OBJECTS];
    char text[24];
    size_t num = read_ids_of_list(sql, ids, CATALOG_OBJECTS);
    for (size_t i = 0; i < num * CATALOG_COLUMNS; i++) {
        struct catalog_object *o = catalog_by_id(c, ids[i / CATALOG_COLUMNS]);
        const struct catalog_column *column =
            o != NULL ? &o->columns[i % CATALOG_COLUMNS] : &c->build_columns[0];
        if (o != NULL && catalog_visible(c, o) && column->name[0] != 0 && !column->hidden) {
            answer_row(a, 2, (const char *const[]){id_text(o->id, text), column->name});
        }
    }
}

void read_follower(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char acl[CATALOG_TEXT];
    char id[24];
    read_literal(sql, 0, schema);
    read_literal(sql, 1, name);
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o != NULL && catalog_visible(c, o)) {
        c->follower_seen_id = c->follower_created ? o->id : c->follower_seen_id;
        c->follower_created = false;
        answer_row(a, 4,
                   (const char *const[]){id_text(o->id, id), o->kind, catalog_acl(c, o, acl),
                                         null_if_empty(o->owner)});
    }
}
