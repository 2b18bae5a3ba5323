/*
 * catalog_build: CREATE of materialized views and indexes, CANCEL JOBS. See catalog.h.
 */
#include "catalog_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where CREATE would create, with the object's name: one to three parts behind the word VIEW. */
bool catalog_created_name(const struct catalog *c, const char *sql, char *schema, char *name)
{
    char parts[3][CATALOG_NAME];
    int num = 0;
    const char *at = sql;
    while (*at != 0 && !word_is(at, "view")) {
        at++;
    }
    at += strlen("view") + strspn(at + strlen("view"), " \n\t");
    for (bool more = true; more && num < 3; num++) {
        if (!read_name(&at, parts[num])) {
            return false;
        }
        at += strspn(at, " \n\t");
        more = *at == '.';
        at += more ? 1 + strspn(at + 1, " \n\t") : 0;
    }
    if (num == 1 && c->schema == NULL) {
        return false;
    }
    set_text(name, CATALOG_NAME, parts[num - 1]);
    set_text(schema, CATALOG_NAME, num > 1 ? parts[num - 2] : c->schema);
    return true;
}

/* What default privileges add: one entry for each, by root. */
void catalog_add_default_grants(const struct catalog *c, struct catalog_object *o)
{
    for (size_t i = 0; i < 2 && c->default_grantees[i] != NULL; i++) {
        catalog_grant(o, c->default_grantees[i], "root", false);
    }
    if (c->build_acl != NULL) {
        set_text(o->acl, CATALOG_TEXT, c->build_acl);
    }
}

/* A view's rows of rw_depend hold no functions. */
void catalog_set_query(const struct catalog *c, struct catalog_object *o)
{
    memcpy(o->reads, c->build_reads, sizeof(o->reads));
    memcpy(o->columns, c->build_columns, sizeof(o->columns));
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        o->columns[i].comment[0] = 0;
    }
}

static void start_job(struct catalog *c, struct catalog_object *o, uint64_t build_ms)
{
    bool background = c->background_ddl && !c->foreground_anyway;
    o->ours = true;
    o->visible_ms = c->now_ms + (background ? c->seen_after_ms : 0);
    o->finished_ms = c->now_ms + (background ? build_ms : 0);
    if (strcmp(c->session_parallelism, "default") != 0) {
        (void)snprintf(o->parallelism, CATALOG_WORD, "FIXED(%.20s)", c->session_parallelism);
    }
}

/* A cluster that recovers takes no jobs, and removes what it was about to take. */
static bool meets_recovery(struct catalog *c, struct answer *a)
{
    if (c->recoveries != 0) {
        c->recoveries--;
        answer_error(a, "XX000",
                     "Failed to run the query\n\nCaused by:\n  failed to wait streaming job finish:"
                     " adhoc recovery\n");
        return true;
    }
    if (c->now_ms < c->recovers_until_ms) {
        answer_error(a, "XX000",
                     "Failed to run the query\n\nCaused by:\n  The cluster is recovering\n");
        return true;
    }
    return false;
}

static void watch_slot(struct catalog *c, const char *sql)
{
    if (c->needs_lock && !c->slot_held && !c->plan) {
        catalog_violated(c, "a build without a slot", sql);
    }
}

static bool may_create(const struct catalog *c, const char *schema, const char *name)
{
    bool target = strcmp(schema, c->target_schema) == 0 && strcmp(name, c->target_name) == 0;
    return c->first_creation || (c->gap && target) ||
           (is_temp_of(name, TEMP_BUILD, c->target_name) && !c->gap_allowed);
}

void catalog_create(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    if (!catalog_created_name(c, sql, schema, name)) {
        answer_error(a, "3F000", "no schema has been selected to create in");
        return;
    }
    c->created = false;
    if (!may_create(c, schema, name)) {
        catalog_violated(c, "CREATE under a name that is not the engine's to take", sql);
    }
    if (!c->first_creation) {
        watch_slot(c, sql);
    }
    if (meets_recovery(c, a)) {
        return;
    }
    if (c->names_taken != 0) {
        c->names_taken--;
        catalog_add(c, schema, name, "materialized view", 0);
    }
    const struct catalog_object *there = catalog_find(c, schema, name);
    if (there != NULL) {
        c->created = there->ours;
        answer_exists(c, a, name);
        return;
    }
    struct catalog_object *o = catalog_add(c, schema, name, "materialized view", 0);
    set_text(o->definition, CATALOG_TEXT, c->build_definition != NULL ? c->build_definition : sql);
    set_text(o->owner, CATALOG_WORD, c->user);
    if (!catalog_take_query(c, o, sql, a)) {
        return;
    }
    catalog_add_default_grants(c, o);
    start_job(c, o, c->build_ms);
    if (c->never_seen) {
        *o = (struct catalog_object){0};
    }
    c->created = true;
    a->result.tag = "CREATE_MATERIALIZED_VIEW";
}

/* `CREATE INDEX "name" ON "schema"."table"...` */
void catalog_create_index(struct catalog *c, const char *sql, struct answer *a)
{
    char name[CATALOG_NAME];
    char table[2][CATALOG_NAME];
    const char *at = sql + strlen("CREATE INDEX ");
    watch_slot(c, sql);
    if (!read_name(&at, name) || !read_word(&at, " ON ") ||
        !read_qualified(&at, table[0], table[1])) {
        catalog_violated(c, "CREATE INDEX without schema and table", sql);
        return;
    }
    struct catalog_object *view = catalog_find(c, table[0], table[1]);
    if (view == NULL || !catalog_created(c, view)) {
        answer_not_found(a, "table", table[1]);
        return;
    }
    if (!c->racing && !c->temp_taken && !view->ours) {
        catalog_violated(c, "CREATE INDEX on what was not built", sql);
    }
    if (c->background_ddl && !catalog_at_least(c, 2, 6)) {
        catalog_violated(c, "an index in the background before 2.6", sql);
    }
    if (meets_recovery(c, a)) {
        return;
    }
    if (c->index_refusal != NULL) {
        answer_error(a, "XX000", c->index_refusal);
        return;
    }
    if (c->index_name_taken || catalog_find(c, table[0], name) != NULL) {
        if (c->index_name_taken && catalog_find(c, table[0], name) == NULL) {
            catalog_add(c, table[0], name, "materialized view", 0);
        }
        answer_exists(c, a, name);
        return;
    }
    struct catalog_object *o = catalog_add(c, table[0], name, "index", view->id);
    set_text(o->definition, CATALOG_TEXT, sql);
    set_text(o->owner, CATALOG_WORD, view->owner);
    start_job(c, o, c->index_build_ms);
    a->result.tag = "CREATE_INDEX";
}

void catalog_cancel_job(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t id = strtoull(sql + strlen("CANCEL JOBS "), NULL, 10);
    struct catalog_object *o = catalog_by_id(c, id);
    if (o != NULL && !o->ours) {
        catalog_violated(c, "CANCEL JOBS of somebody else's job", sql);
    }
    if (o == NULL || catalog_created(c, o)) {
        answer_error(a, "XX000", "job not found in database");
        return;
    }
    *o = (struct catalog_object){0};
    a->result.tag = "CANCEL_COMMAND";
}

void set_background(struct catalog *c, const char *sql, struct answer *a)
{
    c->background_ddl = strcmp(sql, "SET background_ddl = true") == 0;
    if (!c->background_ddl && strcmp(sql, "SET background_ddl = false") != 0) {
        catalog_violated(c, "SET background_ddl to something else", sql);
    }
    a->result.tag = "SET_VARIABLE";
}

uint64_t catalog_duration(const struct catalog *c, const char *sql)
{
    bool builds = word_is(sql, "create materialized") || word_is(sql, "create index");
    return builds && (!c->background_ddl || c->foreground_anyway) ? c->foreground_ms : 0;
}
