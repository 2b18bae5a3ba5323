/*
 * Every state of a session meets every event and every kind of message, expected or not: no crash,
 * no message of ours inside one that a peer has in part, and nothing comes out after the end.
 */
#include "world.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const char candidate[] = "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"";
/* The same in the extended protocol. */
static const char *const series[] = {
    "Parse \"\" \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT $1\" \"\\x00\\x00\"",
    "Bind \"\" \"\" \"\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x011\\x00\\x00\"",
    "Execute \"\" 0",
};

enum place {
    IN_STARTUP,
    IN_CONNECTING,
    IN_CANCELLING,
    IN_LOGIN,
    IN_RELAY,
    IN_BUSY_RELAY,
    IN_BRACKET_BEFORE,
    IN_BRACKET_FIRST_READY,
    IN_BRACKET_ANSWER,
    IN_BRACKET_REFUSED,
    IN_BRACKET_LAST_READY,
    IN_BRACKET_ENDED, /* a cancel is on its way */
    IN_BRACKET_OF_PARSE,
    IN_BRACKET_OF_BIND,
    IN_BRACKET_OF_EXECUTE,
    WITH_A_PORTAL, /* relaying, in a series that is not synced */
    IN_FAILED_SERIES,
    WAITING_FOR_SERIES, /* of ours, with the client's parameters */
    WAITING_FOR_CANCEL, /* the engine does */
    WAITING_FOR_RESULT,
    WAITING_FOR_LOCK,
    WITH_A_PROBE, /* on the server, still to be dropped */
    WAITING_FOR_SLOT,
    WAITING_FOR_TIME,
    IN_UNDO,
    IN_SKIPPING,
    IN_CLOSING,
    NUM_PLACES
};

static void step(struct world *w, size_t steps)
{
    while (steps-- > 0) {
        cr_assert(world_step(w));
    }
}

static void go_into_replacement(struct world *w, enum place place)
{
    world_say(w, candidate);
    if (place == WAITING_FOR_LOCK || place == WAITING_FOR_SLOT) {
        w->hold_locks = place == WAITING_FOR_LOCK;
        w->hold_slots = place == WAITING_FOR_SLOT;
        world_run(w);
        cr_assert(w->wants_lock || w->wants_slot);
        return;
    }
    while (!session_is_replacing(w->s)) {
        step(w, 1);
    }
    while (place == WITH_A_PROBE && w->server.probe_id == 0) {
        step(w, 1);
    }
    if (place == WAITING_FOR_TIME) {
        while (w->server.temp_id == 0 || buf_len(&w->server.out) != 0) {
            step(w, 1);
        }
    } else if (place == IN_UNDO) {
        while (w->server.temp_id == 0) {
            step(w, 1);
        }
        world_event(w, EVENT_SHUTDOWN, CLIENT);
        step(w, 3);
    }
}

/* Delivers what the server has said already, not more. */
static void hear(struct world *w)
{
    while (buf_len(&w->server.out) != 0) {
        step(w, 1);
    }
}

static void go_into_series(struct world *w, enum place place)
{
    if (place == IN_FAILED_SERIES) {
        world_say(w, "Parse \"\" \"CREATE OR REPLACE MATERIALIZED VIEW nope AS SELECT 1\""
                     " \"\\x00\\x00\"");
        world_run(w);
        return;
    }
    size_t answered = place == IN_BRACKET_OF_PARSE ? 0 : place == IN_BRACKET_OF_BIND ? 1 : 2;
    for (size_t i = 0; i < answered; i++) {
        world_say(w, series[i]);
        world_run(w);
    }
    if (place == WITH_A_PORTAL) {
        return;
    }
    world_say(w, series[answered]);
    while (place == WAITING_FOR_SERIES && w->server.temp_id == 0) {
        step(w, 1);
    }
    step(w, 3);
}

static void go_where_a_cancel_is_on_its_way(struct world *w, enum place place)
{
    world_say(w, candidate);
    while (place == WAITING_FOR_CANCEL && w->server.view_id == 0) {
        step(w, 1);
    }
    world_event(w, EVENT_CANCEL, CLIENT);
    cr_assert(w->cancel_under_way);
    hear(w);
}

/* Leads a new session to the place. */
static void go_to(struct world *w, enum place place)
{
    cr_assert(world_init(w, 0, false));
    w->server.gives_key = place == IN_BRACKET_ENDED || place == WAITING_FOR_CANCEL;
    w->server.view_id = place == WAITING_FOR_CANCEL ? 0 : w->server.view_id;
    if (place == IN_STARTUP) {
        return;
    }
    world_say(w, place == IN_CANCELLING ? "CancelRequest 1 2" : "StartupMessage \"user\" \"root\"");
    if (place == IN_CONNECTING) {
        return;
    }
    if (place == IN_CANCELLING) {
        return;
    }
    step(w, 1);
    if (place == IN_LOGIN) {
        return;
    }
    world_run(w);
    if (place == IN_BUSY_RELAY) {
        world_say(w, "Query \"SELECT 1\"");
    } else if (place >= IN_BRACKET_BEFORE && place <= IN_BRACKET_LAST_READY) {
        static const size_t answers[] = {0, 1, 2, 3, 6};
        world_say(w, candidate);
        step(w, answers[place - IN_BRACKET_BEFORE]);
    } else if (place == IN_BRACKET_ENDED || place == WAITING_FOR_CANCEL) {
        go_where_a_cancel_is_on_its_way(w, place);
    } else if (place >= IN_BRACKET_OF_PARSE && place <= WAITING_FOR_SERIES) {
        go_into_series(w, place);
    } else if (place >= WAITING_FOR_RESULT && place <= IN_UNDO) {
        go_into_replacement(w, place);
    } else if (place == IN_SKIPPING) {
        world_say(w, "Bind \"\" \"missing\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"");
        world_say(w, candidate);
        world_run(w);
    } else if (place == IN_CLOSING) {
        world_event(w, EVENT_BROKEN, CLIENT);
    }
}

static void goes_on_quietly(struct world *w, enum place place, int probe)
{
    bool ended = world_ended(w);
    size_t said = buf_len(&w->to_client);
    world_event(w, EVENT_LOCKED, CLIENT);
    world_event(w, EVENT_SLOT, CLIENT);
    world_run(w);
    cr_expect(buf_len(&w->to_client) == said || !ended, "place %d, probe %d", place, probe);
    cr_expect(world_ended(w) || !ended);
}

Test(session, takes_every_event_in_every_state)
{
    for (int place = 0; place < NUM_PLACES; place++) {
        for (int probe = 0; probe < 2 * SESSION_EVENT_COUNT; probe++) {
            struct world w;
            bool whole = false;
            go_to(&w, (enum place)place);
            world_event(&w, (enum session_event_kind)(probe / 2), probe % 2 != 0 ? SERVER : CLIENT);
            goes_on_quietly(&w, (enum place)place, probe);
            (void)world_count(&w, 'Z', &whole);
            cr_expect(whole, "place %d, probe %d", place, probe);
            /* And everything else after it. */
            for (int kind = 0; kind < SESSION_EVENT_COUNT; kind++) {
                w.now.mono_ms += 100000;
                world_event(&w, (enum session_event_kind)kind, CLIENT);
                world_event(&w, (enum session_event_kind)kind, SERVER);
            }
            (void)world_count(&w, 'Z', &whole);
            cr_expect(whole && world_ended(&w), "place %d, probe %d", place, probe);
            world_cleanup(&w);
        }
    }
}

/* A message of that tag with a body of that form. */
static size_t make_message(uint8_t *out, int tag, int form)
{
    static const struct {
        const char *bytes;
        size_t len;
    } forms[] = {{"\0\0\0\4", 4},           {"\0\0\0\5I", 5},     {"\0\0\0\x08\0\0\0\0", 8},
                 {"\0\0\0\x0aMtext\0", 10}, {"\0\0\0\3", 4},      {"\x7f\xff\xff\xff..", 6},
                 {"\xff\xff\xff\xff", 4},   {"\0\0\0\x0f\0\1", 6}};
    out[0] = (uint8_t)tag;
    memcpy(out + 1, forms[form].bytes, forms[form].len);
    return 1 + forms[form].len;
}

Test(session, takes_every_message_in_every_state)
{
    for (int place = 0; place < NUM_PLACES; place++) {
        for (int probe = 0; probe < 128 * 8; probe++) {
            for (int side = 0; side < NUM_SIDES; side++) {
                struct world w;
                uint8_t bytes[16];
                go_to(&w, (enum place)place);
                size_t len = make_message(bytes, probe / 8, probe % 8);
                world_feed(&w, (enum side)side, bytes, len);
                goes_on_quietly(&w, (enum place)place, probe);
                world_event(&w, EVENT_SHUTDOWN, CLIENT);
                world_run(&w);
                cr_expect(world_ended(&w) || session_is_replacing(w.s),
                          "place %d, probe %d, side %d", place, probe, side);
                world_cleanup(&w);
            }
        }
    }
}

/* A message of the server that passes is here in part; what the client gets until its rest has come
 * must be that part and nothing else. */
Test(session, says_nothing_inside_a_message_of_the_server)
{
    static const enum place places[] = {IN_LOGIN,
                                        IN_RELAY,
                                        IN_BUSY_RELAY,
                                        IN_BRACKET_BEFORE,
                                        IN_BRACKET_ANSWER,
                                        IN_BRACKET_LAST_READY,
                                        IN_BRACKET_OF_PARSE,
                                        IN_BRACKET_OF_EXECUTE,
                                        WITH_A_PORTAL,
                                        IN_FAILED_SERIES,
                                        IN_SKIPPING};
    static const uint8_t part[] = {'A', 0, 0, 0, 40, 1, 2, 3};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (int probe = 0; probe < 2 * SESSION_EVENT_COUNT + 3; probe++) {
            struct world w;
            go_to(&w, places[i]);
            world_feed(&w, SERVER, part, sizeof(part));
            size_t said = buf_len(&w.to_client);
            cr_expect(memcmp(buf_bytes(&w.to_client) + said - sizeof(part), part, sizeof(part)) ==
                      0);
            w.server_gone = true; /* its other messages would be taken for the rest of this one */
            if (probe < 2 * SESSION_EVENT_COUNT) {
                w.now.mono_ms += 100000;
                world_event(&w, (enum session_event_kind)(probe / 2),
                            probe % 2 != 0 ? SERVER : CLIENT);
            } else {
                static const char *const lines[] = {"Raw \"Q\\x00\\x00\\x00\\x01\"", "Terminate",
                                                    "Query \"SELECT 1\""};
                world_say(&w, lines[probe - 2 * SESSION_EVENT_COUNT]);
            }
            world_run(&w);
            cr_expect(eq(sz, buf_len(&w.to_client), said), "place %d, probe %d", places[i], probe);
            world_cleanup(&w);
        }
    }
}

/* The other way: a part of a client's message is with the server. */
Test(session, says_nothing_inside_a_message_of_the_client)
{
    static const uint8_t part[] = {'d', 0, 0, 0, 40, 1, 2, 3};
    for (int probe = 0; probe < 2 * SESSION_EVENT_COUNT; probe++) {
        struct world w;
        go_to(&w, IN_RELAY);
        world_feed(&w, CLIENT, part, sizeof(part));
        cr_expect(eq(sz, buf_len(&w.server.in), sizeof(part)));
        w.now.mono_ms += 100000;
        world_event(&w, (enum session_event_kind)(probe / 2), probe % 2 != 0 ? SERVER : CLIENT);
        world_run(&w);
        cr_expect(eq(sz, buf_len(&w.server.in), sizeof(part)), "probe %d", probe);
        world_cleanup(&w);
    }
}
