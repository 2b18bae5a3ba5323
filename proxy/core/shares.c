/*
 * shares: what a replacement shares with the others of the process: the lock on the names of a
 * view, the slots for builds. The shell has them; here is what is asked for and told.
 */
#include "session_internal.h"

void shares_ask_lock(struct session *s, const char *family)
{
    buf_cleanup(&s->family);
    buf_add_text(&s->family, family);
    if (buf_text(&s->family) == NULL) {
        /* Nothing has been made on the server before the lock. */
        session_fail(s, "53200", "out of memory", NULL);
        return;
    }
    s->lock_taken = true;
    s->talk.wait = ENGINE_WAITS_LOCK;
    session_act(s, ACTION_LOCK, CLIENT);
}

void shares_ask_slot(struct session *s)
{
    s->slot_taken = true;
    s->talk.wait = ENGINE_WAITS_SLOT;
    session_act(s, ACTION_TAKE_SLOT, CLIENT);
}

void shares_locked(struct session *s)
{
    if (s->state == SESSION_REPLACING && s->talk.wait == ENGINE_WAITS_LOCK) {
        conversation_go_on(s, &(struct replace_result){.kind = REPLACE_LOCKED});
    }
}

void shares_slot(struct session *s, bool granted)
{
    if (s->state == SESSION_REPLACING && s->talk.wait == ENGINE_WAITS_SLOT) {
        s->slot_taken = granted;
        conversation_go_on(
            s, &(struct replace_result){.kind = granted ? REPLACE_LOCKED : REPLACE_FULL});
    }
}

void shares_end_slot(struct session *s)
{
    if (s->slot_taken) {
        s->slot_taken = false;
        session_act(s, ACTION_END_SLOT, CLIENT);
    }
}

void shares_end(struct session *s)
{
    shares_end_slot(s);
    if (s->lock_taken) {
        s->lock_taken = false;
        session_act(s, ACTION_UNLOCK, CLIENT);
    }
}
