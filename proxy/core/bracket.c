/*
 * bracket: the server refuses first.
 *
 * A candidate goes to the server between two queries of one word each, which the server answers
 * with a syntax error that quotes the word: parsed, never executed, so they change nothing and
 * cannot be cancelled. Between the two errors stands the server's answer to the client's own
 * message:
 *
 *     Query(first nonce)   the client's message   Sync   Query(last nonce)
 *
 * Exactly the refusal of the candidate (refusal.h): nothing has happened on the server and the
 * statement is ours. Anything else was the answer, and passes. The first nonce never answered: the
 * server was skipping to Sync, and our Sync ended that. Nothing is predicted and no replies are
 * counted, but for one rule: the last ReadyForQuery before the last nonce is ours.
 *
 * A Query of several statements goes through it whole: the server checks the syntax of all of it,
 * runs what stands in front of the candidate, and refuses there. What stands behind is the next
 * Query.
 *
 * After an error in a series of the extended protocol our Sync has ended the server's skipping, so
 * the rest of the client's series is dropped here.
 */
#include "session_internal.h"

#include "candidate.h"
#include "limits.h"
#include "refusal.h"

#include <stdio.h>
#include <string.h>

/* Now it is known that the waiting ReadyForQuery is not ours. */
static void release_ready(struct session *s)
{
    struct bracket *b = &s->bracket;
    if (b->waiting_ready < 0) {
        return;
    }
    bool is_of_part = b->part != PART_NONE && b->stage == BRACKET_ANSWER;
    bool withheld = buf_len(&b->refusal) != 0 || is_of_part;
    if (withheld && !b->client_ready_kept) {
        b->client_ready_kept = true;
    } else if (!s->client_left) {
        wire_add_ready_for_query(output_kept(&s->out[CLIENT]), (uint8_t)b->waiting_ready);
        session_count_answer(s);
    }
    b->waiting_ready = -1;
}

/* What the server answers to another text than the client's is not for the client. */
static bool is_withheld(const struct session *s, uint8_t tag)
{
    const struct prepared_portal *portal = s->bracket.portal;
    return portal != NULL && prepared_has_substitute(portal->statement) &&
           s->bracket.stage == BRACKET_ANSWER &&
           (tag == SERVER_EMPTY_QUERY_RESPONSE || tag == SERVER_DATA_ROW ||
            tag == SERVER_COMMAND_COMPLETE || tag == SERVER_PORTAL_SUSPENDED);
}

enum walk_act bracket_start(struct session *s, const struct wire_header *header)
{
    enum walk_act act = WALK_FORWARD;
    if (follow_is_late_close(s, header->tag)) {
        return WALK_DROP;
    }
    if (follow_withholds(s, header, &act)) {
        return act;
    }
    if (s->bracket.stage == BRACKET_BEFORE) {
        answers_note(s, header->tag);
    }
    if (is_withheld(s, header->tag)) {
        release_ready(s);
        s->bracket.took_effect = true;
        return WALK_DROP;
    }
    switch (header->tag) {
    case SERVER_ERROR_RESPONSE:
    case SERVER_READY_FOR_QUERY:
        if (header->body_len <= LIMIT_SERVER_MESSAGE) {
            return WALK_COLLECT;
        }
        /* A syntax error quotes the client's line, however long. */
        s->bracket.failed |=
            header->tag == SERVER_ERROR_RESPONSE && s->bracket.stage == BRACKET_ANSWER;
        break;
    case SERVER_PARAMETER_STATUS:
        return header->body_len <= LIMIT_SERVER_MESSAGE ? WALK_COLLECT : WALK_FORWARD;
    case SERVER_NOTICE_RESPONSE:
    case SERVER_NOTIFICATION_RESPONSE:
        /* May come at any time and say nothing about whose the ReadyForQuery is. */
        return WALK_FORWARD;
    case SERVER_PARSE_COMPLETE:
    case SERVER_BIND_COMPLETE:
    case SERVER_CLOSE_COMPLETE:
    case SERVER_COMMAND_COMPLETE:
        s->bracket.took_effect |= s->bracket.stage == BRACKET_ANSWER;
        break;
    default:
        break;
    }
    release_ready(s);
    return WALK_FORWARD;
}

void resume_client(struct session *s)
{
    walk_resume(&s->walk[CLIENT], &walk_from_client, s);
    if (s->eof[CLIENT]) {
        session_pass_half_close(s);
    }
    session_end_if_idle(s);
}

/* What the client gets when nothing is begun. */
static void answer_error(struct session *s, const struct wire_report *report)
{
    s->bracket.failed = true;
    wire_add_error_response(output_kept(&s->out[CLIENT]), report);
    answer_ready(s);
}

const struct candidate *bracket_candidate(const struct bracket *b)
{
    return b->portal != NULL ? &b->portal->statement->candidate : &b->candidate;
}

/* Has the server refused the candidate, or taken what stands in the place of an EXPLAIN? */
static bool is_ours(const struct bracket *b)
{
    bool is_plan = b->portal != NULL && b->portal->statement->kind == PREPARED_PLAN;
    return buf_len(&b->refusal) != 0 || (is_plan && b->took_effect && !b->failed);
}

/* A plan, too: the server is asked about the query by making a view of it. */
static void refuse_in_transaction(struct session *s)
{
    const struct candidate *candidate = bracket_candidate(&s->bracket);
    char message[96];
    (void)snprintf(message, sizeof(message), "cannot execute %s%s in a read-only transaction",
                   candidate->explained ? "EXPLAIN " : "", candidate_words(candidate));
    answer_error(s, &(struct wire_report){.severity = "ERROR",
                                          .sqlstate = "25006",
                                          .message = message,
                                          .hint = "End the transaction first."});
}

/* The statement is ours: begins the replacement, unless something speaks against it. */
static bool begin_replacement(struct session *s)
{
    struct bracket *b = &s->bracket;
    if (client_is_leaving(s)) {
        s->client_left = true;
        session_close(s, "client left before its statement was begun");
        return true;
    }
    if (b->cancelled) {
        answer_error(s,
                     &(struct wire_report){.severity = "ERROR",
                                           .sqlstate = "57014",
                                           .message = "canceling statement due to user request"});
        return false;
    }
    if (s->status != 'I') {
        refuse_in_transaction(s);
        return false;
    }
    session_enter(s, SESSION_REPLACING);
    conversation_begin(s);
    return true;
}

/* A statement about settings takes effect now, if the server has taken it or what stands in its
 * place. */
static void carry_out_own(struct session *s)
{
    struct bracket *b = &s->bracket;
    const struct prepared_statement *statement = b->portal->statement;
    if (!b->took_effect || b->failed) {
        return;
    }
    if (statement->kind == PREPARED_SETTING) {
        b->failed = !own_answer(s, statement->text, statement->text_len, false);
    } else if (statement->kind == PREPARED_RESET_ALL) {
        own_reset_all(s);
    }
}

/* A part of a batch with settings has ended without a replacement: the next, or the end. */
static void finish_part(struct session *s)
{
    const struct bracket *b = &s->bracket;
    bool goes_on = b->part == PART_CHECKED ? b->took_effect : !b->failed;
    if (b->part == PART_RUNS && b->took_effect && !b->failed) {
        batch_part_succeeded(s);
    }
    session_enter(s, SESSION_RELAY);
    bracket_cleanup(&s->bracket);
    if (goes_on) {
        batch_run(s);
    } else {
        batch_stop(s);
    }
}

/* Both nonces have been answered, and no cancel is on its way. */
static void finish(struct session *s)
{
    struct bracket *b = &s->bracket;
    bool ours = is_ours(b);
    if (b->stage != BRACKET_ENDED) {
        parsed_settle(&s->parsed); /* all up to the first nonce is answered */
    }
    if (s->follow.step != FOLLOW_NOTHING && s->follow.step != FOLLOW_CLOSES && b->first_came) {
        follow_go_on(s);
        return;
    }
    if (ours && s->cancel_way != CANCEL_NONE) {
        b->stage = BRACKET_ENDED;
        /* Our answer must not come inside a message that the client has in part. */
        walk_stop(&s->walk[SERVER]);
        return;
    }
    if (ours && begin_replacement(s)) {
        return;
    }
    if (b->part != PART_NONE && b->first_came && !ours) {
        finish_part(s);
        return;
    }
    if (b->portal != NULL) {
        carry_out_own(s);
    } else if (b->took_effect) {
        extended_took_effect(s);
    }
    if (b->tag == CLIENT_BIND) {
        follow_told(s, b->took_effect);
    }
    bool is_query = b->tag == CLIENT_QUERY;
    if (!b->first_came) {
        session_all_answered_but(s, 0); /* a Query in it was skipped as well */
    }
    bool skipping = !b->first_came || (!is_query && b->failed);
    session_enter(s, skipping ? SESSION_SKIPPING : SESSION_RELAY);
    bracket_cleanup(b);
    batch_cleanup(&s->batch);
    follow_cleanup(&s->follow);
    resume_client(s);
}

void bracket_cancel_done(struct session *s)
{
    if (s->bracket.stage == BRACKET_ENDED) {
        finish(s);
        walk_resume(&s->walk[SERVER], &walk_from_server, s);
    }
}

static void on_ready(struct session *s, uint8_t status)
{
    struct bracket *b = &s->bracket;
    switch (b->stage) {
    case BRACKET_FIRST_READY:
        session_set_status(s, status);
        b->stage = BRACKET_ANSWER;
        break;
    case BRACKET_LAST_READY:
        session_set_status(s, status);
        finish(s);
        break;
    case BRACKET_BEFORE:
        session_set_status(s, status); /* of which the next error may be */
        parsed_ready(&s->parsed);
        release_ready(s);
        b->waiting_ready = status;
        break;
    case BRACKET_ANSWER:
        release_ready(s);
        b->waiting_ready = status;
        break;
    case BRACKET_ENDED:
    case BRACKET_PEEKS:
        break; /* nothing was asked */
    }
}

static void on_error(struct session *s, const struct wire_header *header, const uint8_t *whole,
                     bool lasting)
{
    struct bracket *b = &s->bracket;
    const uint8_t *body = whole + WIRE_HEADER_LEN;
    struct wire_error error = wire_read_error(body, header->body_len);
    if (b->stage == BRACKET_BEFORE && strstr(error.message, b->first) != NULL) {
        release_ready(s);
        session_all_answered_but(s, b->tag == CLIENT_QUERY ? 1 : 0);
        b->stage = BRACKET_FIRST_READY;
        b->first_came = true;
        return;
    }
    if (strstr(error.message, b->last) != NULL) {
        b->waiting_ready = -1; /* the answer to our Sync */
        b->stage = BRACKET_LAST_READY;
        return;
    }
    release_ready(s);
    b->failed |= b->stage == BRACKET_ANSWER;
    if (b->stage == BRACKET_ANSWER && s->follow.step != FOLLOW_NOTHING &&
        s->follow.step != FOLLOW_CLOSES) {
        return; /* of a message of ours */
    }
    if (b->stage == BRACKET_BEFORE) {
        behind_relay_error(s, whole, WIRE_HEADER_LEN + (size_t)header->body_len, lasting);
        return;
    }
    if (b->part == PART_CHECKED && b->stage == BRACKET_ANSWER &&
        batch_is_good_syntax(error.message)) {
        b->took_effect = true;
        return;
    }
    bool runs =
        (b->tag == CLIENT_QUERY && (b->part == PART_NONE || b->asks)) || b->tag == CLIENT_EXECUTE;
    if (runs && b->stage == BRACKET_ANSWER && buf_len(&b->refusal) == 0 &&
        refusal_is(error.message, bracket_candidate(b))) {
        buf_add(&b->refusal, body, header->body_len);
        if (buf_failed(&b->refusal)) {
            session_fail(s, "53200", "out of memory", NULL);
        }
        return;
    }
    session_relay(s, CLIENT, whole, WIRE_HEADER_LEN + (size_t)header->body_len, lasting);
}

void bracket_message(struct session *s, const struct wire_header *header, const uint8_t *whole,
                     bool lasting)
{
    struct wire_reader body = wire_reader_over(whole + WIRE_HEADER_LEN, header->body_len);
    switch (header->tag) {
    case SERVER_ERROR_RESPONSE:
        on_error(s, header, whole, lasting);
        break;
    case SERVER_PARAMETER_STATUS:
        note_parameter(s, whole + WIRE_HEADER_LEN, header->body_len);
        session_relay(s, CLIENT, whole, WIRE_HEADER_LEN + (size_t)header->body_len, lasting);
        break;
    case SERVER_PARAMETER_DESCRIPTION:
    case SERVER_ROW_DESCRIPTION:
    case SERVER_NO_DATA:
        follow_answer(s, header, whole);
        break;
    default:
        on_ready(s, wire_read_u8(&body));
        break;
    }
}
