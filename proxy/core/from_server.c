/*
 * from_server: what each message of the server does in each state. While relaying only a few short
 * messages are looked at: authentication, parameters, ReadyForQuery. All others pass as spans.
 */
#include "session_internal.h"

#include "limits.h"

#include <string.h>

static enum walk_act start_in_relay(struct session *s, const struct wire_header *header)
{
    answers_note(s, header->tag);
    switch (header->tag) {
    case SERVER_BACKEND_KEY_DATA:
        if (s->ready_seen) {
            return WALK_DROP; /* it would take the place of ours */
        }
        return header->body_len <= LIMIT_SERVER_MESSAGE ? WALK_COLLECT : WALK_DROP;
    case SERVER_AUTHENTICATION:
    case SERVER_PARAMETER_STATUS:
    case SERVER_READY_FOR_QUERY:
        return header->body_len <= LIMIT_SERVER_MESSAGE ? WALK_COLLECT : WALK_FORWARD;
    case SERVER_CLOSE_COMPLETE:
        return follow_is_late_close(s, header->tag) ? WALK_DROP : WALK_FORWARD;
    case SERVER_COPY_IN_RESPONSE:
    case SERVER_COPY_BOTH_RESPONSE:
        s->copy_in = true;
        return WALK_FORWARD;
    case SERVER_ERROR_RESPONSE:
        s->copy_in = false;
        if (s->kind == SERVER_MAYBE_RISINGWAVE && header->body_len <= LIMIT_SERVER_MESSAGE) {
            return WALK_COLLECT;
        }
        session_count_skipped(s, parsed_error(&s->parsed, ERROR_OF_ANY));
        return WALK_FORWARD;
    case SERVER_COMMAND_COMPLETE:
        s->copy_in = false;
        return WALK_FORWARD;
    default:
        return WALK_FORWARD;
    }
}

/* An answer to SQL of ours is gathered whole; one that is too long is swallowed and counts as bad.
 */
static enum walk_act start_in_conversation(struct session *s, const struct wire_header *header)
{
    if (header->body_len > LIMIT_RESULT - WIRE_HEADER_LEN) {
        s->talk.rows.bad = true;
        return WALK_DROP;
    }
    return WALK_COLLECT;
}

static enum walk_act start(void *context, const struct wire_header *header)
{
    struct session *s = context;
    switch (s->state) {
    case SESSION_LOGIN:
    case SESSION_RELAY:
    case SESSION_SKIPPING:
        return start_in_relay(s, header);
    case SESSION_BRACKET:
        return bracket_start(s, header);
    case SESSION_REPLACING:
        return start_in_conversation(s, header);
    default:
        return WALK_DROP;
    }
}

static void forward(void *context, const uint8_t *bytes, size_t len, bool lasting)
{
    struct session *s = context;
    if (s->state != SESSION_CLOSING) {
        session_relay(s, CLIENT, bytes, len, lasting);
    }
}

static void on_authentication(struct session *s, struct wire_reader *body)
{
    enum { OK = 0, CLEARTEXT = 3, MD5 = 5, SASL_FINAL = 12 };
    switch (wire_read_u32(body)) {
    case OK:
        if (!body->bad && s->state == SESSION_LOGIN) {
            session_enter(s, SESSION_RELAY);
        }
        break;
    case CLEARTEXT:
    case MD5:
        s->auth = AUTH_TEXT;
        break;
    case SASL_FINAL:
        s->auth = AUTH_NOTHING;
        break;
    default:
        s->auth = AUTH_BYTES;
        break;
    }
}

void note_parameter(struct session *s, const uint8_t *body, size_t len)
{
    struct wire_reader r = wire_reader_over(body, len);
    const char *name = wire_read_text(&r);
    const char *value = wire_read_text(&r);
    if (strcmp(name, "integer_datetimes") == 0) {
        s->saw_integer_datetimes = true;
    } else if (strcmp(name, "server_version") == 0) {
        s->saw_server_version = true;
    } else if (strcmp(name, "client_encoding") == 0) {
        /* In other encodings a quote may be half of a character: then nothing is recognised. */
        s->other_encoding = strcmp(value, "UTF8") != 0;
    }
}

static void on_ready(struct session *s, struct wire_reader *body)
{
    session_set_status(s, wire_read_u8(body));
    s->copy_in = false;
    parsed_ready(&s->parsed);
    if (s->ready_seen) {
        session_count_answer(s);
        return;
    }
    s->ready_seen = true;
    s->deadline = MOMENT_NEVER;
    s->kind =
        s->saw_server_version && !s->saw_integer_datetimes ? SERVER_MAYBE_RISINGWAVE : SERVER_OTHER;
}

/* The server's own key stays here: RisingWave's are counters (risingwave.md 8.1), and a cancel has
 * to come to this session. */
static void on_key(struct session *s, const uint8_t *body, size_t len)
{
    if (len == sizeof(s->server_key.bytes)) {
        memcpy(s->server_key.bytes, body, len);
        s->has_server_key = true;
    }
    cancel_send_key(s);
}

static void relayed_message(struct session *s, const struct wire_header *header,
                            const uint8_t *whole, bool lasting)
{
    struct wire_reader body = wire_reader_over(whole + WIRE_HEADER_LEN, header->body_len);
    if (header->tag == SERVER_BACKEND_KEY_DATA) {
        on_key(s, whole + WIRE_HEADER_LEN, header->body_len);
        return;
    }
    if (header->tag == SERVER_ERROR_RESPONSE) {
        behind_relay_error(s, whole, WIRE_HEADER_LEN + (size_t)header->body_len, lasting);
        return;
    }
    if (header->tag == SERVER_READY_FOR_QUERY && !s->ready_seen) {
        cancel_send_key(s); /* the server gave none, as RisingWave after a password */
    }
    session_relay(s, CLIENT, whole, WIRE_HEADER_LEN + (size_t)header->body_len, lasting);
    switch (header->tag) {
    case SERVER_AUTHENTICATION:
        on_authentication(s, &body);
        break;
    case SERVER_PARAMETER_STATUS:
        note_parameter(s, whole + WIRE_HEADER_LEN, header->body_len);
        break;
    default:
        on_ready(s, &body);
        session_end_if_idle(s);
        break;
    }
}

static void message(void *context, const struct wire_header *header, const uint8_t *whole,
                    bool lasting)
{
    struct session *s = context;
    switch (s->state) {
    case SESSION_BRACKET:
        bracket_message(s, header, whole, lasting);
        break;
    case SESSION_REPLACING:
        conversation_message(s, header, whole, lasting);
        break;
    case SESSION_LOGIN:
    case SESSION_RELAY:
    case SESSION_SKIPPING:
        relayed_message(s, header, whole, lasting);
        break;
    default:
        break;
    }
}

static void bad(void *context)
{
    struct session *s = context;
    if (s->state == SESSION_REPLACING) {
        conversation_lost(s);
        return;
    }
    session_log(s, REPORT_ERROR, "session", "the server sent a message that makes no sense");
    session_fail(s, "08P01", "the server sent a message that makes no sense", NULL);
}

const struct walk_owner walk_from_server = {
    .start = start, .forward = forward, .message = message, .bad = bad};
