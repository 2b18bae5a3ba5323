/*
 * Prepared statements that follow a swap, as a property of random conversations: a client gets
 * through a session, from a server that binds statements to objects at Parse and never again, what
 * it would get from one that plans anew, as PostgreSQL does; names move, and old objects go, at
 * random moments at which nothing is under way.
 *
 * The file is long because its server, which knows one view and its versions, is for this test
 * only.
 *
 * FOLLOWS=100000 in the environment plays that many, FOLLOW_SEED=17 begins with that one.
 */
#include "message_text.h"
#include "pipeline.h"
#include "session.h"
#include "wire.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUM_FOLLOWS = 4000, NUM_NAMES = 3, MOST_SERVER = 64, NAME_LEN = 32 };
static const char *const statement_names[] = {"", "a", "b"};
static const char *const portal_names[] = {"", "p", "q"};

/* ---- a server with one view that is replaced ---- */

struct entry {
    char name[NAME_LEN];
    char statement[NAME_LEN]; /* of a portal */
    bool reads;               /* the view; else something that never changes */
    bool used;
    unsigned version; /* of the view, that it is bound to */
    unsigned told;    /* ... whose columns the client knows */
};
struct server {
    bool plans_anew;
    unsigned version; /* of the view; its columns change with every third */
    unsigned oldest;  /* that has not been dropped */
    unsigned begun;   /* ... at the beginning of the transaction */
    bool in_transaction;
    bool skipping;
    bool started;
    bool peeks; /* at a message that has not come */
    struct entry statements[MOST_SERVER];
    struct entry portals[MOST_SERVER];
    struct buf in;
    struct buf out;
};

static unsigned shape(unsigned version)
{
    return version / 3 % 2;
}

static struct entry *find(struct entry *list, const char *name)
{
    for (size_t i = 0; i < MOST_SERVER; i++) {
        if (list[i].used && strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static struct entry *add(struct entry *list, const char *name)
{
    struct entry *e = find(list, name);
    for (size_t i = 0; i < MOST_SERVER && e == NULL; i++) {
        e = list[i].used ? NULL : &list[i];
    }
    cr_assert(e != NULL, "too many statements are left on the server");
    *e = (struct entry){.used = true};
    (void)snprintf(e->name, NAME_LEN, "%s", name);
    return e;
}

static void say(struct server *v, const char *line)
{
    cr_assert(message_parse(line, SERVER, &v->out));
}

static void fail(struct server *v, const char *message)
{
    wire_add_error_response(
        &v->out,
        &(struct wire_report){.severity = "ERROR", .sqlstate = "XX000", .message = message});
    v->skipping = true;
}

static void fail_changed(struct server *v)
{
    wire_add_error_response(
        &v->out, &(struct wire_report){.severity = "ERROR",
                                       .sqlstate = "0A000",
                                       .message = "cached plan must not change result type",
                                       .routine = "RevalidateCachedQuery"});
    v->skipping = true;
}

static void say_ready(struct server *v)
{
    wire_add_ready_for_query(&v->out, v->in_transaction ? 'T' : 'I');
}

static void query(struct server *v, const char *text)
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
        fail(v, message);
        v->skipping = false;
    }
    say_ready(v);
}

static void parse(struct server *v, struct wire_reader *r)
{
    const char *name = wire_read_text(r);
    const char *text = wire_read_text(r);
    if (name[0] != 0 && find(v->statements, name) != NULL) {
        fail(v, "Failed to prepare the statement\n\nCaused by:\n  Duplicated statement name\n");
        return;
    }
    for (size_t i = 0; i < MOST_SERVER; i++) {
        if (v->portals[i].used && strcmp(v->portals[i].statement, name) == 0) {
            v->portals[i].statement[0] = '?'; /* of the unnamed one that was */
        }
    }
    struct entry *e = add(v->statements, name);
    e->reads = strstr(text, "FROM m") != NULL;
    e->version = v->version;
    e->told = v->version;
    say(v, "ParseComplete");
}

/* Is the next message a Describe of this portal? */
static bool describes_next(struct server *v, const struct buf *in, size_t used, const char *portal)
{
    struct wire_header header = {0};
    const uint8_t *at = buf_bytes(in) + used;
    size_t left = buf_len(in) - used;
    v->peeks = left < WIRE_HEADER_LEN;
    return !v->peeks && wire_decode_header(at, left, &header) == WIRE_OK &&
           header.tag == CLIENT_DESCRIBE && at[WIRE_HEADER_LEN] == 'P' &&
           strcmp((const char *)at + WIRE_HEADER_LEN + 1, portal) == 0;
}

/* False: the client is to parse again. */
static bool plan_anew(struct server *v, struct entry *e, const char *portal, size_t used)
{
    bool too_old = v->in_transaction && v->begun < v->version;
    if (!v->plans_anew || !e->reads || too_old) {
        return true;
    }
    if (shape(e->told) != shape(v->version)) {
        if (!describes_next(v, &v->in, used, portal)) {
            return v->peeks; /* then it is asked once more */
        }
        e->told = v->version;
    }
    e->version = v->version;
    return true;
}

static void bind(struct server *v, struct wire_reader *r, size_t used)
{
    const char *portal = wire_read_text(r);
    const char *name = wire_read_text(r);
    struct entry *e = find(v->statements, name);
    if (e == NULL) {
        fail(v, "Prepare statement not found");
        return;
    }
    if (!plan_anew(v, e, portal, used)) {
        fail_changed(v);
        return;
    }
    if (v->peeks) {
        return;
    }
    if (portal[0] != 0 && find(v->portals, portal) != NULL) {
        fail(v, "Duplicated portal name");
        return;
    }
    struct entry of = *e;
    struct entry *p = add(v->portals, portal);
    (void)snprintf(p->statement, NAME_LEN, "%s", name);
    p->reads = of.reads;
    p->version = of.version;
    say(v, "BindComplete");
}

static void describe(struct server *v, struct wire_reader *r)
{
    bool statement = wire_read_u8(r) == 'S';
    const struct entry *e = find(statement ? v->statements : v->portals, wire_read_text(r));
    if (e == NULL) {
        fail(v, "nothing of that name");
        return;
    }
    if (statement) {
        say(v, "ParameterDescription \"\\x00\\x00\"");
    }
    unsigned version = statement && v->plans_anew ? e->told : e->version;
    say(v, !e->reads             ? "NoData"
           : shape(version) == 0 ? "RowDescription \"n\""
                                 : "RowDescription \"n\" \"more\"");
}

static void execute(struct server *v, struct wire_reader *r)
{
    char row[64];
    const struct entry *e = find(v->portals, wire_read_text(r));
    if (e == NULL) {
        fail(v, "Portal not found");
    } else if (e->reads && e->version < v->oldest && v->plans_anew && !v->in_transaction) {
        fail_changed(v);
    } else if (e->reads && e->version < v->oldest) {
        fail(v, "Failed to execute the statement\n\nCaused by these errors (recent errors listed"
                " first):\n  1: Scheduler error\n  2: Streaming vnode mapping not found for"
                " fragment 7\n");
    } else {
        (void)snprintf(row, sizeof(row), "DataRow \"%u\"", e->reads ? e->version : 0);
        say(v, row);
        wire_add_command_complete(&v->out, "SELECT 1");
    }
}

static void close_one(struct server *v, struct wire_reader *r)
{
    bool statement = wire_read_u8(r) == 'S';
    const char *name = wire_read_text(r);
    struct entry *e = find(statement ? v->statements : v->portals, name);
    if (e != NULL) {
        e->used = false;
    }
    for (size_t i = 0; i < MOST_SERVER && statement; i++) {
        struct entry *p = &v->portals[i];
        p->used = p->used && p->name[0] != 0 && strcmp(p->statement, name) != 0;
    }
    say(v, "CloseComplete");
}

/* False: it waits for the next message. */
static bool take(struct server *v, uint8_t tag, const uint8_t *body, size_t len, size_t used)
{
    struct wire_reader r = wire_reader_over(body, len);
    v->peeks = false;
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
        bind(v, &r, used);
    } else if (tag == CLIENT_DESCRIBE) {
        describe(v, &r);
    } else if (tag == CLIENT_EXECUTE) {
        execute(v, &r);
    } else if (tag == CLIENT_CLOSE) {
        close_one(v, &r);
    }
    return !v->peeks;
}

static bool step(struct server *v)
{
    struct wire_start first = {0};
    struct wire_header header = {0};
    if (!v->started) {
        if (wire_decode_start(buf_bytes(&v->in), buf_len(&v->in), &first) != WIRE_OK) {
            return false;
        }
        v->started = true;
        buf_consume(&v->in, first.packet_len);
        say(v, "Authentication 0");
        say(v, "ParameterStatus \"server_version\" \"13.14.0\"");
        say_ready(v);
        return true;
    }
    if (wire_decode_header(buf_bytes(&v->in), buf_len(&v->in), &header) != WIRE_OK ||
        buf_len(&v->in) - WIRE_HEADER_LEN < header.body_len) {
        return false;
    }
    size_t len = WIRE_HEADER_LEN + (size_t)header.body_len;
    if (!take(v, header.tag, buf_bytes(&v->in) + WIRE_HEADER_LEN, header.body_len, len)) {
        return false;
    }
    buf_consume(&v->in, len);
    return true;
}

/* ---- what a client sends: series, each up to its Sync ---- */

static void add_name(struct buf *out, uint8_t tag, char kind, const char *name)
{
    size_t start = wire_begin_message(out, tag);
    buf_add_byte(out, (uint8_t)kind);
    wire_add_text(out, name);
    wire_end_message(out, start);
}

static void add_parse(struct buf *out, const char *name, bool reads)
{
    size_t start = wire_begin_message(out, CLIENT_PARSE);
    wire_add_text(out, name);
    wire_add_text(out, reads ? "SELECT * FROM m" : "SELECT 0");
    buf_add_u16(out, 0);
    wire_end_message(out, start);
}

static void add_bind(struct buf *out, const char *portal, const char *statement)
{
    size_t start = wire_begin_message(out, CLIENT_BIND);
    wire_add_text(out, portal);
    wire_add_text(out, statement);
    buf_add(out, "\0\0\0\0\0\0", 6);
    wire_end_message(out, start);
}

static void add_execute(struct buf *out, const char *portal)
{
    size_t start = wire_begin_message(out, CLIENT_EXECUTE);
    wire_add_text(out, portal);
    buf_add_u32(out, 0);
    wire_end_message(out, start);
}

/* A Close or Parse that the server skips would leave a statement of which the session cannot be
 * sure any more: so they come first. */
static void make_series(struct buf *out, uint64_t *random)
{
    const char *statement = statement_names[pipeline_random(random, NUM_NAMES)];
    unsigned first = pipeline_random(random, 6);
    if (first <= 1) {
        add_name(out, CLIENT_CLOSE, 'S', statement);
    }
    if (first == 0 || first == 2 || first == 3) {
        add_parse(out, statement, pipeline_random(random, 5) != 0);
    }
    for (unsigned num = pipeline_random(random, 5); num != 0; num--) {
        const char *portal = portal_names[pipeline_random(random, 8) % 5 % NUM_NAMES];
        unsigned what = pipeline_random(random, 12);
        statement = statement_names[pipeline_random(random, NUM_NAMES)];
        if (what == 0) {
            add_name(out, CLIENT_CLOSE, 'P', portal);
        } else if (what == 1) {
            add_name(out, CLIENT_DESCRIBE, 'S', statement);
        } else if (what == 2) {
            add_execute(out, portal);
        } else if (what == 3) {
            wire_add_message(out, CLIENT_FLUSH, (const uint8_t *)"", 0);
        } else {
            add_bind(out, portal, statement);
            if (what <= 8) {
                add_name(out, CLIENT_DESCRIBE, 'P', portal);
            }
            if (what != 4) {
                add_execute(out, portal);
            }
        }
    }
    wire_add_sync(out);
    unsigned transaction = pipeline_random(random, 8);
    if (transaction < 2) {
        wire_add_query(out, transaction == 0 ? "BEGIN READ ONLY" : "COMMIT");
    }
}

/* ---- a play ---- */

struct play {
    struct session *s;
    struct server server;
    struct server wanted;
    struct buf to_client;
    struct moment now;
    uint64_t random;   /* for the conversation */
    uint64_t delivery; /* ... and for how it is cut and delayed */
    bool cut;
    struct buf log; /* of the rounds so far */
};

static void pump(struct play *p)
{
    struct action action;
    while (session_next_action(p->s, &action)) {
        if (action.kind == ACTION_CONNECT) {
            session_event(p->s, &(struct session_event){.kind = EVENT_CONNECTED}, p->now);
        }
        cr_assert(action.kind != ACTION_CLOSE && action.kind != ACTION_ABORT);
    }
    for (int side = 0; side < NUM_SIDES; side++) {
        struct output *o = session_output(p->s, (enum side)side);
        struct buf *to = side == CLIENT ? &p->to_client : &p->server.in;
        buf_add(to, buf_bytes(&o->kept), buf_len(&o->kept));
        buf_add(to, o->span, o->span_len);
        output_sent(o, output_pending(o));
    }
    session_settle(p->s);
}

static void feed(struct play *p, enum side from, struct buf *bytes)
{
    size_t most = buf_len(bytes);
    size_t len = p->cut ? 1 + pipeline_random(&p->delivery, 40) : most;
    len = len < most ? len : most;
    uint8_t *piece = malloc(len + 1);
    memcpy(piece, buf_bytes(bytes), len);
    buf_consume(bytes, len);
    session_feed(p->s, from, piece, len, p->now);
    pump(p);
    free(piece);
}

/* Everything in any order, until nothing is left to do. */
static void run(struct play *p, struct buf *client)
{
    for (bool any = true; any;) {
        any = false;
        if (buf_len(client) != 0 && (!p->cut || pipeline_random(&p->delivery, 2) == 0)) {
            feed(p, CLIENT, client);
            any = true;
        }
        if (!p->cut || pipeline_random(&p->delivery, 2) == 0) {
            any |= step(&p->server);
        }
        if (buf_len(&p->server.out) != 0 && (!p->cut || pipeline_random(&p->delivery, 2) == 0)) {
            feed(p, SERVER, &p->server.out);
            any = true;
        }
        any |= buf_len(client) != 0 || buf_len(&p->server.out) != 0;
        any = any || step(&p->server);
    }
}

static void begin(struct play *p, uint64_t seed, bool cut)
{
    struct session_config config = {.nonce_seed = "sixteen of bytes"};
    *p = (struct play){.now = {.mono_ms = 1000, .unix_us = 1000000},
                       .random = seed * UINT64_C(0x9e3779b97f4a7c15),
                       .delivery = seed,
                       .cut = cut};
    p->server.version = p->wanted.version = 1;
    p->wanted.plans_anew = true;
    p->s = session_new(&config, p->now);
    struct buf start = {0};
    cr_assert(message_parse("StartupMessage \"user\" \"root\"", CLIENT, &start));
    buf_add(&p->wanted.in, buf_bytes(&start), buf_len(&start));
    (void)step(&p->wanted);
    run(p, &start);
    buf_cleanup(&start);
    buf_cleanup(&p->to_client);
    buf_cleanup(&p->wanted.out);
}

static void end(struct play *p)
{
    session_free(p->s);
    buf_cleanup(&p->to_client);
    buf_cleanup(&p->log);
    for (int i = 0; i < 2; i++) {
        buf_cleanup(i == 0 ? &p->server.in : &p->wanted.in);
        buf_cleanup(i == 0 ? &p->server.out : &p->wanted.out);
    }
}

static void move(struct server *v, unsigned version, unsigned oldest)
{
    v->version = version;
    v->oldest = oldest;
}

/* A swap, told to the session, with a drop of the old view now or later; or a drop only. */
static void change_view(struct play *p)
{
    unsigned what = pipeline_random(&p->random, 3);
    unsigned version = p->server.version + (what != 2 ? 1 + pipeline_random(&p->random, 2) : 0);
    unsigned oldest = what != 0 ? version : p->server.oldest;
    move(&p->server, version, oldest);
    move(&p->wanted, version, oldest);
    p->now.mono_ms++;
    if (what != 2) {
        session_event(
            p->s,
            &(struct session_event){.kind = EVENT_MOVED,
                                    .moved = pipeline_random(&p->random, 4) != 0 ? "m" : NULL,
                                    .moved_len = 2},
            p->now);
    }
    p->now.mono_ms++;
}

static void show(struct buf *out, const char *title, const struct buf *bytes, enum side from)
{
    struct message_stream stream = {.from = from, .started = true};
    struct buf in = {0};
    buf_add(&in, buf_bytes(bytes), buf_len(bytes));
    buf_add_format(out, "%s\n", title);
    while (message_show(&stream, &in, true, out)) {
        buf_add_byte(out, '\n');
    }
    buf_cleanup(&in);
}

static void compare(struct play *p, uint64_t seed, unsigned round, const struct buf *sent)
{
    struct buf text = {0};
    const struct buf *got = &p->to_client;
    const struct buf *wanted = &p->wanted.out;
    buf_add_format(&p->log, "-- round %u, version %u, oldest %u\n", round, p->server.version,
                   p->server.oldest);
    show(&p->log, "sent", sent, CLIENT);
    show(&p->log, "got", got, SERVER);
    if (buf_len(got) != buf_len(wanted) ||
        memcmp(buf_bytes(got), buf_bytes(wanted), buf_len(got)) != 0) {
        buf_add_format(&text, "seed %u%s\n", (unsigned)seed, p->cut ? " in cuts" : "");
        buf_add(&text, buf_bytes(&p->log), buf_len(&p->log));
        show(&text, "wanted", wanted, SERVER);
        cr_fatal("%s", buf_text(&text));
    }
    buf_cleanup(&text);
}

static void play_once(uint64_t seed, bool cut)
{
    struct play p;
    begin(&p, seed, cut);
    for (unsigned round = 0; round < 12; round++) {
        struct buf client = {0};
        struct buf sent = {0};
        make_series(&client, &p.random);
        buf_add(&sent, buf_bytes(&client), buf_len(&client));
        buf_add(&p.wanted.in, buf_bytes(&client), buf_len(&client));
        while (step(&p.wanted)) {
            /* all of it */
        }
        run(&p, &client);
        compare(&p, seed, round, &sent);
        buf_consume(&p.to_client, buf_len(&p.to_client));
        buf_consume(&p.wanted.out, buf_len(&p.wanted.out));
        if (pipeline_random(&p.random, 2) == 0) {
            change_view(&p);
        }
        p.now.mono_ms++;
        buf_cleanup(&client);
        buf_cleanup(&sent);
    }
    end(&p);
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

Test(follow, gets_what_a_server_would_say_that_plans_anew)
{
    uint64_t first = from_environment("FOLLOW_SEED", 1);
    for (uint64_t seed = first; seed < first + from_environment("FOLLOWS", NUM_FOLLOWS); seed++) {
        play_once(seed, false);
        play_once(seed, true);
    }
}
