/*
 * bracket_begin: a client's message goes to the server between two nonces; what the answers mean
 * stands in bracket.c.
 */
#include "session_internal.h"

#include "candidate.h"

void bracket_cleanup(struct bracket *b)
{
    buf_cleanup(&b->refusal);
    buf_cleanup(&b->body);
    *b = (struct bracket){.waiting_ready = -1};
}

bool may_intercept(const struct session *s)
{
    return s->kind == SERVER_MAYBE_RISINGWAVE && !s->other_encoding && !s->copy_in;
}

bool bracket_begin_with(struct session *s, uint8_t tag, struct buf *body,
                        const struct buf *messages)
{
    struct bracket *b = &s->bracket;
    if (buf_failed(body) || buf_failed(messages)) {
        return false;
    }
    bracket_cleanup(b);
    b->tag = tag;
    buf_swap(&b->body, body);
    make_nonce(s, b->first);
    make_nonce(s, b->last);
    struct buf *out = output_kept(&s->out[SERVER]);
    wire_add_query(out, b->first);
    buf_add(out, buf_bytes(messages), buf_len(messages));
    wire_add_sync(out);
    wire_add_query(out, b->last);
    session_enter(s, SESSION_BRACKET);
    walk_stop(&s->walk[CLIENT]);
    s->peek_at = 0;
    return true;
}

bool bracket_begin_sending(struct session *s, uint8_t tag, const uint8_t *body, size_t len,
                           uint8_t sent_tag, const uint8_t *sent, size_t sent_len)
{
    struct buf kept = {0};
    struct buf message = {0};
    buf_add(&kept, body, len);
    if (sent != NULL) {
        wire_add_message(&message, sent_tag, sent, sent_len);
    }
    bool begun = bracket_begin_with(s, tag, &kept, &message);
    buf_cleanup(&kept);
    buf_cleanup(&message);
    return begun;
}

bool bracket_begin(struct session *s, uint8_t tag, const uint8_t *body, size_t len)
{
    return bracket_begin_sending(s, tag, body, len, tag, body, len);
}

bool bracket_begin_if_candidate(struct session *s, const uint8_t *text, size_t len)
{
    struct candidate candidate = {0};
    /* The NUL behind the text goes along. */
    if (!may_intercept(s) || !candidate_find(text, len, &candidate) ||
        !bracket_begin(s, CLIENT_QUERY, text, len + 1)) {
        return false;
    }
    s->bracket.candidate = candidate;
    return true;
}

bool bracket_begin_query(struct session *s, const uint8_t *text, size_t len, enum batch_part part)
{
    struct candidate candidate = {.rest = len};
    /* One that holds no candidate goes the same way: its end must be known. */
    bool found = candidate_find(text, len, &candidate);
    if (!bracket_begin(s, CLIENT_QUERY, text, len + 1)) {
        return false;
    }
    s->bracket.part = part;
    s->bracket.asks = found;
    s->bracket.candidate = candidate;
    return true;
}

bool bracket_send_rest(struct session *s)
{
    struct bracket *b = &s->bracket;
    if (b->part == PART_RUNS) {
        batch_put_back(s, b->candidate.rest);
        bracket_cleanup(b);
        batch_run(s);
        return true;
    }
    size_t rest = b->candidate.rest;
    size_t len = b->tag == CLIENT_QUERY ? buf_len(&b->body) - 1 - rest : 0;
    if (len == 0) {
        return false;
    }
    struct buf body = {0};
    buf_swap(&body, &b->body);
    if (!bracket_begin_if_candidate(s, buf_bytes(&body) + rest, len)) {
        bracket_cleanup(b);
        (void)follow_note_barrier(s, CLIENT_QUERY);
        wire_add_message(output_kept(&s->out[SERVER]), CLIENT_QUERY, buf_bytes(&body) + rest,
                         len + 1);
    }
    buf_cleanup(&body);
    return true;
}
