/*
 * The main conversations with each allocation of the session failing in turn, for good or once: no
 * crash, nothing leaked, no wrong success, and never a client that waits for an answer for ever.
 */
#include "world.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#define PARSE_CANDIDATE                                                                            \
    "Parse \"\" \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\" \"\\x00\\x00\""
#define BIND "Bind \"\" \"\" \"\\x00\\x00\\x00\\x00\\x00\\x00\""
#define EXECUTE "Execute \"\" 0"

struct scenario {
    const char *lines[9];
    size_t num_ready; /* ReadyForQuery messages when all goes well, the login's included */
    bool replaces;    /* ... then the view is the new one */
};

static const struct scenario scenarios[] = {
    {{"Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"", "Query \"BEGIN\""}, 3, true},
    {{"Query \"BEGIN\"", "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"",
      "Query \"COMMIT\""},
     4,
     false},
    {{"Bind \"\" \"missing\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"",
      "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"", "Sync",
      "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 2\""},
     3,
     true},
    {{PARSE_CANDIDATE, BIND, EXECUTE, "Sync", EXECUTE, "Sync"}, 3, true},
    {{"Parse \"s\" \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT $1\""
      " \"\\x00\\x01\\x00\\x00\\x00\\x17\"",
      "Bind \"p\" \"s\" \"\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x011\\x00\\x00\"",
      "Describe \"P\" \"p\"", "Execute \"p\" 0", "Close \"P\" \"p\"", "Close \"S\" \"s\"", "Sync",
      "Query \"BEGIN\""},
     3,
     true},
    {{"Query \"BEGIN\"", PARSE_CANDIDATE, BIND, EXECUTE, "Sync", "Query \"COMMIT\""}, 4, false},
    {{"Bind \"\" \"missing\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"", PARSE_CANDIDATE, BIND, EXECUTE,
      "Sync", PARSE_CANDIDATE, "Parse \"\" \"SELECT nope\" \"\\x00\\x00\"", "Sync"},
     3,
     false},
    {{PARSE_CANDIDATE, BIND, "Parse \"\" \"BEGIN\" \"\\x00\\x00\"", EXECUTE, BIND, EXECUTE, "Sync",
      "Query \"COMMIT\""},
     3,
     true},
    {{"Query \"SET mvswap.notices = off\"", "Query \"SHOW mvswap\"",
      "Parse \"\" \"SET mvswap.notices = off\" \"\\x00\\x00\"", BIND, EXECUTE, "Sync"},
     4,
     false},
    {{"Query \"SET mvswap.notices = off; CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1; SHOW"
      " mvswap; BEGIN\"",
      "Query \"COMMIT\""},
     3,
     true},
    {{"Query \"SET mvswap.check = 'SELECT true'; SET mvswap.after_swap = 'SELECT 1; SELECT 2'\"",
      "Query \"BEGIN\"", "Query \"SET LOCAL mvswap.check = 'SELECT false'\"",
      "Query \"SET mvswap.before_build = 'SELECT 3'\"", "Query \"COMMIT\"",
      "Query \"RESET mvswap.check\"", "Query \"RESET ALL\"",
      "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 /* mvswap: before_build='' */\""},
     9,
     true},
    {{"Query \"EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1; BEGIN\"",
      "Query \"COMMIT\""},
     3,
     false},
    {{"Parse \"\" \"EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\" \"\\x00\\x00\"",
      BIND, EXECUTE, "Sync", EXECUTE, "Sync", "Query \"COMMIT\""},
     4,
     false},
    {{"Query \"SET mvswap.notices = off; DISCARD ALL; SET mvswap.notices = off\"",
      "Query \"DISCARD ALL\"", "Query \"SET mvswap.notices = off\"",
      "Parse \"\" \"DISCARD ALL\" \"\\x00\\x00\"", BIND, EXECUTE, "Sync", "Query \"COMMIT\""},
     6,
     false},
    /* Unchanged the second time. */
    {{"Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT a FROM t\"",
      "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT a FROM t\"", "Query \"BEGIN\""},
     4,
     true},
    {{"Query \"EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT a FROM t\"",
      "Query \"BEGIN\""},
     3,
     false},
};

/* `patient`: each line is sent when the last one has been answered. Returns whether an allocation
 * failed. */
static bool play(const struct scenario *scenario, size_t nth, bool once, bool patient)
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
        if (patient) {
            world_run(&w);
        }
    }
    world_run(&w);
    size_t num_ready = world_count(&w, 'Z', &whole);
    bool replaced = world_count(&w, 'C', &whole) != 0 && w.server.view_id >= FAKE_NEW_ID;
    const uint8_t *said = buf_bytes(&w.to_client);
    bool says_so = false;
    for (size_t at = 0; at + 24 <= buf_len(&w.to_client); at++) {
        says_so = says_so || memcmp(said + at, "CREATE_MATERIALIZED_VIEW", 24) == 0;
    }
    cr_expect(nth != 0 || replaced == scenario->replaces);
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
    for (size_t i = 0; i < 2 * sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        const struct scenario *scenario = &scenarios[i / 2];
        bool patient = i % 2 != 0;
        (void)play(scenario, 0, once, patient);
        size_t nth = 1;
        while (play(scenario, nth, once, patient)) {
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
