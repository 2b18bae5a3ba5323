/*
 * catalog_read: see catalog.h. What the catalog answers without changing: the SELECTs of the
 * engine, SHOW, DESCRIBE, and the small parsers for the names in its SQL. Every statement is found
 * by how it begins.
 */
#include "catalog_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *keep(struct answer *a, const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    if (copy == NULL || a->num_owned == CATALOG_CELLS) {
        abort();
    }
    memcpy(copy, text, strlen(text) + 1);
    a->owned[a->num_owned++] = copy;
    return copy;
}

void answer_row(struct answer *a, size_t num_columns, const char *const *cells)
{
    size_t at = a->result.num_rows * num_columns;
    if (at + num_columns > CATALOG_CELLS) {
        abort();
    }
    for (size_t i = 0; i < num_columns; i++) {
        a->cells[at + i] = cells[i] != NULL ? keep(a, cells[i]) : NULL;
    }
    a->result.num_rows++;
    a->result.num_columns = num_columns;
    a->result.cells = a->cells;
}

void answer_error(struct answer *a, const char *sqlstate, const char *message)
{
    a->result = (struct replace_result){.kind = REPLACE_ERROR};
    a->result.error.sqlstate = sqlstate;
    a->result.error.message = keep(a, message);
    a->result.error.raw = (const uint8_t *)a->result.error.message;
    a->result.error.raw_len = strlen(message);
}

void answer_cleanup(struct answer *a)
{
    for (size_t i = 0; i < a->num_owned; i++) {
        free(a->owned[i]);
    }
    *a = (struct answer){0};
}

bool word_is(const char *at, const char *lower)
{
    size_t i = 0;
    while (lower[i] != 0 && tolower((unsigned char)at[i]) == lower[i]) {
        i++;
    }
    return lower[i] == 0;
}

bool read_name(const char **at, char out_name[CATALOG_NAME])
{
    size_t len = 0;
    const char *p = *at;
    bool quoted = *p == '"';
    p += quoted ? 1 : 0;
    while (*p != 0 && len + 1 < CATALOG_NAME &&
           (quoted ? *p != '"' : isalnum((unsigned char)*p) || *p == '_' || *p == '$')) {
        out_name[len++] = quoted ? *p : (char)tolower((unsigned char)*p);
        p++;
    }
    out_name[len] = 0;
    if (len == 0 || (quoted && *p != '"')) {
        return false;
    }
    *at = p + (quoted ? 1 : 0);
    return true;
}

/* The num-th literal of `sql`, counted from 0; "" if there are fewer. */
static void read_literal(const char *sql, unsigned num, char out_text[CATALOG_NAME])
{
    const char *at = sql;
    size_t len = 0;
    for (unsigned i = 0; *at != 0 && i <= num; i++) {
        at += strcspn(at, "'");
        at += *at != 0 ? 1 : 0;
        for (len = 0; *at != 0 && (*at != '\'' || at[1] == '\''); at++) {
            at += *at == '\'' ? 1 : 0;
            if (len + 1 < CATALOG_NAME) {
                out_text[len++] = *at;
            }
        }
        at += *at != 0 ? 1 : 0;
    }
    out_text[len] = 0;
}

static uint64_t read_last_number(const char *sql)
{
    const char *equals = strrchr(sql, '=');
    return equals != NULL ? strtoull(equals + 1, NULL, 10) : 0;
}

static const char *null_if_empty(const char *text)
{
    return text[0] != 0 ? text : NULL;
}

static const char *id_text(uint64_t id, char out_text[24])
{
    (void)snprintf(out_text, 24, "%" PRIu64, id);
    return out_text;
}

static bool is_visible(const struct catalog *c, const struct catalog_object *o)
{
    return o->id != 0 && !o->hidden && c->now_ms >= o->visible_ms;
}

static void read_identity(struct catalog *c, const char *sql, struct answer *a)
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

static void read_target(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char id[24];
    read_literal(sql, 0, schema);
    read_literal(sql, 1, name);
    struct catalog_object *o = catalog_find(c, schema, name);
    c->first_creation = o == NULL || !is_visible(c, o);
    c->inspected_id = c->first_creation ? 0 : o->id;
    if (!c->first_creation) {
        answer_row(a, 5,
                   (const char *const[]){id_text(o->id, id), o->kind, null_if_empty(o->owner),
                                         null_if_empty(o->definition), null_if_empty(o->acl)});
    }
}

static void read_superusers(struct catalog *c, const char *sql, struct answer *a)
{
    (void)sql;
    for (size_t i = 0; i < CATALOG_SUPERUSERS && c->superusers[i] != NULL; i++) {
        answer_row(a, 1, &c->superusers[i]);
    }
}

static void read_listing(struct catalog *c, const char *sql, struct answer *a)
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
        if (!is_visible(c, o) || !catalog_created(c, o) || strcmp(o->schema, schema) != 0 ||
            strcmp(o->kind, "materialized view") != 0) {
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

static const char *status_of(const struct catalog *c, const struct catalog_object *o)
{
    return catalog_created(c, o) ? "CREATED" : "CREATING";
}

static void read_status(struct catalog *c, const char *sql, struct answer *a)
{
    struct catalog_object *o = catalog_by_id(c, read_last_number(sql));
    if (!catalog_at_least(c, 2, 6)) {
        catalog_violated(c, "rw_streaming_jobs before 2.6", sql);
    }
    if (o != NULL) {
        answer_row(a, 1, (const char *const[]){status_of(c, o)});
    }
}

static void read_indexes(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t id = read_last_number(sql);
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (is_visible(c, o) && strcmp(o->kind, "index") == 0 && o->reads[0] == id) {
            answer_row(a, 1, (const char *const[]){o->name});
        }
    }
}

static void read_description(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    const char *at = sql + strlen("DESCRIBE ");
    if (!read_name(&at, schema) || *at++ != '.' || !read_name(&at, name)) {
        catalog_violated(c, "DESCRIBE without schema and name", sql);
        return;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o == NULL || !catalog_created(c, o)) {
        answer_error(a, "42704", "table, view or source not found");
        return;
    }
    const char *comment = null_if_empty(o->comment);
    answer_row(a, 4, (const char *const[]){"a", "integer", "false", comment});
    answer_row(a, 4, (const char *const[]){"primary key", "a", NULL, NULL});
    answer_row(a, 4, (const char *const[]){"table description", o->name, NULL, NULL});
}

static void read_dependents(struct catalog *c, const char *sql, struct answer *a)
{
    uint64_t id = read_last_number(sql);
    char text[24];
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        for (size_t k = 0; o->id != 0 && k < CATALOG_READS; k++) {
            if (o->reads[k] == id && catalog_created(c, o)) {
                bool shown = is_visible(c, o);
                answer_row(a, 4,
                           (const char *const[]){id_text(o->id, text), shown ? o->schema : NULL,
                                                 shown ? o->name : NULL, shown ? o->kind : NULL});
            }
        }
    }
}

static void read_jobs(struct catalog *c, const char *sql, struct answer *a)
{
    (void)sql;
    for (size_t i = 0; i < 2 && c->jobs[i] != NULL; i++) {
        bool null = strcmp(c->jobs[i], "NULL") == 0;
        answer_row(a, 1, (const char *const[]){null ? NULL : c->jobs[i]});
    }
}

static void read_build(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char id[24];
    bool with_status = strstr(sql, "rw_streaming_jobs") != NULL;
    if (with_status && !catalog_at_least(c, 2, 6)) {
        catalog_violated(c, "rw_streaming_jobs before 2.6", sql);
    }
    read_literal(sql, 0, schema);
    read_literal(sql, 1, name);
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o != NULL && is_visible(c, o) && strcmp(o->kind, "materialized view") == 0) {
        c->seen_id = c->seen_id != 0 || !c->created ? c->seen_id : o->id;
        answer_row(a, with_status ? 2 : 1,
                   (const char *const[]){id_text(o->id, id), status_of(c, o)});
    }
}

static void read_facts(struct catalog *c, const char *sql, struct answer *a)
{
    struct catalog_object *o = catalog_by_id(c, read_last_number(sql));
    if (o != NULL && is_visible(c, o)) {
        answer_row(a, 3,
                   (const char *const[]){null_if_empty(o->definition), null_if_empty(o->acl),
                                         null_if_empty(o->owner)});
    }
}

static void read_ids(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char names[2][CATALOG_NAME];
    char id[24];
    read_literal(sql, 0, schema);
    read_literal(sql, 1, names[0]);
    read_literal(sql, 2, names[1]);
    for (size_t i = 0; i < 2; i++) {
        struct catalog_object *o = catalog_find(c, schema, names[i]);
        if (o != NULL && is_visible(c, o)) {
            answer_row(a, 3, (const char *const[]){o->name, id_text(o->id, id), o->kind});
        }
    }
}

static void read_background(struct catalog *c, const char *sql, struct answer *a)
{
    (void)sql;
    answer_row(a, 1, (const char *const[]){c->background_ddl ? "true" : "false"});
}

static void set_background(struct catalog *c, const char *sql, struct answer *a)
{
    c->background_ddl = strcmp(sql, "SET background_ddl = true") == 0;
    if (!c->background_ddl && strcmp(sql, "SET background_ddl = false") != 0) {
        catalog_violated(c, "SET background_ddl to something else", sql);
    }
    a->result.tag = "SET_VARIABLE";
}

static void run_alter(struct catalog *c, const char *sql, struct answer *a)
{
    if (strstr(sql, "\" SWAP WITH \"") != NULL) {
        run_swap(c, sql, a);
    } else {
        run_owner(c, sql, a);
    }
}

struct statement_entry {
    const char *begins;
    void (*run)(struct catalog *c, const char *sql, struct answer *a);
};

static bool dispatch(const struct statement_entry *entries, size_t num, struct catalog *c,
                     const char *sql, struct answer *a)
{
    for (size_t i = 0; i < num; i++) {
        if (strncmp(sql, entries[i].begins, strlen(entries[i].begins)) == 0) {
            entries[i].run(c, sql, a);
            return true;
        }
    }
    return false;
}

bool catalog_read(struct catalog *c, const char *sql, struct answer *a)
{
    static const struct statement_entry entries[] = {
        {"SELECT version(), current_user, current_schema(), current_database()", read_identity},
        {"SELECT r.id, r.relation_type, o.name, r.definition, r.acl ", read_target},
        {"SELECT u.name FROM rw_catalog.rw_users u WHERE u.is_super", read_superusers},
        {"SHOW MATERIALIZED VIEWS FROM ", read_listing},
        {"SELECT j.status FROM ", read_status},
        {"SELECT i.name FROM rw_catalog.rw_indexes ", read_indexes},
        {"DESCRIBE ", read_description},
        {"SELECT x.objid, ", read_dependents},
        {"SELECT p.ddl_statement FROM ", read_jobs},
        {"SELECT m.id", read_build},
        {"SELECT r.definition, r.acl, o.name ", read_facts},
        {"SELECT r.name, r.id, r.relation_type ", read_ids},
        {"SHOW background_ddl", read_background},
    };
    return dispatch(entries, sizeof(entries) / sizeof(entries[0]), c, sql, a);
}

bool catalog_change(struct catalog *c, const char *sql, struct answer *a)
{
    static const struct statement_entry entries[] = {
        {"SET background_ddl = ", set_background},
        {"ALTER MATERIALIZED VIEW ", run_alter},
        {"DROP MATERIALIZED VIEW ", run_drop},
        {"CANCEL JOBS ", run_cancel_job},
    };
    if (dispatch(entries, sizeof(entries) / sizeof(entries[0]), c, sql, a)) {
        return true;
    }
    if (word_is(sql, "create")) {
        run_create(c, sql, a);
        return true;
    }
    return false;
}
