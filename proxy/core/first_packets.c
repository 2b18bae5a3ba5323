/*
 * first_packets: what a client sends before it has a server: requests for encryption, a cancel, the
 * StartupMessage, which is kept until the server is there and then handed over as it came.
 */
#include "session_internal.h"

#include "limits.h"
#include "startup.h"

#include <string.h>

enum { CANCEL_KEY_AT = 8 /* behind length and request code (manual 55.7, CancelRequest) */ };

/* Not a session: it ends when the cancel is done, at the latest at its own deadline. */
static void begin_cancelling(struct session *s)
{
    memcpy(s->requested_key.bytes, buf_bytes(&s->startup) + CANCEL_KEY_AT,
           sizeof(s->requested_key.bytes));
    buf_cleanup(&s->startup);
    s->deadline = s->now.mono_ms + LIMIT_CANCEL_ASKED_MS;
    session_enter(s, SESSION_CANCELLING);
    session_act(s, ACTION_CANCEL, CLIENT);
}

/* Takes out what is for us, tells the client what it does not get, and makes the packet one that
 * the server takes. */
static bool read_startup(struct session *s)
{
    struct buf packet = {0};
    struct buf answer = {0};
    struct settings_problem problem = {.sqlstate = "22023"};
    switch (startup_read(buf_bytes(&s->startup), buf_len(&s->startup), &s->config.settings, &packet,
                         &answer, &problem)) {
    case STARTUP_AS_IS:
        break;
    case STARTUP_REWRITTEN:
        buf_swap(&packet, &s->startup);
        if (!settings_assign(&s->settings, &s->config.settings)) {
            session_fail(s, "53200", "out of memory", NULL);
            break;
        }
        buf_add(output_kept(&s->out[CLIENT]), buf_bytes(&answer), buf_len(&answer));
        break;
    case STARTUP_BAD_SETTING:
        session_fail(s, problem.sqlstate, problem.message, problem.hint);
        break;
    case STARTUP_MALFORMED:
        session_fail(s, "08P01", "invalid startup packet layout: expected terminator as last byte",
                     NULL);
        break;
    case STARTUP_NO_MEMORY:
        session_fail(s, "53200", "out of memory", NULL);
        break;
    }
    buf_cleanup(&packet);
    buf_cleanup(&answer);
    return s->state == SESSION_STARTUP;
}

static void begin_connecting(struct session *s, const struct wire_start *start)
{
    if (s->draining) {
        session_fail(s, "57P03", "the proxy is shutting down", NULL);
        return;
    }
    size_t more = buf_len(&s->startup) - start->packet_len;
    walk_feed(&s->walk[CLIENT], &walk_from_client, s, buf_bytes(&s->startup) + start->packet_len,
              more);
    buf_truncate(&s->startup, start->packet_len);
    if (read_startup(s)) {
        session_enter(s, SESSION_CONNECTING);
        session_act(s, ACTION_CONNECT, SERVER);
    }
}

/* Answers a request for encryption with "no", once each, as the manual has it (55.2.10, 55.2.11).
 */
static void refuse_encryption(struct session *s, bool *asked, size_t packet_len)
{
    if (*asked) {
        session_fail(s, "08P01", "encryption was requested twice", NULL);
        return;
    }
    *asked = true;
    buf_add_byte(output_kept(&s->out[CLIENT]), 'N');
    buf_consume(&s->startup, packet_len);
}

void session_read_first_packets(struct session *s)
{
    while (s->state == SESSION_STARTUP) {
        struct wire_start start = {0};
        switch (wire_decode_start(buf_bytes(&s->startup), buf_len(&s->startup), &start)) {
        case WIRE_NEED_MORE:
            return;
        case WIRE_BAD:
            session_fail(s, "08P01", "invalid length of startup packet", NULL);
            return;
        case WIRE_OK:
            break;
        }
        switch (start.kind) {
        case START_SSL_REQUEST:
            refuse_encryption(s, &s->ssl_asked, start.packet_len);
            break;
        case START_GSSENC_REQUEST:
            refuse_encryption(s, &s->gss_asked, start.packet_len);
            break;
        case START_CANCEL_REQUEST:
            begin_cancelling(s);
            break;
        case START_MALFORMED_CANCEL:
            session_close(s, "a CancelRequest of another length");
            break;
        case START_STARTUP:
            begin_connecting(s, &start);
            break;
        }
    }
}

void session_connected(struct session *s)
{
    if (s->state != SESSION_CONNECTING) {
        return;
    }
    /* Other protocols are the server's to judge, which may do so by closing without a word. */
    s->unanswered = startup_is_protocol_3(buf_bytes(&s->startup), buf_len(&s->startup));
    buf_add(output_kept(&s->out[SERVER]), buf_bytes(&s->startup), buf_len(&s->startup));
    buf_cleanup(&s->startup);
    session_enter(s, SESSION_LOGIN);
    walk_resume(&s->walk[CLIENT], &walk_from_client, s);
    if (s->eof[CLIENT]) {
        session_pass_half_close(s);
    }
}
