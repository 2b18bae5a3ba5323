/*
 * catalog: see catalog.h. This file owns the objects and the statements that change them; what is
 * only read is answered in catalog_read.c.
 */
#include "catalog.h"
#include "catalog_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_text(char *to, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size) {
        abort();
    }
    memmove(to, text, len + 1);
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
        .next_id = 10,
        .build_ms = 200,
        .build_acl = "{postgres=arwd/root,root=arwd/root}",
        .listing = minor < 6 && major == 2 ? LISTING_BARE : LISTING_QUALIFIED,
    };
    c->target_id = catalog_add(c, "public", "mv", "materialized view", 0)->id;
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
        set_text(o->owner, sizeof(o->owner), "root");
        set_text(o->acl, CATALOG_TEXT, "{postgres=arwd/root,root=arwd/root}");
        (void)snprintf(o->definition, CATALOG_TEXT, "CREATE MATERIALIZED VIEW %.300s AS SELECT 1",
                       "x");
        return o;
    }
    abort();
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

static bool is_temporary_of_target(const struct catalog *c, const char *name)
{
    size_t len = strlen(c->target_name);
    return strncmp(name, c->target_name, len) == 0 && strncmp(name + len, "_tmp_", 5) == 0 &&
           strlen(name) == len + 5 + 22;
}

/* Where CREATE would create, with the object's name: one to three parts behind the word VIEW. */
static bool created_name(const struct catalog *c, const char *sql, char *schema, char *name)
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

static void create_build(struct catalog *c, struct catalog_object *o)
{
    bool background = c->background_ddl && !c->foreground_anyway;
    o->ours = true;
    o->visible_ms = c->now_ms + (background ? c->seen_after_ms : 0);
    o->finished_ms = c->now_ms + (background ? c->build_ms : 0);
    memcpy(o->reads, c->build_reads, sizeof(o->reads));
    set_text(o->owner, sizeof(o->owner), c->user);
    set_text(o->acl, CATALOG_TEXT, c->build_acl);
    if (c->build_definition != NULL) {
        set_text(o->definition, CATALOG_TEXT, c->build_definition);
    }
    if (c->never_seen) {
        *o = (struct catalog_object){0};
    }
}

void run_create(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char message[2 * CATALOG_NAME];
    if (!created_name(c, sql, schema, name)) {
        answer_error(a, "3F000", "no schema has been selected to create in");
        return;
    }
    c->created = false;
    bool temporary = is_temporary_of_target(c, name);
    if (!c->first_creation && !temporary) {
        catalog_violated(c, "CREATE that is not under a temporary name", sql);
    }
    if (temporary && c->names_taken != 0) {
        c->names_taken--;
        catalog_add(c, schema, name, "materialized view", 0);
    }
    if (catalog_find(c, schema, name) != NULL) {
        (void)snprintf(message, sizeof(message),
                       "Failed to run the query\n\nCaused by these errors (recent errors listed "
                       "first):\n  1: Catalog error\n  2: table with name %s exists\n",
                       name);
        /* Only the text tells in older versions. */
        answer_error(a, catalog_at_least(c, 2, 7) ? "42710" : "XX000", message);
        return;
    }
    struct catalog_object *o = catalog_add(c, schema, name, "materialized view", 0);
    set_text(o->definition, CATALOG_TEXT, sql);
    create_build(c, o);
    c->created = true;
    a->result.tag = "CREATE_MATERIALIZED_VIEW";
}

static void answer_not_found(struct answer *a, const char *kind, const char *name)
{
    char message[2 * CATALOG_NAME];
    (void)snprintf(message, sizeof(message),
                   "Failed to run the query\n\nCaused by these errors (recent errors listed "
                   "first):\n  1: Catalog error\n  2: %s not found: %s\n",
                   kind, name);
    answer_error(a, "42704", message);
}

/* The two relations change names; the engine may only do so with what it built and inspected. */
void run_swap(struct catalog *c, const char *sql, struct answer *a)
{
    char names[4][CATALOG_NAME];
    const char *at = sql + strlen("ALTER MATERIALIZED VIEW ");
    bool read = read_name(&at, names[0]) && *at++ == '.' && read_name(&at, names[1]) &&
                strncmp(at, " SWAP WITH ", 11) == 0;
    at += 11;
    read = read && read_name(&at, names[2]) && *at++ == '.' && read_name(&at, names[3]);
    if (!read || !is_temporary_of_target(c, names[1]) || strcmp(names[3], c->target_name) != 0 ||
        strcmp(names[0], c->target_schema) != 0 || strcmp(names[2], c->target_schema) != 0) {
        catalog_violated(c, "SWAP that is not temporary name first", sql);
        return;
    }
    struct catalog_object *first = catalog_find(c, names[0], names[1]);
    struct catalog_object *second = catalog_find(c, names[2], names[3]);
    if (first == NULL || second == NULL || !catalog_created(c, first)) {
        answer_not_found(a, "table", first == NULL ? names[1] : names[3]);
        return;
    }
    bool as_seen = first->id == c->seen_id && second->id == c->inspected_id;
    if (!c->racing && !as_seen) {
        catalog_violated(c, "SWAP of objects that were not built and inspected", sql);
    }
    c->swapped = as_seen;
    set_text(first->name, CATALOG_NAME, names[3]);
    set_text(second->name, CATALOG_NAME, names[1]);
    a->result.tag = "ALTER_MATERIALIZED_VIEW";
}

/* Only what was built may be dropped, and what was inspected once it was swapped away. */
static void watch_drop(struct catalog *c, const struct catalog_object *o, const char *sql)
{
    c->raced_id = c->racing && !o->ours ? o->id : c->raced_id;
    bool built = (o->ours || o->id == c->seen_id) && !c->swapped;
    if (!c->racing && !built && !(c->swapped && o->id == c->inspected_id)) {
        catalog_violated(c, "DROP of an object that is not ours to drop", sql);
    }
}

static void drop_object(struct catalog *c, struct catalog_object *o)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *index = &c->objects[i];
        if (index->id != 0 && strcmp(index->kind, "index") == 0 && index->reads[0] == o->id) {
            *index = (struct catalog_object){0};
        }
    }
    *o = (struct catalog_object){0};
}

static bool is_read(const struct catalog *c, uint64_t id)
{
    bool found = false;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        for (size_t k = 0; o->id != 0 && k < CATALOG_READS; k++) {
            found = found || (o->reads[k] == id && strcmp(o->kind, "index") != 0);
        }
    }
    return found;
}

void run_drop(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    const char *at = sql + strlen("DROP MATERIALIZED VIEW ");
    if (!read_name(&at, schema) || *at++ != '.' || !read_name(&at, name) || *at != 0 ||
        !is_temporary_of_target(c, name)) {
        catalog_violated(c, "DROP of another name than the temporary one", sql);
        return;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o == NULL || c->now_ms < o->visible_ms) {
        answer_not_found(a, "materialized view", name);
        return;
    }
    watch_drop(c, o, sql);
    if (!catalog_created(c, o) && !catalog_at_least(c, 2, 7)) {
        answer_error(a, "XX000",
                     "can not drop 1 creating streaming job, please cancel them firstly");
        return;
    }
    if (is_read(c, o->id)) {
        answer_error(a, "XX000", "Permission denied: table used by 1 other objects. ");
        return;
    }
    drop_object(c, o);
    a->result.tag = "DROP_MATERIALIZED_VIEW";
}

void run_owner(struct catalog *c, const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char owner[CATALOG_NAME];
    const char *at = sql + strlen("ALTER MATERIALIZED VIEW ");
    bool read = read_name(&at, schema) && *at++ == '.' && read_name(&at, name) &&
                strncmp(at, " OWNER TO ", 10) == 0;
    at += 10;
    if (!read || !read_name(&at, owner) || !is_temporary_of_target(c, name)) {
        catalog_violated(c, "OWNER TO that is not of the temporary name", sql);
        return;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    if (o == NULL) {
        answer_not_found(a, "materialized view", name);
        return;
    }
    (void)snprintf(o->owner, sizeof(o->owner), "%.60s", owner);
    a->result.tag = "ALTER_MATERIALIZED_VIEW";
}

void run_cancel_job(struct catalog *c, const char *sql, struct answer *a)
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

void catalog_run(struct catalog *c, const char *sql, struct answer *out_answer)
{
    *out_answer = (struct answer){.result = {.kind = REPLACE_OK, .tag = "SELECT 0"}};
    let_jobs_fail(c);
    if (strstr(sql, "CASCADE") != NULL) {
        catalog_violated(c, "CASCADE", sql);
    }
    sql = behind_comments(sql);
    if (!catalog_read(c, sql, out_answer) && !catalog_change(c, sql, out_answer)) {
        catalog_violated(c, "unknown statement", sql);
    }
}
