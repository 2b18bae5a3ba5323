/*
 * conversation: drives the replacement engine over the client's own server connection, and tells
 * the client how it went. Knows the engine by replace.h only.
 */
#include "session_internal.h"

#include "limits.h"

#include <string.h>

static void drive(struct session *s);

void conversation_cleanup(struct conversation *t)
{
    replace_free(t->engine);
    t->engine = NULL;
    result_rows_reset(&t->rows);
    buf_cleanup(&t->error);
    t->wait = ENGINE_IDLE;
    t->step = NULL;
}

static struct wire_report report_of(const struct replace_notice *notice)
{
    return (struct wire_report){.severity = notice->severity,
                                .sqlstate = notice->sqlstate,
                                .message = notice->message,
                                .detail = notice->detail,
                                .hint = notice->hint};
}

static void pass_notices(struct session *s)
{
    struct replace_notice notice;
    while (replace_next_notice(s->talk.engine, &notice)) {
        if (!s->client_left) {
            struct wire_report report = report_of(&notice);
            wire_add_notice_response(output_kept(&s->out[CLIENT]), &report);
        }
        if (strcmp(notice.severity, "WARNING") == 0) {
            session_log(s, REPORT_WARNING, "replace", notice.message);
        }
    }
}

static void log_step(struct session *s)
{
    const char *step = replace_step_name(s->talk.engine);
    if (s->talk.step == NULL || strcmp(step, s->talk.step) != 0) {
        s->talk.step = step;
        session_log(s, REPORT_INFO, "step", step);
    }
}

/* One answer for the client's one statement. */
static void answer(struct session *s, const struct replace_outcome *outcome)
{
    struct buf *out = output_kept(&s->out[CLIENT]);
    struct wire_report report = report_of(&outcome->error);
    switch (outcome->kind) {
    case REPLACE_SUCCEEDED:
        wire_add_command_complete(out, outcome->tag);
        break;
    case REPLACE_NOT_OURS:
        wire_add_message(out, SERVER_ERROR_RESPONSE, buf_bytes(&s->bracket.refusal),
                         buf_len(&s->bracket.refusal));
        break;
    case REPLACE_FAILED_BY_SERVER:
        wire_add_message(out, SERVER_ERROR_RESPONSE, outcome->raw, outcome->raw_len);
        break;
    case REPLACE_FAILED:
    case REPLACE_PENDING:
        if (outcome->server_lost) {
            report.severity = "FATAL";
        }
        wire_add_error_response(out, &report);
        break;
    }
}

static void answer_ready(struct session *s)
{
    wire_add_ready_for_query(output_kept(&s->out[CLIENT]), s->status);
    session_count_answer(s);
}

static void log_outcome(struct session *s, const struct replace_outcome *outcome)
{
    switch (outcome->kind) {
    case REPLACE_SUCCEEDED:
        session_log(s, REPORT_INFO, "replace", "succeeded");
        break;
    case REPLACE_NOT_OURS:
        session_log(s, REPORT_INFO, "replace", "left to the server");
        break;
    case REPLACE_FAILED_BY_SERVER:
        /* The server's text may quote the statement: it stays out of the log. */
        session_log(s, REPORT_WARNING, "replace", "failed: error of the server");
        break;
    case REPLACE_FAILED:
    case REPLACE_PENDING:
        session_log(s, REPORT_WARNING, "replace", outcome->error.message);
        break;
    }
}

static void finish(struct session *s)
{
    const struct replace_outcome *outcome = replace_outcome(s->talk.engine);
    bool lost = outcome->server_lost;
    bool succeeded = outcome->kind == REPLACE_SUCCEEDED;
    log_outcome(s, outcome);
    if (!s->client_left) {
        answer(s, outcome);
    }
    if (s->lock_taken) {
        session_act(s, ACTION_UNLOCK, CLIENT);
        s->lock_taken = false;
    }
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
    session_enter(s, SESSION_RELAY);
    /* An error stops the rest, as it does on the server. */
    if (!succeeded || !bracket_send_rest(s)) {
        bracket_cleanup(&s->bracket);
        answer_ready(s);
    }
    if (s->state == SESSION_RELAY) {
        resume_client(s);
    }
}

/* Gives the engine what it asked for, or what can be told at once. True when it can go on. */
static bool grant(struct session *s, const struct replace_request *request)
{
    struct conversation *t = &s->talk;
    switch (request->kind) {
    case REPLACE_RUN:
        result_rows_reset(&t->rows);
        buf_cleanup(&t->error);
        t->got_error = false;
        t->notices_to_client = request->notices_to_client;
        t->wait = ENGINE_WAITS_RESULT;
        wire_add_query(output_kept(&s->out[SERVER]), request->sql);
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
        buf_cleanup(&s->family);
        buf_add_text(&s->family, request->family);
        if (buf_text(&s->family) == NULL) {
            /* Nothing has been made on the server before the lock. */
            session_fail(s, "53200", "out of memory", NULL);
            return false;
        }
        s->lock_taken = true;
        t->wait = ENGINE_WAITS_LOCK;
        session_act(s, ACTION_LOCK, CLIENT);
        return false;
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
        pass_notices(s);
        more = replace_next(s->talk.engine, &request);
        if (more) {
            log_step(s);
            pass_notices(s);
            s->talk.wait = ENGINE_IDLE;
            more = grant(s, &request);
        }
    }
}

void conversation_begin(struct session *s)
{
    struct conversation *t = &s->talk;
    t->started = s->now;
    const struct candidate *candidate = &s->bracket.candidate;
    t->engine = replace_new((const char *)buf_bytes(&s->bracket.text) + candidate->start,
                            candidate->end - candidate->start, &s->config.settings, s->now);
    if (t->engine == NULL) {
        struct buf *out = output_kept(&s->out[CLIENT]);
        wire_add_error_response(out, &(struct wire_report){.severity = "ERROR",
                                                           .sqlstate = "53200",
                                                           .message = "out of memory"});
        answer_ready(s);
        bracket_cleanup(&s->bracket);
        session_enter(s, SESSION_RELAY);
        resume_client(s);
        return;
    }
    session_log(s, REPORT_INFO, "replace", "begins");
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
    replace_result(t->engine, &result, s->now);
    drive(s);
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
        t->got_error = true;
        buf_truncate(&t->error, 0);
        buf_add(&t->error, body, header->body_len);
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
            s->status = body[0];
        }
        if (t->wait == ENGINE_WAITS_RESULT) {
            result_came(s);
        }
        break;
    default:
        /* Nothing else answers a simple Query of ours. */
        t->rows.bad = true;
        break;
    }
}

void conversation_locked(struct session *s)
{
    if (s->state == SESSION_REPLACING && s->talk.wait == ENGINE_WAITS_LOCK) {
        s->talk.wait = ENGINE_IDLE;
        replace_result(s->talk.engine, &(struct replace_result){.kind = REPLACE_LOCKED}, s->now);
        drive(s);
    }
}

void conversation_deadline(struct session *s)
{
    if (s->talk.wait == ENGINE_WAITS_TIME && s->now.mono_ms >= s->talk.wake_ms) {
        s->talk.wait = ENGINE_IDLE;
        replace_result(s->talk.engine, &(struct replace_result){.kind = REPLACE_WAITED}, s->now);
        drive(s);
    }
}

void conversation_cancel(struct session *s, enum replace_reason why)
{
    replace_cancel(s->talk.engine, why, s->now);
    drive(s);
}

void conversation_lost(struct session *s)
{
    struct replace_request request;
    /* The engine hears of it in place of the result that it waits for. */
    (void)replace_next(s->talk.engine, &request);
    replace_result(s->talk.engine, &(struct replace_result){.kind = REPLACE_LOST}, s->now);
    drive(s);
}

bool client_is_leaving(struct session *s)
{
    const uint8_t *held = buf_bytes(&s->walk[CLIENT].held);
    size_t len = buf_len(&s->walk[CLIENT].held);
    struct wire_header header = {0};
    while (s->peek_at < len) {
        enum wire_result got = wire_decode_header(held + s->peek_at, len - s->peek_at, &header);
        if (got == WIRE_NEED_MORE) {
            break;
        }
        if (got == WIRE_BAD || header.tag == CLIENT_TERMINATE) {
            return true; /* it leaves, or it will be shown the door: nobody waits for the answer */
        }
        s->peek_at += WIRE_HEADER_LEN + (size_t)header.body_len;
    }
    return s->eof[CLIENT];
}

void notice_client_leaving(struct session *s)
{
    if (s->state == SESSION_REPLACING && !s->client_left && client_is_leaving(s)) {
        s->client_left = true;
        conversation_cancel(s, REPLACE_CLIENT_GONE);
    }
}
