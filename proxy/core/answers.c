/*
 * answers: what the client and the log are told of a replacement: notices as they come, one answer
 * at the end. Must not know: how the replacement goes on.
 */
#include "session_internal.h"

#include <stdio.h>
#include <string.h>

static struct wire_report report_of(const struct replace_notice *notice)
{
    return (struct wire_report){.severity = notice->severity,
                                .sqlstate = notice->sqlstate,
                                .message = notice->message,
                                .detail = notice->detail,
                                .hint = notice->hint};
}

void answer_notices(struct session *s)
{
    struct replace_notice notice;
    while (replace_next_notice(s->talk.engine, &notice)) {
        if (!s->client_left) {
            struct wire_report report = report_of(&notice);
            wire_add_notice_response(output_kept(&s->out[CLIENT]), &report);
        }
        if (strcmp(notice.severity, "WARNING") == 0) {
            session_log(s, REPORT_WARNING, conversation_event(&s->talk), notice.message);
        }
    }
}

void answer_log_step(struct session *s)
{
    const char *step = replace_step_name(s->talk.engine);
    if (s->talk.step == NULL || strcmp(step, s->talk.step) != 0) {
        s->talk.step = step;
        session_log(s, REPORT_INFO, "step", step);
    }
}

/* A portal's rows have been described by then. */
static void answer_plan(const struct session *s, const struct replace_outcome *outcome,
                        struct buf *out)
{
    if (s->bracket.tag == CLIENT_QUERY) {
        wire_add_row_description(out, (const char *const[]){"QUERY PLAN"}, 1);
    }
    for (size_t i = 0; i < outcome->num_plan; i++) {
        wire_add_data_row(out, &outcome->plan[i], 1);
    }
    wire_add_command_complete(out, "EXPLAIN");
}

static void answer_not_ours(const struct session *s, struct buf *out)
{
    const struct buf *refusal = &s->bracket.refusal;
    if (buf_len(refusal) != 0) {
        wire_add_message(out, SERVER_ERROR_RESPONSE, buf_bytes(refusal), buf_len(refusal));
        return;
    }
    /* The portal of an EXPLAIN: the server has not seen it, and would refuse it, too. */
    char message[96];
    (void)snprintf(message, sizeof(message), "unsupported statement for EXPLAIN: %s",
                   candidate_words(bracket_candidate(&s->bracket)));
    wire_add_error_response(
        out, &(struct wire_report){.severity = "ERROR", .sqlstate = "0A000", .message = message});
}

void answer_outcome(struct session *s, const struct replace_outcome *outcome)
{
    struct buf *out = output_kept(&s->out[CLIENT]);
    struct wire_report report = report_of(&outcome->error);
    switch (outcome->kind) {
    case REPLACE_SUCCEEDED:
        wire_add_command_complete(out, outcome->tag);
        break;
    case REPLACE_PLANNED:
        answer_plan(s, outcome, out);
        break;
    case REPLACE_NOT_OURS:
        answer_not_ours(s, out);
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

void answer_ready(struct session *s)
{
    if (s->bracket.tag != CLIENT_QUERY) {
        return;
    }
    wire_add_ready_for_query(output_kept(&s->out[CLIENT]), s->status);
    session_count_answer(s);
}

void answer_log_outcome(struct session *s, const struct replace_outcome *outcome)
{
    switch (outcome->kind) {
    case REPLACE_SUCCEEDED:
    case REPLACE_PLANNED:
        session_log(s, REPORT_INFO, conversation_event(&s->talk), "succeeded");
        break;
    case REPLACE_NOT_OURS:
        session_log(s, REPORT_INFO, conversation_event(&s->talk), "left to the server");
        break;
    case REPLACE_FAILED_BY_SERVER:
        /* The server's text may quote the statement: it stays out of the log. */
        session_log(s, REPORT_WARNING, conversation_event(&s->talk), "failed: error of the server");
        break;
    case REPLACE_FAILED:
    case REPLACE_PENDING:
        session_log(s, REPORT_WARNING, conversation_event(&s->talk), outcome->error.message);
        break;
    }
}
