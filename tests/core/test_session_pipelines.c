/*
 * The promise of the session, as properties of random conversations: a client gets through it what
 * it would get from a server that knows CREATE OR REPLACE MATERIALIZED VIEW, byte for byte, however
 * the bytes are cut and delayed, and whatever swaps of others it is told of meanwhile, so that all
 * its statements are parsed again; and that server is left as this one is. With cancels at any
 * moment each statement still has its one answer, and what is done is done or undone.
 *
 * PIPELINES=100000 in the environment plays that many, PIPELINE_SEED=17 begins with that one.
 */
#include "message_text.h"
#include "play.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

enum { NUM_PIPELINES = 3000, PLAYS_OF_EACH = 3 };

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void show(struct buf *out, const char *title, const struct buf *bytes, enum side from)
{
    enum { LONGEST_LINE = 300 };
    struct message_stream stream = {.from = from, .started = true};
    struct buf in = {0};
    buf_add(&in, buf_bytes(bytes), buf_len(bytes));
    buf_add_format(out, "%s\n", title);
    size_t start = buf_len(out);
    while (message_show(&stream, &in, true, out)) {
        if (buf_len(out) > start + LONGEST_LINE) {
            buf_truncate(out, start + LONGEST_LINE);
        }
        buf_add_byte(out, '\n');
        start = buf_len(out);
    }
    buf_cleanup(&in);
}

/* Fails the test with all that is needed to see why. */
static void report(const struct play *p, uint64_t seed, unsigned nth, const char *wrong,
                   const struct buf *wanted, const struct buf *got)
{
    struct buf text = {0};
    buf_add_format(&text, "seed %u, play %u%s: %s\n", (unsigned)seed, nth,
                   p->foreground ? " (foreground)" : "", wrong);
    show(&text, "conversation", &p->line->bytes, CLIENT);
    buf_add_text(&text, "pauses behind bytes");
    for (size_t i = 0; i < p->line->num_pauses; i++) {
        buf_add_format(&text, " %zu", p->line->pauses[i]);
    }
    buf_add_byte(&text, '\n');
    show(&text, "wanted", wanted, SERVER);
    show(&text, "got", got, SERVER);
    show(&text, "all that was got", &p->w.to_client, SERVER);
    cr_fatal("%s", buf_text(&text));
}

static bool same(const struct buf *a, const struct buf *b)
{
    return buf_len(a) == buf_len(b) && memcmp(buf_bytes(a), buf_bytes(b), buf_len(a)) == 0;
}

/* All that was sent before a pause is answered at it: how much, must be the same. */
static const char *compare_pauses(const struct play *p, const struct play *direct)
{
    const char *wrong = NULL;
    for (size_t i = 0; i < p->line->num_pauses && wrong == NULL; i++) {
        struct buf got = {0};
        struct buf wanted = {0};
        struct buf a = {0};
        struct buf b = {0};
        buf_add(&a, buf_bytes(&p->w.to_client), p->got_at_pause[i]);
        buf_add(&b, buf_bytes(&direct->w.server.out), direct->got_at_pause[i]);
        (void)play_answers(p, &a, false, &got);
        (void)play_answers(direct, &b, false, &wanted);
        if (buf_len(&got) != buf_len(&wanted)) {
            wrong = "an answer is withheld at a pause";
        }
        buf_cleanup(&got);
        buf_cleanup(&wanted);
        buf_cleanup(&a);
        buf_cleanup(&b);
    }
    return wrong;
}

/* ---- without cancels ---- */

static void play_beside(const struct pipeline *line, uint64_t seed, unsigned nth,
                        struct play *direct)
{
    struct play p = {.line = line, .random = seed + nth, .in_cuts = nth != 0};
    struct buf got = {0};
    struct buf wanted = {0};
    p.foreground = (seed + nth) % 2 == 0;
    cr_assert(play_through_session(&p));
    const char *wrong = play_answers(&p, &p.w.to_client, false, &got);
    (void)play_answers(direct, &direct->w.server.out, false, &wanted);
    wrong = p.wrong != NULL ? p.wrong : wrong;
    if (wrong == NULL && !same(&got, &wanted)) {
        wrong = "other answers";
    }
    wrong = wrong == NULL ? compare_pauses(&p, direct) : wrong;
    wrong = wrong == NULL ? model_server_difference(&p.server, &direct->server) : wrong;
    if (wrong != NULL) {
        report(&p, seed, nth, wrong, &wanted, &got);
    }
    buf_cleanup(&got);
    buf_cleanup(&wanted);
    play_cleanup(&p);
}

Test(pipelines, get_what_a_server_would_say_that_knows_the_statement)
{
    uint64_t first = from_environment("PIPELINE_SEED", 1);
    uint64_t end = first + from_environment("PIPELINES", NUM_PIPELINES);
    unsigned num_replaced = 0;
    unsigned num_unchanged = 0;
    for (uint64_t seed = first; seed < end; seed++) {
        struct pipeline line;
        pipeline_make(&line, seed);
        struct play direct = {.line = &line};
        play_directly(&direct);
        num_replaced += direct.server.num_replaced;
        num_unchanged += direct.server.num_unchanged;
        for (unsigned nth = 0; nth < PLAYS_OF_EACH; nth++) {
            play_beside(&line, seed, nth, &direct);
        }
        play_cleanup(&direct);
        pipeline_cleanup(&line);
    }
    /* Else the generator would make nothing but errors. */
    cr_expect(end - first < 100 || num_replaced > (end - first) / 2, "%u replacements",
              num_replaced);
    cr_expect(end - first < 100 || num_unchanged > (end - first) / 100, "%u unchanged",
              num_unchanged);
}

/* ---- with cancels ---- */

static void play_with_cancels(const struct pipeline *line, uint64_t seed, unsigned *num_hit)
{
    struct play p = {.line = line, .random = seed, .in_cuts = true, .foreground = seed % 3 != 0};
    struct play direct = {.line = line};
    struct buf got = {0};
    p.cancels = 1 + (unsigned)(seed % 3);
    cr_assert(play_through_session(&p));
    const char *wrong = play_answers(&p, &p.w.to_client, true, &got);
    wrong = p.wrong != NULL ? p.wrong : wrong;
    /* The server that knows the statement is cancelled at the same statements. */
    direct.server.expected = &got;
    play_directly(&direct);
    const struct buf *wanted = &direct.w.server.out;
    bool in_doubt = direct.server.unnamed_in_doubt;
    if (wrong == NULL && !in_doubt && !same(&got, wanted)) {
        wrong = "other answers";
    }
    size_t released = p.cancel_was_asked ? p.fed_at_release : 0;
    if (wrong == NULL && direct.server.num_repeated != 0 &&
        direct.server.last_repeated >= released) {
        wrong = "a statement was cancelled that was sent after the cancel was done";
    }
    if (wrong == NULL && !in_doubt) {
        wrong = model_server_difference(&p.server, &direct.server);
    }
    if (wrong != NULL) {
        report(&p, seed, 0, wrong, wanted, &got);
    }
    *num_hit += direct.server.num_repeated;
    buf_cleanup(&got);
    play_cleanup(&p);
    play_cleanup(&direct);
}

Test(pipelines, with_cancels_each_statement_has_its_one_answer)
{
    uint64_t first = from_environment("PIPELINE_SEED", 1);
    uint64_t end = first + from_environment("PIPELINES", NUM_PIPELINES);
    unsigned num_hit = 0;
    for (uint64_t seed = first; seed < end; seed++) {
        struct pipeline line;
        pipeline_make(&line, seed);
        play_with_cancels(&line, seed, &num_hit);
        pipeline_cleanup(&line);
    }
    cr_expect(end - first < 100 || num_hit > (end - first) / 10, "%u cancelled", num_hit);
}

/* ---- what the properties above cannot see ---- */

/* It may be answered by success when it comes too late, but not when nothing has begun. */
Test(pipelines, a_cancel_before_the_replacement_begins_is_not_forgotten)
{
    bool begun = false;
    for (size_t steps = 0; !begun; steps++) {
        struct world w;
        cr_assert(world_init(&w, 0, false));
        w.server.gives_key = true;
        world_login(&w);
        world_say(&w, "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"");
        for (size_t i = 0; i < steps; i++) {
            cr_assert(world_step(&w));
        }
        begun = session_is_replacing(w.s);
        world_event(&w, EVENT_CANCEL, CLIENT);
        world_run(&w);
        cr_expect(eq(uint, w.server.view_id, FAKE_OLD_ID), "after %zu steps", steps);
        cr_expect(eq(uint, w.server.temp_id + w.server.probe_id, 0), "after %zu steps", steps);
        world_cleanup(&w);
    }
}
