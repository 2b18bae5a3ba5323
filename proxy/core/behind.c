/*
 * behind: what follow.c missed. A statement that was prepared on an object which is gone fails for
 * ever (docs/risingwave.md 13): swaps done by others, functions that hide a name, statements that
 * could not be kept. Its error is answered as PostgreSQL's own for a plan that is not valid any
 * more, which makes drivers parse the statement again; only before any row, and outside of READ
 * ONLY transactions, whose snapshot a new statement may not be able to read.
 *
 * All statements of the session are old then: which one has failed is not known, and others may
 * have moved as well. An object that is gone for good, or a text that nobody can parse any more,
 * fails again however often, so within LIMIT_BEHIND_EVERY_MS of the last time a failure marks
 * nothing. What is given up: when others swap twice within that time, a client that does not heed
 * the error meets it until the time is over. A swap that was published ends it at once.
 */
#include "session_internal.h"

#include "limits.h"

#include <string.h>

void answers_note(struct session *s, uint8_t tag)
{
    switch (tag) {
    case SERVER_DATA_ROW:
        s->answered_with.row = true;
        break;
    case SERVER_PORTAL_SUSPENDED:
        s->answered_with.suspended = true;
        break;
    case SERVER_BIND_COMPLETE:
        s->answered_with = (struct answered){.row = false};
        follow_told(s, true);
        break;
    case SERVER_ERROR_RESPONSE:
        follow_told(s, false);
        break;
    case SERVER_COMMAND_COMPLETE:
    case SERVER_READY_FOR_QUERY:
        s->answered_with.row = false;
        break;
    case SERVER_PARSE_COMPLETE:
        parsed_parse_complete(&s->parsed);
        break;
    default:
        break;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "table id 148 has been dropped" */
static bool tells_of_dropped(const char *line, size_t len)
{
    static const char before[] = "table id ";
    static const char after[] = " has been dropped";
    for (size_t at = 0; at + sizeof(before) - 1 <= len; at++) {
        size_t end = at + sizeof(before) - 1;
        if (strncmp(line + at, before, sizeof(before) - 1) != 0) {
            continue;
        }
        while (end < len && is_digit(line[end])) {
            end++;
        }
        if (end + sizeof(after) - 1 == len && begins(line + end, after)) {
            return true;
        }
    }
    return false;
}

/* A line of a report of causes: "  2: Streaming vnode mapping not found for fragment 7". */
static bool is_of_gone_object(const char *line, size_t len, bool heard_moved)
{
    size_t at = 0;
    while (at < len && (line[at] == ' ' || is_digit(line[at]))) {
        at++;
    }
    at += at < len && line[at] == ':' ? 2 : 0;
    return at < len && (begins(line + at, "Streaming vnode mapping not found for fragment ") ||
                        (heard_moved && tells_of_dropped(line + at, len - at)));
}

/* Those of Bind and Describe bear no such words. */
static enum parsed_error what_it_answers(const char *message)
{
    return begins(message, "Failed to prepare the statement\n") ? ERROR_OF_PARSE
           : begins(message, "Failed to run the query\n")       ? ERROR_OF_RUN
                                                                : ERROR_OF_SERIES;
}

/* Only an Execute fails in these words (docs/risingwave.md 8.8). */
static bool is_of_execute(const char *message)
{
    return begins(message, "Failed to execute the statement\n");
}

static bool names_gone_object(const char *message, bool heard_moved)
{
    bool found = false;
    for (const char *line = message; *line != 0 && !found;) {
        size_t len = strcspn(line, "\n");
        found = is_of_gone_object(line, len, heard_moved);
        line += len + (line[len] != 0 ? 1 : 0);
    }
    return found;
}

/* Did an Execute fail because its object is gone? */
static bool tells_of_gone_object(const struct session *s, const char *message)
{
    return s->kind == SERVER_MAYBE_RISINGWAVE &&
           s->settings.values[SETTING_PREPARED] == REPLACE_PREPARED_FOLLOW &&
           is_of_execute(message) && names_gone_object(message, s->heard_moved);
}

/* May the client be told to parse again, as if nothing had been executed? */
static bool may_be_told(const struct session *s)
{
    return s->status == 'I' && !s->answered_with.row && !s->answered_with.suspended;
}

void behind_relay_error(struct session *s, const uint8_t *whole, size_t len, bool lasting)
{
    struct wire_error error = wire_read_error(whole + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN);
    session_count_skipped(s, parsed_error(&s->parsed, what_it_answers(error.message)));
    bool gone = tells_of_gone_object(s, error.message);
    bool marks = gone && s->now.mono_ms >= s->behind_again_ms;
    if (marks) {
        follow_doubts_all(s);
        s->behind_again_ms = s->now.mono_ms + LIMIT_BEHIND_EVERY_MS;
    }
    if (!gone || !may_be_told(s)) {
        session_relay(s, CLIENT, whole, len, lasting);
        return;
    }
    if (!s->client_left) {
        follow_add_error(output_kept(&s->out[CLIENT]));
    }
    if (marks) {
        session_log(s, REPORT_INFO, "prepared", "a statement had to be parsed again by its client");
    }
}
