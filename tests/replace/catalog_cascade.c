/*
 * catalog_cascade: what reads the view is rebuilt, one after the other: each is a replacement of
 * its own, minded like the first one, with its own query, whose names are bound. Old selves go
 * together at the end. See catalog.h.
 */
#include "catalog_internal.h"

#include <stdio.h>
#include <string.h>

static void begin_rebuild(struct catalog *c, const char *sql)
{
    c->rebuilding = true;
    c->rebuild = (struct catalog_replacing){.swapped = false};
    read_literal(sql, 0, c->rebuild.schema);
    read_literal(sql, 1, c->rebuild.name);
}

/* Is it asked for the ids of the first view? */
static bool is_about_target(const struct catalog *c, const char *sql)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    read_literal(sql, 0, schema);
    read_literal(sql, 1, name);
    return strcmp(schema, c->target_schema) == 0 && strcmp(name, c->target_name) == 0;
}

void catalog_watch_cascade(struct catalog *c, catalog_statement *run, const char *sql)
{
    if (run == read_target && c->swapped) {
        if (!c->cascades) {
            catalog_violated(c, "another replacement behind the swap", sql);
        }
        begin_rebuild(c, sql);
    } else if (run == read_left || (run == read_ids && is_about_target(c, sql))) {
        c->rebuilding = false;
    }
}

/* The view that is minded is the one that is rebuilt, or the first one again. */
void catalog_change_view(struct catalog *c)
{
    if (!c->rebuilding) {
        return;
    }
    struct catalog_replacing *other = &c->rebuild;
    struct catalog_replacing now = {.inspected_id = c->inspected_id,
                                    .seen_id = c->seen_id,
                                    .created = c->created,
                                    .swapped = c->swapped,
                                    .rolls_back = c->rolls_back};
    set_text(now.schema, CATALOG_NAME, c->target_schema);
    set_text(now.name, CATALOG_NAME, c->target_name);
    set_text(c->target_schema, CATALOG_NAME, other->schema);
    set_text(c->target_name, CATALOG_NAME, other->name);
    c->inspected_id = other->inspected_id;
    c->seen_id = other->seen_id;
    c->created = other->created;
    c->swapped = other->swapped;
    c->rolls_back = other->rolls_back;
    *other = now;
}

bool catalog_take_query(struct catalog *c, struct catalog_object *o, const char *sql,
                        struct answer *a)
{
    const char *as = strstr(sql, " AS ");
    if (!c->rebuilding) {
        catalog_set_query(c, o);
        return true;
    }
    bool refused = c->rebuild_refused != NULL && is_kind(o, "materialized view") &&
                   strcmp(c->rebuild_refused, c->target_name) == 0;
    if (refused) {
        answer_error(a, "XX000", "Failed to run the query\n\nCaused by:\n  no such function\n");
    }
    if (refused || as == NULL || !catalog_bind(c, c->search_path, as + strlen(" AS "), o, a)) {
        *o = (struct catalog_object){0};
        return false;
    }
    return true;
}

bool catalog_is_old_self(const struct catalog *c, const struct catalog_object *o)
{
    return c->cascades && !c->rebuilding && c->swapped && o->swapped_away &&
           catalog_is_temporary(o->name, TEMP_BUILD);
}
