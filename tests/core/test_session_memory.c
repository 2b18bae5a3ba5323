/*
 * The main conversations with each allocation of the session failing in turn, for good or once: no
 * crash, nothing leaked, no wrong success, and never a client that waits for an answer for ever.
 */
#include "world.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

struct scenario {
    const char *lines[6];
    size_t num_ready; /* ReadyForQuery messages when all goes well, the login's included */
};

static const struct scenario scenarios[] = {
    {{"Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"", "Query \"BEGIN\""}, 3},
    {{"Query \"BEGIN\"", "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"",
      "Query \"COMMIT\""},
     4},
    {{"Bind \"\" \"missing\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"",
      "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"", "Sync",
      "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 2\""},
     3},
};

/* Returns whether an allocation failed. */
static bool play(const struct scenario *scenario, size_t nth, bool once)
{
    struct world w;
    bool whole = false;
    if (!world_init(&w, nth, once)) {
        world_cleanup(&w);
        return true;
    }
    world_login(&w);
    for (size_t i = 0; scenario->lines[i] != NULL; i++) {
        world_say(&w, scenario->lines[i]);
    }
    world_run(&w);
    size_t num_ready = world_count(&w, 'Z', &whole);
    bool replaced = world_count(&w, 'C', &whole) != 0 && w.server.view_id == FAKE_NEW_ID;
    const uint8_t *said = buf_bytes(&w.to_client);
    bool says_so = false;
    for (size_t at = 0; at + 24 <= buf_len(&w.to_client); at++) {
        says_so = says_so || memcmp(said + at, "CREATE_MATERIALIZED_VIEW", 24) == 0;
    }
    cr_expect(replaced || !says_so, "allocation %zu: a wrong success", nth);
    cr_expect(world_ended(&w) || num_ready == scenario->num_ready,
              "allocation %zu: %zu answers of %zu, and it goes on", nth, num_ready,
              scenario->num_ready);
    cr_expect(whole || w.aborted, "allocation %zu: half a message", nth);
    bool failed = nth != 0 && w.allocations >= nth;
    world_cleanup(&w);
    return failed;
}

static void play_all(bool once)
{
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        (void)play(&scenarios[i], 0, once);
        size_t nth = 1;
        while (play(&scenarios[i], nth, once)) {
            nth++;
        }
        cr_expect(gt(sz, nth, 10));
    }
}

Test(session, ends_or_answers_when_memory_is_gone)
{
    play_all(false);
}

Test(session, ends_or_answers_when_memory_is_short_once)
{
    play_all(true);
}
