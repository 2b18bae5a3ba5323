/*
 * catalog_read: what is told about a session, a relation by its name or id, and its job. See
 * catalog.h.
 */
#include "catalog_internal.h"

#include <stdio.h>
#include <string.h>

void read_identity(struct catalog *c, const char *sql, struct answer *a)
{
    char version[80];
    (void)sql;
    c->first_creation = c->schema == NULL;
    (void)snprintf(version, sizeof(version), "PostgreSQL 13.14.0-RisingWave-%u.%u.0 (unknown)",
                   c->major, c->minor);
    answer_row(a, 4,
               (const char *const[]){c->version != NULL ? c->version : version, c->user, c->schema,
                                     c->database});
}

void read_target(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char id[24];
    read_literal(sql, 0, schema);
    read_literal(sql, 1, name);
    struct catalog_object *o = catalog_find(c, schema, name);
    c->first_creation = o == NULL || !catalog_visible(c, o);
    c->inspected_id = c->first_creation ? 0 : o->id;
    if (!c->first_creation) {
        answer_row(a, 4,
                   (const char *const[]){id_text(o->id, id), o->kind, null_if_empty(o->owner),
                                         null_if_empty(o->definition)});
    }
}

void read_superusers(struct catalog *c, const char *sql, struct answer *a)
{
    (void)sql;
    for (size_t i = 0; i < CATALOG_SUPERUSERS && c->superusers[i] != NULL; i++) {
        answer_row(a, 1, &c->superusers[i]);
    }
}

void read_listing(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char shown[2 * CATALOG_NAME + 8];
    const char *at = sql + strlen("SHOW MATERIALIZED VIEWS FROM ");
    if (!read_name(&at, schema)) {
        catalog_violated(c, "SHOW without a schema", sql);
        return;
    }
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (!catalog_visible(c, o) || !catalog_created(c, o) || strcmp(o->schema, schema) != 0 ||
            !is_kind(o, "materialized view")) {
            continue;
        }
        const char *form = c->listing == LISTING_QUALIFIED ? "%s.%s"
                           : c->listing == LISTING_BARE    ? "%.0s%s"
                           : c->listing == LISTING_QUOTED  ? "\"%s\".\"%s\""
                                                           : "%s.\"%s\"";
        /* One of the four literals above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(shown, sizeof(shown), form, o->schema, o->name);
#pragma GCC diagnostic pop
        answer_row(a, 1, (const char *const[]){shown});
    }
}

static void watch_jobs_table(struct catalog *c, const char *sql)
{
    if (strstr(sql, "rw_streaming_jobs") != NULL && !catalog_at_least(c, 2, 6)) {
        catalog_violated(c, "rw_streaming_jobs before 2.6", sql);
    }
}

static const char *status_of(const struct catalog *c, const struct catalog_object *o)
{
    return catalog_created(c, o) ? "CREATED" : "CREATING";
}

void read_status(struct catalog *c, const char *sql, struct answer *a)
{
    struct catalog_object *o = catalog_by_id(c, read_number_behind(sql, "j.id = "));
    watch_jobs_table(c, sql);
    if (o != NULL) {
        answer_row(a, 1, (const char *const[]){status_of(c, o)});
    }
}

void read_job(struct catalog *c, const char *sql, struct answer *a)
{
    struct catalog_object *o = catalog_by_id(c, read_number_behind(sql, "j.id = "));
    watch_jobs_table(c, sql);
    if (o != NULL) {
        answer_row(a, 2, (const char *const[]){o->parallelism, o->resource_group});
    }
}

void read_parallelism(struct catalog *c, const char *sql, struct answer *a)
{
    bool of_views = strcmp(sql, "SHOW streaming_parallelism_for_materialized_view") == 0;
    if (!of_views && strcmp(sql, "SHOW streaming_parallelism") != 0) {
        catalog_violated(c, "unknown statement", sql);
    }
    if (!catalog_at_least(c, 2, 6)) {
        catalog_violated(c, "SHOW of what this version need not have", sql);
    }
    answer_row(
        a, 1,
        (const char *const[]){of_views ? c->session_parallelism_of_views : c->session_parallelism});
}

void read_description(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    const char *at = sql + strlen("DESCRIBE ");
    if (!read_qualified(&at, schema, name)) {
        catalog_violated(c, "DESCRIBE without schema and name", sql);
        return;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o == NULL || !catalog_created(c, o)) {
        answer_error(a, "42704", "table, view or source not found");
        return;
    }
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        const struct catalog_column *column = &o->columns[i];
        if (column->name[0] != 0) {
            answer_row(a, 4,
                       (const char *const[]){column->name, column->type,
                                             column->hidden ? "true" : "false",
                                             null_if_empty(column->comment)});
        }
    }
    answer_row(a, 4, (const char *const[]){"primary key", "a", NULL, NULL});
    answer_row(a, 4, (const char *const[]){"distribution key", "a", NULL, NULL});
    answer_row(
        a, 4, (const char *const[]){"table description", o->name, NULL, null_if_empty(o->comment)});
}

void read_jobs(struct catalog *c, const char *sql, struct answer *a)
{
    (void)sql;
    for (size_t i = 0; i < 2 && c->jobs[i] != NULL; i++) {
        bool null = strcmp(c->jobs[i], "NULL") == 0;
        answer_row(a, 1, (const char *const[]){null ? NULL : c->jobs[i]});
    }
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (o->id != 0 && o->ours && !catalog_created(c, o)) {
            answer_row(a, 1, (const char *const[]){o->definition});
        }
    }
}

void read_progress(struct catalog *c, const char *sql, struct answer *a)
{
    struct catalog_object *o = catalog_by_id(c, read_number_behind(sql, "p.ddl_id = "));
    if (o != NULL && !catalog_created(c, o)) {
        answer_row(a, 1, (const char *const[]){"12.50% (100/800)"});
    }
}

void read_facts(struct catalog *c, const char *sql, struct answer *a)
{
    char acl[CATALOG_TEXT];
    struct catalog_object *o = catalog_by_id(c, read_number_behind(sql, "r.id = "));
    if (o != NULL && catalog_visible(c, o)) {
        answer_row(a, 3,
                   (const char *const[]){null_if_empty(o->definition), catalog_acl(c, o, acl),
                                         null_if_empty(o->owner)});
    }
}

void read_ids(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char names[2][CATALOG_NAME];
    char id[24];
    read_literal(sql, 0, schema);
    read_literal(sql, 1, names[0]);
    read_literal(sql, 2, names[1]);
    for (size_t i = 0; i < 2; i++) {
        struct catalog_object *o = catalog_find(c, schema, names[i]);
        bool again = i == 1 && strcmp(names[0], names[1]) == 0;
        c->told_ids[i] = o != NULL ? o->id : 0;
        if (o != NULL && catalog_visible(c, o) && !again) {
            answer_row(a, 3, (const char *const[]){o->name, id_text(o->id, id), o->kind});
        }
    }
}

void read_background(struct catalog *c, const char *sql, struct answer *a)
{
    (void)sql;
    answer_row(a, 1, (const char *const[]){c->background_ddl ? "true" : "false"});
}

void read_job_config(struct catalog *c, const char *sql, struct answer *a)
{
    bool target = read_number_behind(sql, "c.id = ") == c->target_id;
    if (!catalog_at_least(c, 2, 8)) {
        catalog_violated(c, "rw_streaming_job_config before 2.8", sql);
    }
    for (size_t i = 0; target && i < 3 && c->job_config[i][0] != NULL; i++) {
        answer_row(a, 2, c->job_config[i]);
    }
}

void read_schema(struct catalog *c, const char *sql, struct answer *a)
{
    (void)sql;
    answer_row(a, 1, &c->schema);
}
