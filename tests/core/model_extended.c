/*
 * model_extended: Parse, Bind, Describe, Execute and Close of a model_server, as risingwave.md 8.6
 * and 13 and transcript 12 have them; see model_server.h.
 */
#include "model_server.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An error of the extended protocol: all is dropped up to Sync. */
static void fail(struct model_server *m, const char *message)
{
    model_say_error(m, message);
    m->fake->skipping = true;
}

static void fail_for(struct model_server *m, const char *what, const char *name)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%s: %.64s", what, name);
    fail(m, text);
}

static struct model_entry *add(struct model_entry **list, const char *name)
{
    struct model_entry *e = calloc(1, sizeof(*e));
    (void)snprintf(e->name, sizeof(e->name), "%s", name);
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = e;
    return e;
}

static void drop(struct model_entry **list, const char *name)
{
    while (*list != NULL) {
        if (strcmp((*list)->name, name) == 0) {
            model_free_first(list);
        } else {
            list = &(*list)->next;
        }
    }
}

/* The error quotes the whole text, however long it is. */
static void fail_to_bind(struct model_server *m, const char *text)
{
    struct buf message = {0};
    buf_add_format(&message,
                   "Failed to prepare the statement\n\nCaused by:\n  no such column\n"
                   "LINE 1: %s\n",
                   text);
    fail(m, buf_text(&message));
    buf_cleanup(&message);
}

/* Of the unnamed statement, which is parsed anew: its portals belong to none from now on
 * (statement_portal_dependency in pg_protocol.rs). */
static void leave_portals(struct model_server *m)
{
    for (struct model_entry *e = m->portals; e != NULL; e = e->next) {
        if (e->statement[0] == 0) {
            e->statement[0] = '?';
        }
    }
}

static void parse(struct model_server *m, struct wire_reader *r)
{
    const char *name = wire_read_text(r);
    const char *text = wire_read_text(r);
    struct buf only = {0};
    struct buf more = {0};
    size_t at = 0;
    if (name[0] == 0) {
        drop(&m->statements, name);
        leave_portals(m);
    } else if (model_find(m->statements, name) != NULL) {
        fail(m, "Failed to prepare the statement\n\nCaused by:\n  Duplicated statement name\n");
        return;
    }
    const char *word = model_bad_word(text);
    if (word != NULL) {
        fail_for(m,
                 "Failed to prepare the statement\n\nCaused by:\n  sql parser error: expected"
                 " statement, found",
                 word);
        return;
    }
    if (strstr(text, "fails_to_bind") != NULL) {
        fail_to_bind(m, text);
        return;
    }
    if (!model_next_statement(text, &at, &only)) {
        buf_add_byte(&only, 0);
    }
    if (model_next_statement(text, &at, &more)) {
        fail(m, "Failed to prepare the statement\n\nCaused by:\n  Only one statement is allowed in"
                " extended query mode\n");
    } else {
        struct model_entry *e = add(&m->statements, name);
        buf_add_text(&e->text, model_text_kept(m, (const char *)buf_bytes(&only)));
        buf_add_byte(&e->text, 0);
        buf_add(&e->types, r->at, r->left);
        e->of_view = strstr((const char *)buf_bytes(&only), "MATERIALIZED") == NULL;
        model_say(m, "ParseComplete");
    }
    buf_cleanup(&only);
    buf_cleanup(&more);
}

/* How many values a Bind brings. */
static unsigned num_values(struct wire_reader r)
{
    unsigned formats = wire_read_u16(&r);
    for (unsigned i = 0; i < formats; i++) {
        (void)wire_read_u16(&r);
    }
    return wire_read_u16(&r);
}

static void bind(struct model_server *m, struct wire_reader *r)
{
    const char *name = wire_read_text(r);
    const char *of = wire_read_text(r);
    /* While its statement was parsed again, for what stands behind it. */
    if (model_repeats_cancel(m)) {
        m->fake->skipping = true;
        m->unnamed_in_doubt |= name[0] == 0;
        return;
    }
    if (name[0] != 0 && model_find(m->portals, name) != NULL) {
        fail(m, "Duplicated portal name");
        return;
    }
    const struct model_entry *statement = model_find(m->statements, of);
    if (statement == NULL) {
        fail_for(m, "Prepare statement not found", of);
        return;
    }
    if (num_values(*r) != model_num_parameters((const char *)buf_bytes(&statement->text))) {
        fail(m, "wrong number of parameters");
        return;
    }
    drop(&m->portals, name);
    struct model_entry *e = add(&m->portals, name);
    (void)snprintf(e->statement, sizeof(e->statement), "%s", of);
    buf_add(&e->text, buf_bytes(&statement->text), buf_len(&statement->text));
    buf_add(&e->types, buf_bytes(&statement->types), buf_len(&statement->types));
    buf_add(&e->values, r->at, r->left);
    e->of_view = statement->of_view;
    model_say(m, "BindComplete");
}

static void describe_parameters(struct model_server *m, const struct model_entry *e)
{
    struct wire_reader types = wire_reader_over(buf_bytes(&e->types), buf_len(&e->types));
    unsigned given = wire_read_u16(&types);
    unsigned num = model_num_parameters((const char *)buf_bytes(&e->text));
    size_t start = wire_begin_message(&m->fake->out, 't');
    buf_add_u16(&m->fake->out, (uint16_t)num);
    for (unsigned i = 0; i < num; i++) {
        buf_add_u32(&m->fake->out, i < given ? wire_read_u32(&types) : 1043);
    }
    wire_end_message(&m->fake->out, start);
}

static void describe(struct model_server *m, struct wire_reader *r)
{
    bool statement = wire_read_u8(r) == 'S';
    const char *name = wire_read_text(r);
    const struct model_entry *e = model_find(statement ? m->statements : m->portals, name);
    if (e == NULL) {
        fail_for(m, statement ? "Prepare statement not found" : "Portal not found", name);
        return;
    }
    if (statement) {
        describe_parameters(m, e);
    }
    bool rows = model_num_columns((const char *)buf_bytes(&e->text)) != 0;
    model_say(m, rows ? "RowDescription \"x\"" : "NoData");
}

static void execute(struct model_server *m, struct wire_reader *r)
{
    const char *name = wire_read_text(r);
    const struct model_entry *e = model_find(m->portals, name);
    m->limit = wire_read_u32(r);
    if (e == NULL) {
        fail_for(m, "Portal not found", name);
    } else if (buf_bytes(&e->text)[0] == 0) {
        model_say(m, "EmptyQueryResponse");
    } else {
        (void)snprintf(m->portal, sizeof(m->portal), "%s", name);
        buf_truncate(&m->text, 0);
        buf_add(&m->text, buf_bytes(&e->text), buf_len(&e->text));
        m->running = true;
    }
}

/* With the portals that were bound from that name, and the unnamed one (risingwave.md 13). */
static void close_statement(struct model_server *m, const char *name)
{
    drop(&m->statements, name);
    for (struct model_entry **at = &m->portals; *at != NULL;) {
        if ((*at)->name[0] == 0 || strcmp((*at)->statement, name) == 0) {
            model_free_first(at);
        } else {
            at = &(*at)->next;
        }
    }
}

static void close_one(struct model_server *m, struct wire_reader *r)
{
    bool statement = wire_read_u8(r) == 'S';
    const char *name = wire_read_text(r);
    if (statement) {
        close_statement(m, name);
    } else {
        drop(&m->portals, name);
    }
    model_say(m, "CloseComplete");
}

void model_take_extended(struct model_server *m, uint8_t tag, const uint8_t *body, size_t len)
{
    struct wire_reader r = wire_reader_over(body, len);
    switch (tag) {
    case CLIENT_PARSE:
        parse(m, &r);
        break;
    case CLIENT_BIND:
        bind(m, &r);
        break;
    case CLIENT_DESCRIBE:
        describe(m, &r);
        break;
    case CLIENT_EXECUTE:
        execute(m, &r);
        break;
    case CLIENT_CLOSE:
        close_one(m, &r);
        break;
    default:
        break; /* Flush: all answers are sent at once */
    }
}
