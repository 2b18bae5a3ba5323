/*
 * fuzz_sql: any bytes through scan, split, recognise and edit. Beyond not crashing:
 * the pieces tile the text; an edited statement is the original but for the ranges that the edit is
 * about; what was edited is never taken for a replacement again, since mvswap would then intercept
 * statements of its own making.
 */
#include "sql_scan.h"
#include "statement.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_range(struct byte_range inner, struct byte_range outer)
{
    require(inner.start <= inner.end);
    require(inner.start == inner.end || (inner.start >= outer.start && inner.end <= outer.end));
}

/* Our own text must scan as one statement that is no replacement. */
static void check_edited(struct buf *edited)
{
    const char *text = (const char *)buf_bytes(edited);
    size_t len = buf_len(edited);
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    size_t cursor = 0;
    require(!buf_failed(edited));
    require(sql_scan(text, len, &tokens) == SQL_SCAN_OK);
    require(sql_next_piece(text, len, &tokens, &cursor, &piece) && !piece.empty);
    struct statement s = {0};
    require(statement_read(text, &tokens, &piece, &s) == STATEMENT_READ);
    require(s.kind == STATEMENT_OTHER);
    require(!sql_next_piece(text, len, &tokens, &cursor, &piece));
    statement_cleanup(&s);
    sql_tokens_cleanup(&tokens);
    buf_cleanup(edited);
}

static void check_statement(const char *text, const struct sql_piece *piece,
                            const struct statement *s)
{
    struct byte_range all = {piece->start, piece->end};
    require(s->name != NULL && s->name[0] != '\0');
    require(s->database == NULL || s->schema != NULL);
    check_range(s->whole, all);
    check_range(s->or_replace, s->whole);
    check_range(s->last_part, s->whole);
    check_range(s->columns, s->whole);
    check_range(s->options, s->whole);
    check_range(s->query, s->whole);
    check_range(s->emit, s->whole);
    require(s->or_replace.end <= s->last_part.start && s->last_part.end <= s->query.start);
    require(s->query.start < s->query.end);

    struct buf plain = {0};
    statement_plain(text, s, &plain);
    size_t front = s->or_replace.start - s->whole.start;
    size_t back = s->whole.end - s->or_replace.end;
    require(buf_len(&plain) == front + back);
    require(memcmp(buf_bytes(&plain), text + s->whole.start, front) == 0);
    require(memcmp(buf_bytes(&plain) + front, text + s->or_replace.end, back) == 0);
    /* Renaming to itself, where the name is written in one way only, changes nothing more. */
    struct buf same = {0};
    statement_renamed(text, s, s->name, &same);
    require(!s->last_part_quoted ||
            (buf_len(&same) == buf_len(&plain) &&
             memcmp(buf_bytes(&same), buf_bytes(&plain), buf_len(&plain)) == 0));
    check_edited(&plain);
    check_edited(&same);
    struct buf renamed = {0};
    statement_renamed(text, s, "x_tmp_20240229_123456_000123", &renamed);
    check_edited(&renamed);
    statement_renamed(text, s, "X y.z", &renamed);
    check_edited(&renamed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    size_t cursor = 0;
    size_t next_start = 0;
    size_t next_token = 0;
    bool gate = sql_gate(data, size);
    if (sql_scan(text, size, &tokens) != SQL_SCAN_OK) {
        return 0;
    }
    while (sql_next_piece(text, size, &tokens, &cursor, &piece)) {
        struct statement s = {0};
        require(piece.start == next_start && piece.start <= piece.end && piece.end <= size);
        require(piece.first == next_token);
        next_start = piece.end + 1;
        next_token = piece.first + piece.num + 1;
        require(statement_read(text, &tokens, &piece, &s) == STATEMENT_READ);
        require(s.kind == STATEMENT_OTHER || (gate && !piece.empty));
        struct sql_piece inner = piece;
        enum statement_explain explain = statement_explained(text, &tokens, &piece, &inner);
        require(s.kind == STATEMENT_OTHER || explain == EXPLAIN_NOTHING);
        require(inner.start >= piece.start && inner.end == piece.end);
        require(inner.first + inner.num == piece.first + piece.num);
        if (s.kind != STATEMENT_OTHER) {
            check_statement(text, &piece, &s);
        }
        statement_cleanup(&s);
    }
    require(next_start == size + 1 || next_start == size);
    sql_tokens_cleanup(&tokens);
    return 0;
}
