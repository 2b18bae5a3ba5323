/* walk: see walk.h. */
#include "walk.h"

void walk_init(struct walk *w, size_t held_cap)
{
    *w = (struct walk){.state = WALK_AT_START, .need = WIRE_HEADER_LEN};
    buf_init(&w->held, held_cap);
}

void walk_cleanup(struct walk *w)
{
    buf_cleanup(&w->held);
}

void walk_stop(struct walk *w)
{
    if (w->state == WALK_AT_START) {
        w->state = WALK_STOPPED;
    }
}

bool walk_at_boundary(const struct walk *w)
{
    return w->state != WALK_IN_BODY;
}

static void breaks(struct walk *w, const struct walk_owner *owner, void *context)
{
    w->state = WALK_BROKEN;
    owner->bad(context);
}

/* Hands on or swallows the part of the current message that is here. */
static size_t go_through_body(struct walk *w, const struct walk_owner *owner, void *context,
                              const uint8_t *bytes, size_t len, bool lasting)
{
    size_t part = len < w->left ? len : w->left;
    if (w->act == WALK_FORWARD) {
        owner->forward(context, bytes, part, lasting);
    }
    w->left -= (uint32_t)part;
    if (w->left == 0) {
        w->state = WALK_AT_START;
    }
    return part;
}

/* Begins the message at `bytes`; returns how much of it was consumed, 0 when more is needed. */
static size_t begin_message(struct walk *w, const struct walk_owner *owner, void *context,
                            const uint8_t *bytes, size_t len, bool lasting)
{
    struct wire_header header = {0};
    switch (wire_decode_header(bytes, len, &header)) {
    case WIRE_NEED_MORE:
        w->need = WIRE_HEADER_LEN;
        return 0;
    case WIRE_BAD:
        breaks(w, owner, context);
        return 0;
    case WIRE_OK:
        break;
    }
    size_t whole = WIRE_HEADER_LEN + (size_t)header.body_len;
    enum walk_act act = owner->start(context, &header);
    if (w->state != WALK_AT_START) {
        return 0; /* stopped or broken by the owner */
    }
    switch (act) {
    case WALK_STOP:
        w->state = WALK_STOPPED;
        return 0;
    case WALK_COLLECT:
        if (len < whole) {
            w->need = whole;
            return 0;
        }
        owner->message(context, &header, bytes, lasting);
        return whole;
    case WALK_FORWARD:
    case WALK_DROP:
        break;
    }
    w->act = act;
    w->state = header.body_len != 0 ? WALK_IN_BODY : WALK_AT_START;
    w->left = header.body_len;
    if (act == WALK_FORWARD) {
        owner->forward(context, bytes, WIRE_HEADER_LEN, lasting);
    }
    return WIRE_HEADER_LEN;
}

/* Goes through `bytes` as far as possible; returns how much was consumed. */
static size_t go_through(struct walk *w, const struct walk_owner *owner, void *context,
                         const uint8_t *bytes, size_t len, bool lasting)
{
    size_t at = 0;
    while (at < len) {
        size_t used = 0;
        switch (w->state) {
        case WALK_IN_BODY:
            used = go_through_body(w, owner, context, bytes + at, len - at, lasting);
            break;
        case WALK_AT_START:
            used = begin_message(w, owner, context, bytes + at, len - at, lasting);
            break;
        case WALK_STOPPED:
        case WALK_BROKEN:
            break;
        }
        if (used == 0) {
            break;
        }
        at += used;
    }
    return at;
}

static void go_through_held(struct walk *w, const struct walk_owner *owner, void *context)
{
    size_t used = go_through(w, owner, context, buf_bytes(&w->held), buf_len(&w->held), false);
    buf_consume(&w->held, used);
}

void walk_feed(struct walk *w, const struct walk_owner *owner, void *context, const uint8_t *in,
               size_t in_len)
{
    size_t at = 0;
    /* Complete the message at the front of what is held, with no byte more than it takes. */
    while (w->state == WALK_AT_START && buf_len(&w->held) != 0 && at < in_len) {
        size_t missing = w->need > buf_len(&w->held) ? w->need - buf_len(&w->held) : 0;
        size_t part = missing < in_len - at ? missing : in_len - at;
        buf_add(&w->held, in + at, part);
        at += part;
        if (buf_failed(&w->held)) {
            break;
        }
        if (buf_len(&w->held) >= w->need) {
            go_through_held(w, owner, context);
        }
    }
    if (w->state == WALK_IN_BODY || (w->state == WALK_AT_START && buf_len(&w->held) == 0)) {
        at += go_through(w, owner, context, in + at, in_len - at, true);
    }
    if (w->state != WALK_BROKEN) {
        buf_add(&w->held, in + at, in_len - at);
        if (buf_failed(&w->held)) {
            breaks(w, owner, context);
        }
    }
}

void walk_resume(struct walk *w, const struct walk_owner *owner, void *context)
{
    if (w->state != WALK_STOPPED) {
        return;
    }
    w->state = WALK_AT_START;
    w->need = WIRE_HEADER_LEN;
    go_through_held(w, owner, context);
}
