/*
 * What a replacement shares with others of the process: slots for builds are asked for, waited for,
 * given back at once and at every end; what was left comes with the lock and is told at the end.
 * With an engine that asks for them as the test says.
 */
#include "limits.h"
#include "stub_engine.h"
#include "world.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static const char candidate[] = "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"";

static struct world w;

/* With the engine of `asks`, up to where it waits for something that is not given. */
static void begin(const struct stub_engine *engine, bool hold_slots)
{
    stub = *engine;
    cr_assert(world_init(&w, 0, false));
    w.hold_slots = hold_slots;
    world_login(&w);
    world_say(&w, candidate);
    world_run(&w);
}

static bool client_got(const char *text)
{
    const uint8_t *said = buf_bytes(&w.to_client);
    size_t len = strlen(text);
    for (size_t at = 0; at + len <= buf_len(&w.to_client); at++) {
        if (memcmp(said + at, text, len) == 0) {
            return true;
        }
    }
    return false;
}

static void end(void)
{
    cr_expect(not(w.wants_slot || w.holds_slot || w.wants_lock || w.holds_lock));
    world_cleanup(&w);
    cr_expect(eq(sz, stub.num_alive, 0));
}

static const struct stub_engine usual = {
    .asks = {REPLACE_LOCK, REPLACE_SLOT, REPLACE_RUN, REPLACE_END_SLOT, REPLACE_RUN, REPLACE_DONE}};

Test(shares, a_slot_is_taken_and_given_back)
{
    begin(&usual, false);
    cr_expect(eq(str, stub.heard, "llkkk"));
    cr_expect(client_got("CREATE_MATERIALIZED_VIEW"));
    end();
}

/* It comes before the next answer of the server, not with the end. */
Test(shares, a_slot_is_given_back_at_once)
{
    begin(&usual, true);
    cr_expect(eq(str, stub.heard, "l"));
    cr_assert(w.wants_slot);
    cr_assert(world_grant(&w));
    while (w.holds_slot && world_step(&w)) {
        /* up to there */
    }
    cr_expect(eq(str, stub.heard, "llkk"));
    cr_expect(session_is_replacing(w.s));
    world_run(&w);
    end();
}

Test(shares, a_slot_that_is_not_given_back_ends_with_the_replacement)
{
    begin(&(struct stub_engine){.asks = {REPLACE_LOCK, REPLACE_SLOT, REPLACE_DONE}}, false);
    cr_expect(eq(str, stub.heard, "ll"));
    cr_expect(client_got("CREATE_MATERIALIZED_VIEW"));
    end();
}

Test(shares, a_slot_that_was_never_taken_is_not_given_back)
{
    begin(&(struct stub_engine){.asks = {REPLACE_LOCK, REPLACE_END_SLOT, REPLACE_DONE}}, false);
    cr_expect(eq(str, stub.heard, "lk"));
    cr_expect(eq(uint, w.slots_ended, 0));
    end();
}

Test(shares, too_many_wait)
{
    begin(&usual, true);
    w.wants_slot = false; /* the registry has no room */
    world_event(&w, EVENT_SLOT_REFUSED, CLIENT);
    world_run(&w);
    cr_expect(eq(str, stub.heard, "lf"));
    cr_expect(eq(uint, w.slots_ended, 0));
    cr_expect(client_got("as the test wanted"));
    cr_expect(not(world_ended(&w)));
    end();
}

enum way { BY_CANCEL, BY_EOF, BY_BREAK, BY_TERMINATE, BY_SHUTDOWN, BY_SERVER, NUM_WAYS };

static void leave(enum way way)
{
    static const enum session_event_kind events[] = {
        [BY_CANCEL] = EVENT_CANCEL,     [BY_EOF] = EVENT_EOF,    [BY_BREAK] = EVENT_BROKEN,
        [BY_SHUTDOWN] = EVENT_SHUTDOWN, [BY_SERVER] = EVENT_EOF,
    };
    if (way == BY_TERMINATE) {
        world_say(&w, "Terminate");
    } else {
        world_event(&w, events[way], way == BY_SERVER ? SERVER : CLIENT);
    }
}

/* As while it waits for a lock: no slot, no word of the server is needed. */
Test(shares, waiting_for_a_slot_ends_in_every_way)
{
    for (enum way way = 0; way < NUM_WAYS; way++) {
        begin(&usual, true);
        cr_assert(w.wants_slot);
        leave(way);
        cr_expect(not(session_is_replacing(w.s)), "way %d", way);
        cr_expect(not(w.wants_slot), "way %d", way);
        cr_expect(eq(str, stub.heard, way == BY_SERVER ? "lx" : "lc"), "way %d", way);
        cr_expect(eq(int, world_ended(&w), way != BY_CANCEL), "way %d", way);
        bool answered = way == BY_CANCEL || way == BY_SHUTDOWN || way == BY_SERVER;
        cr_expect(eq(int, client_got("as the test wanted"), answered), "way %d", way);
        world_event(&w, EVENT_SLOT, CLIENT); /* too late */
        world_event(&w, EVENT_SLOT_REFUSED, CLIENT);
        world_run(&w);
        end();
    }
}

/* Undo has its own time: others need not wait for it. */
Test(shares, who_was_cancelled_does_not_wait_for_a_slot)
{
    begin(&(struct stub_engine){.asks = {REPLACE_LOCK, REPLACE_SLOT, REPLACE_DONE, REPLACE_RUN,
                                         REPLACE_DONE},
                                .undo = 3},
          true);
    leave(BY_CANCEL);
    cr_expect(session_is_replacing(w.s));
    cr_expect(not(w.wants_slot));
    world_event(&w, EVENT_SLOT, CLIENT);
    cr_expect(eq(str, stub.heard, "lc"));
    world_run(&w);
    cr_expect(eq(str, stub.heard, "lck"));
    cr_expect(client_got("as the test wanted"));
    end();
}

/* The next replacement of the session begins anew. */
Test(shares, one_after_the_other)
{
    begin(&usual, false);
    world_say(&w, candidate);
    world_run(&w);
    cr_expect(eq(str, stub.heard, "llkkkllkkk"));
    end();
}

static const struct stub_engine closing = {
    .asks = {REPLACE_LOCK, REPLACE_RUN, REPLACE_LOCK, REPLACE_RUN, REPLACE_DONE},
    .num_families = 3};

Test(shares, a_lock_of_many_after_that_of_one)
{
    stub = closing;
    cr_assert(world_init(&w, 0, false));
    w.hold_locks = true;
    world_login(&w);
    world_say(&w, candidate);
    world_run(&w);
    cr_assert(w.wants_lock);
    cr_expect(eq(sz, w.num_families, 1));
    cr_assert(world_grant(&w));
    world_run(&w);
    cr_assert(w.wants_lock && !w.holds_lock);
    cr_expect(eq(sz, w.num_families, 3));
    cr_expect(eq(str, stub.heard, "lk"));
    cr_assert(world_grant(&w));
    world_run(&w);
    cr_expect(eq(str, stub.heard, "lklk"));
    cr_expect(client_got("CREATE_MATERIALIZED_VIEW"));
    end();
}

/* What is remembered is told by those only who hold the lock. */
Test(shares, waiting_for_a_lock_of_many_ends_in_every_way)
{
    for (enum way way = 0; way < NUM_WAYS; way++) {
        stub = closing;
        stub.left_known = true;
        cr_assert(world_init(&w, 0, false));
        world_login(&w);
        world_say(&w, candidate);
        while (!(w.holds_lock && stub.heard[0] != 0) && world_step(&w)) {
            /* up to the first lock */
        }
        w.hold_locks = true;
        world_run(&w);
        cr_assert(w.wants_lock);
        leave(way);
        cr_expect(not(session_is_replacing(w.s)), "way %d", way);
        cr_expect(not(w.wants_lock), "way %d", way);
        cr_expect(eq(str, stub.heard, way == BY_SERVER ? "lkx" : "lkc"), "way %d", way);
        world_event(&w, EVENT_LOCKED, CLIENT); /* too late */
        world_run(&w);
        cr_expect(eq(str, w.remembered, ""), "way %d", way);
        end();
    }
}

/* Undo has its own time: others need not wait for one that waits. */
Test(shares, who_was_cancelled_does_not_wait_for_a_lock)
{
    stub = (struct stub_engine){.asks = {REPLACE_LOCK, REPLACE_DONE, REPLACE_RUN, REPLACE_DONE},
                                .undo = 2};
    cr_assert(world_init(&w, 0, false));
    w.hold_locks = true;
    world_login(&w);
    world_say(&w, candidate);
    world_run(&w);
    cr_assert(w.wants_lock);
    leave(BY_CANCEL);
    cr_expect(session_is_replacing(w.s));
    cr_expect(not(w.wants_lock));
    world_run(&w);
    cr_expect(eq(str, stub.heard, "ck"));
    end();
}

Test(shares, as_many_families_as_there_may_be)
{
    struct stub_engine engine = closing;
    engine.num_families = LIMIT_LOCK_FAMILIES;
    begin(&engine, false);
    cr_expect(eq(str, stub.heard, "lklk"));
    end();
    engine.num_families++;
    begin(&engine, false);
    cr_expect(eq(str, stub.heard, "lk"));
    cr_expect(client_got("too many views are replaced in one statement"));
    cr_expect(world_ended(&w));
    end();
}

static const struct replace_left left[] = {{"s", "v_tmp_1", 7, 0},
                                           {"o\xfe", "v \xff\n", UINT64_MAX, 1234567}};
static const struct stub_engine locking = {.asks = {REPLACE_LOCK, REPLACE_RUN, REPLACE_DONE}};

/* With `left` remembered; allocations fail as world_init says. Returns whether one did. */
static bool run_remembering(const struct stub_engine *engine, size_t nth)
{
    stub = *engine;
    if (!world_init(&w, nth, true)) {
        world_cleanup(&w);
        return true;
    }
    w.left = left;
    w.num_left = 2;
    world_login(&w);
    world_say(&w, candidate);
    world_run(&w);
    return nth != 0 && w.allocations >= nth;
}

Test(shares, what_is_remembered_comes_with_the_lock)
{
    (void)run_remembering(&locking, 0);
    cr_expect(eq(str, stub.heard, "l s,v_tmp_1,7,0 o\xfe,v \xff\n,18446744073709551615,1234567k"));
    cr_expect(eq(str, w.remembered, "")); /* the engine does not know better */
    end();
}

Test(shares, what_was_left_is_told_at_the_end)
{
    struct stub_engine engine = locking;
    engine.left_known = true;
    (void)run_remembering(&engine, 0);
    cr_expect(eq(str, w.remembered, "\"d\".\"s\".\"v\""));
    end();
    engine.num_left = 2;
    engine.left[0] = left[1];
    engine.left[1] = left[0];
    (void)run_remembering(&engine, 0);
    cr_expect(eq(str, w.remembered,
                 "\"d\".\"s\".\"v\" o\xfe,v \xff\n,18446744073709551615,1234567 s,v_tmp_1,7,0"));
    cr_expect(client_got("CREATE_MATERIALIZED_VIEW"));
    cr_expect(eq(sz, stub.num_alive, 0)); /* a session that is idle keeps none */
    /* And of the next one of the session. */
    (void)snprintf(w.remembered, sizeof(w.remembered), "nothing");
    stub.num_left = 0;
    world_say(&w, candidate);
    world_run(&w);
    cr_expect(eq(str, w.remembered, "\"d\".\"s\".\"v\""));
    end();
}

Test(shares, what_was_left_is_told_by_those_that_fail_too)
{
    struct stub_engine engine = usual;
    engine.left_known = true;
    engine.num_left = 1;
    engine.left[0] = left[0];
    for (enum way way = 0; way < NUM_WAYS; way++) {
        begin(&engine, true);
        leave(way);
        cr_expect(eq(str, w.remembered, "\"d\".\"s\".\"v\" s,v_tmp_1,7,0"), "way %d", way);
        end();
    }
}

Test(shares, without_the_lock_nothing_is_told)
{
    struct stub_engine engine = {.asks = {REPLACE_RUN, REPLACE_DONE}, .left_known = true};
    (void)run_remembering(&engine, 0);
    cr_expect(eq(str, stub.heard, "k"));
    cr_expect(eq(str, w.remembered, ""));
    end();
}

/* The whole list, or the session ends: half of it would make the engine forget the rest. */
Test(shares, without_memory)
{
    struct stub_engine engine = closing;
    engine.left_known = true;
    for (size_t nth = 1; run_remembering(&engine, nth); nth++) {
        bool heard = strncmp(stub.heard, "l", 1) == 0;
        bool all = strstr(stub.heard, ",18446744073709551615,1234567") != NULL;
        cr_expect(all || !heard, "allocation %zu: %s", nth, stub.heard);
        cr_expect(world_ended(&w) || strlen(w.remembered) != 0 || !heard, "allocation %zu", nth);
        world_cleanup(&w);
        cr_expect(eq(sz, stub.num_alive, 0));
    }
    world_cleanup(&w);
}
