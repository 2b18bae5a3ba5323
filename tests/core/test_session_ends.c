/*
 * Every way in which a replacement is cut short, at every message of it: nothing may be left behind
 * on the server that is still there, and the client is told once, or not at all when it is gone.
 */
#include "message_text.h"
#include "world.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static const char candidate[] = "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"";

/* What the server does with a probe: some queries it does not take as a plain view. */
static bool refuses_views;

static void with_and_without_probe(void (*test)(void))
{
    refuses_views = false;
    test();
    refuses_views = true;
    test();
}

/* Plays `steps` steps of a replacement; false when it was over before. */
static bool play(struct world *w, size_t steps)
{
    cr_assert(world_init(w, 0, false));
    w->server.refuses_views = refuses_views;
    world_login(w);
    world_say(w, candidate);
    while (steps > 0 && world_step(w)) {
        steps--;
    }
    return steps == 0;
}

static void expect_nothing_left(const struct world *w, size_t step)
{
    bool whole = false;
    (void)world_count(w, 'Z', &whole);
    cr_expect(whole, "step %zu", step);
    cr_expect(eq(uint, w->server.temp_id, 0), "step %zu", step);
    cr_expect(eq(uint, w->server.probe_id, 0), "step %zu", step);
    cr_expect(not(w->server.background), "step %zu", step);
    cr_expect(not(w->holds_lock || w->holds_slot), "step %zu", step);
}

static void replaces_a_view_when_nothing_happens(void)
{
    struct world w;
    bool whole = false;
    (void)play(&w, SIZE_MAX);
    expect_nothing_left(&w, 0);
    cr_expect(eq(uint, w.server.view_id, FAKE_NEW_ID));
    cr_expect(eq(sz, world_count(&w, 'C', &whole), 1));
    cr_expect(eq(sz, world_count(&w, 'Z', &whole), 2));
    cr_expect(eq(sz, world_count(&w, 'E', &whole), 0));
    cr_expect(not(world_ended(&w)));
    world_cleanup(&w);
}

Test(session, replaces_a_view_when_nothing_happens)
{
    with_and_without_probe(replaces_a_view_when_nothing_happens);
}

static void client_goes(struct world *w, int how)
{
    if (how == 0) {
        world_event(w, EVENT_EOF, CLIENT);
    } else if (how == 1) {
        world_event(w, EVENT_BROKEN, CLIENT);
    } else {
        world_say(w, "Terminate");
    }
}

static void undoes_when_the_client_goes_at_any_step(void)
{
    for (int how = 0; how < 3; how++) {
        struct world w;
        for (size_t step = 0; play(&w, step); step++) {
            size_t said = buf_len(&w.to_client);
            bool replacing = session_is_replacing(w.s);
            client_goes(&w, how);
            world_run(&w);
            expect_nothing_left(&w, step);
            cr_expect(world_ended(&w) || !replacing, "how %d, step %zu", how, step);
            /* Nobody is told anything any more. */
            cr_expect(buf_len(&w.to_client) == said || !replacing, "step %zu", step);
            cr_expect(w.server.view_id == FAKE_OLD_ID || w.server.view_id == FAKE_NEW_ID);
            world_cleanup(&w);
        }
        world_cleanup(&w);
    }
}

Test(session, undoes_when_the_client_goes_at_any_step)
{
    with_and_without_probe(undoes_when_the_client_goes_at_any_step);
}

/* More notices than may wait for one client, none of which it takes. */
static void flood_with_notices(struct world *w)
{
    enum { TEXT = 60 * 1000, TIMES = 300 };
    struct buf notice = {0};
    buf_add_byte(&notice, 'N');
    buf_add_u32(&notice, 4 + 1 + TEXT + 1 + 1);
    buf_add_byte(&notice, 'M');
    for (int i = 0; i < TEXT; i++) {
        buf_add_byte(&notice, 'x');
    }
    buf_add_u16(&notice, 0);
    for (int i = 0; i < TIMES; i++) {
        session_feed(w->s, SERVER, buf_bytes(&notice), buf_len(&notice), w->now);
        session_settle(w->s);
    }
    buf_cleanup(&notice);
}

static void undoes_when_the_client_takes_nothing(void)
{
    size_t undone = 0;
    struct world w;
    for (size_t step = 0; play(&w, step); step++) {
        if (session_is_replacing(w.s)) {
            flood_with_notices(&w);
            world_run(&w);
            expect_nothing_left(&w, step);
            undone += world_ended(&w) && w.server.view_id == FAKE_OLD_ID;
        }
        world_cleanup(&w);
    }
    world_cleanup(&w);
    cr_expect(gt(sz, undone, 0));
}

Test(session, undoes_when_the_client_takes_nothing)
{
    with_and_without_probe(undoes_when_the_client_takes_nothing);
}

static void undoes_at_shutdown_at_any_step(void)
{
    struct world w;
    for (size_t step = 0; play(&w, step); step++) {
        bool whole = false;
        bool replacing = session_is_replacing(w.s);
        world_event(&w, EVENT_SHUTDOWN, CLIENT);
        world_run(&w);
        expect_nothing_left(&w, step);
        cr_expect(world_ended(&w) && !w.aborted, "step %zu", step);
        if (replacing) {
            /* The one answer, success only of what has happened, and then the farewell. */
            bool success = world_count(&w, 'C', &whole) == 1;
            cr_expect(eq(sz, world_count(&w, 'Z', &whole), 2), "step %zu", step);
            cr_expect(eq(sz, world_count(&w, 'E', &whole), success ? 1 : 2), "step %zu", step);
            cr_expect(eq(int, success, w.server.view_id == FAKE_NEW_ID), "step %zu", step);
        }
        world_cleanup(&w);
    }
    world_cleanup(&w);
}

Test(session, undoes_at_shutdown_at_any_step)
{
    with_and_without_probe(undoes_at_shutdown_at_any_step);
}

static void drains_only_after_the_answer_at_any_step(void)
{
    struct world w;
    for (size_t step = 0; play(&w, step); step++) {
        bool whole = false;
        world_event(&w, EVENT_DRAIN, CLIENT);
        world_run(&w);
        expect_nothing_left(&w, step);
        cr_expect(world_ended(&w) && !w.aborted, "step %zu", step);
        cr_expect(eq(uint, w.server.view_id, FAKE_NEW_ID), "step %zu", step);
        cr_expect(eq(sz, world_count(&w, 'C', &whole), 1), "step %zu", step);
        cr_expect(eq(sz, world_count(&w, 'E', &whole), 1), "step %zu", step);
        world_cleanup(&w);
    }
    world_cleanup(&w);
}

Test(session, drains_only_after_the_answer_at_any_step)
{
    with_and_without_probe(drains_only_after_the_answer_at_any_step);
}

static void tells_the_client_when_the_server_goes_at_any_step(void)
{
    struct world w;
    for (size_t step = 0; play(&w, step); step++) {
        bool whole = false;
        world_event(&w, step % 2 == 0 ? EVENT_EOF : EVENT_BROKEN, SERVER);
        world_run(&w);
        cr_expect(world_ended(&w) && !w.aborted, "step %zu", step);
        cr_expect(not(w.holds_lock || w.holds_slot), "step %zu", step);
        size_t answers = world_count(&w, 'C', &whole) + world_count(&w, 'E', &whole);
        cr_expect(eq(sz, answers, 1), "step %zu", step);
        cr_expect(whole, "step %zu", step);
        world_cleanup(&w);
    }
    world_cleanup(&w);
}

Test(session, tells_the_client_when_the_server_goes_at_any_step)
{
    with_and_without_probe(tells_the_client_when_the_server_goes_at_any_step);
}

/* The probe tells it; nothing but the probe is made. */
Test(session, does_nothing_when_nothing_changes)
{
    static const char of_table[] =
        "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT a FROM t\"";
    struct world w;
    bool whole = false;
    cr_assert(world_init(&w, 0, false));
    world_login(&w);
    for (int i = 0; i < 2; i++) {
        world_say(&w, of_table);
        world_run(&w);
        expect_nothing_left(&w, 0);
        cr_expect(eq(uint, w.server.num_created, 1));
        cr_expect(eq(uint, w.server.num_probes, i == 0 ? 1 : 2));
    }
    cr_expect(eq(uint, w.server.view_id, FAKE_NEW_ID));
    cr_expect(eq(sz, world_count(&w, 'C', &whole), 2));
    cr_expect(eq(sz, world_count(&w, 'Z', &whole), 3));
    cr_expect(eq(sz, world_count(&w, 'E', &whole), 0));
    world_cleanup(&w);
}

Test(session, makes_a_plan_and_nothing_else)
{
    for (int kind = 0; kind < 2; kind++) {
        struct world w;
        bool whole = false;
        cr_assert(world_init(&w, 0, false));
        w.server.refuses_views = kind != 0;
        w.hold_locks = true; /* a plan waits for nobody */
        w.hold_slots = true;
        world_login(&w);
        world_say(&w, "Query \"EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"");
        world_run(&w);
        expect_nothing_left(&w, 0);
        cr_expect(eq(uint, w.server.view_id, FAKE_OLD_ID));
        cr_expect(eq(uint, w.server.num_created, 0));
        cr_expect(eq(uint, w.server.num_probes, kind == 0 ? 1 : 0));
        cr_expect(gt(sz, world_count(&w, 'D', &whole), 3));
        cr_expect(eq(sz, world_count(&w, 'C', &whole), 1));
        cr_expect(eq(sz, world_count(&w, 'Z', &whole), 2));
        world_cleanup(&w);
    }
}

Test(session, passes_the_answer_of_a_server_that_knows_the_statement)
{
    struct world w;
    bool whole = false;
    cr_assert(world_init(&w, 0, false));
    w.server.knows_the_statement = true;
    world_login(&w);
    world_say(&w, candidate);
    world_say(&w, "Query \"BEGIN\"");
    world_run(&w);
    cr_expect(eq(uint, w.server.view_id, FAKE_NEW_ID));
    cr_expect(eq(sz, world_count(&w, 'C', &whole), 2));
    cr_expect(eq(sz, world_count(&w, 'Z', &whole), 3));
    cr_expect(eq(sz, world_count(&w, 'E', &whole), 0));
    world_cleanup(&w);
}

/* A notice of the server is here in part when the news comes that a cancel is done: the answer must
 * not stand inside it. */
Test(session, answers_a_cancel_behind_a_notice_that_is_here_in_part)
{
    struct world w;
    struct buf notice = {0};
    bool whole = false;
    cr_assert(world_init(&w, 0, false));
    w.server.gives_key = true;
    world_login(&w);
    world_say(&w, "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"");
    world_event(&w, EVENT_CANCEL, CLIENT);
    cr_assert(w.cancel_under_way);
    while (buf_len(&w.server.out) != 0) {
        cr_assert(world_step(&w)); /* all answers, while the CancelRequest is under way */
    }
    cr_assert(message_parse("NoticeResponse S\"NOTICE\" C\"00000\" M\"x\"", SERVER, &notice));
    world_feed(&w, SERVER, buf_bytes(&notice), 9);
    world_event(&w, EVENT_CANCEL_DONE, SERVER);
    world_feed(&w, SERVER, buf_bytes(&notice) + 9, buf_len(&notice) - 9);
    w.cancel_under_way = false;
    world_run(&w);
    cr_expect(eq(sz, world_count(&w, 'Z', &whole), 2));
    cr_expect(whole);
    buf_cleanup(&notice);
    world_cleanup(&w);
}
