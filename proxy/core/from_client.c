/*
 * from_client: what each message of the client does in each state. Owns the phase check of the
 * shield: a message that is malformed or has no business in this phase ends the session with 08P01
 * before its last byte has reached the server, since it could stop a whole RisingWave process.
 */
#include "session_internal.h"

#include "limits.h"
#include "sql_scan.h"

#include <string.h>

static void refuse(struct session *s, const char *detail)
{
    session_log(s, REPORT_WARNING, "refused", detail);
    session_fail(s, "08P01", "protocol violation", detail);
}

static void refuse_malformed(struct session *s)
{
    refuse(s, "A message is malformed.");
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

/* The longest body of this kind that is looked at in one piece. */
static uint32_t collected_most(const struct session *s, uint8_t tag)
{
    uint32_t statement = s->pressed ? LIMIT_PRESSED_STATEMENT : LIMIT_STATEMENT;
    switch (tag) {
    case CLIENT_QUERY:
    case CLIENT_PARSE:
        return statement;
    case CLIENT_BIND:
        return prepared_is_empty(&s->prepared) && !follow_is_on(s) ? LIMIT_WHOLE_MESSAGE
                                                                   : statement;
    case CLIENT_DESCRIBE:
    case CLIENT_EXECUTE:
    case CLIENT_CLOSE:
    case CLIENT_SYNC:
    case CLIENT_FLUSH:
    case CLIENT_TERMINATE:
        return LIMIT_WHOLE_MESSAGE;
    default:
        return 0;
    }
}

/* A message goes to the server. */
static void count_message(struct session *s, uint8_t tag)
{
    if (!s->unsynced && s->answered >= s->asked) {
        s->busy_since = s->now.mono_ms;
    }
    switch (tag) {
    case CLIENT_SYNC:
    case CLIENT_QUERY:
    case CLIENT_FUNCTION_CALL:
        s->asked += follow_note_barrier(s, tag) ? 1 : 0;
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
}

static enum walk_act start_in_relay(struct session *s, const struct wire_header *header)
{
    if (header->tag == CLIENT_PASSWORD) {
        refuse(s, "Answers to authentication requests have no business after login.");
        return WALK_DROP;
    }
    if (header->body_len <= collected_most(s, header->tag)) {
        return WALK_COLLECT;
    }
    count_message(s, header->tag);
    extended_passes_unseen(s, header->tag);
    follow_passes_unseen(s, header->tag);
    return WALK_FORWARD;
}

static enum walk_act start_while_skipping(struct session *s, const struct wire_header *header)
{
    switch (header->tag) {
    case CLIENT_SYNC:
        count_message(s, header->tag);
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
    shield_begin(&s->shield, header);
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
    if (s->state == SESSION_CLOSING) {
        return;
    }
    if (!shield_take(&s->shield, bytes, len)) {
        refuse_malformed(s);
        return;
    }
    session_relay(s, SERVER, bytes, len, lasting);
}

/* A password is one string: its NUL ends the message. */
static bool is_one_text(const uint8_t *body, size_t len)
{
    return len != 0 && memchr(body, 0, len) == body + len - 1;
}

static void password(struct session *s, const uint8_t *body, size_t len)
{
    if (s->auth == AUTH_TEXT && !is_one_text(body, len)) {
        refuse(s, "The password message is malformed.");
        return;
    }
    s->auth = AUTH_NOTHING;
}

/* A message in one piece. True: it is with the server, in a bracket, or another is in its place. */
static bool begins_bracket(struct session *s, uint8_t tag, const uint8_t *body, size_t len)
{
    switch (tag) {
    case CLIENT_QUERY:
        /* One look at a text that concerns neither: nearly all. */
        return (sql_gate(body, len - 1) || own_may_be_reset(s, (const char *)body, len - 1)) &&
               (batch_begin_if_settings(s, body, len - 1) ||
                bracket_begin_if_candidate(s, body, len - 1));
    case CLIENT_PARSE:
        return extended_begin_if_concerned(s, tag, body, len) || follow_takes_parse(s, body, len);
    case CLIENT_BIND:
    case CLIENT_CLOSE:
        return follow_takes(s, tag, body, len) || extended_begin_if_concerned(s, tag, body, len);
    case CLIENT_DESCRIBE:
        return follow_takes(s, tag, body, len);
    case CLIENT_EXECUTE:
        return extended_begin_if_concerned(s, tag, body, len);
    default:
        return false;
    }
}

static void message(void *context, const struct wire_header *header, const uint8_t *whole,
                    bool lasting)
{
    struct session *s = context;
    size_t len = WIRE_HEADER_LEN + (size_t)header->body_len;
    const uint8_t *body = whole + WIRE_HEADER_LEN;
    if (s->state == SESSION_LOGIN) {
        password(s, body, header->body_len);
    } else if (!shield_take(&s->shield, whole, len)) {
        refuse_malformed(s);
    } else {
        count_message(s, header->tag);
        if (begins_bracket(s, header->tag, body, header->body_len)) {
            return;
        }
    }
    if (s->state != SESSION_CLOSING) {
        session_relay(s, SERVER, whole, len, lasting);
    }
}

static void bad(void *context)
{
    struct session *s = context;
    if (buf_failed(&s->walk[CLIENT].held) && s->state == SESSION_REPLACING) {
        /* What it sent is lost, so it cannot go on; what was begun on the server is undone first.
         */
        conversation_client_gone(s);
    } else if (buf_failed(&s->walk[CLIENT].held)) {
        session_fail(s, "53200", "out of memory", NULL);
    } else {
        refuse(s, "The length of a message makes no sense.");
    }
}

void session_pass_half_close(struct session *s)
{
    /* A part of a message that is held has not been judged: it is not sent, since nothing may
     * follow it that would make it whole, and the server could do nothing with it. */
    bool logged_in = s->state == SESSION_RELAY || s->state == SESSION_SKIPPING;
    if (logged_in || s->state == SESSION_LOGIN) {
        s->end_passed_on = true;
        session_act(s, ACTION_SHUTDOWN_WRITE, SERVER);
    }
    if (logged_in) { /* else the login's own deadline stands */
        s->deadline = s->now.mono_ms + LIMIT_HALF_CLOSED_MS;
        session_end_if_idle(s);
    }
}

const struct walk_owner walk_from_client = {
    .start = start, .forward = forward, .message = message, .bad = bad};
