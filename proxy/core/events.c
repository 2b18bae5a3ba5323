/*
 * events: what happens to a session besides bytes: a side that ends, a deadline, a shutdown, an
 * answer of the shell to what it was asked for.
 */
#include "session_internal.h"

#include "limits.h"

static void on_client_end(struct session *s, bool broken)
{
    s->eof[CLIENT] = true;
    switch (s->state) {
    case SESSION_CANCELLING:
        break; /* the cancel goes on: the client does not wait for it */
    case SESSION_REPLACING:
        notice_client_leaving(s);
        break;
    case SESSION_CONNECTING:
    case SESSION_LOGIN:
    case SESSION_BRACKET:
    case SESSION_RELAY:
    case SESSION_SKIPPING:
        if (broken) {
            s->client_left = true;
            session_close(s, "client connection lost");
        } else if (s->state != SESSION_BRACKET && s->state != SESSION_CONNECTING) {
            session_pass_half_close(s);
        } else {
            follow_peek(s);
        } /* passed on when the server is there, or when the bracket ends */
        break;
    default:
        s->client_left = true;
        session_close(s, "client closed the connection");
        break;
    }
}

static void on_server_end(struct session *s)
{
    s->eof[SERVER] = true;
    if (s->state == SESSION_REPLACING) {
        conversation_lost(s);
        return;
    }
    if (s->state == SESSION_BRACKET) {
        /* Its last bytes may be of the answer to a query of ours. */
        session_fail(s, "08006", "the server closed the connection", NULL);
    } else if (s->state == SESSION_LOGIN && s->unanswered) {
        /* As a server that dies does with what waits to be accepted: it was never there. */
        static const char reason[] = "the server closed the connection before it answered";
        session_log(s, REPORT_WARNING, "connect", reason);
        session_fail(s, "08006", reason, NULL);
    } else if (s->state != SESSION_CLOSING) {
        session_relay(s, CLIENT, buf_bytes(&s->walk[SERVER].held), buf_len(&s->walk[SERVER].held),
                      false);
        session_close(s, "server closed the connection");
    }
}

static void on_deadline(struct session *s)
{
    if (s->state == SESSION_REPLACING) {
        conversation_deadline(s);
    }
    if (s->now.mono_ms < s->deadline) {
        return;
    }
    s->deadline = MOMENT_NEVER;
    switch (s->state) {
    case SESSION_CLOSING:
        session_act(s, ACTION_ABORT, CLIENT);
        break;
    case SESSION_REPLACING:
        session_log(s, REPORT_ERROR, conversation_event(&s->talk),
                    "undo did not end in time: something may be left");
        session_enter(s, SESSION_CLOSING);
        session_act(s, ACTION_ABORT, CLIENT);
        break;
    case SESSION_CANCELLING:
        session_log(s, REPORT_WARNING, "cancel", "the server did not react in time");
        session_enter(s, SESSION_CLOSING);
        session_act(s, ACTION_ABORT, CLIENT);
        break;
    default:
        if (s->eof[CLIENT] && s->state >= SESSION_RELAY) {
            session_close(s, "the client has left and the server does not end the session");
        } else {
            session_fail(s, "57014", "canceling authentication due to timeout", NULL);
        }
        break;
    }
}

static void on_shutdown(struct session *s)
{
    s->draining = true;
    s->shut_down = true;
    if (s->state == SESSION_REPLACING) {
        s->deadline = s->now.mono_ms + LIMIT_UNDO_MS;
        conversation_cancel(s, REPLACE_SHUTDOWN);
    } else {
        session_fail_for_shutdown(s);
    }
}

static void on_cancel_done(struct session *s)
{
    if (s->state == SESSION_CANCELLING) {
        /* Nothing is owed: closed at once, which is what the client waits for. */
        session_enter(s, SESSION_CLOSING);
        session_act(s, ACTION_ABORT, CLIENT);
    } else {
        cancel_done(s);
    }
}

void session_event(struct session *s, const struct session_event *event, struct moment now)
{
    s->now = now;
    switch (event->kind) {
    case EVENT_CONNECTED:
        session_connected(s);
        break;
    case EVENT_CONNECT_FAILED:
        s->eof[SERVER] = true;
        session_log(s, REPORT_WARNING, "connect", event->reason);
        session_fail(s, "08006", "could not connect to the server", event->reason);
        break;
    case EVENT_TURNED_AWAY:
        s->eof[SERVER] = true;
        session_fail(s, "53300", "sorry, too many clients already",
                     "The proxy has reached its limit of connections.");
        break;
    case EVENT_CANCEL:
        cancel_asked(s);
        break;
    case EVENT_CANCEL_DONE:
        on_cancel_done(s);
        break;
    case EVENT_EOF:
    case EVENT_BROKEN:
        if (event->side == CLIENT) {
            on_client_end(s, event->kind == EVENT_BROKEN);
        } else {
            on_server_end(s);
        }
        break;
    case EVENT_LOCKED:
        shares_locked(s, event);
        break;
    case EVENT_SLOT:
    case EVENT_SLOT_REFUSED:
        shares_slot(s, event->kind == EVENT_SLOT);
        break;
    case EVENT_READERS:
        shares_readers(s, event->num_readers);
        break;
    case EVENT_MOVED:
        follow_heard_moved(s, event);
        break;
    case EVENT_DEADLINE:
        on_deadline(s);
        break;
    case EVENT_DRAIN:
        s->draining = true;
        session_end_if_idle(s);
        break;
    case EVENT_SHUTDOWN:
        on_shutdown(s);
        break;
    case SESSION_EVENT_COUNT:
        break; /* no event */
    }
    session_check_buffers(s);
}
