/*
 * catalog_depend: who reads whom, columns, indexes, and what is found of a build by its name. See
 * catalog.h.
 */
#include "catalog_internal.h"

#include <stdio.h>
#include <string.h>

void read_indexes(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t id = read_number_behind(sql, "i.primary_table_id = ");
    char text[24];
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (catalog_visible(c, o) && is_kind(o, "index") && o->reads[0] == id) {
            answer_row(
                a, 3,
                (const char *const[]){id_text(o->id, text), o->name, null_if_empty(o->definition)});
        }
    }
}

void read_index_names(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t views[2];
    size_t num = read_ids_of_list(sql, views, 2);
    char text[24];
    for (size_t i = 0; i < CATALOG_OBJECTS * num; i++) {
        const struct catalog_object *o = &c->objects[i % CATALOG_OBJECTS];
        uint64_t view = views[i / CATALOG_OBJECTS];
        if (catalog_visible(c, o) && is_kind(o, "index") && o->reads[0] == view) {
            answer_row(a, 2, (const char *const[]){o->name, id_text(view, text)});
        }
    }
}

/* The object that the first two literals name, if this frontend shows it. */
static struct catalog_object *shown_object(struct catalog *c, const char *sql)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    read_literal(sql, 0, schema);
    read_literal(sql, 1, name);
    struct catalog_object *o = catalog_find(c, schema, name);
    return o != NULL && catalog_visible(c, o) ? o : NULL;
}

static void tell_build(struct catalog *c, const char *sql, const struct catalog_object *o,
                       struct answer *a)
{
    char id[24];
    bool with_status = strstr(sql, "rw_streaming_jobs") != NULL;
    if (with_status && !catalog_at_least(c, 2, 6)) {
        catalog_violated(c, "rw_streaming_jobs before 2.6", sql);
    }
    answer_row(
        a, with_status ? 2 : 1,
        (const char *const[]){id_text(o->id, id), catalog_created(c, o) ? "CREATED" : "CREATING"});
}

void read_index_build(struct catalog *c, const char *sql, struct answer *a)
{
    struct catalog_object *o = shown_object(c, sql);
    if (o != NULL && is_kind(o, "index")) {
        tell_build(c, sql, o, a);
    }
}

void read_index_id(struct catalog *c, const char *sql, struct answer *a)
{
    read_index_build(c, sql, a);
}

void read_build(struct catalog *c, const char *sql, struct answer *a)
{
    struct catalog_object *o = shown_object(c, sql);
    if (c->now_ms < c->polls_fail_until_ms) {
        answer_error(a, "XX000", "no worker is there to be asked");
    } else if (o != NULL &&
               is_kind(o, strstr(sql, "rw_views") != NULL ? "view" : "materialized view")) {
        c->seen_id = c->seen_id != 0 || !c->created ? c->seen_id : o->id;
        tell_build(c, sql, o, a);
    }
}

void read_probe(struct catalog *c, const char *sql, struct answer *a)
{
    char id[24];
    struct catalog_object *o = shown_object(c, sql);
    if (o != NULL) {
        answer_row(a, 3, (const char *const[]){id_text(o->id, id), o->kind, o->definition});
    }
}

void read_left(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t ids[CATALOG_OBJECTS];
    char text[24];
    size_t num = read_ids_of_list(sql, ids, CATALOG_OBJECTS);
    for (size_t i = 0; i < num; i++) {
        struct catalog_object *o = catalog_by_id(c, ids[i]);
        if (o != NULL && catalog_visible(c, o)) {
            answer_row(a, 4,
                       (const char *const[]){id_text(o->id, text), o->schema, o->name, o->kind});
        }
    }
}

/* The k-th object that `o` reads, as rw_depend has it: a view's functions are not there. */
const struct catalog_object *catalog_read_by(struct catalog *c, const struct catalog_object *o,
                                             size_t k)
{
    const struct catalog_object *read = catalog_by_id(c, o->reads[k]);
    bool known = read != NULL && catalog_created(c, o);
    return known && !(is_kind(o, "view") && is_kind(read, "function")) ? read : NULL;
}

void tell_reads(struct catalog *c, const char *sql, const char *columns, struct answer *a)
{
    uint64_t ids[CATALOG_OBJECTS] = {read_number_behind(sql, "x.objid = ")};
    char texts[2][24];
    size_t num = ids[0] != 0 ? 1 : read_ids_of_list(sql, ids, CATALOG_OBJECTS);
    for (size_t i = 0; i < num * CATALOG_READS; i++) {
        struct catalog_object *o = catalog_by_id(c, ids[i / CATALOG_READS]);
        const struct catalog_object *d =
            o != NULL ? catalog_read_by(c, o, i % CATALOG_READS) : NULL;
        const char *cells[8] = {NULL};
        size_t num_cells = strlen(columns);
        for (size_t at = 0; d != NULL && at < num_cells; at++) {
            const char *shown = columns[at] == 's'   ? d->schema
                                : columns[at] == 'n' ? d->name
                                                     : d->kind;
            cells[at] = columns[at] == 'o'      ? id_text(o->id, texts[0])
                        : columns[at] == 'd'    ? id_text(d->id, texts[1])
                        : catalog_visible(c, d) ? shown
                                                : NULL;
        }
        if (d != NULL) {
            answer_row(a, num_cells, cells);
        }
    }
}

void read_both_reads(struct catalog *c, const char *sql, struct answer *a)
{
    tell_reads(c, sql, "odsnk", a);
}

void read_indirect(struct catalog *c, const char *sql, struct answer *a)
{
    tell_reads(c, sql, "od", a);
}

void read_new_reads(struct catalog *c, const char *sql, struct answer *a)
{
    tell_reads(c, sql, "dsn", a);
}

/* Hidden columns are listed, unless the statement leaves them out. */
static bool lists(const char *sql, const struct catalog_column *column)
{
    return !column->hidden || strstr(sql, "NOT c.is_hidden") == NULL;
}

void read_columns(struct catalog *c, const char *sql, struct answer *a)
{
    struct catalog_object *o = catalog_by_id(c, read_number_behind(sql, "c.relation_id = "));
    for (size_t i = 0; o != NULL && catalog_visible(c, o) && i < CATALOG_COLUMNS; i++) {
        const struct catalog_column *column = &o->columns[i];
        if (column->name[0] != 0 && lists(sql, column)) {
            answer_row(a, 2, (const char *const[]){column->name, column->type});
        }
    }
}

void read_zones(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t ids[CATALOG_READS];
    char text[24];
    size_t num = read_ids_of_list(sql, ids, CATALOG_READS);
    for (size_t i = 0; i < num * CATALOG_COLUMNS; i++) {
        struct catalog_object *o = catalog_by_id(c, ids[i / CATALOG_COLUMNS]);
        const struct catalog_column *column =
            o != NULL ? &o->columns[i % CATALOG_COLUMNS] : &c->build_columns[0];
        if (o != NULL && lists(sql, column) && strstr(column->type, "with time zone") != NULL) {
            answer_row(a, 1, (const char *const[]){id_text(o->id, text)});
        }
    }
}
