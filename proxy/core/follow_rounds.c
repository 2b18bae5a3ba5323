/*
 * follow_rounds: a statement is parsed again, round by round (follow.c tells which): what the
 * server answers in each, what that leads to, and what becomes of the client's Bind that waits
 * behind it. See follow.c for which Binds those are.
 */
#include "session_internal.h"

#include "limits.h"

#include <string.h>

static const char *portal_of(const struct buf *bind)
{
    return (const char *)buf_bytes(bind);
}

static const char *statement_of(const struct buf *bind)
{
    return portal_of(bind) + strlen(portal_of(bind)) + 1;
}

/* The statement that the Bind in the bracket names; NULL: it is not kept (any more). */
static struct parsed_statement *bound(const struct session *s)
{
    struct parsed_statement *e = parsed_find(&s->parsed, statement_of(&s->bracket.body));
    return e != NULL && e->state != PARSED_SENT ? e : NULL;
}

/* The next round; without memory the Bind goes on as it is. False: then. */
static bool begin_round(struct session *s, enum follow_step step, const struct buf *messages)
{
    struct buf body = {0};
    buf_swap(&body, &s->bracket.body);
    session_enter(s, SESSION_RELAY);
    bool begun = !buf_failed(messages) && bracket_begin_with(s, CLIENT_BIND, &body, messages);
    if (begun) {
        buf_truncate(&s->follow.new_shape, 0);
        s->follow.step = step;
        s->follow.parsed = false;
    } else {
        buf_swap(&body, &s->bracket.body);
    }
    buf_cleanup(&body);
    return begun;
}

static bool same_shape(const struct follow *f)
{
    return buf_len(&f->shape) == buf_len(&f->new_shape) &&
           memcmp(buf_bytes(&f->shape), buf_bytes(&f->new_shape), buf_len(&f->shape)) == 0;
}

/* A cancel came meanwhile, for what waits behind the Bind. True: the client is told that it has
 * effect, and goes on when no request for it is on its way any more (bracket_cancel_done). */
static bool ends_cancelled(struct session *s)
{
    struct bracket *b = &s->bracket;
    if (!s->follow.cancelled || s->state != SESSION_BRACKET) {
        return false;
    }
    wire_add_error_response(
        output_kept(&s->out[CLIENT]),
        &(struct wire_report){.severity = "ERROR",
                              .sqlstate = "57014",
                              .message = "canceling statement due to user request"});
    follow_cleanup(&s->follow);
    b->failed = true;
    b->stage = BRACKET_ENDED;
    if (s->cancel_way == CANCEL_NONE) {
        bracket_cancel_done(s);
    }
    return true;
}

/* The end: the Bind goes to the server, of `e` under that name, and the client goes on. */
static void send_on(struct session *s, struct parsed_statement *e, const char *name)
{
    struct buf body = {0};
    buf_swap(&body, &s->bracket.body);
    if (e != NULL && portal_of(&body)[0] != 0) {
        e->named_portals = true;
    }
    if (s->state == SESSION_BRACKET) {
        session_enter(s, SESSION_RELAY);
    }
    follow_cleanup(&s->follow);
    bracket_cleanup(&s->bracket);
    if (!follow_send_bind(s, buf_bytes(&body), buf_len(&body), name)) {
        resume_client(s);
    }
    buf_cleanup(&body);
}

static void pass_on(struct session *s)
{
    struct parsed_statement *e = bound(s);
    if (!ends_cancelled(s)) {
        send_on(s, e, e != NULL ? follow_name_on_server(e) : NULL);
    }
}

/* Likewise of what would stand in: the client learns of its columns, unless the Bind fails. */
static void pass_on_and_tell(struct session *s, struct parsed_statement *e)
{
    if (!ends_cancelled(s)) {
        memcpy(s->telling, e->stand_in, sizeof(s->telling));
        send_on(s, e, s->telling);
    }
}

/* ---- the server's answers ---- */

bool follow_withholds(struct session *s, const struct wire_header *header, enum walk_act *out_act)
{
    struct follow *f = &s->follow;
    if (f->step == FOLLOW_NOTHING || s->bracket.stage != BRACKET_ANSWER) {
        return false;
    }
    *out_act = WALK_DROP;
    switch (header->tag) {
    case SERVER_CLOSE_COMPLETE: {
        bool own = f->step != FOLLOW_CLOSES || f->own_closes != 0;
        f->own_closes -= f->own_closes != 0 ? 1 : 0;
        return own;
    }
    case SERVER_PARSE_COMPLETE:
        f->parsed = true;
        return true;
    case SERVER_NO_DATA:
    case SERVER_ROW_DESCRIPTION:
    case SERVER_PARAMETER_DESCRIPTION:
        /* One that is too long is as good as none: then nothing is followed. */
        *out_act = header->body_len <= LIMIT_STATEMENT ? WALK_COLLECT : WALK_DROP;
        return true;
    case SERVER_ERROR_RESPONSE: {
        /* Too long to be one of a nonce: of the Parse, whose text it quotes. */
        bool own = f->step != FOLLOW_CLOSES && header->body_len > LIMIT_SERVER_MESSAGE;
        s->bracket.failed |= own;
        return own;
    }
    default:
        return false;
    }
}

void follow_answer(struct session *s, const struct wire_header *header, const uint8_t *whole)
{
    struct follow *f = &s->follow;
    const uint8_t *body = whole + WIRE_HEADER_LEN;
    if (header->tag == SERVER_PARAMETER_DESCRIPTION) {
        if (f->step == FOLLOW_LOOKS || f->step == FOLLOW_WAITS) {
            buf_add(&f->parameters, body, header->body_len);
        }
        return;
    }
    struct buf *shape = f->step == FOLLOW_LOOKS ? &f->shape : &f->new_shape;
    buf_add_byte(shape, header->tag);
    buf_add(shape, body, header->body_len);
}

/* ---- round by round ---- */

static void add_parse(struct session *s, struct buf *out, const char *name,
                      const struct parsed_statement *e)
{
    size_t start = wire_begin_message(out, CLIENT_PARSE);
    wire_add_text(out, name);
    wire_add_text(out, parsed_text(e));
    buf_add(out, buf_bytes(&s->follow.parameters), buf_len(&s->follow.parameters));
    wire_end_message(out, start);
}

/* What was asked before may have been of another one. */
static void look(struct session *s, const struct parsed_statement *e)
{
    struct buf messages = {0};
    buf_truncate(&s->follow.parameters, 0);
    follow_add_named(&messages, CLIENT_DESCRIBE, follow_name_on_server(e));
    if (!begin_round(s, FOLLOW_LOOKS, &messages)) {
        pass_on(s);
    }
    buf_cleanup(&messages);
}

static void try(struct session *s, struct parsed_statement *e)
{
    struct buf messages = {0};
    parsed_make_young(&s->parsed, e); /* what moves from now on makes it old again */
    make_nonce(s, s->follow.new_name);
    add_parse(s, &messages, s->follow.new_name, e);
    follow_add_named(&messages, CLIENT_DESCRIBE, s->follow.new_name);
    if (!begin_round(s, FOLLOW_TRIES, &messages)) {
        pass_on(s);
    }
    buf_cleanup(&messages);
}

/* Could a Close of it close a portal that the client may still use? A Parse of the unnamed one
 * closes none, but a Close of the client's would not close those that it has then. */
static bool may_have_portals(const struct session *s, const struct parsed_statement *e)
{
    return parsed_may_have_portals(&s->parsed, e) || portal_of(&s->bracket.body)[0] != 0;
}

/* The new one takes the place of the old one. */
static void adopt(struct session *s, struct parsed_statement *e)
{
    struct buf messages = {0};
    const char *name = statement_of(&s->bracket.body);
    if (strcmp(e->stand_in, s->follow.new_name) != 0) {
        parsed_leave_stand_in(&s->parsed, e);
    }
    bool stays = may_have_portals(s, e);
    parsed_enter(&s->parsed, e, PARSED_STAND_IN, s->follow.new_name);
    if (!stays) {
        if (name[0] != 0) {
            follow_add_named(&messages, CLIENT_CLOSE, name);
        }
        add_parse(s, &messages, name, e);
        follow_add_named(&messages, CLIENT_DESCRIBE, name);
    }
    if (stays || !begin_round(s, FOLLOW_SWITCHES, &messages)) {
        pass_on(s);
    }
    buf_cleanup(&messages);
}

static void peek(struct session *s)
{
    s->bracket.stage = BRACKET_PEEKS;
    follow_peek(s);
}

static void tried(struct session *s, struct parsed_statement *e)
{
    const struct follow *f = &s->follow;
    bool good = f->parsed && !s->bracket.failed && buf_len(&f->shape) != 0 &&
                buf_len(&f->new_shape) != 0 && !buf_failed(&f->new_shape) && !buf_failed(&f->shape);
    if (!good) {
        pass_on(s); /* with its own error, when there is one */
    } else if (same_shape(f)) {
        adopt(s, e);
    } else {
        parsed_leave_stand_in(&s->parsed, e);
        parsed_enter(&s->parsed, e, PARSED_CHANGED, f->new_name);
        peek(s);
    }
}

static void switched(struct session *s, struct parsed_statement *e)
{
    /* Else the name has nothing behind it any more, or something with other columns, since the view
     * was swapped once more: then the other goes on standing in. */
    if (s->follow.parsed && !s->bracket.failed && same_shape(&s->follow)) {
        struct buf *out = output_kept(&s->out[SERVER]);
        follow_add_named(out, CLIENT_CLOSE, e->stand_in);
        s->late_closes += 1 + follow_add_closes(out, e);
        e->named_portals = false;
        parsed_forget_left(&s->parsed, e);
        parsed_enter(&s->parsed, e, PARSED_IN_PLACE, NULL);
    }
    pass_on(s);
}

/* Is it known what the server has? */
static bool looked(const struct session *s)
{
    const struct follow *f = &s->follow;
    return !s->bracket.failed && buf_len(&f->parameters) != 0 && !buf_failed(&f->parameters);
}

/* Has the Bind as many values as the statement has parameters? Else it fails, and must not cost the
 * client the unnamed portal, which a Close could close. */
static bool brings_its_values(const struct session *s)
{
    const char *statement = statement_of(&s->bracket.body);
    const uint8_t *at = (const uint8_t *)statement + strlen(statement) + 1;
    const uint8_t *end = buf_bytes(&s->bracket.body) + buf_len(&s->bracket.body);
    struct wire_reader bind = wire_reader_over(at, (size_t)(end - at));
    struct wire_reader parameters =
        wire_reader_over(buf_bytes(&s->follow.parameters), buf_len(&s->follow.parameters));
    for (unsigned num = wire_read_u16(&bind); num != 0 && !bind.bad; num--) {
        (void)wire_read_u16(&bind);
    }
    return wire_read_u16(&bind) == wire_read_u16(&parameters);
}

void follow_go_on(struct session *s)
{
    struct parsed_statement *e = bound(s);
    if (e == NULL) {
        pass_on(s);
        return;
    }
    switch (s->follow.step) {
    case FOLLOW_WAITS:
        if (follow_is_due(s, e)) {
            look(s, e);
        } else if (e->state == PARSED_CHANGED && follow_is_in_time(s, e) && looked(s)) {
            peek(s);
        } else {
            pass_on(s);
        }
        break;
    case FOLLOW_LOOKS:
        /* The transaction that it is in may be known only by now. */
        if (follow_is_in_time(s, e) && looked(s) && brings_its_values(s)) {
            try(s, e);
        } else {
            pass_on(s);
        }
        break;
    case FOLLOW_TRIES:
        tried(s, e);
        break;
    case FOLLOW_SWITCHES:
        switched(s, e);
        break;
    case FOLLOW_NOTHING:
    case FOLLOW_CLOSES:
        pass_on(s);
        break;
    }
}

/* ---- other columns ---- */

enum next_message { NEXT_UNKNOWN, NEXT_DESCRIBES_IT, NEXT_OTHER };

static enum next_message next_message(const struct session *s)
{
    const struct buf *held = &s->walk[CLIENT].held;
    const uint8_t *body = buf_bytes(held) + WIRE_HEADER_LEN;
    const char *portal = portal_of(&s->bracket.body);
    struct wire_header header = {0};
    enum wire_result result = wire_decode_header(buf_bytes(held), buf_len(held), &header);
    if (result == WIRE_NEED_MORE) {
        return s->eof[CLIENT] ? NEXT_OTHER : NEXT_UNKNOWN;
    }
    if (result == WIRE_BAD || header.tag != CLIENT_DESCRIBE ||
        header.body_len != strlen(portal) + 2) {
        return NEXT_OTHER;
    }
    if (buf_len(held) - WIRE_HEADER_LEN < header.body_len) {
        return s->eof[CLIENT] ? NEXT_OTHER : NEXT_UNKNOWN;
    }
    bool same = body[0] == 'P' && memcmp(body + 1, portal, strlen(portal) + 1) == 0;
    return same ? NEXT_DESCRIBES_IT : NEXT_OTHER;
}

/* What the client knows of its columns is not so any more. */
static void refuse(struct session *s)
{
    follow_add_error(output_kept(&s->out[CLIENT]));
    session_enter(s, SESSION_SKIPPING);
    follow_cleanup(&s->follow);
    bracket_cleanup(&s->bracket);
    resume_client(s);
}

void follow_peek(struct session *s)
{
    /* No answer of ours inside a message that the client has in part: its rest comes first. */
    if (s->state != SESSION_BRACKET || s->bracket.stage != BRACKET_PEEKS ||
        !walk_at_boundary(&s->walk[SERVER])) {
        return;
    }
    struct parsed_statement *e = bound(s);
    /* Without it what the client was told of its columns is not known either. */
    switch (e != NULL ? next_message(s) : NEXT_OTHER) {
    case NEXT_UNKNOWN:
        break;
    case NEXT_DESCRIBES_IT:
        pass_on_and_tell(s, e);
        break;
    case NEXT_OTHER:
        refuse(s);
        break;
    }
}
