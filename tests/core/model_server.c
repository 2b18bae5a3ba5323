/* model_server: see model_server.h. */
#include "model_server.h"

#include "message_text.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_server_init(struct model_server *m, struct fake_server *fake)
{
    *m = (struct model_server){.fake = fake};
    fake->leaves_messages = true;
}

static void free_entry(struct model_entry *e)
{
    buf_cleanup(&e->text);
    buf_cleanup(&e->types);
    buf_cleanup(&e->values);
    free(e);
}

void model_free_first(struct model_entry **list)
{
    struct model_entry *first = *list;
    *list = first->next;
    free_entry(first);
}

void model_server_cleanup(struct model_server *m)
{
    while (m->statements != NULL) {
        model_free_first(&m->statements);
    }
    while (m->portals != NULL) {
        model_free_first(&m->portals);
    }
    buf_cleanup(&m->query);
    buf_cleanup(&m->text);
    buf_cleanup(&m->building);
    buf_cleanup(&m->built_from);
}

void model_say(struct model_server *m, const char *line)
{
    if (!message_parse(line, SERVER, &m->fake->out)) {
        (void)fprintf(stderr, "model_server: cannot say %s\n", line);
        abort();
    }
}

void model_say_error(struct model_server *m, const char *message)
{
    wire_add_error_response(
        &m->fake->out,
        &(struct wire_report){.severity = "ERROR", .sqlstate = "XX000", .message = message});
}

static void say_ready(struct model_server *m)
{
    wire_add_ready_for_query(&m->fake->out, m->fake->status);
}

struct model_entry *model_find(struct model_entry *list, const char *name)
{
    while (list != NULL && strcmp(list->name, name) != 0) {
        list = list->next;
    }
    return list;
}

/* ---- Query, and what runs ---- */

static void query(struct model_server *m, const char *text)
{
    char message[160];
    size_t at = 0;
    const char *word = model_bad_word(text);
    if (word != NULL) {
        (void)snprintf(message, sizeof(message),
                       "Failed to run the query\n\nCaused by:\n  sql parser error: expected"
                       " statement, found: %.40s\n",
                       word);
        model_say_error(m, message);
        say_ready(m);
    } else if (!model_next_statement(text, &at, &m->text)) {
        model_say(m, "EmptyQueryResponse");
        say_ready(m);
    } else {
        buf_truncate(&m->query, 0);
        buf_add(&m->query, text, strlen(text) + 1);
        m->at = 0;
        m->in_query = true;
    }
}

static void next_in_query(struct model_server *m)
{
    if (model_next_statement((const char *)buf_bytes(&m->query), &m->at, &m->text)) {
        m->running = true;
    } else {
        m->in_query = false;
        say_ready(m);
    }
}

/* Repeats a cancel that the client was told of elsewhere, in the words it was told. */
bool model_repeats_cancel(struct model_server *m)
{
    size_t at = buf_len(&m->fake->out);
    struct wire_header header = {0};
    if (m->expected == NULL || at > buf_len(m->expected) ||
        wire_decode_header(buf_bytes(m->expected) + at, buf_len(m->expected) - at, &header) !=
            WIRE_OK ||
        header.tag != SERVER_ERROR_RESPONSE) {
        return false;
    }
    const uint8_t *whole = buf_bytes(m->expected) + at;
    struct wire_error error = wire_read_error(whole + WIRE_HEADER_LEN, header.body_len);
    if (strstr(error.message, "ancel") == NULL) {
        return false;
    }
    buf_add(&m->fake->out, whole, WIRE_HEADER_LEN + (size_t)header.body_len);
    m->num_repeated++;
    m->last_repeated = m->taken_before;
    return true;
}

static void finish(struct model_server *m)
{
    const char *text = (const char *)buf_bytes(&m->text);
    struct model_entry *portal = m->in_query ? NULL : model_find(m->portals, m->portal);
    bool ok = false;
    m->running = false;
    if (m->hit) {
        model_say_error(m, "Failed to run the query\n\nCaused by:\n  Cancelled: by the client\n");
    } else if (!model_repeats_cancel(m)) {
        ok = model_run(m, portal);
    }
    m->hit = false;
    m->time_is_up = false;
    if (ok) {
        return;
    }
    if (m->in_query) {
        m->in_query = false;
        say_ready(m);
        return;
    }
    m->fake->skipping = true;
    if (model_errs_while_running(text)) {
        say_ready(m);
    }
}

static void take(struct model_server *m, uint8_t tag, const uint8_t *body, size_t len)
{
    if (m->fake->skipping && tag != CLIENT_SYNC) {
        return; /* a Terminate, too */
    }
    switch (tag) {
    case CLIENT_QUERY:
        query(m, (const char *)body);
        break;
    case CLIENT_SYNC:
        m->fake->skipping = false;
        say_ready(m);
        break;
    case CLIENT_TERMINATE:
        m->ended = true;
        break;
    default:
        model_take_extended(m, tag, body, len);
        break;
    }
}

bool model_server_builds(const struct model_server *m)
{
    return m->running && m->builds_for_long && !m->hit && !m->time_is_up &&
           model_is_build((const char *)buf_bytes(&m->text));
}

bool model_server_step(struct model_server *m)
{
    struct buf *in = &m->fake->in;
    struct wire_header header = {0};
    if (m->ended || model_server_builds(m)) {
        return false;
    }
    if (m->running) {
        finish(m);
        return true;
    }
    if (m->in_query) {
        next_in_query(m);
        return true;
    }
    if (wire_decode_header(buf_bytes(in), buf_len(in), &header) != WIRE_OK ||
        buf_len(in) - WIRE_HEADER_LEN < header.body_len) {
        return false;
    }
    size_t len = WIRE_HEADER_LEN + (size_t)header.body_len;
    m->taken_before = m->taken;
    m->taken += len;
    take(m, header.tag, buf_bytes(in) + WIRE_HEADER_LEN, header.body_len);
    buf_consume(in, len);
    return true;
}

void model_server_cancel(struct model_server *m)
{
    if (m->ended || !m->running || m->hit) {
        return;
    }
    const char *text = (const char *)buf_bytes(&m->text);
    m->hit = true;
    m->hit_clients = model_is_clients(text);
    /* The one statement of its own that a session may have cancelled is the CREATE. */
    if (!m->hit_clients && !model_is_build(text)) {
        m->own_hits++;
    }
}

/* ---- comparing ---- */

static bool same(const struct buf *a, const struct buf *b)
{
    return buf_len(a) == buf_len(b) && memcmp(buf_bytes(a), buf_bytes(b), buf_len(a)) == 0;
}

/* A statement that followed a swap was parsed again with the types that its parameters had, which
 * says the same: a type that is not given is that of text here (model_extended.c). */
static bool same_types(const struct buf *a, const struct buf *b)
{
    enum { TYPE_OF_TEXT = 1043 };
    struct wire_reader in_a = wire_reader_over(buf_bytes(a), buf_len(a));
    struct wire_reader in_b = wire_reader_over(buf_bytes(b), buf_len(b));
    unsigned num_a = buf_len(a) != 0 ? wire_read_u16(&in_a) : 0;
    unsigned num_b = buf_len(b) != 0 ? wire_read_u16(&in_b) : 0;
    for (unsigned i = 0; i < num_a || i < num_b; i++) {
        uint32_t type_a = i < num_a ? wire_read_u32(&in_a) : TYPE_OF_TEXT;
        uint32_t type_b = i < num_b ? wire_read_u32(&in_b) : TYPE_OF_TEXT;
        if (type_a != type_b) {
            return false;
        }
    }
    return true;
}

/* Are all of `list`, but for the session's own, in `other`? */
static bool holds(const struct model_entry *list, struct model_entry *other)
{
    for (; list != NULL; list = list->next) {
        const struct model_entry *e = model_find(other, list->name);
        if (strncmp(list->name, "mvswap_", 7) == 0) {
            continue;
        }
        if (e == NULL || !same(&e->text, &list->text) || !same_types(&e->types, &list->types) ||
            !same(&e->values, &list->values) || e->num_given != list->num_given) {
            return false;
        }
    }
    return true;
}

const char *model_server_difference(const struct model_server *a, const struct model_server *b)
{
    if (!holds(a->statements, b->statements) || !holds(b->statements, a->statements)) {
        return "the prepared statements";
    }
    if (!holds(a->portals, b->portals) || !holds(b->portals, a->portals)) {
        return "the portals";
    }
    if (!same(&a->built_from, &b->built_from)) {
        return "what the view was built from";
    }
    if (a->num_replaced != b->num_replaced) {
        return "the number of replacements";
    }
    if (a->fake->status != b->fake->status || a->fake->skipping != b->fake->skipping) {
        return "the transaction status, or skipping";
    }
    return NULL;
}
