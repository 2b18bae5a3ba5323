/* view_server: see view_server.h. */
#include "view_server.h"

#include "message_text.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char view_error_duplicate_statement[] =
    "Failed to prepare the statement\n\nCaused by:\n  Duplicated statement name\n";
const char view_error_duplicate_portal[] = "Duplicated portal name";
const char view_error_no_statement[] = "Prepare statement not found";
const char view_error_no_portal[] = "Portal not found";
const char view_error_nothing[] = "nothing of that name";
const char view_error_gone[] =
    "Failed to execute the statement\n\nCaused by these errors (recent errors listed first):\n"
    "  1: Scheduler error\n  2: Streaming vnode mapping not found for fragment 7\n";
const char view_error_too_young[] =
    "Failed to execute the statement\n\nCaused by:\n  table id 9 may have been dropped\n";

unsigned view_columns(unsigned version)
{
    return version / 3 % 2;
}

void view_say(struct buf *out, const char *line)
{
    if (!message_parse(line, SERVER, out)) {
        (void)fprintf(stderr, "view_server: cannot say %s\n", line);
        abort();
    }
}

void view_say_error(struct buf *out, const char *message)
{
    wire_add_error_response(
        out, &(struct wire_report){.severity = "ERROR", .sqlstate = "XX000", .message = message});
}

void view_say_columns(struct buf *out, bool reads, unsigned version)
{
    view_say(out, !reads                       ? "NoData"
                  : view_columns(version) == 0 ? "RowDescription \"n\""
                                               : "RowDescription \"n\" \"more\"");
}

void view_say_row(struct buf *out, bool reads, unsigned version)
{
    char row[64];
    (void)snprintf(row, sizeof(row), "DataRow \"%u\"", reads ? version : 0);
    view_say(out, row);
    wire_add_command_complete(out, "SELECT 1");
}

static struct view_entry *find(struct view_entry *list, const char *name)
{
    for (size_t i = 0; i < VIEW_SERVER_ENTRIES; i++) {
        if (list[i].used && strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static void add(struct view_server *v, struct view_entry *list, const struct view_entry *entry)
{
    struct view_entry *e = find(list, entry->name);
    for (size_t i = 0; i < VIEW_SERVER_ENTRIES && e == NULL; i++) {
        e = list[i].used ? NULL : &list[i];
    }
    v->full = v->full || e == NULL;
    if (e != NULL) {
        *e = *entry;
    }
}

static void fail(struct view_server *v, const char *message)
{
    view_say_error(&v->out, message);
    v->skipping = true;
}

static void say_ready(struct view_server *v)
{
    wire_add_ready_for_query(&v->out, v->in_transaction ? 'T' : 'I');
}

static void query(struct view_server *v, const char *text)
{
    char message[200];
    if (strcmp(text, "BEGIN READ ONLY") == 0 || strcmp(text, "COMMIT") == 0) {
        v->begun = !v->in_transaction ? v->version : v->begun;
        v->in_transaction = text[0] == 'B';
        wire_add_command_complete(&v->out, text[0] == 'B' ? "BEGIN" : "COMMIT");
    } else {
        (void)snprintf(message, sizeof(message),
                       "Failed to run the query\n\nCaused by:\n  sql parser error: expected"
                       " statement, found: %s\n",
                       text);
        view_say_error(&v->out, message);
    }
    say_ready(v);
}

static void parse(struct view_server *v, struct wire_reader *r)
{
    struct view_entry e = {.used = true, .version = v->version};
    (void)snprintf(e.name, sizeof(e.name), "%s", wire_read_text(r));
    if (e.name[0] != 0 && find(v->statements, e.name) != NULL) {
        fail(v, view_error_duplicate_statement);
        return;
    }
    for (size_t i = 0; i < VIEW_SERVER_ENTRIES; i++) {
        if (v->portals[i].used && strcmp(v->portals[i].statement, e.name) == 0) {
            v->portals[i].statement[0] = '?'; /* of the unnamed one that was */
        }
    }
    e.reads = strstr(wire_read_text(r), "FROM m") != NULL;
    add(v, v->statements, &e);
    view_say(&v->out, "ParseComplete");
}

static void bind(struct view_server *v, struct wire_reader *r)
{
    const char *portal = wire_read_text(r);
    const struct view_entry *of = find(v->statements, wire_read_text(r));
    if (of == NULL) {
        fail(v, view_error_no_statement);
        return;
    }
    if (portal[0] != 0 && find(v->portals, portal) != NULL) {
        fail(v, view_error_duplicate_portal);
        return;
    }
    struct view_entry e = {.used = true, .reads = of->reads, .version = of->version};
    (void)snprintf(e.name, sizeof(e.name), "%s", portal);
    memcpy(e.statement, of->name, sizeof(e.statement));
    add(v, v->portals, &e);
    view_say(&v->out, "BindComplete");
}

static void describe(struct view_server *v, struct wire_reader *r)
{
    bool statement = wire_read_u8(r) == 'S';
    const struct view_entry *e = find(statement ? v->statements : v->portals, wire_read_text(r));
    if (e == NULL) {
        fail(v, view_error_nothing);
        return;
    }
    if (statement) {
        view_say(&v->out, "ParameterDescription \"\\x00\\x00\"");
    }
    view_say_columns(&v->out, e->reads, e->version);
}

static void execute(struct view_server *v, struct wire_reader *r)
{
    const struct view_entry *e = find(v->portals, wire_read_text(r));
    if (e == NULL) {
        fail(v, view_error_no_portal);
    } else if (e->reads && e->version < v->oldest) {
        fail(v, view_error_gone);
    } else if (e->reads && v->in_transaction && e->version > v->begun) {
        fail(v, view_error_too_young);
    } else {
        view_say_row(&v->out, e->reads, e->version);
    }
}

static void close_one(struct view_server *v, struct wire_reader *r)
{
    bool statement = wire_read_u8(r) == 'S';
    const char *name = wire_read_text(r);
    struct view_entry *e = find(statement ? v->statements : v->portals, name);
    if (e != NULL) {
        e->used = false;
    }
    for (size_t i = 0; i < VIEW_SERVER_ENTRIES && statement; i++) {
        struct view_entry *p = &v->portals[i];
        p->used = p->used && p->name[0] != 0 && strcmp(p->statement, name) != 0;
    }
    view_say(&v->out, "CloseComplete");
}

static void take(struct view_server *v, uint8_t tag, const uint8_t *body, size_t len)
{
    struct wire_reader r = wire_reader_over(body, len);
    if (tag == CLIENT_SYNC) {
        v->skipping = false;
        say_ready(v);
    } else if (v->skipping) {
        /* dropped */
    } else if (tag == CLIENT_QUERY) {
        query(v, (const char *)body);
    } else if (tag == CLIENT_PARSE) {
        parse(v, &r);
    } else if (tag == CLIENT_BIND) {
        bind(v, &r);
    } else if (tag == CLIENT_DESCRIBE) {
        describe(v, &r);
    } else if (tag == CLIENT_EXECUTE) {
        execute(v, &r);
    } else if (tag == CLIENT_CLOSE) {
        close_one(v, &r);
    }
}

static bool start(struct view_server *v)
{
    struct wire_start first = {0};
    if (wire_decode_start(buf_bytes(&v->in), buf_len(&v->in), &first) != WIRE_OK) {
        return false;
    }
    v->started = true;
    buf_consume(&v->in, first.packet_len);
    view_say(&v->out, "Authentication 0");
    view_say(&v->out, "ParameterStatus \"server_version\" \"13.14.0\"");
    say_ready(v);
    return true;
}

bool view_server_step(struct view_server *v)
{
    struct wire_header header = {0};
    if (!v->started) {
        return start(v);
    }
    if (wire_decode_header(buf_bytes(&v->in), buf_len(&v->in), &header) != WIRE_OK ||
        buf_len(&v->in) - WIRE_HEADER_LEN < header.body_len) {
        return false;
    }
    take(v, header.tag, buf_bytes(&v->in) + WIRE_HEADER_LEN, header.body_len);
    buf_consume(&v->in, WIRE_HEADER_LEN + (size_t)header.body_len);
    return true;
}

void view_server_cleanup(struct view_server *v)
{
    buf_cleanup(&v->in);
    buf_cleanup(&v->out);
}
