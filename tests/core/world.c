/* world: see world.h. */
#include "world.h"

#include "mem.h"
#include "message_text.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Around each call of the session: only what it allocates counts and fails. */
static void arm(const struct world *w)
{
    mem_fail_at(w->fail_at);
}

static void disarm(struct world *w)
{
    size_t count = mem_count();
    mem_fail_at(0);
    w->allocations += count;
    if (w->fail_at == 0) {
        return;
    }
    if (count < w->fail_at) {
        w->fail_at -= count;
    } else {
        w->fail_at = w->fail_once ? 0 : 1;
    }
}

static void remember(struct world *w, const struct action *action)
{
    struct buf text = {0};
    buf_add_text(&text, action->families[0]);
    for (size_t i = 0; i < action->num_left; i++) {
        const struct replace_left *left = &action->left[i];
        buf_add_format(&text, " %s,%s,%llu,%llu", left->schema, left->name,
                       (unsigned long long)left->id, (unsigned long long)left->until_us);
    }
    (void)snprintf(w->remembered, sizeof(w->remembered), "%s%s",
                   w->holds_lock ? "" : "without the lock: ", buf_text(&text));
    buf_cleanup(&text);
}

/* This session is one of those that are told. */
static void tell_moved(struct world *w, const struct action *action)
{
    struct buf names = {0};
    buf_add(&names, action->moved, action->moved_len);
    arm(w);
    session_event(w->s,
                  &(struct session_event){.kind = EVENT_MOVED,
                                          .moved = (const char *)buf_bytes(&names),
                                          .moved_len = buf_len(&names),
                                          .moved_ms = action->moved_ms},
                  w->now);
    disarm(w);
    buf_cleanup(&names);
    w->num_moved++;
}

static void tell_readers(struct world *w)
{
    arm(w);
    session_event(w->s,
                  &(struct session_event){.kind = EVENT_READERS, .num_readers = w->num_readers},
                  w->now);
    disarm(w);
}

static void do_action(struct world *w, const struct action *action)
{
    switch (action->kind) {
    case ACTION_CONNECT:
        w->connected = true;
        break;
    case ACTION_SHUTDOWN_WRITE:
        w->shut_down_writes++;
        break;
    case ACTION_LOCK:
        w->wants_lock = true;
        w->holds_lock = false; /* what was held is given up */
        w->num_families = action->num_families;
        break;
    case ACTION_UNLOCK:
        w->wants_lock = false;
        w->holds_lock = false;
        break;
    case ACTION_REMEMBER:
        remember(w, action);
        break;
    case ACTION_COUNT_READERS:
        tell_readers(w);
        break;
    case ACTION_MOVED:
        tell_moved(w, action);
        break;
    case ACTION_TAKE_SLOT:
        w->wants_slot = true;
        break;
    case ACTION_END_SLOT:
        w->wants_slot = false;
        w->holds_slot = false;
        w->slots_ended++;
        break;
    case ACTION_CANCEL:
        w->cancel_asked = true;
        break;
    case ACTION_CANCEL_SERVER:
        w->cancels_sent++;
        w->cancel_under_way = true;
        break;
    case ACTION_CANCEL_DONE:
    case ACTION_CANCEL_SENT_DONE:
        w->cancels_done++;
        break;
    case ACTION_CLOSE:
        w->closed = true;
        break;
    case ACTION_ABORT:
        w->aborted = true;
        break;
    case ACTION_REPORT:
        break;
    }
}

static void take(struct world *w, enum side side)
{
    struct output *o = session_output(w->s, side);
    const uint8_t *parts[2] = {buf_bytes(&o->kept), o->span};
    size_t lens[2] = {buf_len(&o->kept), o->span_len};
    for (int i = 0; i < 2; i++) {
        if (side == CLIENT) {
            buf_add(&w->to_client, parts[i], lens[i]);
        } else if (!w->server_gone && lens[i] != 0) {
            fake_server_take(&w->server, parts[i], lens[i]);
        }
    }
    output_sent(o, output_pending(o));
}

static void pump(struct world *w)
{
    struct action action;
    for (;;) {
        arm(w);
        bool more = session_next_action(w->s, &action);
        disarm(w);
        if (!more) {
            break;
        }
        do_action(w, &action);
    }
    take(w, CLIENT);
    take(w, SERVER);
    arm(w);
    session_settle(w->s);
    disarm(w);
}

bool world_init(struct world *w, size_t fail_at, bool fail_once)
{
    struct session_config config = {.nonce_seed = "sixteen of bytes"};
    *w = (struct world){.now = {.mono_ms = 1000, .unix_us = UINT64_C(1709210096000123)},
                        .fail_at = fail_at,
                        .fail_once = fail_once};
    fake_server_init(&w->server);
    arm(w);
    w->s = session_new(&config, w->now);
    disarm(w);
    return w->s != NULL;
}

void world_cleanup(struct world *w)
{
    session_free(w->s);
    fake_server_cleanup(&w->server);
    buf_cleanup(&w->to_client);
}

void world_feed(struct world *w, enum side from, const uint8_t *bytes, size_t len)
{
    uint8_t *piece = malloc(len != 0 ? len : 1);
    memcpy(piece, bytes, len);
    arm(w);
    session_feed(w->s, from, piece, len, w->now);
    disarm(w);
    pump(w);
    free(piece);
}

void world_event(struct world *w, enum session_event_kind kind, enum side side)
{
    struct session_event event = {.kind = kind, .side = side, .reason = "test"};
    event.left = w->left;
    event.num_left = w->num_left;
    arm(w);
    session_event(w->s, &event, w->now);
    disarm(w);
    pump(w);
    if (side == SERVER && (kind == EVENT_EOF || kind == EVENT_BROKEN)) {
        w->server_gone = true;
    }
}

void world_say(struct world *w, const char *line)
{
    struct buf bytes = {0};
    if (!message_parse(line, CLIENT, &bytes)) {
        (void)fprintf(stderr, "cannot say %s\n", line);
        abort();
    }
    world_feed(w, CLIENT, buf_bytes(&bytes), buf_len(&bytes));
    buf_cleanup(&bytes);
}

bool world_ended(const struct world *w)
{
    return w->closed || w->aborted;
}

static bool deliver(struct world *w)
{
    struct wire_header header = {0};
    struct buf *out = &w->server.out;
    if (w->server_gone || wire_decode_header(buf_bytes(out), buf_len(out), &header) != WIRE_OK) {
        return false;
    }
    size_t len = WIRE_HEADER_LEN + (size_t)header.body_len;
    uint8_t *whole = malloc(len);
    memcpy(whole, buf_bytes(out), len);
    buf_consume(out, len);
    world_feed(w, SERVER, whole, len);
    free(whole);
    return true;
}

bool world_grant(struct world *w)
{
    if (w->wants_lock) {
        w->wants_lock = false;
        w->holds_lock = true;
        world_event(w, EVENT_LOCKED, CLIENT);
        return true;
    }
    if (w->wants_slot) {
        w->wants_slot = false;
        w->holds_slot = true;
        world_event(w, EVENT_SLOT, CLIENT);
        return true;
    }
    return false;
}

bool world_step(struct world *w)
{
    if (w->connected) {
        w->connected = false;
        world_event(w, EVENT_CONNECTED, SERVER);
        return true;
    }
    if (!(w->wants_lock ? w->hold_locks : w->hold_slots) && world_grant(w)) {
        return true;
    }
    if (deliver(w)) {
        return true;
    }
    if (w->cancel_under_way) {
        w->cancel_under_way = false;
        world_event(w, EVENT_CANCEL_DONE, SERVER);
        return true;
    }
    bool waits = !world_ended(w) && session_is_replacing(w->s) && !w->wants_lock && !w->wants_slot;
    if (waits && session_deadline(w->s) != MOMENT_NEVER) {
        w->now.mono_ms = session_deadline(w->s);
        world_event(w, EVENT_DEADLINE, CLIENT);
        return true;
    }
    return false;
}

void world_run(struct world *w)
{
    enum { MOST_STEPS = 5000 };
    for (size_t i = 0; world_step(w); i++) {
        if (i == MOST_STEPS) {
            (void)fprintf(stderr, "the session does not come to rest\n");
            abort();
        }
    }
}

void world_login(struct world *w)
{
    world_say(w, "StartupMessage \"user\" \"root\"");
    world_run(w);
}

size_t world_count(const struct world *w, uint8_t tag, bool *out_whole)
{
    const uint8_t *at = buf_bytes(&w->to_client);
    size_t left = buf_len(&w->to_client);
    size_t count = 0;
    struct wire_header header = {0};
    while (wire_decode_header(at, left, &header) == WIRE_OK &&
           left - WIRE_HEADER_LEN >= header.body_len) {
        count += header.tag == tag ? 1 : 0;
        at += WIRE_HEADER_LEN + (size_t)header.body_len;
        left -= WIRE_HEADER_LEN + (size_t)header.body_len;
    }
    *out_whole = left == 0;
    return count;
}
