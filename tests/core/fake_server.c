/* fake_server: the protocol; see fake_server.h. What statements do is in fake_catalog.c. */
#include "fake_server.h"

#include "message_text.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_server_init(struct fake_server *f)
{
    *f = (struct fake_server){.status = 'I', .polls_to_go = 1};
    fake_catalog_init(f);
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
    fake_catalog_cleanup(f);
    buf_cleanup(&f->in);
    buf_cleanup(&f->out);
}

void fake_say(struct fake_server *f, const char *line)
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

void fake_say_error(struct fake_server *f, const char *message)
{
    wire_add_error_response(
        &f->out,
        &(struct wire_report){.severity = "ERROR", .sqlstate = "XX000", .message = message});
}

static void start(struct fake_server *f)
{
    fake_say(f, "Authentication 0");
    fake_say(f, "ParameterStatus \"server_version\" \"13.14.0\"");
    if (f->is_postgres) {
        fake_say(f, "ParameterStatus \"integer_datetimes\" \"on\"");
    }
    if (f->gives_key) {
        fake_say(f, "BackendKeyData 7 7");
    }
    say_ready(f);
}

static void refuse_series(struct fake_server *f, const char *message)
{
    fake_say_error(f, message);
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
        fake_say(f, "ParseComplete");
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
        fake_say(f, "BindComplete");
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
    fake_say(f, "CloseComplete");
}

static void describe(struct fake_server *f, struct wire_reader *r)
{
    bool is_statement = wire_read_u8(r) == 'S';
    if (find(is_statement ? f->statements : f->portals, wire_read_text(r)) == NULL) {
        refuse_series(f, "nothing of that name to describe");
        return;
    }
    if (is_statement) {
        fake_say(f, "ParameterDescription \"\\x00\\x00\"");
    }
    fake_say(f, "NoData");
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
