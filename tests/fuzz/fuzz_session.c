/*
 * fuzz_session: the input is a small program: who sends what, what the server answers, events,
 * time. It is run uncut and once more with all chunks in pieces, and both runs must give the same
 * outputs. Further: without a candidate out is what came in; what comes out is bounded by what came
 * in; after the end nothing more comes out; without its server a session ends; a replacement sends
 * nothing while a cancel is on its way.
 */
#include "fake_server.h"
#include "message_text.h"
#include "session.h"
#include "wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FLAG_POSTGRES = 1,
    FLAG_LOGGED_IN = 2,
    FLAG_FOREGROUND = 4,
    FLAG_KNOWS = 8,
    FLAG_KEY = 16,
    FLAG_NO_VIEW = 32
};
enum { OUTPUT_ALLOWANCE = 16384, OUTPUT_FACTOR = 8 };

struct run {
    struct session *s;
    struct fake_server server;
    struct moment now;
    uint8_t flags;
    size_t piece; /* largest part of a chunk; 0: uncut */
    bool ended;
    bool relaying;      /* in and out are compared */
    bool cancelling;    /* a CancelRequest is on its way to the server */
    bool must_not_send; /* ... since before this operation */
    bool server_lost;
    bool refused; /* what the server got of a long malformed message depends on the pieces
                   * (docs/decisions/0008) */
    size_t total_in;
    struct buf in[NUM_SIDES];  /* since the login, from that side */
    struct buf out[NUM_SIDES]; /* since the login, to that side */
    struct buf trace;          /* all that came out, in order */
};

struct program {
    const uint8_t *at;
    size_t left;
};

static const char *const sayings[] = {
    "StartupMessage \"user\" \"root\"",
    "SSLRequest",
    "GSSENCRequest",
    "CancelRequest 1 2",
    "Query \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\"",
    "Query \"SELECT 1\"",
    "Query \"BEGIN\"",
    "Query \"COMMIT\"",
    "Sync",
    "Terminate",
    "Bind \"\" \"missing\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"",
    "Parse \"\" \"SELECT 1\" \"\\x00\\x00\"",
    "PasswordMessage \"secret\"",
    "Query \"SET mvswap.notices = off; BEGIN; SHOW mvswap.build\"",
    "Raw \"Q\\x00\\x00\\x00\\x0dSEL\"",
    "Raw \"Q\\x00\\x00\\x00\\x03\"",
    /* The extended protocol. */
    "Parse \"\" \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\" \"\\x00\\x00\"",
    "Parse \"s\" \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 2\" \"\\x00\\x00\"",
    "Parse \"s\" \"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT $1\""
    " \"\\x00\\x01\\x00\\x00\\x00\\x17\"",
    "Parse \"\" \"SELECT nope\" \"\\x00\\x00\"",
    "Bind \"\" \"\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"",
    "Bind \"p\" \"s\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"",
    "Bind \"p\" \"s\" "
    "\"\\x00\\x01\\x00\\x01\\x00\\x01\\x00\\x00\\x00\\x04\\x00\\x00\\x00\\x07\\x00\\x00\"",
    "Execute \"\" 0",
    "Execute \"p\" 0",
    "Close \"S\" \"\"",
    "Close \"S\" \"s\"",
    "Close \"P\" \"p\"",
    "Describe \"S\" \"s\"",
    "Parse \"\" \"SHOW mvswap.build\" \"\\x00\\x00\"",
    "Parse \"s\" \"BEGIN\" \"\\x00\\x00\"",
    "Bind \"\" \"s\" \"\\x00\\x00\\x00\\x00\\x00\\x00\"",
};
static const char *const answers[] = {
    "Authentication 0",
    "Authentication 3",
    "Authentication 10 \"SCRAM\"",
    "ReadyForQuery \"I\"",
    "ReadyForQuery \"T\"",
    "NoticeResponse M\"hm\"",
    "ParameterStatus \"client_encoding\" \"SJIS\"",
    "ParameterStatus \"client_encoding\" \"UTF8\"",
    "ErrorResponse S\"ERROR\" C\"XX000\" M\"no\"",
    "ErrorResponse M\"Feature is not yet implemented: CREATE OR REPLACE VIEW\"",
    "CommandComplete \"SELECT 1\"",
    "DataRow \"1\" NULL",
    "RowDescription \"a\" \"b\"",
    "NotificationResponse 1 \"a\" \"b\"",
    "Raw \"D\\x00\\x00\\x00\\x20ab\"",
    "Raw \"Z\\xff\\xff\\xff\\xff\"",
    "ParseComplete",
    "BindComplete",
    "CloseComplete",
    "NoData",
    "PortalSuspended",
    "ParameterDescription \"\\x00\\x00\"",
    "EmptyQueryResponse",
    "CopyInResponse \"\\x00\\x00\\x00\"",
    "CopyOutResponse \"\\x00\\x00\\x00\"",
    "BackendKeyData 7 11",
    "Message \"K\" \"\\x00\\x00\\x00\\x01longer than eight\"",
    "CommandComplete \"CREATE_MATERIALIZED_VIEW\"",
    "ReadyForQuery \"E\"",
    "ErrorResponse M\"Caused by:\\n  Feature is not yet implemented: CREATE OR REPLACE VIEW\\nNo\"",
    "ParameterStatus \"server_version\" \"13.14.0\"",
    "Raw \"N\\x00\\x00\\x00\\x0bMla\"",
};
enum { NUM_LINES = 32 };
/* Inputs name events by their place here: new ones come at the end, or kept inputs would mean
 * others.
 */
static const enum session_event_kind events[] = {
    EVENT_CONNECTED,   EVENT_CONNECT_FAILED, EVENT_EOF,          EVENT_BROKEN,      EVENT_LOCKED,
    EVENT_DEADLINE,    EVENT_DRAIN,          EVENT_SHUTDOWN,     EVENT_TURNED_AWAY, EVENT_CANCEL,
    EVENT_CANCEL_DONE, EVENT_SLOT,           EVENT_SLOT_REFUSED, EVENT_MOVED,       EVENT_READERS};
enum { NUM_EVENTS = sizeof(events) / sizeof(events[0]) };
static_assert(NUM_EVENTS == (int)SESSION_EVENT_COUNT, "an event that no input can name");

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint8_t next_byte(struct program *p)
{
    if (p->left == 0) {
        return 0;
    }
    p->left--;
    return *p->at++;
}

static void take_output(struct run *r, enum side to)
{
    struct output *o = session_output(r->s, to);
    size_t before = buf_len(&r->out[to]);
    require(!r->ended || output_pending(o) == 0);
    buf_add(&r->out[to], buf_bytes(&o->kept), buf_len(&o->kept));
    buf_add(&r->out[to], o->span, o->span_len);
    output_sent(o, output_pending(o));
    const uint8_t *bytes = buf_bytes(&r->out[to]) + before;
    size_t len = buf_len(&r->out[to]) - before;
    require(len <= OUTPUT_ALLOWANCE + OUTPUT_FACTOR * r->total_in);
    if (to == SERVER && r->refused) {
        return;
    }
    buf_add_format(&r->trace, "%c%zu:", to == CLIENT ? 'c' : 's', len);
    buf_add(&r->trace, bytes, len);
    if (to == SERVER && len != 0) {
        fake_server_take(&r->server, bytes, len);
    }
}

/* What the session wants done; an end counts once its last outputs have been taken. */
static bool take_actions(struct run *r)
{
    struct action action;
    bool ends = false;
    while (session_next_action(r->s, &action)) {
        if (action.kind == ACTION_REPORT) {
            r->refused |= strcmp(action.report.event, "refused") == 0;
            continue;
        }
        bool of_a_cancel = action.kind == ACTION_CANCEL_DONE ||
                           action.kind == ACTION_CANCEL_SENT_DONE ||
                           action.kind == ACTION_CANCEL_SERVER;
        require(!r->ended || action.kind == ACTION_ABORT || of_a_cancel);
        r->cancelling |= action.kind == ACTION_CANCEL_SERVER;
        ends = ends || action.kind == ACTION_CLOSE || action.kind == ACTION_ABORT;
        buf_add_format(&r->trace, "a%d.%d %s\n", (int)action.kind, (int)action.side,
                       action.num_families != 0 ? action.families[0] : "");
    }
    return ends;
}

static void after_operation(struct run *r)
{
    bool ends = take_actions(r);
    require(!r->must_not_send || !session_is_replacing(r->s) ||
            output_pending(session_output(r->s, SERVER)) == 0);
    r->must_not_send = r->cancelling;
    take_output(r, CLIENT);
    take_output(r, SERVER);
    r->ended = r->ended || ends;
    require(r->ended || !r->server_lost);
    buf_add_format(&r->trace, "d%d%d%d\n", session_deadline(r->s) > r->now.mono_ms,
                   session_wants_read(r->s, CLIENT), session_is_replacing(r->s));
}

static void feed(struct run *r, enum side from, const uint8_t *bytes, size_t len)
{
    if (!r->ended) {
        buf_add(&r->in[from], bytes, len);
        r->total_in += len;
    }
    for (size_t at = 0, part = 0; at < len; at += part) {
        part = r->piece != 0 && r->piece < len - at ? r->piece : len - at;
        uint8_t *exact = malloc(part);
        memcpy(exact, bytes + at, part);
        session_feed(r->s, from, exact, part, r->now);
        session_settle(r->s);
        free(exact);
    }
}

static void feed_line(struct run *r, enum side from, const char *line)
{
    struct buf bytes = {0};
    require(message_parse(line, from, &bytes));
    feed(r, from, buf_bytes(&bytes), buf_len(&bytes));
    buf_cleanup(&bytes);
}

static void feed_raw(struct run *r, enum side from, struct program *p)
{
    size_t len = next_byte(p);
    len = len < p->left ? len : p->left;
    feed(r, from, p->at, len);
    p->at += len;
    p->left -= len;
}

/* The fake server's answers, all or a part of their bytes. */
static void feed_answers(struct run *r, uint8_t part)
{
    size_t len = buf_len(&r->server.out);
    len = part != 0 && part < len ? part : len;
    uint8_t *bytes = malloc(len + 1);
    memcpy(bytes, buf_bytes(&r->server.out), len);
    buf_consume(&r->server.out, len);
    feed(r, SERVER, bytes, len);
    free(bytes);
}

static void send_event(struct run *r, enum session_event_kind kind, enum side side)
{
    struct session_event event = {.kind = kind, .side = side, .reason = "why"};
    r->relaying = false;
    if (event.kind == EVENT_CANCEL_DONE) {
        r->cancelling = false;
        r->must_not_send = false;
    }
    bool is_end = event.kind == EVENT_EOF || event.kind == EVENT_BROKEN;
    r->server_lost = r->server_lost || (is_end && event.side == SERVER);
    session_event(r->s, &event, r->now);
}

static void operate(struct run *r, struct program *p)
{
    uint8_t operation = next_byte(p);
    switch (operation % 8) {
    case 0:
        feed_raw(r, CLIENT, p);
        break;
    case 1:
        feed_raw(r, SERVER, p);
        break;
    case 2:
        feed_line(r, CLIENT, sayings[operation / 8 % NUM_LINES]);
        break;
    case 3:
        feed_line(r, SERVER, answers[operation / 8 % NUM_LINES]);
        break;
    case 4: {
        uint8_t what = next_byte(p);
        send_event(r, events[(what & 0x7f) % NUM_EVENTS], (what & 0x80) != 0 ? SERVER : CLIENT);
        break;
    }
    case 5:
        r->now.mono_ms += (uint64_t)operation * 50;
        send_event(r, EVENT_DEADLINE, CLIENT);
        break;
    default:
        feed_answers(r, operation / 8);
        break;
    }
    after_operation(r);
}

/* Does a BackendKeyData begin in these messages? It is the one kind that is not passed on. */
static bool holds_key(const struct buf *in)
{
    const uint8_t *at = buf_bytes(in);
    size_t left = buf_len(in);
    struct wire_header header = {0};
    bool found = false;
    while (!found && wire_decode_header(at, left, &header) == WIRE_OK) {
        size_t len = WIRE_HEADER_LEN + (size_t)header.body_len;
        found = header.tag == SERVER_BACKEND_KEY_DATA;
        at += len < left ? len : left;
        left -= len < left ? len : left;
    }
    return found;
}

/* Everything but the tail of a message that is looked at whole has come out, unchanged. */
static void check_relayed(struct run *r, enum side from)
{
    static const char *const looked_at[] = {[CLIENT] = "QPBDECSHX", [SERVER] = "RSZ"};
    const struct buf *in = &r->in[from];
    const struct buf *out = &r->out[from == CLIENT ? SERVER : CLIENT];
    size_t len = buf_len(out);
    require(len <= buf_len(in) && memcmp(buf_bytes(in), buf_bytes(out), len) == 0);
    const uint8_t *held = buf_bytes(in) + len;
    size_t held_len = buf_len(in) - len;
    if (held_len >= 5) {
        size_t body =
            (size_t)held[1] << 24 | (size_t)held[2] << 16 | (size_t)held[3] << 8 | held[4];
        require(strchr(looked_at[from], held[0]) != NULL && held_len < body + 1);
    }
}

static void log_in(struct run *r)
{
    feed_line(r, CLIENT, sayings[0]);
    after_operation(r);
    send_event(r, EVENT_CONNECTED, CLIENT);
    after_operation(r);
    feed_answers(r, 0);
    after_operation(r);
    for (int side = 0; side < NUM_SIDES; side++) {
        buf_cleanup(&r->in[side]);
        buf_cleanup(&r->out[side]);
    }
    r->relaying = (r->flags & FLAG_POSTGRES) != 0;
}

static void run_program(struct run *r, struct program p, size_t piece)
{
    struct session_config config = {.nonce_seed = "sixteen of bytes"};
    *r = (struct run){.piece = piece, .now = {.mono_ms = 1000, .unix_us = 1000000}};
    r->flags = next_byte(&p);
    (void)next_byte(&p); /* the size of the pieces */
    config.settings.values[SETTING_BUILD] =
        (r->flags & FLAG_FOREGROUND) != 0 ? REPLACE_BUILD_FOREGROUND : REPLACE_BUILD_BACKGROUND;
    fake_server_init(&r->server);
    r->server.is_postgres = (r->flags & FLAG_POSTGRES) != 0;
    r->server.knows_the_statement = (r->flags & FLAG_KNOWS) != 0;
    r->server.gives_key = (r->flags & FLAG_KEY) != 0;
    r->server.view_id = (r->flags & FLAG_NO_VIEW) != 0 ? 0 : r->server.view_id;
    r->s = session_new(&config, r->now);
    require(r->s != NULL);
    if ((r->flags & FLAG_LOGGED_IN) != 0) {
        log_in(r);
    }
    while (p.left > 0) {
        operate(r, &p);
        r->relaying = r->relaying && !holds_key(&r->in[SERVER]);
        if (r->relaying && !r->ended) {
            check_relayed(r, CLIENT);
            check_relayed(r, SERVER);
        }
    }
}

static void clean_up(struct run *r)
{
    session_free(r->s);
    fake_server_cleanup(&r->server);
    for (int side = 0; side < NUM_SIDES; side++) {
        buf_cleanup(&r->in[side]);
        buf_cleanup(&r->out[side]);
    }
    buf_cleanup(&r->trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole;
    struct run cut;
    struct program p = {.at = data, .left = size};
    run_program(&whole, p, 0);
    run_program(&cut, p, size > 1 ? 1 + data[1] % 32 : 1);
    size_t len = buf_len(&whole.trace);
    require(buf_len(&cut.trace) == len &&
            memcmp(buf_bytes(&whole.trace), buf_bytes(&cut.trace), len) == 0);
    clean_up(&whole);
    clean_up(&cut);
    return 0;
}
