/*
 * catalog_swap: SWAP of two relations, and what it does to the texts of everything that reads one
 * of them. The engine may swap what it built with what it inspected, and then each view that it
 * made anew with the view's old self; never where the rewriting would break a text. See catalog.h.
 */
#include "catalog_internal.h"

#include <stdio.h>
#include <string.h>

static bool reads(const struct catalog_object *o, uint64_t id)
{
    bool found = false;
    for (size_t i = 0; o->id != 0 && i < CATALOG_READS; i++) {
        found = found || o->reads[i] == id;
    }
    return found;
}

/* An index that is not finished would be missing after the swap. */
static void watch_swap(struct catalog *c, const struct catalog_object *built, const char *sql)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (o->id != 0 && is_kind(o, "index") && reads(o, built->id) && !catalog_created(c, o)) {
            catalog_violated(c, "SWAP before an index is finished", sql);
        }
    }
    if (c->slot_held) {
        catalog_violated(c, "SWAP with a slot held", sql);
    }
}

/* What the rewriting breaks, or silently changes, or what stops the server. What cannot be seen by
 * this user cannot be looked at. */
static void watch_hazards(struct catalog *c, const struct catalog_object *renamed,
                          const struct catalog_object *other, const char *sql)
{
    char with[CATALOG_NAME + 8];
    (void)snprintf(with, sizeof(with), "WITH %.310s ", renamed->name);
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (!reads(o, renamed->id) || o->hidden || is_kind(o, "index")) {
            continue;
        }
        if (strstr(o->definition, "--") != NULL) {
            catalog_violated(c, "SWAP that stops the server", sql);
        }
        if (strstr(o->definition, with) != NULL || reads(o, other->id) ||
            catalog_names_other(o, renamed->schema, renamed->name)) {
            catalog_violated(c, "SWAP that breaks what reads it", sql);
        }
    }
}

static void rewrite_readers(struct catalog *c, uint64_t id, const char *from, const char *to)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *o = &c->objects[i];
        /* Texts of indexes are not rewritten. */
        if (reads(o, id) && !is_kind(o, "index")) {
            catalog_rewrite(o, from, to);
        }
    }
}

/* A plain view's own name stands in its text, which is printed anew. */
static void rename_view(struct catalog_object *o)
{
    char query[CATALOG_TEXT];
    const char *as = strstr(o->definition, " AS ");
    if (is_kind(o, "view") && as != NULL) {
        set_text(query, CATALOG_TEXT, as);
        (void)snprintf(o->definition, CATALOG_TEXT, "CREATE VIEW %.300s%.700s", o->name, query);
    }
}

static void exchange_names(struct catalog *c, struct catalog_object *first,
                           struct catalog_object *second)
{
    char name[CATALOG_NAME];
    rewrite_readers(c, first->id, first->name, second->name);
    rewrite_readers(c, second->id, second->name, first->name);
    set_text(name, CATALOG_NAME, first->name);
    set_text(first->name, CATALOG_NAME, second->name);
    set_text(second->name, CATALOG_NAME, name);
    rename_view(first);
    rename_view(second);
}

/* Two replacements that move one view at the same time would each swap it away from under the
 * other. What was created since the names were locked is nobody else's to move. */
static void watch_family(struct catalog *c, const struct catalog_object *o, const char *sql)
{
    char family[3 * CATALOG_NAME];
    (void)snprintf(family, sizeof(family), "\"%s\".\"%s\".\"%s\"\n", c->database, o->schema,
                   o->name);
    if (c->needs_lock && o->id < c->first_new_id && !o->touched && !c->untrue &&
        strstr(c->families, family) == NULL) {
        catalog_violated(c, "SWAP of a view whose name is not locked", sql);
    }
}

/* The view that is replaced. */
static void swap_target(struct catalog *c, struct catalog_object *first,
                        struct catalog_object *second, const char *sql)
{
    bool as_seen = first->id == c->seen_id && second->id == c->inspected_id;
    if (!c->racing && !as_seen) {
        catalog_violated(c, "SWAP of objects that were not built and inspected", sql);
    }
    watch_swap(c, first, sql);
    watch_family(c, second, sql);
    c->swapped = as_seen;
    second->swapped_away = second->swapped_away || c->rebuilding;
    if (c->rolls_back && as_seen) {
        catalog_go_back(c, first);
    }
}

/* A view that follows. */
static void swap_follower(struct catalog *c, const struct catalog_object *first,
                          struct catalog_object *second, const char *sql)
{
    if (!c->swapped) {
        catalog_violated(c, "SWAP of a view before the view that it reads", sql);
    }
    bool looked = c->told_ids[0] == second->id && c->told_ids[1] == first->id;
    if (!c->racing && (!looked || !first->ours || (second->ours && !c->rebuilding) ||
                       !reads(second, c->inspected_id))) {
        catalog_violated(c, "SWAP of a view that is not what was found or made", sql);
    }
    watch_family(c, second, sql);
    second->swapped_away = true;
}

static bool is_target(const struct catalog *c, const char *schema, const char *name)
{
    return strcmp(schema, c->target_schema) == 0 && strcmp(name, c->target_name) == 0;
}

static void exchange_texts(char a[CATALOG_NAME], char b[CATALOG_NAME])
{
    char text[CATALOG_NAME];
    set_text(text, CATALOG_NAME, a);
    set_text(a, CATALOG_NAME, b);
    set_text(b, CATALOG_NAME, text);
}

static void swap_names(struct catalog *c, const char *sql, struct answer *a)
{
    char names[4][CATALOG_NAME];
    bool views = strncmp(sql, "ALTER VIEW ", 11) == 0;
    const char *at = sql + strlen(views ? "ALTER VIEW " : "ALTER MATERIALIZED VIEW ");
    bool read = read_qualified(&at, names[0], names[1]) && read_word(&at, " SWAP WITH ") &&
                read_qualified(&at, names[2], names[3]) && *at == 0;
    /* The server dies when the first name vanishes just then: it must be what nobody else drops. */
    bool target = read && is_target(c, names[0], names[c->rolls_back ? 1 : 3]);
    if (c->rolls_back && target) {
        exchange_texts(names[1], names[3]);
    }
    if (!read || !is_temp_of(names[1], TEMP_BUILD, names[3]) || strcmp(names[0], names[2]) != 0 ||
        c->gap_allowed) {
        catalog_violated(c, "SWAP in the wrong direction", sql);
        return;
    }
    /* From here on names[1] is the temporary one. */
    struct catalog_object *first = catalog_find(c, names[0], names[1]);
    struct catalog_object *second = catalog_find(c, names[2], names[3]);
    const char *kind = views ? "view" : "materialized view";
    if (first == NULL || second == NULL || !catalog_created(c, first) || !is_kind(first, kind) ||
        !is_kind(second, kind)) {
        answer_not_found(a, views ? "view" : "table", first == NULL ? names[1] : names[3]);
        return;
    }
    if (!c->racing && !c->untrue) {
        watch_hazards(c, first, second, sql);
        watch_hazards(c, second, first, sql);
    }
    if (target) {
        swap_target(c, first, second, sql);
    } else {
        swap_follower(c, first, second, sql);
    }
    c->exchanged = true;
    exchange_names(c, first, second);
    a->result.tag = views ? "ALTER_VIEW" : "ALTER_MATERIALIZED_VIEW";
}

void catalog_swap(struct catalog *c, const char *sql, struct answer *a)
{
    bool late = c->swapped ? c->view_swap_is_late : c->swap_is_late;
    if (!late) {
        swap_names(c, sql, a);
        return;
    }
    set_text(c->late_swap, CATALOG_TEXT, sql);
    c->late_swap_ms = c->now_ms + c->swap_late_ms;
    answer_error(a, "XX000", "gRPC request to meta service (call `x`) failed: transport error");
}

/* Meta carries out what it was asked for, whatever became of its answer. */
void catalog_swap_late(struct catalog *c)
{
    struct answer nobody = {0};
    if (c->late_swap[0] != 0 && c->now_ms >= c->late_swap_ms) {
        bool racing = c->racing;
        c->racing = true; /* what is behind the names by now is not the engine's doing */
        swap_names(c, c->late_swap, &nobody);
        c->racing = racing;
        c->late_swap[0] = 0;
        answer_cleanup(&nobody);
    }
}
