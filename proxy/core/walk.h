/*
 * walk: from a stream of bytes, cut anywhere, to messages, one direction of one session.
 *
 * A message's length decides where the next tag is; nothing else is a message start. Messages that
 * nobody needs to see are handed on as spans in the pieces they came in and never collected; up to
 * four stray bytes of a header, and messages that must be seen whole, are held. While it is stopped
 * everything is held.
 */
#ifndef MVSWAP_CORE_WALK_H
#define MVSWAP_CORE_WALK_H

#include "buf.h"
#include "wire.h"

enum walk_act {
    WALK_FORWARD, /* hand the whole message on, as it comes */
    WALK_DROP,    /* swallow it, as it comes */
    WALK_COLLECT, /* call `message` with all of it; the caller bounds body_len */
    WALK_STOP     /* hold this message and all that follows until walk_resume */
};

/* What the owner of the stream wants. `lasting` as in output_relay. */
struct walk_owner {
    enum walk_act (*start)(void *context, const struct wire_header *header);
    /* A piece of a message: the header alone first, then its body as it comes. While it is called
     * the walk is not at a boundary if the piece belongs to a body. */
    void (*forward)(void *context, const uint8_t *bytes, size_t len, bool lasting);
    void (*message)(void *context, const struct wire_header *header, const uint8_t *whole,
                    bool lasting);
    void (*bad)(void *context);
};

enum walk_state {
    WALK_AT_START, /* the next byte is a tag, or held bytes begin with one */
    WALK_IN_BODY,  /* `left` bytes of the current message are forwarded or dropped */
    WALK_STOPPED,  /* all bytes are held */
    WALK_BROKEN    /* a length made no sense, or memory failed: all bytes are dropped */
};

struct walk {
    enum walk_state state;
    enum walk_act act; /* of the message in WALK_IN_BODY */
    uint32_t left;
    size_t need; /* held bytes with which the message at their front can be decided */
    struct buf held;
};

void walk_init(struct walk *w, size_t held_cap);
void walk_cleanup(struct walk *w);

/* walk_feed consumes all input. No call of `owner` may feed or resume the same walk. */
void walk_feed(struct walk *w, const struct walk_owner *owner, void *context, const uint8_t *in,
               size_t in_len);
/* walk_resume goes on with what is held after a stop; harmless when not stopped. */
void walk_resume(struct walk *w, const struct walk_owner *owner, void *context);
/* walk_stop: hold everything from the next message on. At a message start only (in `message`, or
 * when walk_at_boundary). */
void walk_stop(struct walk *w);
/* walk_at_boundary: no message has been handed on in part. */
bool walk_at_boundary(const struct walk *w);

#endif
