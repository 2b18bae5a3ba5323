/* play: see play.h. */
#include "play.h"

#include <stdio.h>
#include <string.h>

enum { MOST_MOVES = 200000, MOST_OUT_OF_THE_BLUE = 6, MOST_MOVED = 5 };

static unsigned below(struct play *p, unsigned most)
{
    return pipeline_random(&p->random, most);
}

/* How much of `len` is delivered now. */
static size_t cut(struct play *p, size_t len)
{
    if (!p->in_cuts || below(p, 4) == 0) {
        return len;
    }
    size_t part = 1 + below(p, below(p, 2) == 0 ? 12 : 200);
    return part < len ? part : len;
}

/* ---- moves: each does one thing if there is anything to do ---- */

static bool feed(struct play *p)
{
    size_t end = p->line->pauses[p->num_paused];
    if (p->fed == end || world_ended(&p->w) || !session_wants_read(p->w.s, CLIENT)) {
        return false;
    }
    size_t part = cut(p, end - p->fed);
    p->fed += part;
    world_feed(&p->w, CLIENT, buf_bytes(&p->line->bytes) + p->fed - part, part);
    return true;
}

/* A statement runs, and ends at any moment. */
static bool is_serving(const struct play *p)
{
    return p->server.running && !model_server_builds(&p->server);
}

static bool serve(struct play *p)
{
    if (p->in_cuts && is_serving(p) && below(p, 4) != 0) {
        return false;
    }
    bool any = model_server_step(&p->server);
    while (any && !p->in_cuts && model_server_step(&p->server)) {
        /* all it has */
    }
    return any;
}

static bool deliver(struct play *p)
{
    struct buf *out = &p->w.server.out;
    if (buf_len(out) == 0 || !session_wants_read(p->w.s, SERVER)) {
        return false;
    }
    struct buf piece = {0};
    size_t part = cut(p, buf_len(out));
    buf_add(&piece, buf_bytes(out), part);
    buf_consume(out, part);
    world_feed(&p->w, SERVER, buf_bytes(&piece), part);
    buf_cleanup(&piece);
    return true;
}

static bool grant_lock(struct play *p)
{
    return world_grant(&p->w);
}

/* A notice or a parameter that belongs to no statement. */
static bool speak_out_of_the_blue(struct play *p)
{
    char text[64];
    if (!p->in_cuts || below(p, 40) != 0 || p->server.ended ||
        p->num_notices + p->num_statuses == MOST_OUT_OF_THE_BLUE) {
        return false;
    }
    if (below(p, 2) == 0) {
        (void)snprintf(text, sizeof(text), "NoticeResponse S\"NOTICE\" C\"00000\" M\"blue %u\"",
                       p->num_notices++);
    } else {
        (void)snprintf(text, sizeof(text), "ParameterStatus \"blue\" \"%u\"", p->num_statuses++);
    }
    model_say(&p->server, text);
    return true;
}

/* Somebody else's swap: what it was is not known, so that all statements are parsed again; they
 * mean the same here. */
static bool tell_of_a_swap(struct play *p)
{
    if (!p->in_cuts || below(p, 30) != 0 || p->num_moved == MOST_MOVED || world_ended(&p->w)) {
        return false;
    }
    p->num_moved++;
    p->w.now.mono_ms++;
    world_event(&p->w, EVENT_MOVED, CLIENT);
    return true;
}

/* The next thing on a cancel's way happens soon, or after all kinds of other things. */
static void delay_cancel(struct play *p)
{
    p->cancel_moves_at = p->num_moves + below(p, below(p, 2) == 0 ? 10 : 400);
}

static void tell(struct play *p, enum session_event_kind kind, enum side side)
{
    unsigned done = p->w.cancels_done;
    unsigned sent = p->w.cancels_sent;
    world_event(&p->w, kind, side);
    if (p->w.cancels_sent != sent) {
        delay_cancel(p);
    }
    if (p->w.cancels_done != done) {
        /* When another one is sent at once, whoever asked for that waits on. */
        p->cancel_asked = p->cancel_asked && p->w.cancels_sent != sent;
        p->fed_at_release = p->fed;
    }
}

static bool ask_cancel(struct play *p)
{
    if (p->cancels == 0 || below(p, p->cancel_rarity) != 0 || world_ended(&p->w)) {
        return false;
    }
    p->cancels--;
    p->cancel_asked = true;
    p->cancel_was_asked = true;
    p->replacement_cancelled = session_is_replacing(p->w.s);
    tell(p, EVENT_CANCEL, CLIENT);
    return true;
}

/* The CancelRequest comes to the server, and hits what runs there. */
static bool bring_cancel(struct play *p)
{
    if (!p->w.cancel_under_way || p->cancel_arrived || p->num_moves < p->cancel_moves_at) {
        return false;
    }
    p->cancel_arrived = true;
    delay_cancel(p);
    bool hit_before = p->server.hit;
    model_server_cancel(&p->server);
    if (p->server.hit && !hit_before && p->server.hit_clients && !p->cancel_asked) {
        p->wrong = "a cancel hit a statement after whoever asked for it was let go";
    }
    if (p->server.hit && !hit_before && p->cancel_answered) {
        p->wrong = "a cancel hit a statement after it had been answered";
    }
    return true;
}

static bool end_cancel(struct play *p)
{
    if (!p->cancel_arrived || p->num_moves < p->cancel_moves_at) {
        return false;
    }
    p->cancel_arrived = false;
    p->cancel_answered = false;
    p->w.cancel_under_way = false;
    tell(p, EVENT_CANCEL_DONE, SERVER);
    return true;
}

/* The time that a replacement waits for. */
static bool let_time_come(struct play *p)
{
    if (world_ended(&p->w) || !session_is_replacing(p->w.s) || p->w.wants_lock || p->w.wants_slot ||
        session_deadline(p->w.s) == MOMENT_NEVER) {
        return false;
    }
    p->w.now.mono_ms = session_deadline(p->w.s);
    tell(p, EVENT_DEADLINE, CLIENT);
    return true;
}

/* Time passes while something else could happen, too. */
static bool let_time_pass(struct play *p)
{
    return p->in_cuts && below(p, 30) == 0 && let_time_come(p);
}

/* A build that takes long comes to its end, if nothing else does. */
static bool let_build_end(struct play *p)
{
    if (!model_server_builds(&p->server)) {
        return false;
    }
    if (p->replacement_cancelled && session_is_replacing(p->w.s) && p->w.server.gives_key) {
        p->wrong = "a build was not cancelled";
    }
    p->server.time_is_up = true;
    return true;
}

static bool go_past_pause(struct play *p)
{
    p->got_at_pause[p->num_paused] = buf_len(&p->w.to_client);
    if (p->num_paused + 1 == p->line->num_pauses) {
        return false;
    }
    p->num_paused++;
    return true;
}

/* A client that was told of its cancel by an answer may go on at once: a CancelRequest that is
 * under way then must hit nothing any more. The server itself has no such code. */
static void look_at_answers(struct play *p)
{
    static const char code[] = "C57014";
    const uint8_t *bytes = buf_bytes(&p->w.to_client);
    size_t len = buf_len(&p->w.to_client);
    for (; p->num_looked_at + sizeof(code) <= len; p->num_looked_at++) {
        if (memcmp(bytes + p->num_looked_at, code, sizeof(code)) == 0 && p->w.cancel_under_way) {
            p->cancel_answered = true;
        }
    }
}

static void run(struct play *p)
{
    static bool (*const moves[])(struct play *) = {
        feed,           serve,      deliver,      grant_lock, speak_out_of_the_blue,
        tell_of_a_swap, ask_cancel, bring_cancel, end_cancel, let_time_pass};
    enum { NUM_MOVES = sizeof(moves) / sizeof(moves[0]) };
    for (; p->num_moves < MOST_MOVES; p->num_moves++) {
        unsigned first = p->in_cuts ? below(p, NUM_MOVES) : 0;
        bool any = false;
        for (unsigned k = 0; k < NUM_MOVES && !any; k++) {
            any = moves[(first + k) % NUM_MOVES](p);
        }
        look_at_answers(p);
        bool waits = p->w.cancel_under_way || is_serving(p); /* for a number of moves */
        if (!any && !waits && !let_time_come(p) && !let_build_end(p) && !go_past_pause(p)) {
            return;
        }
        p->replacement_cancelled = p->replacement_cancelled && session_is_replacing(p->w.s);
    }
    p->wrong = "it does not come to rest";
}

static bool begin(struct play *p)
{
    struct session_config config = {.nonce_seed = "sixteen of bytes"};
    if (!world_init(&p->w, 0, false)) {
        return false;
    }
    session_free(p->w.s);
    config.settings.values[SETTING_BUILD] =
        p->foreground ? REPLACE_BUILD_FOREGROUND : REPLACE_BUILD_BACKGROUND;
    p->w.s = session_new(&config, p->w.now);
    p->w.server.gives_key = below(p, 4) != 0;
    p->w.server.background = below(p, 2) != 0;
    p->w.server.refuses_views = p->line->refuses_views;
    model_server_init(&p->server, &p->w.server);
    p->server.polls_per_job = below(p, 3);
    p->server.builds_for_long = p->cancels != 0 && below(p, 2) == 0;
    p->cancel_rarity = 10 + below(p, 150);
    if (below(p, 4) == 0) {
        p->w.server.view_id = 0;
    }
    return p->w.s != NULL;
}

/* What must hold whatever was said. */
static void judge_end(struct play *p, bool background)
{
    const struct world *w = &p->w;
    if (p->wrong != NULL) {
        return;
    }
    if (world_ended(w) != p->line->terminates) {
        p->wrong = "the session ended, or did not";
    } else if (w->server.temp_id != 0 || w->server.probe_id != 0) {
        p->wrong = "something is left under a temporary name";
    } else if (w->server.background != background) {
        p->wrong = "background_ddl was not put back";
    } else if (w->holds_lock || w->wants_lock || w->holds_slot || w->wants_slot) {
        p->wrong = "the lock was kept";
    } else if (p->server.own_hits != 0) {
        p->wrong = "a cancel hit a statement of the session's own";
    } else if (p->line->closes_all && !p->line->terminates && session_memory(w->s) != 0) {
        p->wrong = "what was closed is still kept";
    } else if (p->cancel_asked) {
        p->wrong = "whoever asked for a cancel was not let go";
    }
}

/* When all is answered a session that is to end does so at once. Not judged where a server may have
 * dropped a Query while it skipped to Sync, and nothing tells that: the session waits for its
 * answer for ever. */
static void judge_drain(struct play *p)
{
    bool is_unclear = p->line->has_query_in_series && p->line->has_failing_dml;
    bool is_counted = !p->line->terminates && !is_unclear;
    if (p->wrong == NULL && is_counted && p->w.server.status == 'I') {
        size_t said = buf_len(&p->w.to_client);
        world_event(&p->w, EVENT_DRAIN, CLIENT);
        p->wrong = world_ended(&p->w) ? NULL : "an idle session does not drain";
        buf_truncate(&p->w.to_client, said);
    }
}

bool play_through_session(struct play *p)
{
    if (!begin(p)) {
        return false;
    }
    bool background = p->w.server.background;
    world_login(&p->w);
    buf_consume(&p->w.to_client, buf_len(&p->w.to_client));
    run(p);
    if (p->server.ended) {
        world_event(&p->w, EVENT_EOF, SERVER);
    }
    judge_end(p, background);
    judge_drain(p);
    return true;
}

void play_directly(struct play *p)
{
    struct fake_server *fake = &p->w.server;
    fake_server_init(fake);
    fake->started = true;
    fake->knows_the_statement = true;
    fake->refuses_views = p->line->refuses_views;
    struct buf *expected = p->server.expected;
    model_server_init(&p->server, fake);
    p->server.expected = expected;
    p->server.quiet = expected != NULL;
    for (; p->num_paused < p->line->num_pauses; p->num_paused++) {
        size_t end = p->line->pauses[p->num_paused];
        fake_server_take(fake, buf_bytes(&p->line->bytes) + p->fed, end - p->fed);
        p->fed = end;
        while (model_server_step(&p->server)) {
            /* all of it */
        }
        p->got_at_pause[p->num_paused] = buf_len(&fake->out);
    }
}

void play_cleanup(struct play *p)
{
    model_server_cleanup(&p->server);
    world_cleanup(&p->w);
}
