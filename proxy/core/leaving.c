/*
 * leaving: has the client gone, or will it, while its bytes are held? Nobody waits for an answer
 * then, and a replacement is undone.
 */
#include "session_internal.h"

bool client_is_leaving(struct session *s)
{
    const uint8_t *held = buf_bytes(&s->walk[CLIENT].held);
    size_t len = buf_len(&s->walk[CLIENT].held);
    struct wire_header header = {0};
    while (s->peek_at < len) {
        enum wire_result got = wire_decode_header(held + s->peek_at, len - s->peek_at, &header);
        bool readable = got == WIRE_OK && (header.tag != CLIENT_TERMINATE || header.body_len == 0);
        if (!readable) {
            break; /* incomplete, or malformed, which is refused when its turn comes */
        }
        if (header.tag == CLIENT_TERMINATE) {
            return true;
        }
        s->peek_at += WIRE_HEADER_LEN + (size_t)header.body_len;
    }
    return s->eof[CLIENT];
}

void notice_client_leaving(struct session *s)
{
    if (s->state == SESSION_REPLACING && !s->client_left && client_is_leaving(s)) {
        conversation_client_gone(s);
    }
}
