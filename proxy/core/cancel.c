/*
 * cancel: cancels of this session. A client has a key of ours, never the server's; so every cancel
 * comes here first. During a replacement it is the client's wish to have none of it: nothing is
 * passed on, the replacement undoes. Else it is passed on with the server's key.
 *
 * No statement of ours is sent while a CancelRequest is on its way, since it would be hit:
 * bracket.c and conversation.c wait for its end.
 */
#include "session_internal.h"

void cancel_send_key(struct session *s)
{
    if (s->key_sent) {
        return;
    }
    s->key_sent = true;
    wire_add_message(output_kept(&s->out[CLIENT]), SERVER_BACKEND_KEY_DATA,
                     s->config.cancel_key.bytes, sizeof(s->config.cancel_key.bytes));
}

bool cancel_on_server(struct session *s)
{
    if (!s->has_server_key || s->eof[SERVER]) {
        return false;
    }
    if (s->cancel_way == CANCEL_NONE) {
        s->cancel_way = CANCEL_ON_ITS_WAY;
        session_act(s, ACTION_CANCEL_SERVER, SERVER);
    } else {
        s->cancel_way = CANCEL_WANTED_AGAIN;
    }
    return true;
}

void cancel_asked(struct session *s)
{
    bool passed_on = false;
    switch (s->state) {
    case SESSION_REPLACING:
        /* Whoever asked is let go first: the client must not see the answer before. */
        session_act(s, ACTION_CANCEL_DONE, CLIENT);
        conversation_cancel(s, REPLACE_CANCELLED_BY_CLIENT);
        return;
    case SESSION_BRACKET:
        s->bracket.cancelled = true;
        /* Until the first nonce is answered it may be for what was sent before. */
        s->follow.cancelled |= s->bracket.stage != BRACKET_BEFORE || s->follow.step > FOLLOW_LOOKS;
        passed_on = s->bracket.stage != BRACKET_ENDED && cancel_on_server(s);
        break;
    case SESSION_RELAY:
    case SESSION_SKIPPING:
        passed_on = cancel_on_server(s);
        break;
    default:
        break;
    }
    if (!passed_on && s->cancel_way == CANCEL_NONE) {
        session_act(s, ACTION_CANCEL_DONE, CLIENT);
    }
}

void cancel_done(struct session *s)
{
    if (s->cancel_way == CANCEL_WANTED_AGAIN && s->state != SESSION_CLOSING) {
        /* Who asked before the first was sent has waited long enough. */
        s->cancel_way = CANCEL_ON_ITS_WAY;
        session_act(s, ACTION_CANCEL_SENT_DONE, CLIENT);
        session_act(s, ACTION_CANCEL_SERVER, SERVER);
        return;
    }
    s->cancel_way = CANCEL_NONE;
    session_act(s, ACTION_CANCEL_DONE, CLIENT);
    if (s->state == SESSION_BRACKET) {
        bracket_cancel_done(s);
    } else if (s->state == SESSION_REPLACING) {
        conversation_cancel_done(s);
    }
}
