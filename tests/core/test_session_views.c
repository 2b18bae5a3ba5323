/*
 * CREATE OR REPLACE VIEW: what of it the engine is handed, and that its outcome is the answer, in
 * both protocols. How the engine replaces a view is its own matter: here it is a stub.
 */
#define _GNU_SOURCE /* memmem */

#include "stub_engine.h"
#include "world.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct world w;

static void begin(void)
{
    stub = (struct stub_engine){.asks = {REPLACE_LOCK, REPLACE_RUN, REPLACE_DONE},
                                .tag = "CREATE_VIEW"};
    cr_assert(world_init(&w, 0, false));
    world_login(&w);
    buf_truncate(&w.to_client, 0);
}

static void say(const char *line)
{
    world_say(&w, line);
    world_run(&w);
}

static void end(void)
{
    cr_expect(not(world_ended(&w)));
    world_cleanup(&w);
    cr_expect(eq(sz, stub.num_alive, 0));
}

static size_t answers(uint8_t tag)
{
    bool whole = false;
    size_t num = world_count(&w, tag, &whole);
    cr_expect(whole);
    return num;
}

static bool client_got(const char *text)
{
    return memmem(buf_bytes(&w.to_client), buf_len(&w.to_client), text, strlen(text)) != NULL;
}

/* One answer, of an engine that was handed `text`. */
static void expect(const char *what, const char *text, enum replace_mode mode)
{
    cr_expect(eq(str, stub.text, (char *)text), "%s", what);
    cr_expect(eq(int, stub.mode, mode), "%s", what);
    cr_expect(eq(sz, answers('C'), 1), "%s", what);
    cr_expect(eq(sz, answers('E'), 0), "%s", what);
    cr_expect(eq(sz, answers('Z'), 1), "%s", what);
    cr_expect(client_got(mode == REPLACE_PLAN ? "EXPLAIN" : "CREATE_VIEW"), "%s", what);
    cr_expect(eq(sz, answers('D'), mode == REPLACE_PLAN ? 1 : 0), "%s", what);
}

static const struct {
    const char *sent;
    const char *handed;
    enum replace_mode mode;
} texts[] = {
    {"CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE OR REPLACE VIEW v AS SELECT 1",
     REPLACE_CARRY_OUT},
    {"CREATE OR REPLACE VIEW v (x) AS SELECT 1 /* b */;",
     "CREATE OR REPLACE VIEW v (x) AS SELECT 1"
     " /* b */",
     REPLACE_CARRY_OUT},
    {"EXPLAIN CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE OR REPLACE VIEW v AS SELECT 1",
     REPLACE_PLAN},
};
enum { NUM_TEXTS = sizeof(texts) / sizeof(texts[0]) };

static void say_text(const char *before, const char *text, const char *behind)
{
    struct buf line = {0};
    buf_add_format(&line, "%s\"%s\"%s", before, text, behind);
    say(buf_text(&line));
    buf_cleanup(&line);
}

Test(session_views, in_a_query)
{
    for (size_t i = 0; i < NUM_TEXTS; i++) {
        begin();
        say_text("Query ", texts[i].sent, "");
        expect(texts[i].sent, texts[i].handed, texts[i].mode);
        end();
    }
}

/* What the fake server takes in one message has no `;`. */
Test(session_views, in_a_series)
{
    for (size_t i = 0; i < NUM_TEXTS; i++) {
        if (strchr(texts[i].sent, ';') != NULL) {
            continue;
        }
        begin();
        say_text("Parse \"s\" ", texts[i].sent, " \"\\x00\\x00\"");
        say("Bind \"\" \"s\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"");
        say("Execute \"\" 0");
        say("Sync");
        expect(texts[i].sent, texts[i].handed, texts[i].mode);
        end();
    }
}

Test(session_views, with_a_parameter)
{
    begin();
    say("Parse \"\" \"CREATE OR REPLACE VIEW v AS SELECT $1\" \"\\x00\\x00\"");
    say("Bind \"\" \"\" \"\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x015\\x00\\x00\"");
    say("Execute \"\" 0");
    say("Sync");
    expect("with a parameter", "CREATE OR REPLACE VIEW v AS SELECT $1", REPLACE_CARRY_OUT);
    end();
}

Test(session_views, with_a_hint)
{
    begin();
    say("Query \"CREATE OR REPLACE VIEW v AS /* mvswap: notices=off */ SELECT 1\"");
    expect("with a hint", "CREATE OR REPLACE VIEW v AS /* mvswap: notices=off */ SELECT 1",
           REPLACE_CARRY_OUT);
    cr_expect(eq(uint, stub.settings.values[SETTING_NOTICES], REPLACE_NOTICES_OFF));
    end();
}

Test(session_views, an_error_of_the_engine_is_the_answer)
{
    begin();
    w.hold_locks = true;
    say("Query \"CREATE OR REPLACE VIEW v AS SELECT 1\"");
    cr_assert(w.wants_lock);
    world_event(&w, EVENT_CANCEL, CLIENT);
    world_run(&w);
    cr_expect(client_got("as the test wanted"));
    cr_expect(eq(sz, answers('E'), 1));
    cr_expect(eq(sz, answers('Z'), 1));
    end();
}
