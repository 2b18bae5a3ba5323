/*
 * batch: a Query that holds statements about settings of ours, alone or among others. As a whole it
 * would be a syntax error for the server. So the server is asked first whether it reads, and about
 * the syntax of the rest, with our statements blanked out; then the parts run in order, each in the
 * bracket; the first error stops the rest, and one ReadyForQuery ends it.
 *
 * RESET ALL and DISCARD ALL are parts of their own, since ours are reset in that place. Where there
 * is nothing else in the Query, that is the server's answer.
 *
 * The syntax is checked by a Parse with two statements more: its answer is always an error, either
 * the client's own or that only one statement is allowed, so that nothing is ever kept or run.
 */
#include "session_internal.h"

#include "limits.h"
#include "sql_scan.h"

#include <string.h>

static const char check_end[] = "\n;SELECT 1;SELECT 1";
static const char only_one[] = "Only one statement is allowed in extended query mode";

/* Statements in a row that go to the server as one Query, or one about a setting. */
struct batch_range {
    size_t start;
    size_t end;
    enum own_kind kind;
};

void batch_cleanup(struct batch *batch)
{
    buf_cleanup(&batch->text);
    buf_cleanup(&batch->ranges);
    batch->next = 0;
}

static size_t num_ranges(const struct batch *batch)
{
    return buf_len(&batch->ranges) / sizeof(struct batch_range);
}

static struct batch_range range_at(const struct batch *batch, size_t index)
{
    struct batch_range range = {0};
    memcpy(&range, buf_bytes(&batch->ranges) + index * sizeof(range), sizeof(range));
    return range;
}

static void set_range(struct batch *batch, size_t index, const struct batch_range *range)
{
    buf_overwrite(&batch->ranges, index * sizeof(*range), range, sizeof(*range));
}

/* One more statement: joins the others in front of it, or begins a range. */
static void add_piece(struct batch *batch, size_t start, size_t end, enum own_kind kind)
{
    struct batch_range range = {.start = start, .end = end, .kind = kind};
    size_t num = num_ranges(batch);
    struct batch_range last = {.kind = OWN_STATEMENT};
    if (num != 0) {
        last = range_at(batch, num - 1);
    }
    if (kind != OWN_NOTHING || last.kind != OWN_NOTHING) {
        buf_add(&batch->ranges, &range, sizeof(range));
    } else {
        last.end = end;
        set_range(batch, num - 1, &last);
    }
}

/* False when nothing of ours is set, shown or reset in it, or in doubt. */
static bool split(const struct session *s, const char *text, size_t len, struct batch *batch,
                  bool *out_mixed)
{
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    size_t cursor = 0;
    bool any = false;
    if (sql_scan(text, len, &tokens) != SQL_SCAN_OK) {
        return false;
    }
    bool parameter = sql_tokens_have_parameter(&tokens);
    while (!parameter && sql_next_piece(text, len, &tokens, &cursor, &piece)) {
        if (!piece.empty) {
            size_t start = tokens.items[piece.first].start;
            size_t end = tokens.items[piece.first + piece.num - 1].end;
            enum own_kind kind = own_kind(text + start, end - start);
            any |= kind == OWN_STATEMENT || (kind == OWN_RESET_ALL && own_is_changed(s));
            *out_mixed |= kind != OWN_STATEMENT;
            add_piece(batch, start, end, kind);
        }
    }
    sql_tokens_cleanup(&tokens);
    return any && !buf_failed(&batch->ranges);
}

/* The body of the Parse that checks the rest: statements of ours are blanks of equal length. */
static void add_check(struct session *s, struct buf *out)
{
    const struct batch *batch = &s->batch;
    const char *text = (const char *)buf_bytes(&batch->text);
    char name[NONCE_LEN + 1];
    size_t at = 0;
    make_nonce(s, name);
    wire_add_text(out, name);
    for (size_t i = 0; i < num_ranges(batch); i++) {
        struct batch_range range = range_at(batch, i);
        size_t end = range.kind == OWN_STATEMENT ? range.start : range.end;
        buf_add(out, text + at, end - at);
        for (at = end; at < range.end; at++) {
            buf_add_byte(out, ' ');
        }
    }
    buf_add_text(out, text + at);
    wire_add_text(out, check_end);
    buf_add_u16(out, 0); /* no types */
}

bool batch_begin_if_settings(struct session *s, const uint8_t *text, size_t len)
{
    struct batch *batch = &s->batch;
    bool mixed = false;
    if (!may_intercept(s) || len > LIMIT_SETTING_TEXT) {
        return false;
    }
    batch_cleanup(batch);
    buf_add(&batch->text, text, len + 1); /* with its NUL */
    bool begun = !buf_failed(&batch->text) && split(s, (const char *)text, len, batch, &mixed);
    if (begun && mixed && num_ranges(batch) == 1) {
        begun = bracket_begin_query(s, text, len, PART_RUNS);
        batch->next = 1;
    } else if (begun && mixed) {
        struct buf check = {0};
        add_check(s, &check);
        begun = !buf_failed(&check) &&
                bracket_begin_sending(s, CLIENT_QUERY, text, len + 1, CLIENT_PARSE,
                                      buf_bytes(&check), buf_len(&check));
        s->bracket.part = PART_CHECKED;
        buf_cleanup(&check);
    } else if (begun) {
        begun = bracket_begin_sending(s, CLIENT_QUERY, text, len + 1, CLIENT_QUERY, NULL, 0);
        s->bracket.part = PART_ASKED;
    }
    if (!begun) {
        batch_cleanup(batch);
    }
    return begun;
}

bool batch_is_good_syntax(const char *error_text)
{
    return strstr(error_text, only_one) != NULL;
}

void batch_stop(struct session *s)
{
    batch_cleanup(&s->batch);
    wire_add_ready_for_query(output_kept(&s->out[CLIENT]), s->status);
    session_count_answer(s);
    resume_client(s);
}

/* True: the range is with the server. */
static bool send(struct session *s, const struct batch_range *range)
{
    struct buf text = {0};
    buf_add(&text, buf_bytes(&s->batch.text) + range->start, range->end - range->start);
    buf_add_byte(&text, 0);
    bool sent = !buf_failed(&text) &&
                bracket_begin_query(s, buf_bytes(&text), buf_len(&text) - 1, PART_RUNS);
    buf_cleanup(&text);
    if (!sent) {
        wire_add_error_response(output_kept(&s->out[CLIENT]),
                                &(struct wire_report){.severity = "ERROR",
                                                      .sqlstate = "53200",
                                                      .message = "out of memory"});
    }
    return sent;
}

void batch_run(struct session *s)
{
    struct batch *batch = &s->batch;
    bool good = true;
    while (good && batch->next < num_ranges(batch)) {
        struct batch_range range = range_at(batch, batch->next);
        batch->next++;
        if (range.kind != OWN_STATEMENT) {
            good = send(s, &range);
            if (good) {
                return;
            }
        } else {
            good = own_answer(s, (const char *)buf_bytes(&batch->text) + range.start,
                              range.end - range.start, true);
        }
    }
    batch_stop(s);
}

void batch_part_succeeded(struct session *s)
{
    if (range_at(&s->batch, s->batch.next - 1).kind == OWN_RESET_ALL) {
        own_reset_all(s);
    }
}

void batch_put_back(struct session *s, size_t rest)
{
    struct batch *batch = &s->batch;
    struct batch_range range = range_at(batch, batch->next - 1);
    range.start += rest;
    if (range.start < range.end) {
        batch->next--;
        set_range(batch, batch->next, &range);
    }
}
