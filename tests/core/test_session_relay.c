/*
 * Relaying: random frames at random cuts both ways come out as they went in, also when the peers
 * take their bytes late and in parts; large ones are not kept; reading stops only for its own
 * destination.
 */
#include "limits.h"
#include "message_text.h"
#include "session.h"
#include "world.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* A well-formed message of a kind that the shield reads. The last is not for the server: it would
 * be an error there, after which the session asks it about the next Parse. */
static void make_judged(struct buf *out, uint64_t *random, enum side from)
{
    static const char *const kinds[] = {
        "Parse \"s\" \"SELECT $1\" \"\\x00\\x01\\x00\\x00\\x00\\x17\"",
        "Bind \"\" \"s\" \"\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x011\\x00\\x00\"",
        "Describe \"P\" \"\"",
        "Close \"S\" \"s\"",
        "Sync",
        "Flush",
        "Query \"SELECT 1\"",
        "Execute \"\" 0",
    };
    cr_assert(message_parse(kinds[next_random(random) % (from == CLIENT ? 8 : 7)], CLIENT, out));
}

/* Frames of any tag and content, but for those that the shield reads, those that do not pass, and
 * answers of the server that nobody asked for: the session asks it about the next Parse then. */
static void make_frames(struct buf *out, uint64_t *random, size_t num, enum side from)
{
    for (size_t i = 0; i < num; i++) {
        uint32_t shape = next_random(random) % 20;
        size_t len = shape == 0 ? next_random(random) % 100000 : next_random(random) % 40;
        if (shape > 15) {
            make_judged(out, random, from);
            continue;
        }
        uint8_t tag = (uint8_t)next_random(random);
        buf_add_byte(out, memchr("QPBDECSHXpK1Z", tag, 13) != NULL ? '?' : tag);
        buf_add_u32(out, (uint32_t)len + 4);
        for (size_t k = 0; k < len; k++) {
            buf_add_byte(out, (uint8_t)next_random(random));
        }
    }
}

/* A peer takes a part of what is pending. */
static void take_some(struct session *s, enum side to, struct buf *out, uint64_t *random)
{
    struct output *o = session_output(s, to);
    size_t kept = buf_len(&o->kept);
    size_t part = next_random(random) % 3 == 0 ? output_pending(o)
                                               : next_random(random) % (output_pending(o) + 1);
    size_t from_kept = part < kept ? part : kept;
    buf_add(out, buf_bytes(&o->kept), from_kept);
    buf_add(out, o->span, part - from_kept);
    output_sent(o, part);
}

static void relay_once(struct world *w, uint64_t seed)
{
    uint64_t random = seed;
    struct buf in[NUM_SIDES] = {{0}};
    struct buf out[NUM_SIDES] = {{0}};
    struct buf left[NUM_SIDES] = {{0}};
    for (int side = 0; side < NUM_SIDES; side++) {
        make_frames(&in[side], &random, 60, (enum side)side);
        buf_add(&left[side], buf_bytes(&in[side]), buf_len(&in[side]));
    }
    while (buf_len(&left[CLIENT]) + buf_len(&left[SERVER]) +
               output_pending(session_output(w->s, CLIENT)) +
               output_pending(session_output(w->s, SERVER)) !=
           0) {
        enum side from = next_random(&random) % 2 == 0 ? CLIENT : SERVER;
        size_t most = next_random(&random) % 4 == 0 ? 65536 : 20;
        size_t len = next_random(&random) % most;
        len = len < buf_len(&left[from]) ? len : buf_len(&left[from]);
        uint8_t *piece = malloc(len != 0 ? len : 1);
        memcpy(piece, buf_bytes(&left[from]), len);
        if (session_wants_read(w->s, from)) {
            session_feed(w->s, from, piece, len, w->now);
            buf_consume(&left[from], len);
        }
        take_some(w->s, CLIENT, &out[CLIENT], &random);
        take_some(w->s, SERVER, &out[SERVER], &random);
        session_settle(w->s);
        free(piece);
        cr_assert(le(sz, output_pending(session_output(w->s, CLIENT)), 2 * 65536));
        cr_assert(le(sz, output_pending(session_output(w->s, SERVER)), 2 * 65536));
    }
    for (int side = 0; side < NUM_SIDES; side++) {
        struct buf *came = &out[side == CLIENT ? SERVER : CLIENT];
        cr_expect(eq(sz, buf_len(came), buf_len(&in[side])), "seed %d", (int)seed);
        cr_expect(buf_len(came) == buf_len(&in[side]) &&
                      memcmp(buf_bytes(came), buf_bytes(&in[side]), buf_len(came)) == 0,
                  "seed %d", (int)seed);
    }
    for (int side = 0; side < NUM_SIDES; side++) {
        buf_cleanup(&in[side]);
        buf_cleanup(&out[side]);
        buf_cleanup(&left[side]);
    }
}

Test(relay, gives_out_what_came_in)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world w;
        cr_assert(world_init(&w, 0, false));
        w.server.is_postgres = seed % 2 == 0;
        world_login(&w);
        relay_once(&w, seed);
        cr_expect(not(world_ended(&w)));
        world_cleanup(&w);
    }
}

Test(relay, large_messages_are_not_kept)
{
    static uint8_t chunk[65536] = {'d', 0x3f, 0xff, 0xff, 0xff};
    struct world w;
    cr_assert(world_init(&w, 0, false));
    world_login(&w);
    w.server_gone = true;
    size_t before = w.allocations;
    for (int side = 0; side < NUM_SIDES; side++) {
        for (int i = 0; i < 100; i++) {
            session_feed(w.s, (enum side)side, chunk, sizeof(chunk), w.now);
            struct output *o = session_output(w.s, side == CLIENT ? SERVER : CLIENT);
            cr_expect(eq(sz, o->span_len, sizeof(chunk)));
            cr_expect(eq(ptr, (void *)o->span, (void *)chunk));
            output_sent(o, sizeof(chunk));
            session_settle(w.s);
        }
    }
    cr_expect(eq(sz, w.allocations, before));
    world_cleanup(&w);
}

Test(relay, stops_reading_only_for_its_own_destination)
{
    struct world w;
    cr_assert(world_init(&w, 0, false));
    world_login(&w);
    session_feed(w.s, CLIENT, (const uint8_t *)"d\0\0\0\5x", 6, w.now);
    cr_expect(not(session_wants_read(w.s, CLIENT)));
    cr_expect(session_wants_read(w.s, SERVER));
    session_settle(w.s);
    output_sent(session_output(w.s, SERVER), 6);
    cr_expect(session_wants_read(w.s, CLIENT));
    world_cleanup(&w);
}

Test(relay, pauses_the_client_while_much_is_held)
{
    static uint8_t chunk[LIMIT_CHUNK];
    struct world w;
    cr_assert(world_init(&w, 0, false));
    world_login(&w);
    world_say(&w, "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"");
    chunk[0] = 'd';
    chunk[2] = 1; /* one CopyData of 65535 bytes and its tag */
    size_t held = 0;
    while (session_wants_read(w.s, CLIENT)) {
        world_feed(&w, CLIENT, chunk, sizeof(chunk));
        held += sizeof(chunk);
    }
    cr_expect(eq(sz, held, LIMIT_HELD_PAUSE));
    cr_expect(session_wants_read(w.s, SERVER));
    cr_expect(not(world_ended(&w)));
    world_cleanup(&w);
}

/* Feeds a candidate whose body is `body` bytes long, in chunks; the id behind the view afterwards.
 */
static unsigned view_after_statement_of(size_t body, bool pressed)
{
    static const char text[] = "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1";
    struct world w;
    uint32_t length = (uint32_t)body + 4;
    uint8_t *whole = malloc(body + 5);
    memset(whole, ' ', body + 5);
    memcpy(whole + 5, text, sizeof(text) - 1);
    memcpy(whole,
           (uint8_t[]){'Q', (uint8_t)(length >> 24), (uint8_t)(length >> 16),
                       (uint8_t)(length >> 8), (uint8_t)length},
           5);
    whole[body + 4] = 0;
    cr_assert(world_init(&w, 0, false));
    world_login(&w);
    session_set_pressed(w.s, pressed);
    for (size_t at = 0; at < body + 5; at += LIMIT_CHUNK) {
        size_t len = body + 5 - at < LIMIT_CHUNK ? body + 5 - at : LIMIT_CHUNK;
        world_feed(&w, CLIENT, whole + at, len);
    }
    world_run(&w);
    cr_expect(not(world_ended(&w)));
    unsigned id = w.server.view_id;
    world_cleanup(&w);
    free(whole);
    return id;
}

Test(relay, statements_over_the_limit_pass_unseen)
{
    cr_expect(eq(uint, view_after_statement_of(LIMIT_STATEMENT, false), FAKE_NEW_ID));
    cr_expect(eq(uint, view_after_statement_of(LIMIT_STATEMENT + 1, false), FAKE_OLD_ID));
}

Test(relay, lets_larger_statements_pass_when_pressed)
{
    cr_expect(eq(uint, view_after_statement_of(LIMIT_PRESSED_STATEMENT, true), FAKE_NEW_ID));
    cr_expect(eq(uint, view_after_statement_of(LIMIT_PRESSED_STATEMENT + 1, true), FAKE_OLD_ID));
}

Test(relay, does_not_read_a_held_client_when_pressed)
{
    struct world w;
    cr_assert(world_init(&w, 0, false));
    world_login(&w);
    world_say(&w, "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"");
    session_set_pressed(w.s, true);
    cr_expect(session_wants_read(w.s, CLIENT));
    size_t before = session_memory(w.s);
    world_say(&w, "Query \"SELECT 1\"");
    cr_expect(eq(sz, session_memory(w.s), before + 5 + sizeof("SELECT 1")));
    cr_expect(not(session_wants_read(w.s, CLIENT)));
    session_set_pressed(w.s, false);
    cr_expect(session_wants_read(w.s, CLIENT));
    world_run(&w);
    cr_expect(eq(sz, session_memory(w.s), 0));
    world_cleanup(&w);
}
