/*
 * catalog: see catalog.h. This file owns the list of objects and the table of statements.
 */
#include "catalog.h"
#include "catalog_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void catalog_set_column(struct catalog_column *column, const char *name, const char *type,
                        const char *comment)
{
    *column = (struct catalog_column){.hidden = false};
    set_text(column->name, CATALOG_WORD, name);
    set_text(column->type, CATALOG_WORD, type);
    set_text(column->comment, CATALOG_WORD, comment);
}

void catalog_init(struct catalog *c, unsigned major, unsigned minor)
{
    *c = (struct catalog){
        .major = major,
        .minor = minor,
        .user = "root",
        .schema = "public",
        .database = "dev",
        .superusers = {"root", "postgres"},
        .session_parallelism = "default",
        .session_parallelism_of_views = "default",
        .next_id = 10,
        .build_ms = 200,
        .index_build_ms = 100,
        .listing = minor < 6 && major == 2 ? LISTING_BARE : LISTING_QUALIFIED,
    };
    catalog_set_column(&c->build_columns[0], "a", "integer", "");
    c->target_id = catalog_add(c, "public", "mv", "materialized view", 0)->id;
    set_text(c->search_path, CATALOG_NAME, "\"$user\", public");
    set_text(c->target_schema, CATALOG_NAME, "public");
    set_text(c->target_name, CATALOG_NAME, "mv");
}

struct catalog_object *catalog_add(struct catalog *c, const char *schema, const char *name,
                                   const char *kind, uint64_t reads)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *o = &c->objects[i];
        if (o->id != 0) {
            continue;
        }
        *o = (struct catalog_object){.id = c->next_id++, .reads = {reads}};
        set_text(o->schema, CATALOG_NAME, schema);
        set_text(o->name, CATALOG_NAME, name);
        set_text(o->kind, sizeof(o->kind), kind);
        set_text(o->owner, CATALOG_WORD, "root");
        set_text(o->parallelism, CATALOG_WORD, "ADAPTIVE");
        set_text(o->resource_group, CATALOG_WORD, "default");
        catalog_set_column(&o->columns[0], "a", "integer", "");
        set_text(o->definition, CATALOG_TEXT, "CREATE MATERIALIZED VIEW x AS SELECT 1");
        return o;
    }
    abort();
}

struct catalog_object *catalog_add_index(struct catalog *c, const char *name)
{
    struct catalog_object *o = catalog_add(c, c->target_schema, name, "index", c->target_id);
    (void)snprintf(o->definition, CATALOG_TEXT, "CREATE INDEX \"%.300s\" ON mv(a DESC)", name);
    return o;
}

struct catalog_object *catalog_find(struct catalog *c, const char *schema, const char *name)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *o = &c->objects[i];
        if (o->id != 0 && strcmp(o->schema, schema) == 0 && strcmp(o->name, name) == 0) {
            return o;
        }
    }
    return NULL;
}

struct catalog_object *catalog_by_id(struct catalog *c, uint64_t id)
{
    for (size_t i = 0; id != 0 && i < CATALOG_OBJECTS; i++) {
        if (c->objects[i].id == id) {
            return &c->objects[i];
        }
    }
    return NULL;
}

bool catalog_created(const struct catalog *c, const struct catalog_object *object)
{
    return c->now_ms >= object->finished_ms;
}

bool catalog_visible(const struct catalog *c, const struct catalog_object *o)
{
    return o->id != 0 && !o->hidden && c->now_ms >= o->visible_ms && !is_kind(o, "function");
}

bool is_kind(const struct catalog_object *o, const char *kind)
{
    return strcmp(o->kind, kind) == 0;
}

bool catalog_is_superuser(const struct catalog *c, const char *user)
{
    bool found = false;
    for (size_t i = 0; i < CATALOG_SUPERUSERS && c->superusers[i] != NULL; i++) {
        found = found || strcmp(c->superusers[i], user) == 0;
    }
    return found;
}

void catalog_violated(struct catalog *c, const char *what, const char *sql)
{
    if (c->violation[0] == 0) {
        (void)snprintf(c->violation, CATALOG_TEXT, "%s: %.800s", what, sql);
    }
}

bool catalog_at_least(const struct catalog *c, unsigned major, unsigned minor)
{
    return c->major > major || (c->major == major && c->minor >= minor);
}

/* Objects of jobs that failed are gone. */
static void let_jobs_fail(struct catalog *c)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *o = &c->objects[i];
        if (o->id != 0 && o->ours && c->fails_after_ms != 0 && o->finished_ms > o->visible_ms &&
            c->now_ms >= o->visible_ms + c->fails_after_ms) {
            *o = (struct catalog_object){0};
        }
    }
}

/* The client's comments stay in front of its statement. */
static const char *behind_comments(const char *sql)
{
    for (;;) {
        sql += strspn(sql, " \n");
        const char *end = NULL;
        if (strncmp(sql, "--", 2) == 0) {
            end = strchr(sql, '\n');
        } else if (strncmp(sql, "/*", 2) == 0) {
            end = strstr(sql, "*/") + 1;
        }
        if (end == NULL) {
            return sql;
        }
        sql = end + 1;
    }
}

static const struct statement_entry reading[] = {
    {"SELECT version(), current_user, current_schema(), current_database()", read_identity},
    {"SELECT r.id, r.relation_type, o.name, r.definition ", read_target},
    {"SELECT r.id, r.relation_type, r.definition ", read_probe},
    {"SELECT r.id, s.name, r.name, r.relation_type FROM ", read_left},
    {"SELECT r.id, r.name, r.relation_type FROM ", read_predecessors},
    {"SELECT i.name FROM rw_catalog.rw_indexes ", read_predecessor_indexes},
    {"SELECT u.name FROM rw_catalog.rw_users u WHERE u.is_super", read_superusers},
    {"SHOW MATERIALIZED VIEWS FROM ", read_listing},
    {"SHOW PROCESSLIST", read_processes},
    {"SHOW streaming_parallelism", read_parallelism},
    {"SHOW background_ddl", read_background},
    {"SELECT j.status FROM ", read_status},
    {"SELECT j.parallelism, j.resource_group ", read_job},
    {"SELECT i.id, i.name, i.definition FROM rw_catalog.rw_indexes ", read_indexes},
    {"SELECT i.id, j.status FROM rw_catalog.rw_indexes ", read_index_build},
    {"SELECT i.id FROM rw_catalog.rw_indexes ", read_index_id},
    {"SELECT i.name, i.primary_table_id FROM rw_catalog.rw_indexes ", read_index_names},
    {"SELECT c.key, c.value FROM rw_catalog.rw_streaming_job_config ", read_job_config},
    {"SELECT current_schema()", read_schema},
    {"DESCRIBE ", read_description},
    {"SELECT x.objid, x.refobjid, s.name, d.name, d.relation_type, o.name", read_dependents},
    {"SELECT x.objid, x.refobjid, d.name, s.name ", read_references},
    {"SELECT x.refobjid FROM ", read_references_of},
    {"SELECT c.relation_id, c.name FROM ", read_columns_of_views},
    {"SELECT r.id, r.relation_type, r.acl, o.name ", read_follower},
    {"SHOW search_path", read_path},
    {"SELECT x.objid, x.refobjid, s.name, d.name, d.relation_type ", read_both_reads},
    {"SELECT x.objid, x.refobjid FROM ", read_indirect},
    {"SELECT x.refobjid, s.name, d.name ", read_new_reads},
    {"SELECT c.name, c.data_type FROM ", read_columns},
    {"SELECT c.relation_id FROM ", read_zones},
    {"SELECT p.ddl_statement FROM ", read_jobs},
    {"SELECT p.progress FROM ", read_progress},
    {"SELECT m.id", read_build},
    {"SELECT r.definition, r.acl, o.name ", read_facts},
    {"SELECT r.name, r.id, r.relation_type ", read_ids},
};

static const struct statement_entry changing[] = {
    {"SET background_ddl = ", set_background},
    {"SET search_path TO ", set_path},
    {"CREATE VIEW ", catalog_create_view},
    {"CREATE INDEX ", catalog_create_index},
    {"ALTER MATERIALIZED VIEW ", catalog_alter},
    {"ALTER VIEW ", catalog_alter},
    {"ALTER INDEX ", catalog_rename_index},
    {"DROP MATERIALIZED VIEW ", catalog_drop},
    {"DROP VIEW ", catalog_drop_view},
    {"DROP INDEX ", catalog_drop_index},
    {"CANCEL JOBS ", catalog_cancel_job},
    {"GRANT SELECT ON ", catalog_grant_select},
    {"REVOKE SELECT ON ", catalog_revoke_select},
    {"COMMENT ON ", catalog_comment},
};

static const struct catalog_hook *find_hook(const struct catalog *c, const char *sql)
{
    for (size_t i = 0; i < CATALOG_HOOKS; i++) {
        const char *begins = c->hooks[i].begins;
        if (begins != NULL && strncmp(sql, begins, strlen(begins)) == 0) {
            return &c->hooks[i];
        }
    }
    return NULL;
}

static void run_hook(struct catalog *c, const struct catalog_hook *hook, struct answer *a)
{
    if (c->plan) {
        catalog_violated(c, "a statement of the settings in a plan", hook->begins);
    }
    if (hook->error != NULL) {
        answer_error(a, "XX000", hook->error);
        return;
    }
    for (size_t i = 0; i < hook->num_rows; i++) {
        answer_row(a, 1, &hook->cell);
    }
    c->schema = hook->schema != NULL ? hook->schema : c->schema;
}

static catalog_statement *find_statement(const struct statement_entry *entries, size_t num,
                                         const char *sql)
{
    for (size_t i = 0; i < num; i++) {
        if (strncmp(sql, entries[i].begins, strlen(entries[i].begins)) == 0) {
            return entries[i].run;
        }
    }
    return NULL;
}

/* Only the version, and a CREATE that cannot find a schema, come before the lock. */
static void watch_lock(struct catalog *c, catalog_statement *run, const char *sql)
{
    if (c->needs_lock && !c->locked && !c->plan && run != read_identity && !c->first_creation) {
        catalog_violated(c, "a statement before the lock", sql);
    }
}

void catalog_run(struct catalog *c, const char *sql, struct answer *out_answer)
{
    *out_answer = (struct answer){.result = {.kind = REPLACE_OK, .tag = "SELECT 0"}};
    let_jobs_fail(c);
    catalog_swap_late(c);
    if (strstr(sql, "CASCADE") != NULL) {
        catalog_violated(c, "CASCADE", sql);
    }
    const struct catalog_hook *hook = find_hook(c, sql);
    if (hook != NULL) {
        run_hook(c, hook, out_answer);
        return;
    }
    sql = behind_comments(sql);
    catalog_statement *run = find_statement(reading, sizeof(reading) / sizeof(reading[0]), sql);
    if (run == NULL) {
        run = find_statement(changing, sizeof(changing) / sizeof(changing[0]), sql);
        if (c->plan && run != catalog_create_view && run != catalog_drop_view) {
            catalog_violated(c, "a lasting change in a plan", sql);
        }
    }
    if (run == NULL && word_is(sql, "create")) {
        run = catalog_create;
    }
    watch_lock(c, run, sql);
    catalog_watch_cascade(c, run, sql);
    if (run != NULL) {
        catalog_change_view(c);
        run(c, sql, out_answer);
        catalog_change_view(c);
    } else {
        catalog_violated(c, "unknown statement", sql);
    }
}
