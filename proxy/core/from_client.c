/*
 * from_client: what each message of the client does in each state. Owns the phase check of the
 * shield: a message that is malformed or has no business in this phase ends the session with 08P01
 * before its last byte has reached the server, since it could stop a whole RisingWave process.
 */
#include "session_internal.h"

#include "limits.h"

#include <string.h>

static void refuse(struct session *s, const char *detail)
{
    session_log(s, REPORT_WARNING, "refused", detail);
    session_fail(s, "08P01", "protocol violation", detail);
}

static enum walk_act start_in_login(struct session *s, const struct wire_header *header)
{
    if (header->tag != CLIENT_PASSWORD || s->auth == AUTH_NOTHING) {
        refuse(s, "Only answers to authentication requests are allowed before login.");
        return WALK_DROP;
    }
    if (header->body_len > LIMIT_AUTH_MESSAGE) {
        refuse(s, "The authentication message is too long.");
        return WALK_DROP;
    }
    return WALK_COLLECT;
}

static enum walk_act start_in_relay(struct session *s, const struct wire_header *header)
{
    uint32_t most = s->pressed ? LIMIT_PRESSED_STATEMENT : LIMIT_STATEMENT;
    if (header->tag == CLIENT_QUERY && header->body_len <= most) {
        return WALK_COLLECT;
    }
    switch (header->tag) {
    case CLIENT_QUERY:
    case CLIENT_FUNCTION_CALL:
    case CLIENT_SYNC:
        s->asked++;
        s->unsynced = false;
        break;
    case CLIENT_PARSE:
    case CLIENT_BIND:
    case CLIENT_DESCRIBE:
    case CLIENT_EXECUTE:
    case CLIENT_CLOSE:
        s->unsynced = true;
        break;
    default:
        break;
    }
    return WALK_FORWARD;
}

static enum walk_act start_while_skipping(struct session *s, const struct wire_header *header)
{
    switch (header->tag) {
    case CLIENT_SYNC:
        s->asked++;
        session_enter(s, SESSION_RELAY);
        return WALK_FORWARD;
    case CLIENT_TERMINATE:
        return WALK_FORWARD;
    default:
        return WALK_DROP;
    }
}

static enum walk_act start(void *context, const struct wire_header *header)
{
    struct session *s = context;
    switch (s->state) {
    case SESSION_LOGIN:
        return start_in_login(s, header);
    case SESSION_RELAY:
        return start_in_relay(s, header);
    case SESSION_SKIPPING:
        return start_while_skipping(s, header);
    case SESSION_STARTUP:
    case SESSION_CONNECTING:
    case SESSION_BRACKET:
    case SESSION_REPLACING:
        return WALK_STOP;
    default:
        return WALK_DROP;
    }
}

static void forward(void *context, const uint8_t *bytes, size_t len, bool lasting)
{
    struct session *s = context;
    if (s->state != SESSION_CLOSING) {
        session_relay(s, SERVER, bytes, len, lasting);
    }
}

/* A password is one string: its NUL ends the message. */
static bool is_one_text(const uint8_t *body, size_t len)
{
    return len != 0 && memchr(body, 0, len) == body + len - 1;
}

static void message(void *context, const struct wire_header *header, const uint8_t *whole,
                    bool lasting)
{
    struct session *s = context;
    size_t len = WIRE_HEADER_LEN + (size_t)header->body_len;
    if (header->tag == CLIENT_PASSWORD) {
        if (s->auth == AUTH_TEXT && !is_one_text(whole + WIRE_HEADER_LEN, header->body_len)) {
            refuse(s, "The password message is malformed.");
            return;
        }
        s->auth = AUTH_NOTHING;
    } else {
        s->asked++;
        s->unsynced = false;
        bool has_nul = header->body_len != 0 && whole[len - 1] == 0;
        if (has_nul &&
            bracket_begin_if_candidate(s, whole + WIRE_HEADER_LEN, header->body_len - 1)) {
            return;
        }
    }
    session_relay(s, SERVER, whole, len, lasting);
}

static void bad(void *context)
{
    struct session *s = context;
    if (buf_failed(&s->walk[CLIENT].held) && s->state == SESSION_REPLACING) {
        /* What it sent is lost, so it cannot go on; what was begun on the server is undone first.
         */
        s->client_left = true;
        conversation_cancel(s, REPLACE_CLIENT_GONE);
    } else if (buf_failed(&s->walk[CLIENT].held)) {
        session_fail(s, "53200", "out of memory", NULL);
    } else {
        refuse(s, "The length of a message makes no sense.");
    }
}

void session_pass_half_close(struct session *s)
{
    if (s->state == SESSION_RELAY) {
        session_relay(s, SERVER, buf_bytes(&s->walk[CLIENT].held), buf_len(&s->walk[CLIENT].held),
                      false);
    }
    if (s->state == SESSION_LOGIN) {
        session_act(s, ACTION_SHUTDOWN_WRITE, SERVER); /* the login's own deadline stands */
    } else if (s->state == SESSION_RELAY || s->state == SESSION_SKIPPING) {
        session_act(s, ACTION_SHUTDOWN_WRITE, SERVER);
        s->deadline = s->now.mono_ms + LIMIT_HALF_CLOSED_MS;
        session_end_if_idle(s);
    }
}

const struct walk_owner walk_from_client = {
    .start = start, .forward = forward, .message = message, .bad = bad};
