/*
 * Prepared statements that follow a swap, as a property of random conversations: a client gets
 * through a session, from a server that binds statements to objects at Parse and never again, what
 * it may get from one that plans anew, as PostgreSQL does (replanner.h). The view is swapped, the
 * sessions are told, and the old one is dropped, at random moments: between any two pieces of bytes
 * of the client and of the server, in the middle of pipelines.
 *
 * The file is long because a play is one piece: what is sent, when, and the view that changes.
 *
 * FOLLOWS=100000 in the environment plays that many, FOLLOW_SEED=17 begins with that one.
 */
#include "message_text.h"
#include "pipeline.h"
#include "replanner.h"
#include "session.h"
#include "view_server.h"
#include "wire.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

enum { NUM_FOLLOWS = 4000, NUM_NAMES = 3, NUM_ROUNDS = 12 };
static const char *const statement_names[] = {"", "a", "b"};
static const char *const portal_names[] = {"", "p", "q"};

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

static void add_transaction(struct buf *out, uint64_t *random)
{
    wire_add_query(out, pipeline_random(random, 2) == 0 ? "BEGIN READ ONLY" : "COMMIT");
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
        } else if (what == 4 && pipeline_random(random, 2) == 0) {
            add_transaction(out, random); /* skipped behind an error, and never answered then */
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
    if (pipeline_random(random, 4) == 0) {
        add_transaction(out, random);
    }
}

/* ---- a play ---- */

struct play {
    struct session *s;
    struct view_server server;
    struct replanner wanted;
    struct replanner_answers got; /* in this round */
    unsigned published;           /* the newest version that the session was told of */
    unsigned told;                /* how often it was, but for what was told again */
    uint64_t moved_ms;            /* when it was told last, likewise */
    struct moment now;
    uint64_t random;   /* for the conversation */
    uint64_t delivery; /* ... and for how it is cut and delayed */
    bool cut;
    bool in_the_middle;  /* the view changes there, too */
    struct buf client;   /* what it sends in this round; messages point into it */
    struct buf messages; /* struct replanner_message */
    size_t fed;          /* bytes of it */
    size_t num_fed;      /* whole messages */
    unsigned flight;
    struct buf log; /* of the rounds so far */
};

static struct replanner_moment now(const struct play *p)
{
    return (struct replanner_moment){.order = p->now.mono_ms,
                                     .published = p->published,
                                     .told = p->told,
                                     .version = p->server.version,
                                     .oldest = p->server.oldest};
}

static void pump(struct play *p)
{
    struct action action;
    while (session_next_action(p->s, &action)) {
        if (action.kind == ACTION_CONNECT) {
            session_event(p->s, &(struct session_event){.kind = EVENT_CONNECTED}, p->now);
        }
        cr_assert(action.kind != ACTION_CLOSE && action.kind != ACTION_ABORT);
    }
    struct replanner_moment moment = now(p);
    for (int side = 0; side < NUM_SIDES; side++) {
        struct output *o = session_output(p->s, (enum side)side);
        struct buf *to = side == CLIENT ? &p->got.bytes : &p->server.in;
        bool any = output_pending(o) != 0;
        buf_add(to, buf_bytes(&o->kept), buf_len(&o->kept));
        buf_add(to, o->span, o->span_len);
        output_sent(o, output_pending(o));
        if (any && side == CLIENT) {
            replanner_add_mark(&p->got, &moment);
        }
    }
    session_settle(p->s);
}

static void feed(struct play *p, enum side from, const uint8_t *bytes, size_t len)
{
    uint8_t *piece = malloc(len + 1);
    memcpy(piece, bytes, len);
    session_feed(p->s, from, piece, len, p->now);
    pump(p);
    free(piece);
}

static size_t piece_of(struct play *p, size_t most)
{
    size_t len = p->cut ? 1 + pipeline_random(&p->delivery, 40) : most;
    return len < most ? len : most;
}

/* ---- the client's messages, and when they are sent ---- */

static struct replanner_message *message_at(const struct play *p, size_t i)
{
    return (struct replanner_message *)buf_bytes(&p->messages) + i;
}

static size_t num_messages(const struct play *p)
{
    return buf_len(&p->messages) / sizeof(struct replanner_message);
}

static void find_messages(struct play *p)
{
    struct wire_header header = {0};
    for (size_t at = 0; at < buf_len(&p->client);) {
        const uint8_t *whole = buf_bytes(&p->client) + at;
        cr_assert(wire_decode_header(whole, buf_len(&p->client) - at, &header) == WIRE_OK);
        struct replanner_message message = {
            .tag = header.tag, .body = whole + WIRE_HEADER_LEN, .len = header.body_len};
        buf_add(&p->messages, &message, sizeof(message));
        at += WIRE_HEADER_LEN + (size_t)header.body_len;
    }
    for (size_t i = 0; i + 1 < num_messages(p); i++) {
        message_at(p, i)->next = message_at(p, i + 1);
    }
}

/* Has all that was sent been answered? */
static bool is_quiet(const struct play *p)
{
    uint8_t last = p->num_fed != 0 ? message_at(p, p->num_fed - 1)->tag : CLIENT_SYNC;
    return (last == CLIENT_SYNC || last == CLIENT_QUERY) && buf_len(&p->server.in) == 0 &&
           buf_len(&p->server.out) == 0;
}

static void note_sent(struct play *p)
{
    p->flight = is_quiet(p) ? p->told : p->flight;
    for (; p->num_fed < num_messages(p); p->num_fed++) {
        struct replanner_message *m = message_at(p, p->num_fed);
        if ((size_t)(m->body + m->len - buf_bytes(&p->client)) > p->fed) {
            break;
        }
        m->sent = now(p);
        m->flight = p->flight;
    }
}

/* ---- moves ---- */

static bool feed_client(struct play *p)
{
    size_t len = piece_of(p, buf_len(&p->client) - p->fed);
    if (len == 0) {
        return false;
    }
    p->fed += len;
    note_sent(p);
    feed(p, CLIENT, buf_bytes(&p->client) + p->fed - len, len);
    return true;
}

static bool feed_server(struct play *p)
{
    size_t len = piece_of(p, buf_len(&p->server.out));
    if (len == 0) {
        return false;
    }
    struct buf piece = {0};
    buf_add(&piece, buf_bytes(&p->server.out), len);
    buf_consume(&p->server.out, len);
    feed(p, SERVER, buf_bytes(&piece), len);
    buf_cleanup(&piece);
    return true;
}

static void swap(struct play *p)
{
    p->server.version += 1 + pipeline_random(&p->random, 2);
}

/* `again`: what was told last. Who began in between follows that. */
static void publish(struct play *p, bool again)
{
    p->published = p->server.version;
    p->told += again ? 0 : 1;
    p->moved_ms = again ? p->moved_ms : p->now.mono_ms;
    session_event(p->s,
                  &(struct session_event){.kind = EVENT_MOVED,
                                          .moved = pipeline_random(&p->random, 4) != 0 ? "m" : NULL,
                                          .moved_len = 2,
                                          .moved_ms = p->moved_ms},
                  p->now);
    pump(p);
}

/* Another view was swapped: nothing to anybody here. */
static void publish_other(struct play *p)
{
    session_event(p->s,
                  &(struct session_event){.kind = EVENT_MOVED,
                                          .moved = "other",
                                          .moved_len = sizeof("other"),
                                          .moved_ms = p->now.mono_ms},
                  p->now);
    pump(p);
}

/* One step of a replacement: the swap, told or not, told again, the drop of what was before. Some
 * do it behind the proxy, which is told of nothing; and some do it to another view. */
static void change_in_the_middle(struct play *p)
{
    if (!p->in_the_middle || pipeline_random(&p->random, p->cut ? 60 : 20) != 0) {
        return;
    }
    unsigned what = pipeline_random(&p->random, 10);
    if (what < 3) {
        swap(p);
    } else if (what > 7) {
        publish_other(p);
    } else if (what < 6 || (what == 6 && p->published == p->server.version)) {
        publish(p, what == 5 && p->told != 0 && p->published == p->server.version);
    } else {
        p->server.oldest = p->server.version;
    }
}

/* A swap, told to the session, with a drop of the old view now or later; or a drop only. */
static void change_when_quiet(struct play *p)
{
    unsigned what = pipeline_random(&p->random, 3);
    if (what != 2) {
        swap(p);
        publish(p, false);
    }
    if (what != 0) {
        p->server.oldest = p->server.version;
    }
}

/* Everything in any order, until nothing is left to do. */
static void run(struct play *p)
{
    for (bool any = true; any;) {
        any = false;
        for (int move = 0; move < 3; move++) {
            if (p->cut && pipeline_random(&p->delivery, 2) == 0) {
                continue;
            }
            p->now.mono_ms++;
            any |= move == 0   ? feed_client(p)
                   : move == 1 ? view_server_step(&p->server)
                               : feed_server(p);
            p->now.mono_ms++;
            change_in_the_middle(p);
        }
        any |= p->fed < buf_len(&p->client) || buf_len(&p->server.out) != 0;
        any = any || view_server_step(&p->server);
    }
    cr_assert(not(p->server.full), "too many statements are left on the server");
}

static size_t num_statements(const struct play *p)
{
    size_t num = 0;
    for (size_t i = 0; i < VIEW_SERVER_ENTRIES; i++) {
        num += p->server.statements[i].used ? 1 : 0;
    }
    return num;
}

static void begin_round(struct play *p)
{
    buf_cleanup(&p->client);
    buf_cleanup(&p->messages);
    replanner_clear_answers(&p->got);
    p->fed = 0;
    p->num_fed = 0;
}

static void begin(struct play *p, uint64_t seed, bool cut, bool in_the_middle)
{
    struct session_config config = {.nonce_seed = "sixteen of bytes"};
    *p = (struct play){.now = {.mono_ms = 1000, .unix_us = 1000000},
                       .random = seed * UINT64_C(0x9e3779b97f4a7c15),
                       .delivery = seed,
                       .cut = cut};
    p->server.version = p->published = 1;
    replanner_init(&p->wanted);
    p->s = session_new(&config, p->now);
    cr_assert(message_parse("StartupMessage \"user\" \"root\"", CLIENT, &p->client));
    run(p);
    p->in_the_middle = in_the_middle;
}

static void end(struct play *p)
{
    session_free(p->s);
    begin_round(p);
    view_server_cleanup(&p->server);
    buf_cleanup(&p->log);
}

static void show(struct buf *out, const uint8_t *bytes, size_t len, enum side from,
                 const struct replanner_moment *m)
{
    struct message_stream stream = {.from = from, .started = true};
    struct buf in = {0};
    buf_add(&in, bytes, len);
    buf_add_format(out, "%6u  version %2u, published %2u, oldest %2u %s  ", (unsigned)m->order,
                   m->version, m->published, m->oldest, from == CLIENT ? ">" : "  <");
    while (message_show(&stream, &in, true, out)) {
        buf_add_text(out, buf_len(&in) != 0 ? " | " : "");
    }
    buf_add_byte(out, '\n');
    buf_cleanup(&in);
}

static void show_round(struct play *p, unsigned round)
{
    const struct replanner_mark *marks = (const struct replanner_mark *)buf_bytes(&p->got.marks);
    size_t num_marks = buf_len(&p->got.marks) / sizeof(*marks);
    size_t start = 0;
    buf_add_format(&p->log, "-- round %u\n", round);
    for (size_t i = 0, k = 0; i < num_messages(p) || k < num_marks;) {
        const struct replanner_message *m = i < num_messages(p) ? message_at(p, i) : NULL;
        if (m != NULL && (k == num_marks || m->sent.order <= marks[k].moment.order)) {
            show(&p->log, m->body - WIRE_HEADER_LEN, WIRE_HEADER_LEN + m->len, CLIENT, &m->sent);
            i++;
        } else {
            show(&p->log, buf_bytes(&p->got.bytes) + start, marks[k].end - start, SERVER,
                 &marks[k].moment);
            start = marks[k++].end;
        }
    }
}

/* Is there a server that plans anew and answers that? */
static void judge(struct play *p, uint64_t seed, unsigned round)
{
    size_t i = 0;
    struct buf known = {0};
    show_round(p, round);
    for (; i < num_messages(p) && p->wanted.num != 0; i++) {
        buf_truncate(&known, 0);
        replanner_show(&p->wanted, &known);
        replanner_take(&p->wanted, message_at(p, i), &p->got);
    }
    bool good = p->wanted.num != 0;
    replanner_end(&p->wanted, &p->got);
    if (!p->wanted.full && (!good || p->wanted.num == 0)) {
        cr_fatal("seed %u%s%s: message %zu is not answered as it should be\n%s%s", (unsigned)seed,
                 p->cut ? " in cuts" : "", p->in_the_middle ? " in the middle" : "", i,
                 buf_text(&p->log), buf_text(&known));
    }
    buf_cleanup(&known);
}

/* Plays in which too much was left open to be sure of anything: they end there. */
static unsigned num_full;
static unsigned num_plays;

static void play_once(uint64_t seed, bool cut, bool in_the_middle)
{
    struct play p;
    begin(&p, seed, cut, in_the_middle);
    for (unsigned round = 0; round < NUM_ROUNDS; round++) {
        begin_round(&p);
        for (unsigned num = 1 + pipeline_random(&p.random, in_the_middle ? 3 : 1); num != 0;
             num--) {
            make_series(&p.client, &p.random);
        }
        find_messages(&p);
        run(&p);
        judge(&p, seed, round);
        if (p.wanted.full) {
            break;
        }
        p.now.mono_ms++;
        if (pipeline_random(&p.random, 2) == 0) {
            change_when_quiet(&p);
        }
    }
    num_plays++;
    num_full += p.wanted.full ? 1 : 0;
    end(&p);
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void play_all(bool in_the_middle)
{
    uint64_t first = from_environment("FOLLOW_SEED", 1);
    for (uint64_t seed = first; seed < first + from_environment("FOLLOWS", NUM_FOLLOWS); seed++) {
        play_once(seed, false, in_the_middle);
        play_once(seed, true, in_the_middle);
    }
    cr_expect(num_full <= num_plays / 20, "%u of %u plays ended early", num_full, num_plays);
}

Test(follow, gets_what_a_server_would_say_that_plans_anew)
{
    play_all(false);
}

Test(follow, gets_it_with_swaps_in_the_middle_of_pipelines)
{
    play_all(true);
}

/* Told again and again of what has not changed, as by errors that never end, while a portal is
 * open: each time there is another statement on the server, until it would be too many. */
Test(follow, does_not_fill_the_server)
{
    struct play p;
    begin(&p, 1, false, false);
    begin_round(&p);
    add_parse(&p.client, "a", true);
    add_bind(&p.client, "p", "a");
    wire_add_sync(&p.client);
    find_messages(&p);
    run(&p);
    for (unsigned i = 0; i < 2 * VIEW_SERVER_ENTRIES; i++) {
        begin_round(&p);
        p.now.mono_ms++;
        publish(&p, false);
        add_bind(&p.client, "", "a");
        wire_add_sync(&p.client);
        find_messages(&p);
        run(&p);
    }
    cr_expect(gt(sz, num_statements(&p), 90));
    begin_round(&p);
    add_name(&p.client, CLIENT_CLOSE, 'S', "a");
    wire_add_sync(&p.client);
    find_messages(&p);
    run(&p);
    cr_expect(le(sz, num_statements(&p), 1), "all but one are known by name to the end");
    end(&p);
}
