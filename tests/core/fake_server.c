/* fake_server: see fake_server.h. Knows the engine's questions by how they begin. */
#include "fake_server.h"

#include "message_text.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_server_init(struct fake_server *f)
{
    *f = (struct fake_server){.status = 'I', .polls_to_go = 1, .view_id = FAKE_OLD_ID};
}

static void forget(struct fake_prepared *p)
{
    p->used = false;
    buf_cleanup(&p->name);
    buf_cleanup(&p->text);
    buf_cleanup(&p->statement);
}

void fake_server_cleanup(struct fake_server *f)
{
    for (size_t i = 0; i < FAKE_MOST_PREPARED; i++) {
        forget(&f->statements[i]);
        forget(&f->portals[i]);
    }
    buf_cleanup(&f->in);
    buf_cleanup(&f->out);
}

/* Answers one message, written as in message_text.h. */
static void say(struct fake_server *f, const char *line)
{
    if (!message_parse(line, SERVER, &f->out)) {
        (void)fprintf(stderr, "fake_server: cannot say %s\n", line);
        abort();
    }
}

static void say_ready(struct fake_server *f)
{
    wire_add_ready_for_query(&f->out, f->status);
}

static void say_done(struct fake_server *f, const char *tag)
{
    wire_add_command_complete(&f->out, tag);
}

static void say_error(struct fake_server *f, const char *message)
{
    wire_add_error_response(
        &f->out,
        &(struct wire_report){.severity = "ERROR", .sqlstate = "XX000", .message = message});
}

static bool begins(const char *sql, const char *with)
{
    return strncmp(sql, with, strlen(with)) == 0;
}

static void say_names(struct fake_server *f)
{
    char row[160];
    say(f, "RowDescription \"name\" \"id\" \"relation_type\"");
    (void)snprintf(row, sizeof(row), "DataRow \"v\" \"%u\" \"materialized view\"", f->view_id);
    say(f, row);
    if (f->temp_id != 0) {
        (void)snprintf(row, sizeof(row), "DataRow \"%s\" \"%u\" \"materialized view\"", f->temp,
                       f->temp_id);
        say(f, row);
    }
    say_done(f, "SELECT");
}

static void say_job(struct fake_server *f)
{
    char row[80];
    say(f, "RowDescription \"id\" \"status\"");
    (void)snprintf(row, sizeof(row), "DataRow \"%u\" \"%s\"", f->temp_id,
                   f->polls_to_go == 0 ? "CREATED" : "CREATING");
    if (f->temp_id != 0) {
        say(f, row);
    }
    f->polls_to_go -= f->polls_to_go != 0 ? 1 : 0;
    say_done(f, "SELECT");
}

static void say_temp_id(struct fake_server *f)
{
    char row[32];
    say(f, "RowDescription \"id\"");
    (void)snprintf(row, sizeof(row), "DataRow \"%u\"", f->temp_id);
    if (f->temp_id != 0) {
        say(f, row);
    }
    say_done(f, "SELECT");
}

static void say_listed(struct fake_server *f)
{
    char row[96];
    say(f, "RowDescription \"Name\"");
    say(f, "DataRow \"v\"");
    if (f->temp_id != 0) {
        (void)snprintf(row, sizeof(row), "DataRow \"%s\"", f->temp);
        say(f, row);
    }
    say_done(f, "SHOW_COMMAND");
}

static void create(struct fake_server *f, const char *name)
{
    size_t len = strcspn(name, " ");
    unsigned id = FAKE_NEW_ID + f->num_created;
    f->num_created++;
    if (begins(name, "v ")) {
        f->view_id = id;
    } else if (len < sizeof(f->temp)) {
        memcpy(f->temp, name, len);
        f->temp[len] = 0;
        f->temp_id = id;
    }
    say(f, "NoticeResponse S\"NOTICE\" C\"00000\" M\"of the build\"");
    say_done(f, "CREATE_MATERIALIZED_VIEW");
}

static void say_target(struct fake_server *f)
{
    char row[96];
    say(f, "RowDescription \"id\" \"type\" \"owner\" \"definition\" \"acl\"");
    (void)snprintf(row, sizeof(row),
                   "DataRow \"%u\" \"materialized view\" \"root\" \"SELECT 1\" NULL", f->view_id);
    if (f->view_id != 0) {
        say(f, row);
    }
    say_done(f, "SELECT");
}

static void swap(struct fake_server *f)
{
    unsigned id = f->view_id;
    f->view_id = f->temp_id;
    f->temp_id = id;
    say_done(f, "ALTER_MATERIALIZED_VIEW");
}

/* What the engine asks of the catalog; false when it is no such question. */
static bool answer_catalog(struct fake_server *f, const char *sql)
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
        {"SELECT i.name", {"RowDescription \"name\"", NULL}},
        {"DESCRIBE ",
         {"RowDescription \"Name\" \"Type\" \"Hidden\" \"Description\"",
          "DataRow \"a\" \"integer\" \"false\" NULL"}},
        {"SELECT x.objid", {"RowDescription \"objid\" \"s\" \"d\" \"type\"", NULL}},
        {"SELECT p.ddl", {"RowDescription \"ddl_statement\"", NULL}},
        {"SELECT r.definition",
         {"RowDescription \"definition\" \"acl\" \"name\"", "DataRow \"SELECT 1\" NULL \"root\""}},
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (begins(sql, answers[i].begins)) {
            say(f, answers[i].lines[0]);
            if (answers[i].lines[1] != NULL) {
                say(f, answers[i].lines[1]);
            }
            say_done(f, "SELECT");
            return true;
        }
    }
    return false;
}

static bool refuse_statement(struct fake_server *f)
{
    if (f->knows_the_statement) {
        f->view_id = FAKE_NEW_ID;
        say_done(f, "CREATE_MATERIALIZED_VIEW");
        return true;
    }
    say_error(f, "Failed to run the query\n\nCaused by:\n"
                 "  Feature is not yet implemented: CREATE OR REPLACE VIEW\nNo tracking issue.\n");
    return false;
}

static bool refuse_explain(struct fake_server *f)
{
    say_error(f, "Failed to run the query\n\nCaused by:\n  Feature is not yet implemented:"
                 " unsupported statement for EXPLAIN: CREATE OR REPLACE MATERIALIZED VIEW v AS"
                 " SELECT 1\nNo tracking issue.\n");
    return false;
}

bool fake_server_run(struct fake_server *f, const char *sql)
{
    static const char create_view[] = "CREATE MATERIALIZED VIEW ";
    char message[128];
    if (begins(sql, "CREATE OR REPLACE MATERIALIZED VIEW ")) {
        return refuse_statement(f);
    }
    if (begins(sql, "EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW ")) {
        return refuse_explain(f);
    }
    if (begins(sql, create_view)) {
        create(f, sql + strlen(create_view));
    } else if (begins(sql, "SET background_ddl")) {
        f->background = strstr(sql, "true") != NULL;
        say_done(f, "SET_VARIABLE");
    } else if (begins(sql, "SHOW background_ddl")) {
        say(f, "RowDescription \"Name\"");
        say(f, f->background ? "DataRow \"true\"" : "DataRow \"false\"");
        say_done(f, "SHOW_VARIABLE");
    } else if (begins(sql, "SHOW MATERIALIZED VIEWS")) {
        say_listed(f);
    } else if (begins(sql, "SELECT m.id, j.status")) {
        say_job(f);
    } else if (begins(sql, "SELECT m.id")) {
        say_temp_id(f);
    } else if (begins(sql, "SELECT r.id, r.relation_type")) {
        say_target(f);
    } else if (begins(sql, "SELECT r.name, r.id")) {
        say_names(f);
    } else if (begins(sql, "ALTER MATERIALIZED VIEW ")) {
        swap(f);
    } else if (begins(sql, "DROP MATERIALIZED VIEW ")) {
        f->temp_id = 0;
        say_done(f, "DROP_MATERIALIZED_VIEW");
    } else if (begins(sql, "BEGIN") || begins(sql, "COMMIT")) {
        f->status = sql[0] == 'B' ? 'T' : 'I';
        say_done(f, sql[0] == 'B' ? "BEGIN" : "COMMIT");
    } else if (begins(sql, "DISCARD ALL")) {
        say_done(f, "DISCARD");
    } else if (begins(sql, "SELECT ''")) {
        say(f, "DataRow \"\""); /* in a portal: its description was asked for before */
        say_done(f, "SELECT 1");
    } else if (!answer_catalog(f, sql)) {
        (void)snprintf(message, sizeof(message), "expected statement, found: %.64s", sql);
        say_error(f, message);
        return false;
    }
    return true;
}

static void start(struct fake_server *f)
{
    say(f, "Authentication 0");
    say(f, "ParameterStatus \"server_version\" \"13.14.0\"");
    if (f->is_postgres) {
        say(f, "ParameterStatus \"integer_datetimes\" \"on\"");
    }
    if (f->gives_key) {
        say(f, "BackendKeyData 7 7");
    }
    say_ready(f);
}

static void refuse_series(struct fake_server *f, const char *message)
{
    say_error(f, message);
    f->skipping = true;
}

static bool is_named(struct buf *name, const char *with)
{
    return strcmp(buf_text(name), with) == 0;
}

static struct fake_prepared *find(struct fake_prepared *all, const char *name)
{
    for (size_t i = 0; i < FAKE_MOST_PREPARED; i++) {
        if (all[i].used && is_named(&all[i].name, name)) {
            return &all[i];
        }
    }
    return NULL;
}

/* A place for a new one of that name; NULL, and an error, when it is taken or there are too many.
 * Unnamed ones give way. */
static struct fake_prepared *make(struct fake_server *f, struct fake_prepared *all,
                                  const char *name)
{
    struct fake_prepared *p = find(all, name);
    if (p != NULL && name[0] != 0) {
        refuse_series(f, "Duplicated name");
        return NULL;
    }
    for (size_t i = 0; p == NULL && i < FAKE_MOST_PREPARED; i++) {
        p = !all[i].used ? &all[i] : NULL;
    }
    if (p == NULL) {
        refuse_series(f, "too many");
        return NULL;
    }
    forget(p);
    p->used = true;
    buf_add_text(&p->name, name);
    return p;
}

static void parse(struct fake_server *f, struct wire_reader *r)
{
    const char *name = wire_read_text(r);
    const char *text = wire_read_text(r);
    if (strstr(text, "nope") != NULL) {
        refuse_series(f, "Invalid column: nope");
        return;
    }
    if (strchr(text, ';') != NULL) {
        refuse_series(f, "Only one statement is allowed in extended query mode");
        return;
    }
    struct fake_prepared *p = make(f, f->statements, name);
    if (p != NULL) {
        buf_add_text(&p->text, text);
        say(f, "ParseComplete");
    }
}

static void bind(struct fake_server *f, struct wire_reader *r)
{
    const char *name = wire_read_text(r);
    const char *of = wire_read_text(r);
    struct fake_prepared *statement = find(f->statements, of);
    if (statement == NULL) {
        refuse_series(f, "Prepare statement not found");
        return;
    }
    struct fake_prepared *p = make(f, f->portals, name);
    if (p != NULL) {
        buf_add_text(&p->text, buf_text(&statement->text));
        buf_add_text(&p->statement, of);
        say(f, "BindComplete");
    }
}

static void execute(struct fake_server *f, struct wire_reader *r)
{
    struct fake_prepared *portal = find(f->portals, wire_read_text(r));
    if (portal == NULL) {
        refuse_series(f, "Portal not found");
    } else {
        f->skipping = !fake_server_run(f, buf_text(&portal->text));
    }
}

/* A statement takes its portals along, and the unnamed one whatever it is of. */
static void close(struct fake_server *f, struct wire_reader *r)
{
    bool is_statement = wire_read_u8(r) == 'S';
    const char *name = wire_read_text(r);
    struct fake_prepared *p = find(is_statement ? f->statements : f->portals, name);
    for (size_t i = 0; is_statement && i < FAKE_MOST_PREPARED; i++) {
        struct fake_prepared *portal = &f->portals[i];
        if (portal->used && (is_named(&portal->name, "") || is_named(&portal->statement, name))) {
            forget(portal);
        }
    }
    if (p != NULL) {
        forget(p);
    }
    say(f, "CloseComplete");
}

static void describe(struct fake_server *f, struct wire_reader *r)
{
    bool is_statement = wire_read_u8(r) == 'S';
    if (find(is_statement ? f->statements : f->portals, wire_read_text(r)) == NULL) {
        refuse_series(f, "nothing of that name to describe");
        return;
    }
    if (is_statement) {
        say(f, "ParameterDescription \"\\x00\\x00\"");
    }
    say(f, "NoData");
}

static void series_message(struct fake_server *f, uint8_t tag, const uint8_t *body, size_t len)
{
    static const struct {
        uint8_t tag;
        void (*answer)(struct fake_server *f, struct wire_reader *r);
    } answers[] = {{CLIENT_PARSE, parse},
                   {CLIENT_BIND, bind},
                   {CLIENT_EXECUTE, execute},
                   {CLIENT_CLOSE, close},
                   {CLIENT_DESCRIBE, describe}};
    struct wire_reader r = wire_reader_over(body, len);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].tag == tag) {
            answers[i].answer(f, &r);
        }
    }
}

static void message(struct fake_server *f, uint8_t tag, const uint8_t *body, size_t len)
{
    if (tag == CLIENT_SYNC) {
        f->skipping = false;
        say_ready(f);
    } else if (f->skipping) {
        return;
    } else if (tag == CLIENT_QUERY && len != 0 && body[len - 1] == 0) {
        (void)fake_server_run(f, (const char *)body);
        say_ready(f);
    } else {
        series_message(f, tag, body, len);
    }
}

void fake_server_take(struct fake_server *f, const uint8_t *bytes, size_t len)
{
    struct wire_start first = {0};
    struct wire_header header = {0};
    buf_add(&f->in, bytes, len);
    if (!f->started && wire_decode_start(buf_bytes(&f->in), buf_len(&f->in), &first) == WIRE_OK) {
        f->started = true;
        buf_consume(&f->in, first.packet_len);
        if (first.kind == START_STARTUP) {
            start(f);
        }
    }
    while (f->started && !f->leaves_messages &&
           wire_decode_header(buf_bytes(&f->in), buf_len(&f->in), &header) == WIRE_OK &&
           buf_len(&f->in) - WIRE_HEADER_LEN >= header.body_len) {
        message(f, header.tag, buf_bytes(&f->in) + WIRE_HEADER_LEN, header.body_len);
        buf_consume(&f->in, WIRE_HEADER_LEN + (size_t)header.body_len);
    }
}
