/*
 * fake_catalog: what a fake_server's statements do, told apart by how they begin; see
 * fake_server.h. One view "v" of one column, one built under a temporary name, one probe. What they
 * read is asked of their text: the table "t", or nothing.
 */
#include "fake_catalog.h"

#include "wire.h"

#include <stdio.h>
#include <string.h>

bool fake_begins(const char *sql, const char *with)
{
    return strncmp(sql, with, strlen(with)) == 0;
}

static void say_done(struct fake_server *f, const char *tag)
{
    wire_add_command_complete(&f->out, tag);
}

void fake_set_query(struct fake_relation *r, const char *text)
{
    buf_truncate(&r->query, 0);
    /* What is stored holds no comments. */
    while (*text != 0) {
        const char *comment = strstr(text, "/*");
        const char *end = comment != NULL ? strstr(comment, "*/") : NULL;
        size_t len = end != NULL ? (size_t)(comment - text) : strlen(text);
        buf_add(&r->query, text, len);
        text = end != NULL ? end + 2 : text + len;
    }
    buf_add_byte(&r->query, 0);
    while (buf_len(&r->query) > 1 && buf_bytes(&r->query)[buf_len(&r->query) - 2] == ' ') {
        buf_truncate(&r->query, buf_len(&r->query) - 1);
        buf_overwrite(&r->query, buf_len(&r->query) - 1, "", 1);
    }
}

void fake_catalog_init(struct fake_server *f)
{
    f->view = (struct fake_relation){.name = "v", .kind = "materialized view"};
    f->temp = (struct fake_relation){.kind = "materialized view"};
    f->probe = (struct fake_relation){.kind = "view"};
    f->view_id = FAKE_OLD_ID;
    fake_set_query(&f->view, "SELECT 0");
}

void fake_catalog_cleanup(struct fake_server *f)
{
    buf_cleanup(&f->view.query);
    buf_cleanup(&f->temp.query);
    buf_cleanup(&f->probe.query);
}

void fake_all(struct fake_server *f, struct fake_found out[FAKE_NUM_RELATIONS])
{
    out[0] = (struct fake_found){&f->view, f->view_id};
    out[1] = (struct fake_found){&f->temp, f->temp_id};
    out[2] = (struct fake_found){&f->probe, f->probe_id};
}

struct fake_found fake_by_name(struct fake_server *f, const char *sql, const char *before,
                               char quote)
{
    struct fake_found relations[FAKE_NUM_RELATIONS];
    const char *at = strstr(sql, before);
    fake_all(f, relations);
    for (size_t i = 0; at != NULL && i < FAKE_NUM_RELATIONS; i++) {
        char name[sizeof(relations[i].relation->name) + 2];
        (void)snprintf(name, sizeof(name), "%c%s%c", quote, relations[i].relation->name, quote);
        if (relations[i].id != 0 && fake_begins(at + strlen(before), name)) {
            return relations[i];
        }
    }
    return (struct fake_found){NULL, 0};
}

/* The name and query of "CREATE ... name AS query": a name in parts and quotes, or bare. */
static bool read_create(const char *name, struct fake_relation *out)
{
    const char *as = strstr(name, " AS ");
    const char *dot = strstr(name, "\".\"");
    const char *start = dot != NULL && dot < as ? dot + 3 : name;
    size_t len = strcspn(start, "\" ");
    if (as == NULL || len >= sizeof(out->name)) {
        return false;
    }
    memcpy(out->name, start, len);
    out->name[len] = 0;
    fake_set_query(out, as + strlen(" AS "));
    return true;
}

static bool refuse_statement(struct fake_server *f)
{
    if (f->knows_the_statement) {
        f->view_id = FAKE_NEW_ID;
        say_done(f, "CREATE_MATERIALIZED_VIEW");
        return true;
    }
    fake_say_error(f, "Failed to run the query\n\nCaused by:\n"
                      "  Feature is not yet implemented: CREATE OR REPLACE VIEW\n"
                      "No tracking issue.\n");
    return false;
}

static bool create(struct fake_server *f, const char *name)
{
    unsigned id = FAKE_NEW_ID + f->num_created;
    bool is_view = fake_begins(name, "v ");
    if (!read_create(name, is_view ? &f->view : &f->temp)) {
        fake_say_error(f, "a CREATE that cannot be read");
        return false;
    }
    f->num_created++;
    *(is_view ? &f->view_id : &f->temp_id) = id;
    fake_say(f, "NoticeResponse S\"NOTICE\" C\"00000\" M\"of the build\"");
    say_done(f, "CREATE_MATERIALIZED_VIEW");
    return true;
}

static bool create_probe(struct fake_server *f, const char *name)
{
    if (f->refuses_views || !read_create(name, &f->probe)) {
        fake_say_error(f, "Failed to run the query\n\nCaused by:\n  Feature is not yet implemented:"
                          " not as a view\nNo tracking issue.\n");
        return false;
    }
    f->probe_id = FAKE_PROBE_ID + f->num_probes++;
    say_done(f, "CREATE_VIEW");
    return true;
}

static bool drop_probe(struct fake_server *f, const char *sql)
{
    bool found = fake_by_name(f, sql, "\"public\".", '"').id == f->probe_id && f->probe_id != 0;
    if (!found && strstr(sql, " IF EXISTS ") == NULL) {
        fake_say_error(f, "Failed to run the query\n\nCaused by:\n  view not found\n");
        return false;
    }
    f->probe_id = 0;
    say_done(f, "DROP_VIEW");
    return true;
}

static bool drop(struct fake_server *f, const char *sql)
{
    struct fake_found found = fake_by_name(f, sql, "\"public\".", '"');
    if (found.id == 0 || found.id == f->probe_id) {
        fake_say_error(f, "Failed to run the query\n\nCaused by:\n  materialized view not found\n");
        return false;
    }
    *(found.id == f->view_id ? &f->view_id : &f->temp_id) = 0;
    say_done(f, "DROP_MATERIALIZED_VIEW");
    return true;
}

static bool swap(struct fake_server *f, const char *sql)
{
    (void)sql;
    unsigned id = f->view_id;
    f->view_id = f->temp_id;
    f->temp_id = id;
    buf_swap(&f->view.query, &f->temp.query);
    say_done(f, "ALTER_MATERIALIZED_VIEW");
    return true;
}

static bool set_background(struct fake_server *f, const char *sql)
{
    f->background = strstr(sql, "true") != NULL;
    say_done(f, "SET_VARIABLE");
    return true;
}

static bool begin_or_commit(struct fake_server *f, const char *sql)
{
    f->status = sql[0] == 'B' ? 'T' : 'I';
    say_done(f, sql[0] == 'B' ? "BEGIN" : "COMMIT");
    return true;
}

static bool discard(struct fake_server *f, const char *sql)
{
    (void)sql;
    fake_say(f, "CommandComplete \"DISCARD\"");
    return true;
}

/* Of a statement of the proxy's in a portal: its description was asked for before. */
static bool answer_substitute(struct fake_server *f, const char *sql)
{
    (void)sql;
    fake_say(f, "DataRow \"\"");
    fake_say(f, "CommandComplete \"SELECT 1\"");
    return true;
}

bool fake_server_run(struct fake_server *f, const char *sql)
{
    static const char create_view[] = "CREATE MATERIALIZED VIEW ";
    static const char create_plain_view[] = "CREATE VIEW ";
    static const struct {
        const char *begins;
        bool (*run)(struct fake_server *f, const char *sql);
    } statements[] = {
        {"ALTER MATERIALIZED VIEW ", swap}, {"DROP MATERIALIZED VIEW ", drop},
        {"DROP VIEW ", drop_probe},         {"SET background_ddl", set_background},
        {"BEGIN", begin_or_commit},         {"COMMIT", begin_or_commit},
        {"DISCARD ALL", discard},           {"SELECT ''", answer_substitute},
    };
    char message[128];
    if (fake_begins(sql, "CREATE OR REPLACE MATERIALIZED VIEW ") ||
        fake_begins(sql, "CREATE OR REPLACE VIEW ")) {
        return refuse_statement(f);
    }
    if (fake_begins(sql, "EXPLAIN CREATE OR REPLACE VIEW ")) {
        fake_say_error(f, "Failed to run the query\n\nCaused by:\n"
                          "  Not supported: EXPLAIN CREATE VIEW\nHINT: A created VIEW is ...\n");
        return false;
    }
    if (fake_begins(sql, "EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW ")) {
        fake_say_error(f, "Failed to run the query\n\nCaused by:\n"
                          "  Feature is not yet implemented: unsupported statement for EXPLAIN:"
                          " CREATE OR REPLACE MATERIALIZED VIEW v AS ...\nNo tracking issue.\n");
        return false;
    }
    if (fake_begins(sql, create_view)) {
        return create(f, sql + strlen(create_view));
    }
    if (fake_begins(sql, create_plain_view)) {
        return create_probe(f, sql + strlen(create_plain_view));
    }
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        if (fake_begins(sql, statements[i].begins)) {
            return statements[i].run(f, sql);
        }
    }
    if (fake_answer(f, sql)) {
        return true;
    }
    (void)snprintf(message, sizeof(message), "expected statement, found: %.64s", sql);
    fake_say_error(f, message);
    return false;
}
