/*
 * catalog_view: CREATE and DROP of plain views: the probe, the view itself when that is what is
 * replaced, and the views that follow; SHOW and SET search_path, under which their names are bound.
 * See catalog.h.
 */
#include "catalog_internal.h"

#include <stdio.h>
#include <string.h>

/* The stored definition of a plain view has lost its list of columns. */
static void store_definition(struct catalog_object *o, const char *sql)
{
    const char *as = strstr(sql, " AS ");
    (void)snprintf(o->definition, CATALOG_TEXT, "CREATE VIEW %.300s%.700s", o->name,
                   as != NULL ? as : "");
}

struct catalog_object *catalog_add_view(struct catalog *c, const char *path, const char *schema,
                                        const char *name, const char *query)
{
    struct answer none = {0};
    struct catalog_object *o = catalog_add(c, schema, name, "view", 0);
    (void)snprintf(o->definition, CATALOG_TEXT, "CREATE VIEW %.300s AS %.700s", name, query);
    bool bound = catalog_bind(c, path, query, o, &none);
    answer_cleanup(&none);
    if (!bound) {
        *o = (struct catalog_object){0};
    }
    return bound ? o : NULL;
}

/* A list of columns behind the view's name gives them theirs. */
static bool name_columns(struct catalog_object *o, const char *list)
{
    size_t num = 0;
    char name[CATALOG_NAME];
    while (o->columns[num].name[0] != 0 && num + 1 < CATALOG_COLUMNS) {
        num++;
    }
    size_t named = 0;
    for (const char *at = list; *at == '(' || *at == ','; named++) {
        at += 1 + strspn(at + 1, " ");
        if (!read_name(&at, name)) {
            return false;
        }
        if (named < num) {
            set_text(o->columns[named].name, CATALOG_WORD, name);
        }
    }
    return named == 0 || named == num;
}

static struct catalog_object *add_ours(struct catalog *c, const char *schema, const char *name,
                                       const char *sql)
{
    struct catalog_object *o = catalog_add(c, schema, name, "view", 0);
    store_definition(o, sql);
    set_text(o->owner, CATALOG_WORD, c->user);
    o->ours = true;
    return o;
}

static void create_probe(struct catalog *c, const char *schema, const char *name, const char *sql,
                         struct answer *a)
{
    if (c->probe_refusal != NULL) {
        answer_error(a, "XX000", c->probe_refusal);
        return;
    }
    struct catalog_object *o = add_ours(c, schema, name, sql);
    if (catalog_take_query(c, o, sql, a)) {
        o->hidden = c->probe_unseen;
    }
}

/* The view that is replaced, or was not there. */
static void create_target(struct catalog *c, const char *schema, const char *name, const char *sql)
{
    struct catalog_object *o = add_ours(c, schema, name, sql);
    catalog_set_query(c, o);
    catalog_add_default_grants(c, o);
    if (c->build_definition != NULL) {
        set_text(o->definition, CATALOG_TEXT, c->build_definition);
    }
    c->created = true;
}

static void create_follower(struct catalog *c, const char *schema, const char *name,
                            const char *sql, struct answer *a)
{
    if (!c->swapped) {
        catalog_violated(c, "CREATE VIEW that follows before the swap", sql);
    }
    if (c->follower_refusal != NULL) {
        answer_error(a, "XX000", c->follower_refusal);
        return;
    }
    struct catalog_object *o = add_ours(c, schema, name, sql);
    const char *list = strstr(sql, "\" (");
    const char *as = strstr(sql, " AS ");
    bool bound = catalog_bind(c, c->search_path, as + strlen(" AS "), o, a);
    if (bound && list != NULL && list < as && !name_columns(o, list + 2)) {
        answer_error(a, "XX000",
                     "Failed to run the query\n\nCaused by:\n  another number of"
                     " columns\n");
        bound = false;
    }
    if (!bound) {
        *o = (struct catalog_object){0};
        return;
    }
    catalog_add_default_grants(c, o);
    if (c->follower_grantee != NULL) {
        catalog_grant(o, c->follower_grantee, "root", false);
    }
    c->follower_created = true;
}

void catalog_create_view(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    bool named = catalog_created_name(c, sql, schema, name);
    const char *query = strstr(sql, " AS ");
    bool in_target_schema = named && strcmp(schema, c->target_schema) == 0;
    bool probe = in_target_schema && is_temp_of(name, TEMP_PROBE, c->target_name);
    if (!named) {
        answer_error(a, "3F000", "no schema has been selected to create in");
        return;
    }
    if (query == NULL || (probe && strstr(query, "$1") != NULL) || (c->plan && !probe)) {
        catalog_violated(c, "CREATE VIEW that is no probe", sql);
        return;
    }
    a->result.tag = "CREATE_VIEW";
    if (catalog_find(c, schema, name) != NULL) {
        answer_exists(c, a, name);
    } else if (probe) {
        create_probe(c, schema, name, sql, a);
    } else if (c->first_creation ||
               (in_target_schema && c->gap && strcmp(name, c->target_name) == 0) ||
               (in_target_schema && is_temp_of(name, TEMP_BUILD, c->target_name))) {
        create_target(c, schema, name, sql);
    } else if (catalog_is_temporary(name, TEMP_BUILD)) {
        create_follower(c, schema, name, sql, a);
    } else {
        catalog_violated(c, "CREATE VIEW under a name that is not the engine's to take", sql);
    }
}

static bool may_be_dropped(const struct catalog *c, const struct catalog_object *o)
{
    bool temporary =
        catalog_is_temporary(o->name, TEMP_BUILD) || catalog_is_temporary(o->name, TEMP_PROBE);
    bool target = o->id == c->inspected_id && (c->swapped || c->gap_allowed) && !c->rolls_back;
    /* What was first seen is what was made, as far as the engine can know. */
    return ((o->ours || o->id == c->follower_seen_id) && temporary) ||
           (o->swapped_away && temporary) || target || (o->ours && c->gap && !c->swapped) ||
           catalog_left_and_due(c, o);
}

void catalog_drop_view(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    const char *at = sql + strlen("DROP VIEW ");
    bool if_exists = read_word(&at, "IF EXISTS ");
    if (!read_qualified(&at, schema, name) || *at != 0) {
        catalog_violated(c, "DROP VIEW without schema and name", sql);
        return;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    a->result.tag = "DROP_VIEW";
    if (o == NULL || !is_kind(o, "view")) {
        if (!if_exists) {
            answer_not_found(a, "view", name);
        }
        return;
    }
    c->raced_id = c->racing && !o->ours && !o->swapped_away ? o->id : c->raced_id;
    if (!c->racing && !may_be_dropped(c, o)) {
        catalog_violated(c, "DROP VIEW of a view that is not ours to drop", sql);
    }
    if (c->plan && !is_temp_of(name, TEMP_PROBE, c->target_name)) {
        catalog_violated(c, "a lasting change in a plan", sql);
    }
    if (catalog_is_read(c, o->id)) {
        answer_error(a, "XX000",
                     "Permission denied: PermissionDenied: view used by 1 other"
                     " objects. ");
        return;
    }
    c->gap = c->gap || (c->gap_allowed && strcmp(name, c->target_name) == 0 &&
                        (c->racing || o->id == c->inspected_id));
    *o = (struct catalog_object){0};
}

void read_path(struct catalog *c, const char *sql, struct answer *a)
{
    const char *path = c->search_path;
    if (strcmp(sql, "SHOW search_path") != 0) {
        catalog_violated(c, "SHOW of something else", sql);
    }
    answer_row(a, 1, &path);
}

/* A literal is kept as it is written, a list of names is joined (transcript 24). */
void set_path(struct catalog *c, const char *sql, struct answer *a)
{
    char text[CATALOG_NAME];
    char path[CATALOG_TEXT] = "";
    const char *at = sql + strlen("SET search_path TO ");
    a->result.tag = "SET_VARIABLE";
    if (*at == '\'') {
        if (!read_text(&at, path) || *at != 0) {
            catalog_violated(c, "SET search_path of an unknown form", sql);
        }
        set_text(c->search_path, CATALOG_NAME, path);
        return;
    }
    do {
        at += strspn(at, ", ");
        if (!read_name(&at, text)) {
            catalog_violated(c, "SET search_path of an unknown form", sql);
            return;
        }
        size_t end = strlen(path);
        (void)snprintf(path + end, sizeof(path) - end, "%s%s", end != 0 ? ", " : "", text);
    } while (*at == ',');
    set_text(c->search_path, CATALOG_NAME, path);
}
