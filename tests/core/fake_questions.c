/* fake_questions: what the catalog of a fake_server answers; see fake_catalog.h. */
#include "fake_catalog.h"

#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_ID = 17, LONGEST_ID = 12 };

static void say_done(struct fake_server *f)
{
    wire_add_command_complete(&f->out, "SELECT");
}

static void say_row(struct fake_server *f, const char *const *cells, size_t num)
{
    size_t start = wire_begin_message(&f->out, SERVER_DATA_ROW);
    buf_add_u16(&f->out, (uint16_t)num);
    for (size_t i = 0; i < num; i++) {
        size_t len = cells[i] != NULL ? strlen(cells[i]) : 0;
        buf_add_u32(&f->out, cells[i] != NULL ? (uint32_t)len : UINT32_MAX);
        buf_add(&f->out, cells[i], len);
    }
    wire_end_message(&f->out, start);
}

static const char *id_text(unsigned id, char out[LONGEST_ID])
{
    (void)snprintf(out, LONGEST_ID, "%u", id);
    return out;
}

static struct fake_found by_id(struct fake_server *f, unsigned long id)
{
    struct fake_found relations[FAKE_NUM_RELATIONS];
    fake_all(f, relations);
    for (size_t i = 0; i < FAKE_NUM_RELATIONS; i++) {
        if (relations[i].id != 0 && relations[i].id == id) {
            return relations[i];
        }
    }
    return (struct fake_found){NULL, 0};
}

static bool reads_table(const struct fake_relation *r)
{
    return strstr((const char *)buf_bytes(&r->query), " FROM t") != NULL;
}

static void add_definition(struct buf *out, const struct fake_relation *r)
{
    buf_add_text(out, strcmp(r->kind, "view") == 0 ? "CREATE VIEW " : "CREATE MATERIALIZED VIEW ");
    buf_add_text(out, r->name);
    buf_add_text(out, " AS ");
    buf_add_text(out, (const char *)buf_bytes(&r->query));
}

static void show_background(struct fake_server *f, const char *sql)
{
    (void)sql;
    fake_say(f, "RowDescription \"Name\"");
    fake_say(f, f->background ? "DataRow \"true\"" : "DataRow \"false\"");
    say_done(f);
}

/* Finished views. */
static void show_views(struct fake_server *f, const char *sql)
{
    (void)sql;
    const struct fake_relation *views[] = {f->view_id != 0 ? &f->view : NULL,
                                           f->temp_id != 0 ? &f->temp : NULL};
    fake_say(f, "RowDescription \"Name\"");
    for (size_t i = 0; i < 2; i++) {
        if (views[i] != NULL) {
            say_row(f, (const char *[]){views[i]->name}, 1);
        }
    }
    say_done(f);
}

static void say_target(struct fake_server *f, const char *sql)
{
    struct fake_found found = fake_by_name(f, sql, "r.name = ", '\'');
    struct buf definition = {0};
    char id[LONGEST_ID];
    fake_say(f, "RowDescription \"id\" \"relation_type\" \"name\" \"definition\"");
    if (found.id != 0) {
        add_definition(&definition, found.relation);
        say_row(f,
                (const char *[]){id_text(found.id, id), found.relation->kind, "root",
                                 buf_text(&definition)},
                4);
    }
    buf_cleanup(&definition);
    say_done(f);
}

static void say_probe(struct fake_server *f, const char *sql)
{
    struct fake_found found = fake_by_name(f, sql, "r.name = ", '\'');
    struct buf definition = {0};
    char id[LONGEST_ID];
    fake_say(f, "RowDescription \"id\" \"relation_type\" \"definition\"");
    if (found.id != 0) {
        add_definition(&definition, found.relation);
        say_row(
            f, (const char *[]){id_text(found.id, id), found.relation->kind, buf_text(&definition)},
            3);
    }
    buf_cleanup(&definition);
    say_done(f);
}

/* The id behind `word` in the statement. */
static struct fake_found asked_for(struct fake_server *f, const char *sql, const char *word)
{
    const char *at = strstr(sql, word);
    return by_id(f, at != NULL ? strtoul(at + strlen(word), NULL, 10) : 0);
}

static void say_relation(struct fake_server *f, const char *sql)
{
    struct fake_found found = asked_for(f, sql, "r.id = ");
    struct buf definition = {0};
    fake_say(f, "RowDescription \"definition\" \"acl\" \"name\"");
    if (found.id != 0) {
        add_definition(&definition, found.relation);
        say_row(f, (const char *[]){buf_text(&definition), NULL, "root"}, 3);
    }
    buf_cleanup(&definition);
    say_done(f);
}

static void say_columns(struct fake_server *f, const char *sql)
{
    fake_say(f, "RowDescription \"name\" \"data_type\"");
    if (asked_for(f, sql, "c.relation_id = ").id != 0) {
        fake_say(f, "DataRow \"a\" \"integer\"");
    }
    say_done(f);
}

/* What the view and the probe read. */
static void say_probe_reads(struct fake_server *f, const char *sql)
{
    struct fake_found found[] = {asked_for(f, sql, "x.objid IN ("), {&f->probe, f->probe_id}};
    char ids[2][LONGEST_ID];
    fake_say(f, "RowDescription \"objid\" \"refobjid\" \"name\" \"name\" \"relation_type\"");
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        if (found[i].id != 0 && reads_table(found[i].relation)) {
            say_row(f,
                    (const char *[]){id_text(found[i].id, ids[0]), id_text(TABLE_ID, ids[1]),
                                     "public", "t", "table"},
                    5);
        }
    }
    say_done(f);
}

static void say_reads(struct fake_server *f, const char *sql)
{
    struct fake_found found = asked_for(f, sql, "x.objid = ");
    char id[LONGEST_ID];
    fake_say(f, "RowDescription \"refobjid\" \"name\" \"name\"");
    if (found.id != 0 && reads_table(found.relation)) {
        say_row(f, (const char *[]){id_text(TABLE_ID, id), "public", "t"}, 3);
    }
    say_done(f);
}

static void say_job(struct fake_server *f, const char *sql)
{
    char id[LONGEST_ID];
    (void)sql;
    fake_say(f, "RowDescription \"id\" \"status\"");
    if (f->temp_id != 0) {
        say_row(
            f,
            (const char *[]){id_text(f->temp_id, id), f->polls_to_go == 0 ? "CREATED" : "CREATING"},
            2);
    }
    f->polls_to_go -= f->polls_to_go != 0 ? 1 : 0;
    say_done(f);
}

static void say_temp_id(struct fake_server *f, const char *sql)
{
    struct fake_found found = fake_by_name(f, sql, "m.name = ", '\'');
    char id[LONGEST_ID];
    fake_say(f, "RowDescription \"id\"");
    if (found.id != 0) {
        say_row(f, (const char *[]){id_text(found.id, id)}, 1);
    }
    say_done(f);
}

/* What is behind the view's name and the temporary one. */
static void say_names(struct fake_server *f, const char *sql)
{
    struct fake_found relations[FAKE_NUM_RELATIONS];
    char id[LONGEST_ID];
    (void)sql;
    fake_all(f, relations);
    fake_say(f, "RowDescription \"name\" \"id\" \"relation_type\"");
    for (size_t i = 0; i < 2; i++) {
        if (relations[i].id != 0) {
            say_row(f,
                    (const char *[]){relations[i].relation->name, id_text(relations[i].id, id),
                                     relations[i].relation->kind},
                    3);
        }
    }
    say_done(f);
}

/* Questions whose answer is always the same; false when it is none. */
static bool answer_fixed(struct fake_server *f, const char *sql)
{
    static const struct {
        const char *begins;
        const char *lines[2];
    } answers[] = {
        {"SELECT version()",
         {"RowDescription \"version\" \"user\" \"schema\" \"database\"",
          "DataRow \"PostgreSQL 13.14.0-RisingWave-2.7.0\" \"root\" \"public\" \"dev\""}},
        {"SELECT u.name", {"RowDescription \"name\"", "DataRow \"root\""}},
        {"SELECT j.status", {"RowDescription \"status\"", "DataRow \"CREATED\""}},
        {"SELECT j.parallelism",
         {"RowDescription \"parallelism\" \"resource_group\"", "DataRow \"ADAPTIVE\" \"default\""}},
        {"SELECT i.id, i.name, i.definition",
         {"RowDescription \"id\" \"name\" \"definition\"", NULL}},
        {"DESCRIBE ",
         {"RowDescription \"Name\" \"Type\" \"Hidden\" \"Description\"",
          "DataRow \"a\" \"integer\" \"false\" NULL"}},
        {"SELECT x.objid, s.name", {"RowDescription \"objid\" \"s\" \"d\" \"type\"", NULL}},
        {"SELECT x.objid, x.refobjid FROM", {"RowDescription \"objid\" \"refobjid\"", NULL}},
        {"SELECT c.relation_id", {"RowDescription \"relation_id\"", NULL}},
        {"SELECT p.ddl", {"RowDescription \"ddl_statement\"", NULL}},
        {"SHOW PROCESSLIST",
         {"RowDescription \"Worker Id\" \"Id\" \"User\" \"Host\" \"Database\" \"Time\" \"Info\"",
          "DataRow \"1\" \"1:7\" \"root\" \"127.0.0.1:1\" \"dev\" \"0ms\" \"SHOW PROCESSLIST\""}},
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (fake_begins(sql, answers[i].begins)) {
            fake_say(f, answers[i].lines[0]);
            if (answers[i].lines[1] != NULL) {
                fake_say(f, answers[i].lines[1]);
            }
            say_done(f);
            return true;
        }
    }
    return false;
}

bool fake_answer(struct fake_server *f, const char *sql)
{
    static const struct {
        const char *begins;
        void (*say)(struct fake_server *f, const char *sql);
    } questions[] = {
        {"SHOW background_ddl", show_background},
        {"SHOW MATERIALIZED VIEWS", show_views},
        {"SELECT r.id, r.relation_type, o.name", say_target},
        {"SELECT r.id, r.relation_type, r.definition", say_probe},
        {"SELECT r.definition", say_relation},
        {"SELECT c.name", say_columns},
        {"SELECT x.objid, x.refobjid, s.name", say_probe_reads},
        {"SELECT x.refobjid", say_reads},
        {"SELECT m.id, j.status", say_job},
        {"SELECT m.id", say_temp_id},
        {"SELECT r.name, r.id", say_names},
    };
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        if (fake_begins(sql, questions[i].begins)) {
            questions[i].say(f, sql);
            return true;
        }
    }
    return answer_fixed(f, sql);
}
