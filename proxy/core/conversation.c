/*
 * conversation: drives the replacement engine over the client's own server connection, and tells
 * the client how it went. Knows the engine by replace.h only.
 */
#include "session_internal.h"

#include "hints.h"
#include "limits.h"

#include <string.h>

enum { CANCEL_AGAIN_MS = 1000 };

static void drive(struct session *s);

void conversation_cleanup(struct conversation *t)
{
    replace_free(t->engine);
    t->engine = NULL;
    result_rows_reset(&t->rows);
    buf_cleanup(&t->error);
    t->wait = ENGINE_IDLE;
    t->cancellable = false;
    t->lost = false;
    t->cancel_again_ms = MOMENT_NEVER;
    t->step = NULL;
}

static void finish(struct session *s)
{
    const struct replace_outcome *outcome = replace_outcome(s->talk.engine);
    bool lost = outcome->server_lost || s->talk.lost;
    bool succeeded = outcome->kind == REPLACE_SUCCEEDED || outcome->kind == REPLACE_PLANNED;
    answer_log_outcome(s, outcome);
    if (!s->client_left) {
        answer_outcome(s, outcome);
    }
    shares_end(s);
    conversation_cleanup(&s->talk);
    if (lost || s->client_left) {
        session_close(s, lost ? "server connection lost" : "client left");
        return;
    }
    if (s->shut_down) {
        answer_ready(s);
        session_fail_for_shutdown(s);
        return;
    }
    s->deadline = MOMENT_NEVER;
    /* An error stops the rest, as it does on the server: of a Query here, of a series up to its
     * Sync. */
    bool is_query = s->bracket.tag == CLIENT_QUERY;
    session_enter(s, succeeded || is_query ? SESSION_RELAY : SESSION_SKIPPING);
    if (!succeeded || !bracket_send_rest(s)) {
        answer_ready(s);
        bracket_cleanup(&s->bracket);
        batch_cleanup(&s->batch);
    }
    if (s->state != SESSION_BRACKET) {
        resume_client(s);
    }
}

/*
 * Sends a statement with the client's own parameters, under names of ours. The statement stays on
 * the server until the session ends: closing it would close the client's unnamed portal
 * (risingwave.md 13). A nonce marks the end: ReadyForQuery messages are never counted.
 */
static void send_with_parameters(struct session *s, const char *sql)
{
    struct conversation *t = &s->talk;
    const struct prepared_portal *portal = s->bracket.portal;
    struct buf *out = output_kept(&s->out[SERVER]);
    char name[NONCE_LEN + 1];
    make_nonce(s, name);
    make_nonce(s, t->nonce);
    t->end = END_BY_NONCE;
    size_t start = wire_begin_message(out, CLIENT_PARSE);
    wire_add_text(out, name);
    wire_add_text(out, sql);
    buf_add(out, portal->statement->types, portal->statement->types_len);
    wire_end_message(out, start);
    start = wire_begin_message(out, CLIENT_BIND);
    wire_add_text(out, name);
    wire_add_text(out, name);
    buf_add(out, portal->values, portal->values_len);
    wire_end_message(out, start);
    start = wire_begin_message(out, CLIENT_EXECUTE);
    wire_add_text(out, name);
    buf_add_u32(out, 0);
    wire_end_message(out, start);
    wire_add_sync(out);
    start = wire_begin_message(out, CLIENT_CLOSE);
    buf_add_byte(out, 'P');
    wire_add_text(out, name);
    wire_end_message(out, start);
    wire_add_query(out, t->nonce);
}

static void send(struct session *s, const struct replace_request *request)
{
    struct conversation *t = &s->talk;
    result_rows_reset(&t->rows);
    buf_cleanup(&t->error);
    t->got_error = false;
    t->notices_to_client = request->notices_to_client;
    t->cancellable = request->cancellable;
    t->cancel_again_ms = MOMENT_NEVER;
    t->wait = ENGINE_WAITS_RESULT;
    t->end = END_BY_READY;
    if (request->with_parameters && s->bracket.portal != NULL) {
        send_with_parameters(s, request->sql);
    } else {
        wire_add_query(output_kept(&s->out[SERVER]), request->sql);
    }
}

/* Gives the engine what it asked for, or what can be told at once. True when it can go on. */
static bool grant(struct session *s, const struct replace_request *request)
{
    struct conversation *t = &s->talk;
    switch (request->kind) {
    case REPLACE_RUN:
        send(s, request);
        return false;
    case REPLACE_WAIT:
        t->wake_ms = request->until_ms;
        t->wait = ENGINE_WAITS_TIME;
        if (t->wake_ms > s->now.mono_ms) {
            return false;
        }
        replace_result(t->engine, &(struct replace_result){.kind = REPLACE_WAITED}, s->now);
        return true;
    case REPLACE_LOCK:
        shares_ask_lock(s, request);
        return false;
    case REPLACE_SLOT:
        shares_ask_slot(s);
        return false;
    case REPLACE_READERS:
        shares_ask_readers(s, request);
        return false;
    case REPLACE_END_SLOT:
        shares_end_slot(s);
        replace_result(t->engine, &(struct replace_result){.kind = REPLACE_OK}, s->now);
        return true;
    case REPLACE_DONE:
        break;
    }
    finish(s);
    return false;
}

static void drive(struct session *s)
{
    struct replace_request request;
    bool more = true;
    while (more) {
        answer_notices(s);
        if (s->talk.wait == ENGINE_IDLE && s->cancel_way != CANCEL_NONE && !s->eof[SERVER]) {
            s->talk.wait = ENGINE_WAITS_CANCEL;
            return;
        }
        more = replace_next(s->talk.engine, &request);
        shares_publish_moved(s);
        if (more) {
            answer_log_step(s);
            answer_notices(s);
            shares_stop_waiting(s);
            s->talk.wait = ENGINE_IDLE;
            more = grant(s, &request);
        }
    }
}

static void not_begun(struct session *s, const struct settings_problem *problem)
{
    bool is_query = s->bracket.tag == CLIENT_QUERY;
    wire_add_error_response(
        output_kept(&s->out[CLIENT]),
        &(struct wire_report){.severity = "ERROR",
                              .sqlstate = problem->sqlstate,
                              .message = problem->message,
                              .hint = problem->hint[0] != 0 ? problem->hint : NULL});
    answer_ready(s);
    bracket_cleanup(&s->bracket);
    batch_cleanup(&s->batch);
    session_enter(s, is_query ? SESSION_RELAY : SESSION_SKIPPING);
    resume_client(s);
}

const char *conversation_event(const struct conversation *t)
{
    return t->plans ? "plan" : "replace";
}

void conversation_begin(struct session *s)
{
    struct conversation *t = &s->talk;
    t->started = s->now;
    t->cancel_again_ms = MOMENT_NEVER;
    const struct prepared_portal *portal = s->bracket.portal;
    const struct candidate *candidate = bracket_candidate(&s->bracket);
    const char *text =
        portal != NULL ? portal->statement->text : (const char *)buf_bytes(&s->bracket.body);
    struct replace_settings settings = {0};
    struct settings_problem problem = {.sqlstate = "53200", .message = "out of memory"};
    t->plans = candidate->explained;
    if (settings_copy(&s->settings, &settings) &&
        hints_read(text + candidate->start, candidate->end - candidate->start, &settings,
                   &problem) == HINTS_READ) {
        t->engine = replace_new(text + candidate->create, candidate->end - candidate->create,
                                &settings, t->plans ? REPLACE_PLAN : REPLACE_CARRY_OUT, s->now);
    }
    settings_cleanup(&settings);
    if (t->engine == NULL) {
        not_begun(s, &problem);
        return;
    }
    session_log(s, REPORT_INFO, conversation_event(t), "begins");
    drive(s);
}

/* The engine's statement has been answered. */
static void result_came(struct session *s)
{
    struct conversation *t = &s->talk;
    struct buf large = {0};
    struct replace_result result = {.kind = REPLACE_OK};
    if (!t->got_error && !result_rows_cells(&t->rows)) {
        wire_add_error_response(
            &large, &(struct wire_report){.severity = "ERROR",
                                          .sqlstate = "54000",
                                          .message = "an answer of the catalog is too large"});
        buf_consume(&large, WIRE_HEADER_LEN);
        buf_swap(&large, &t->error);
        t->got_error = true;
    }
    buf_cleanup(&large);
    if (buf_failed(&t->error)) {
        /* An error must never look like success: without memory for it the session ends. */
        conversation_lost(s);
        return;
    }
    if (t->got_error) {
        struct wire_error error = wire_read_error(buf_bytes(&t->error), buf_len(&t->error));
        result.kind = REPLACE_ERROR;
        result.error = (struct replace_server_error){.sqlstate = error.sqlstate,
                                                     .message = error.message,
                                                     .raw = buf_bytes(&t->error),
                                                     .raw_len = buf_len(&t->error)};
    } else {
        result.num_rows = t->rows.num_rows;
        result.num_columns = t->rows.num_columns;
        result.cells = t->rows.cells;
        result.tag = result_rows_tag(&t->rows);
    }
    t->wait = ENGINE_IDLE;
    t->cancel_again_ms = MOMENT_NEVER;
    replace_result(t->engine, &result, s->now);
    drive(s);
}

/* The word behind a series, quoted, marks its end; another error is the answer. */
static void error_came(struct conversation *t, const uint8_t *body, size_t len)
{
    if (t->end == END_BY_NONCE && strstr(wire_read_error(body, len).message, t->nonce) != NULL) {
        t->end = END_NONCE_CAME;
        return;
    }
    t->got_error = true;
    buf_truncate(&t->error, 0);
    buf_add(&t->error, body, len);
}

void conversation_message(struct session *s, const struct wire_header *header, const uint8_t *whole,
                          bool lasting)
{
    struct conversation *t = &s->talk;
    const uint8_t *body = whole + WIRE_HEADER_LEN;
    size_t whole_len = WIRE_HEADER_LEN + (size_t)header->body_len;
    switch (header->tag) {
    case SERVER_ROW_DESCRIPTION:
        result_rows_description(&t->rows, body, header->body_len);
        break;
    case SERVER_DATA_ROW:
        result_rows_row(&t->rows, body, header->body_len);
        break;
    case SERVER_COMMAND_COMPLETE:
        result_rows_complete(&t->rows, body, header->body_len);
        break;
    case SERVER_ERROR_RESPONSE:
        error_came(t, body, header->body_len);
        break;
    case SERVER_PARSE_COMPLETE:
    case SERVER_BIND_COMPLETE:
    case SERVER_CLOSE_COMPLETE:
        t->rows.bad |= t->end == END_BY_READY;
        break;
    case SERVER_NOTICE_RESPONSE:
        if (t->notices_to_client) {
            session_relay(s, CLIENT, whole, whole_len, lasting);
        }
        break;
    case SERVER_PARAMETER_STATUS:
        note_parameter(s, body, header->body_len);
        session_relay(s, CLIENT, whole, whole_len, lasting);
        break;
    case SERVER_NOTIFICATION_RESPONSE:
        session_relay(s, CLIENT, whole, whole_len, lasting);
        break;
    case SERVER_READY_FOR_QUERY:
        if (header->body_len == 1) {
            session_set_status(s, body[0]);
        }
        if (t->wait == ENGINE_WAITS_RESULT && t->end != END_BY_NONCE) {
            result_came(s);
        }
        break;
    default:
        /* Nothing else answers what we send. */
        t->rows.bad = true;
        break;
    }
}

void conversation_go_on(struct session *s, const struct replace_result *result)
{
    s->talk.wait = ENGINE_IDLE;
    replace_result(s->talk.engine, result, s->now);
    drive(s);
}

/* A cancel may come to the server before the statement that it is meant for. */
static void cancel_again_if_needed(struct session *s)
{
    struct conversation *t = &s->talk;
    if (t->cancel_again_ms != MOMENT_NEVER && s->now.mono_ms >= t->cancel_again_ms) {
        t->cancel_again_ms = MOMENT_NEVER;
        if (t->wait == ENGINE_WAITS_RESULT && t->cancellable) {
            (void)cancel_on_server(s);
        }
    }
}

/* The statement that runs on the server is cancelled there if it may be; else undo begins when it
 * ends, and the client is told what it waits for. */
static void interrupt(struct session *s)
{
    const struct conversation *t = &s->talk;
    if (t->wait != ENGINE_WAITS_RESULT || !t->cancellable || cancel_on_server(s) ||
        s->client_left) {
        return;
    }
    wire_add_notice_response(
        output_kept(&s->out[CLIENT]),
        &(struct wire_report){
            .severity = "NOTICE",
            .sqlstate = "00000",
            .message = "The server gave no cancel key for this session: the statement ends"
                       " when the server has finished it."});
}

void conversation_deadline(struct session *s)
{
    cancel_again_if_needed(s);
    if (s->now.mono_ms >= replace_due(s->talk.engine)) {
        if (replace_tick(s->talk.engine, s->now)) {
            interrupt(s);
        }
        answer_notices(s);
    }
    if (s->talk.wait == ENGINE_WAITS_TIME && s->now.mono_ms >= s->talk.wake_ms) {
        s->talk.wait = ENGINE_IDLE;
        replace_result(s->talk.engine, &(struct replace_result){.kind = REPLACE_WAITED}, s->now);
        drive(s);
    }
}

uint64_t conversation_wake_ms(const struct session *s)
{
    const struct conversation *t = &s->talk;
    uint64_t wake = t->wait == ENGINE_WAITS_TIME ? t->wake_ms : MOMENT_NEVER;
    uint64_t due = replace_due(t->engine);
    wake = wake < due ? wake : due;
    return wake < t->cancel_again_ms ? wake : t->cancel_again_ms;
}

void conversation_cancel(struct session *s, enum replace_reason why)
{
    replace_cancel(s->talk.engine, why, s->now);
    interrupt(s);
    if (s->talk.wait != ENGINE_WAITS_CANCEL) {
        drive(s);
    }
}

void conversation_client_gone(struct session *s)
{
    s->client_left = true;
    /* Nobody reads the plan. */
    if (s->talk.plans || !replace_outlives_client(s->talk.engine)) {
        conversation_cancel(s, REPLACE_CLIENT_GONE);
    }
}

void conversation_cancel_done(struct session *s)
{
    struct conversation *t = &s->talk;
    if (t->wait == ENGINE_WAITS_CANCEL) {
        t->wait = ENGINE_IDLE;
        drive(s);
    } else if (t->wait == ENGINE_WAITS_RESULT && t->cancellable) {
        t->cancel_again_ms = s->now.mono_ms + CANCEL_AGAIN_MS;
    }
}

void conversation_lost(struct session *s)
{
    struct replace_request request;
    /* The engine hears of it in place of the result that it waits for, or has ended already. */
    s->talk.lost = true;
    (void)replace_next(s->talk.engine, &request);
    replace_result(s->talk.engine, &(struct replace_result){.kind = REPLACE_LOST}, s->now);
    drive(s);
}
