/*
 * follow: prepared statements follow a swap. A statement that mentions a name which means another
 * object now is parsed again at its next Bind, before that Bind: under a name of ours first, so
 * that nothing is lost when the server refuses the text by now. If it describes the same columns it
 * takes the old one's place, and the client sees nothing of it:
 *
 *     FOLLOW_LOOKS      Describe old                        -> its parameter types and columns
 *     FOLLOW_TRIES      Parse text with those types, Describe, under a name of ours
 *     FOLLOW_SWITCHES   Close old, Parse under its own name, Describe
 *     then Close of the one of ours, and the client's Bind
 *
 * each in a bracket (bracket.c), with the client's bytes held. Closing a statement closes its
 * portals (docs/risingwave.md 13): where one with a name may be open, the one of ours stands in,
 * and messages that name the statement are sent with its name.
 *
 * If the columns are others and the client's next message describes the portal it learns of them,
 * from the one of ours, which stands in as soon as the server has taken that Bind; else the client
 * gets PostgreSQL's own error for that, until it parses the statement again. In a READ ONLY
 * transaction that is older than the swap nothing is followed: it keeps its snapshot, in which the
 * new view may not be.
 */
#include "session_internal.h"

#include "limits.h"

#include <string.h>

void follow_cleanup(struct follow *f)
{
    buf_cleanup(&f->parameters);
    buf_cleanup(&f->shape);
    buf_cleanup(&f->new_shape);
    *f = (struct follow){.step = FOLLOW_NOTHING};
}

void follow_add_error(struct buf *out)
{
    wire_add_error_response(
        out, &(struct wire_report){.severity = "ERROR",
                                   .sqlstate = "0A000",
                                   .message = "cached plan must not change result type",
                                   .routine = "RevalidateCachedQuery"});
}

bool follow_is_in_time(const struct session *s, const struct parsed_statement *e)
{
    return s->reads_since == MOMENT_NEVER || s->reads_since > e->moved_ms;
}

bool follow_is_due(const struct session *s, const struct parsed_statement *e)
{
    return e->old && !buf_failed(&e->left) && follow_is_in_time(s, e);
}

static bool is_wanted(const struct session *s)
{
    return s->settings.values[SETTING_PREPARED] == REPLACE_PREPARED_FOLLOW;
}

/* ---- names that moved ---- */

/* Finds the statements that are old; what a bracket parses is not among them yet. */
static void catch_up(struct session *s)
{
    if (s->moved_what != MOVED_NOTHING) {
        s->bracket.moved_ms = s->moved_ms;
        bool names = s->moved_what == MOVED_NAMES;
        parsed_mark(&s->parsed, names ? (const char *)buf_bytes(&s->moved) : NULL,
                    buf_len(&s->moved), s->moved_ms);
        buf_cleanup(&s->moved);
        s->moved_what = MOVED_NOTHING;
    }
}

/* Is one open, or has one begun of which the answer will tell? */
static bool may_be_in_transaction(const struct session *s)
{
    return s->reads_since != MOMENT_NEVER || s->unsynced || s->answered < s->asked;
}

static void add_moved(struct session *s, const char *names, size_t len)
{
    if (s->moved_what == MOVED_ANYTHING) {
        return;
    }
    if (names != NULL && len <= LIMIT_MOVED - buf_len(&s->moved)) {
        buf_add(&s->moved, names, len);
        s->moved_what = MOVED_NAMES;
    }
    if (names == NULL || s->moved_what == MOVED_NOTHING || buf_failed(&s->moved)) {
        buf_cleanup(&s->moved);
        s->moved_what = MOVED_ANYTHING;
    }
}

void follow_heard_moved(struct session *s, const struct session_event *event)
{
    /* A Parse in a bracket is not kept yet, and may have been bound before. */
    bool none = s->parsed.num == 0 && s->state != SESSION_BRACKET;
    s->heard_moved = true;
    s->heard_ms = event->moved_ms > s->heard_ms ? event->moved_ms : s->heard_ms;
    s->behind_again_ms = 0;
    if (may_be_in_transaction(s)) {
        catch_up(s); /* what moved before must not seem to have moved with what comes now */
    }
    if (!none) {
        bool later = s->moved_what == MOVED_NOTHING || event->moved_ms > s->moved_ms;
        s->moved_ms = later ? event->moved_ms : s->moved_ms;
        add_moved(s, event->moved, event->moved_len);
    }
}

void follow_doubts_all(struct session *s)
{
    catch_up(s);
    parsed_mark_rest(&s->parsed, s->heard_ms);
}

/* ---- Parse ---- */

static bool takes_parse(struct session *s, const uint8_t *body, size_t len)
{
    if (s->kind == SERVER_OTHER) {
        return false;
    }
    if (s->kind == SERVER_UNKNOWN) {
        parsed_parse_unseen(&s->parsed); /* whether answers are to be followed is not known yet */
        return false;
    }
    catch_up(s); /* this one is younger */
    bool keep = is_wanted(s) && may_intercept(s);
    if (keep && (s->pressed || s->kept_full)) {
        s->parsed.num_over++;
        keep = false;
    }
    if (keep && parsed_is_unclear(&s->parsed) && bracket_begin(s, CLIENT_PARSE, body, len)) {
        return true;
    }
    parsed_parse_sent(&s->parsed, body, len, keep);
    return false;
}

/* Once: how many there are is said at the end of the session. */
static void say_if_over(struct session *s, uint64_t num_before)
{
    if (num_before == 0 && s->parsed.num_over != 0) {
        session_log(s, REPORT_INFO, "prepared", "from now on not all statements are kept");
    }
}

bool follow_takes_parse(struct session *s, const uint8_t *body, size_t len)
{
    uint64_t num_before = s->parsed.num_over;
    bool taken = takes_parse(s, body, len);
    say_if_over(s, num_before);
    return taken;
}

void follow_parsed(struct session *s, const uint8_t *body, size_t len, bool keep)
{
    parsed_forget(&s->parsed, (const char *)body);
    if (keep && is_wanted(s) && !s->pressed && !s->kept_full) {
        uint64_t num_before = s->parsed.num_over;
        parsed_add(&s->parsed, body, len);
        say_if_over(s, num_before);
        struct parsed_statement *e = parsed_find(&s->parsed, (const char *)body);
        if (e != NULL && s->bracket.moved_ms != 0) {
            parsed_make_old(&s->parsed, e, s->bracket.moved_ms);
        }
    }
}

bool follow_note_barrier(struct session *s, uint8_t tag)
{
    if (s->kind == SERVER_MAYBE_RISINGWAVE) {
        return parsed_barrier_sent(&s->parsed, tag == CLIENT_SYNC ? SENT_SYNC
                                               : s->unsynced      ? SENT_QUERY
                                                                  : SENT_QUERY_ALONE);
    }
    if (s->kind == SERVER_UNKNOWN) {
        parsed_parse_unseen(&s->parsed);
    }
    return true;
}

void follow_passes_unseen(struct session *s, uint8_t tag)
{
    if (tag == CLIENT_PARSE) {
        uint64_t num_before = s->parsed.num_over;
        s->parsed.num_over += s->kind == SERVER_MAYBE_RISINGWAVE && is_wanted(s) ? 1 : 0;
        say_if_over(s, num_before);
        parsed_parse_unseen(&s->parsed);
        parsed_forget(&s->parsed, "");
    } else if (tag == CLIENT_BIND) {
        parsed_bind_unseen(&s->parsed);
    }
}

/* ---- Bind ---- */

const char *follow_name_on_server(const struct parsed_statement *e)
{
    const char *other = e->state == PARSED_STAND_IN ? e->stand_in : e->known;
    return other[0] != 0 ? other : (const char *)buf_bytes(&e->body);
}

static bool is_under_its_name(const struct parsed_statement *e)
{
    return follow_name_on_server(e) == (const char *)buf_bytes(&e->body);
}

bool follow_send_bind(struct session *s, const uint8_t *body, size_t len, const char *name)
{
    const char *portal = (const char *)body;
    const char *statement = portal + strlen(portal) + 1;
    size_t rest = (size_t)(statement - portal) + strlen(statement) + 1;
    struct buf sent = {0};
    wire_add_text(&sent, portal);
    wire_add_text(&sent, name != NULL ? name : statement);
    buf_add(&sent, body + rest, len - rest);
    if (buf_failed(&sent)) {
        buf_cleanup(&sent);
        session_fail(s, "53200", "out of memory", NULL);
        return true;
    }
    bool ours = prepared_find_portal(&s->prepared, portal) != NULL;
    bool begun = ours && bracket_begin_sending(s, CLIENT_BIND, body, len, CLIENT_BIND,
                                               buf_bytes(&sent), buf_len(&sent));
    if (ours && !begun) {
        extended_passes_unseen(s, CLIENT_BIND);
    }
    if (!begun) {
        wire_add_message(output_kept(&s->out[SERVER]), CLIENT_BIND, buf_bytes(&sent),
                         buf_len(&sent));
    }
    buf_cleanup(&sent);
    return begun;
}

void follow_add_named(struct buf *out, uint8_t tag, const char *name)
{
    size_t start = wire_begin_message(out, tag);
    buf_add_byte(out, 'S');
    wire_add_text(out, name);
    wire_end_message(out, start);
}

static bool begin(struct session *s, const uint8_t *bind, size_t len, enum follow_step step,
                  const struct parsed_statement *e)
{
    struct buf body = {0};
    struct buf messages = {0};
    buf_add(&body, bind, len);
    follow_add_named(&messages, CLIENT_DESCRIBE,
                     step == FOLLOW_LOOKS ? follow_name_on_server(e) : e->stand_in);
    bool begun = !buf_failed(&body) && !buf_failed(&messages) &&
                 bracket_begin_with(s, CLIENT_BIND, &body, &messages);
    if (begun) {
        follow_cleanup(&s->follow);
        s->follow.step = step;
    }
    buf_cleanup(&body);
    buf_cleanup(&messages);
    return begun;
}

bool follow_is_late_close(struct session *s, uint8_t tag)
{
    bool is = tag == SERVER_CLOSE_COMPLETE && s->late_closes != 0;
    s->late_closes -= is ? 1 : 0;
    return is;
}

void follow_told(struct session *s, bool good)
{
    if (s->telling[0] != 0 && good) {
        parsed_told(&s->parsed, s->telling);
    }
    s->telling[0] = 0;
}

static bool is_being_told(const struct session *s, const struct parsed_statement *e)
{
    return s->telling[0] != 0 && strcmp(s->telling, e->stand_in) == 0;
}

static bool takes_bind(struct session *s, const uint8_t *body, size_t len)
{
    if (!follow_concerns_bind(s, body)) {
        return false;
    }
    catch_up(s);
    const char *statement = (const char *)body + strlen((const char *)body) + 1;
    struct parsed_statement *e = parsed_find(&s->parsed, statement);
    if (e == NULL) {
        return false;
    }
    bool follows = is_wanted(s) && may_intercept(s);
    /* While it is being told, which columns the client knows is not certain yet. */
    bool told = is_being_told(s, e);
    if (follows && follow_is_due(s, e) && !told) {
        return begin(s, body, len, FOLLOW_LOOKS, e);
    }
    bool waits = follows && e->state == PARSED_CHANGED && (told || follow_is_in_time(s, e));
    if (waits && begin(s, body, len, FOLLOW_WAITS, e)) {
        return true;
    }
    if (body[0] != 0) {
        e->named_portals = true;
    }
    if (is_under_its_name(e)) {
        return false;
    }
    (void)follow_send_bind(s, body, len, follow_name_on_server(e));
    return true;
}

/* ---- Describe and Close ---- */

unsigned follow_add_closes(struct buf *out, const struct parsed_statement *e)
{
    const char *names = (const char *)buf_bytes(&e->left);
    unsigned num = 0;
    for (size_t at = 0; at < buf_len(&e->left); at += strlen(names + at) + 1) {
        follow_add_named(out, CLIENT_CLOSE, names + at);
        num++;
    }
    return num;
}

/* A Close of a statement in whose place others are or were: of those as well. */
static bool begin_close(struct session *s, const uint8_t *body, size_t len,
                        const struct parsed_statement *e)
{
    struct buf kept_body = {0};
    struct buf messages = {0};
    buf_add(&kept_body, body, len);
    unsigned num = follow_add_closes(&messages, e);
    if (e->stand_in[0] != 0) {
        follow_add_named(&messages, CLIENT_CLOSE, e->stand_in);
        num++;
    }
    wire_add_message(&messages, CLIENT_CLOSE, body, len);
    bool begun = !buf_failed(&kept_body) && !buf_failed(&messages) &&
                 bracket_begin_with(s, CLIENT_CLOSE, &kept_body, &messages);
    if (begun) {
        follow_cleanup(&s->follow);
        s->follow.step = FOLLOW_CLOSES;
        s->follow.own_closes = num;
    }
    buf_cleanup(&kept_body);
    buf_cleanup(&messages);
    return begun;
}

static bool takes_close(struct session *s, const uint8_t *body, size_t len)
{
    const char *name = (const char *)body + 1;
    const struct parsed_statement *e = body[0] == 'S' ? parsed_find(&s->parsed, name) : NULL;
    if (e == NULL) {
        return false;
    }
    bool others = e->stand_in[0] != 0 || buf_len(&e->left) != 0;
    if (others && may_intercept(s) && begin_close(s, body, len, e)) {
        return true; /* it is forgotten when the server has carried that out */
    }
    /* A Close that the server skips leaves a statement which is not followed. */
    parsed_forget(&s->parsed, name);
    return false;
}

static bool takes_describe(struct session *s, const uint8_t *body)
{
    const struct parsed_statement *e =
        body[0] == 'S' ? parsed_find(&s->parsed, (const char *)body + 1) : NULL;
    bool told = e != NULL && is_being_told(s, e);
    if (e == NULL || (is_under_its_name(e) && !told)) {
        return false;
    }
    follow_add_named(output_kept(&s->out[SERVER]), CLIENT_DESCRIBE,
                     told ? e->stand_in : follow_name_on_server(e));
    return true;
}

bool follow_takes(struct session *s, uint8_t tag, const uint8_t *body, size_t len)
{
    switch (tag) {
    case CLIENT_BIND:
        return takes_bind(s, body, len);
    case CLIENT_DESCRIBE:
        return s->parsed.num_apart != 0 && takes_describe(s, body);
    case CLIENT_CLOSE:
        return takes_close(s, body, len);
    default:
        return false;
    }
}
