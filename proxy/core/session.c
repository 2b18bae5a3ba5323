/*
 * session: life and death of a session: its states, its actions, the ways it ends. What events do
 * is in events.c, what comes first in first_packets.c, what single messages do in from_client.c and
 * from_server.c. See session.h.
 */
#include "session_internal.h"

#include "limits.h"
#include "mem.h"

#include <string.h>

/* clang-format off */
static const bool may_enter[SESSION_STATE_COUNT][SESSION_STATE_COUNT] = {
    [SESSION_STARTUP]    = {[SESSION_CONNECTING] = true, [SESSION_CANCELLING] = true, [SESSION_CLOSING] = true},
    [SESSION_CONNECTING] = {[SESSION_LOGIN] = true, [SESSION_CLOSING] = true},
    [SESSION_CANCELLING] = {[SESSION_CLOSING] = true},
    [SESSION_LOGIN]      = {[SESSION_RELAY] = true, [SESSION_CLOSING] = true},
    [SESSION_RELAY]      = {[SESSION_BRACKET] = true, [SESSION_CLOSING] = true},
    [SESSION_BRACKET]    = {[SESSION_RELAY] = true, [SESSION_REPLACING] = true, [SESSION_SKIPPING] = true, [SESSION_CLOSING] = true},
    [SESSION_REPLACING]  = {[SESSION_RELAY] = true, [SESSION_SKIPPING] = true, [SESSION_CLOSING] = true},
    [SESSION_SKIPPING]   = {[SESSION_RELAY] = true, [SESSION_CLOSING] = true},
    [SESSION_CLOSING]    = {[SESSION_CLOSING] = true},
};
/* clang-format on */

void session_enter(struct session *s, enum session_state state)
{
    if (!may_enter[s->state][state]) {
        /* A mistake of ours ends this session, not the process. */
        session_log(s, REPORT_ERROR, "session", "internal error: illegal state");
        s->state = SESSION_CLOSING;
        session_act(s, ACTION_ABORT, CLIENT);
        return;
    }
    s->state = state;
}

void session_act(struct session *s, enum action_kind kind, enum side side)
{
    if (s->num_actions < MAX_ACTIONS) {
        s->actions[s->num_actions++] = (struct queued_action){.kind = kind, .side = side};
    }
}

void session_log(struct session *s, enum report_level level, const char *event, const char *detail)
{
    /* A line that finds no memory is not written: never needed for correctness. */
    struct queued_report *queued = s->num_reports < MAX_REPORTS ? mem_new(sizeof(*queued)) : NULL;
    if (queued == NULL) {
        return;
    }
    struct session_report *report = &queued->report;
    report->level = level;
    report->event = event;
    (void)strncpy(report->detail, detail, sizeof(report->detail) - 1);
    if (s->talk.engine != NULL) {
        (void)strncpy(report->id, replace_id(s->talk.engine), sizeof(report->id) - 1);
        (void)strncpy(report->view, replace_view_name(s->talk.engine), sizeof(report->view) - 1);
        report->elapsed_ms = s->now.mono_ms - s->talk.started.mono_ms;
    }
    struct queued_report **end = &s->reports;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = queued;
    s->num_reports++;
}

static bool next_report(struct session *s, struct action *out_action)
{
    struct queued_report *first = s->reports;
    if (first == NULL) {
        return false;
    }
    *out_action = (struct action){.kind = ACTION_REPORT, .report = first->report};
    s->reports = first->next;
    s->num_reports--;
    mem_free(first);
    return true;
}

bool session_next_action(struct session *s, struct action *out_action)
{
    shares_take_back(s);
    /* Reports first: an action may end everything. */
    if (next_report(s, out_action)) {
        return true;
    }
    if (s->num_actions == 0) {
        return false;
    }
    *out_action = (struct action){.kind = s->actions[0].kind, .side = s->actions[0].side};
    s->num_actions--;
    memmove(s->actions, s->actions + 1, s->num_actions * sizeof(s->actions[0]));
    if (out_action->kind == ACTION_LOCK || out_action->kind == ACTION_UNLOCK) {
        out_action->families = s->families;
        out_action->num_families = s->num_families;
    } else if (out_action->kind == ACTION_REMEMBER) {
        shares_hand_out(s, out_action);
    } else if (out_action->kind == ACTION_COUNT_READERS) {
        out_action->from_ms = s->readers_from;
        out_action->before_ms = s->readers_before;
    } else if (out_action->kind == ACTION_MOVED) {
        shares_hand_out_moved(s, out_action);
    } else if (out_action->kind == ACTION_CANCEL) {
        out_action->key = s->requested_key;
    } else if (out_action->kind == ACTION_CANCEL_SERVER) {
        out_action->key = s->server_key;
    }
    return true;
}

struct session *session_new(const struct session_config *config, struct moment now)
{
    struct session *s = mem_new(sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->config = *config;
    s->config.settings = (struct replace_settings){0};
    s->now = now;
    s->status = 'I';
    s->reads_since = MOMENT_NEVER;
    s->bracket.waiting_ready = -1;
    s->deadline = now.mono_ms + LIMIT_LOGIN_MS;
    buf_init(&s->startup, LIMIT_STARTUP_PACKET + LIMIT_CHUNK);
    for (int side = 0; side < NUM_SIDES; side++) {
        output_init(&s->out[side]);
    }
    walk_init(&s->walk[CLIENT], LIMIT_HELD);
    walk_init(&s->walk[SERVER], LIMIT_RESULT);
    /* Until the server is there the client's messages are held. */
    walk_stop(&s->walk[CLIENT]);
    if (!settings_copy(&config->settings, &s->config.settings) ||
        !settings_copy(&config->settings, &s->settings)) {
        session_free(s);
        return NULL;
    }
    return s;
}

void session_free(struct session *s)
{
    if (s == NULL) {
        return;
    }
    for (int side = 0; side < NUM_SIDES; side++) {
        output_cleanup(&s->out[side]);
        walk_cleanup(&s->walk[side]);
    }
    buf_cleanup(&s->startup);
    mem_free(s->families);
    bracket_cleanup(&s->bracket);
    batch_cleanup(&s->batch);
    prepared_cleanup(&s->prepared);
    parsed_cleanup(&s->parsed);
    buf_cleanup(&s->moved);
    buf_cleanup(&s->moved_out);
    buf_cleanup(&s->moved_given);
    follow_cleanup(&s->follow);
    own_forget(s);
    shares_cleanup(s);
    conversation_cleanup(&s->talk);
    struct action ignored;
    while (next_report(s, &ignored)) {
        /* nobody will write it */
    }
    mem_free(s);
}

void session_relay(struct session *s, enum side to, const uint8_t *bytes, size_t len, bool lasting)
{
    if (to == CLIENT && s->client_left) {
        return;
    }
    output_relay(&s->out[to], bytes, len, lasting);
}

void session_close(struct session *s, const char *reason)
{
    if (s->state == SESSION_CLOSING) {
        return;
    }
    /* The protocol has no Terminate before the login is done. */
    bool logged_in = s->state >= SESSION_RELAY;
    session_log(s, REPORT_DEBUG, "session", reason);
    session_enter(s, SESSION_CLOSING);
    /* RisingWave keeps a session that ends without Terminate as long as the socket lives. */
    if (logged_in && !s->eof[SERVER] && !s->end_passed_on && walk_at_boundary(&s->walk[CLIENT])) {
        wire_add_terminate(output_kept(&s->out[SERVER]));
    }
    s->deadline = s->now.mono_ms + LIMIT_CLOSING_MS;
    session_act(s, ACTION_CLOSE, CLIENT);
}

void session_fail(struct session *s, const char *sqlstate, const char *message, const char *detail)
{
    if (s->state == SESSION_CLOSING) {
        return;
    }
    /* Never inside a message that the client has in part. */
    if (!s->client_left && walk_at_boundary(&s->walk[SERVER])) {
        wire_add_error_response(
            output_kept(&s->out[CLIENT]),
            &(struct wire_report){
                .severity = "FATAL", .sqlstate = sqlstate, .message = message, .detail = detail});
    }
    session_close(s, message);
}

void session_fail_for_shutdown(struct session *s)
{
    session_fail(s, "57P01", "terminating connection due to administrator command",
                 "The proxy is shutting down.");
}

void session_set_status(struct session *s, uint8_t status)
{
    if (status == 'I') {
        s->reads_since = MOMENT_NEVER;
        own_end_transaction(s);
    } else if (s->reads_since == MOMENT_NEVER) {
        s->reads_since = s->busy_since;
    }
    s->status = status;
}

uint64_t session_reads_since(const struct session *s)
{
    return s->kind == SERVER_MAYBE_RISINGWAVE && s->state != SESSION_CLOSING ? s->reads_since
                                                                             : MOMENT_NEVER;
}

void session_count_answer(struct session *s)
{
    /* RisingWave sends some ReadyForQuery too many: they must not make a busy session look idle. */
    if (s->answered < s->asked) {
        s->answered++;
    }
}

void session_count_skipped(struct session *s, size_t num)
{
    s->asked -= num < s->asked - s->answered ? num : s->asked - s->answered;
}

void session_all_answered_but(struct session *s, size_t num)
{
    s->answered = s->asked - (num < s->asked ? num : s->asked);
}

static bool is_idle(const struct session *s)
{
    return s->state == SESSION_RELAY && s->ready_seen && s->answered >= s->asked && !s->unsynced &&
           walk_at_boundary(&s->walk[CLIENT]) && walk_at_boundary(&s->walk[SERVER]) &&
           buf_len(&s->walk[CLIENT].held) == 0;
}

void session_end_if_idle(struct session *s)
{
    if (!is_idle(s)) {
        return;
    }
    if (s->eof[CLIENT]) {
        uint64_t due = s->now.mono_ms + LIMIT_HALF_CLOSED_IDLE_MS;
        s->deadline = due < s->deadline ? due : s->deadline;
    }
    /* A transaction that is open goes on until it ends, or until time is up. */
    if (s->draining && s->status == 'I') {
        session_fail_for_shutdown(s);
    }
}

void session_check_buffers(struct session *s)
{
    if (s->state == SESSION_REPLACING && output_failed(&s->out[CLIENT])) {
        /* A client that reads nothing, or no memory for its notices: undo as if it had left. */
        output_cleanup(&s->out[CLIENT]);
        conversation_client_gone(s);
    }
    bool failed =
        buf_failed(&s->startup) || output_failed(&s->out[CLIENT]) || output_failed(&s->out[SERVER]);
    if (failed && s->state != SESSION_CLOSING) {
        session_log(s, REPORT_ERROR, "session", "out of memory, or a buffer over its limit");
        session_enter(s, SESSION_CLOSING);
        session_act(s, ACTION_ABORT, CLIENT);
    }
}

void session_feed(struct session *s, enum side from, const uint8_t *in, size_t in_len,
                  struct moment now)
{
    s->now = now;
    switch (s->state) {
    case SESSION_STARTUP:
        if (from == CLIENT) {
            buf_add(&s->startup, in, in_len);
            session_read_first_packets(s);
        }
        break;
    case SESSION_CANCELLING:
    case SESSION_CLOSING:
        break;
    default:
        if (from == SERVER) {
            s->unanswered = false;
        }
        walk_feed(&s->walk[from], from == CLIENT ? &walk_from_client : &walk_from_server, s, in,
                  in_len);
        if (from == CLIENT) {
            notice_client_leaving(s);
        }
        follow_peek(s);
        break;
    }
    session_check_buffers(s);
}

struct output *session_output(struct session *s, enum side to)
{
    return &s->out[to];
}

void session_settle(struct session *s)
{
    for (int side = 0; side < NUM_SIDES; side++) {
        output_settle(&s->out[side]);
    }
    session_check_buffers(s);
}

size_t session_memory(const struct session *s)
{
    return buf_len(&s->startup) + buf_len(&s->walk[CLIENT].held) + buf_len(&s->walk[SERVER].held) +
           output_pending(&s->out[CLIENT]) + output_pending(&s->out[SERVER]) +
           buf_len(&s->bracket.body) + buf_len(&s->batch.text) + s->prepared.memory +
           s->parsed.memory + buf_len(&s->follow.shape) + buf_len(&s->follow.new_shape) +
           buf_len(&s->talk.rows.texts) + buf_len(&s->talk.error) +
           settings_memory(&s->config.settings) + settings_memory(&s->settings) +
           (s->outside != NULL ? settings_memory(s->outside) : 0);
}

size_t session_kept(const struct session *s, uint64_t *out_num_over)
{
    *out_num_over = s->parsed.num_over;
    return s->parsed.memory;
}

void session_set_kept_full(struct session *s, bool full)
{
    s->kept_full = full;
}

void session_set_pressed(struct session *s, bool pressed)
{
    s->pressed = pressed;
    /* Not the one that is being asked about or carried out. */
    if (pressed && s->state != SESSION_BRACKET && s->state != SESSION_REPLACING) {
        prepared_forget_candidates(&s->prepared);
        parsed_shed(&s->parsed);
    }
}

bool session_wants_read(const struct session *s, enum side from)
{
    enum side to = from == CLIENT ? SERVER : CLIENT;
    if (s->state == SESSION_CLOSING) {
        return true; /* swallowed: so that the peer reads our last words before a reset */
    }
    bool peeks = s->state == SESSION_BRACKET && s->bracket.stage == BRACKET_PEEKS;
    size_t held_most = s->pressed && !peeks ? 1 : LIMIT_HELD_PAUSE;
    if (from == CLIENT && s->walk[CLIENT].state == WALK_STOPPED &&
        buf_len(&s->walk[CLIENT].held) >= held_most) {
        return false;
    }
    if (from == SERVER && s->state == SESSION_REPLACING) {
        return true; /* the engine's answers are for us; its notices are few */
    }
    return output_pending(&s->out[to]) == 0;
}

uint64_t session_deadline(const struct session *s)
{
    uint64_t wake = s->state == SESSION_REPLACING ? conversation_wake_ms(s) : MOMENT_NEVER;
    return wake < s->deadline ? wake : s->deadline;
}

bool session_is_replacing(const struct session *s)
{
    return s->state == SESSION_REPLACING;
}
