/*
 * sql_scan: see sql_scan.h. Calls libpg_query's scanner and reads its answer.
 *
 * The answer comes as a protobuf message of four varints per token. It is read here in place: the
 * library's own unpacking makes one allocation per token and has no way to report a failed one.
 */
#include "sql_scan.h"

#include "mem.h"
#include "sql_doubt.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <string.h>

/* Field numbers of ScanResult and ScanToken (pg_query.proto), and the wire types they use. */
enum {
    RESULT_TOKENS = 2,
    TOKEN_START = 1,
    TOKEN_END = 2,
    TOKEN_NUMBER = 4,
    TOKEN_KEYWORD = 5,
    WIRE_VARINT = 0,
    WIRE_BYTES = 2
};

/* Protobuf bytes not read yet. `bad` is sticky. */
struct fields {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

/* One field: a varint, or the bytes of an inner message. */
struct field {
    uint64_t number;
    uint64_t value;
    struct fields inner;
};

static uint64_t read_varint(struct fields *f)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && f->at < f->end; shift += 7) {
        uint8_t byte = *f->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    f->bad = true;
    return 0;
}

/* Reads the next field; false at the end or when the bytes make no sense (`bad`). */
static bool read_field(struct fields *f, struct field *out)
{
    if (f->bad || f->at == f->end) {
        return false;
    }
    uint64_t key = read_varint(f);
    *out = (struct field){.number = key >> 3, .value = read_varint(f)};
    if ((key & 7) == WIRE_BYTES && out->value <= (uint64_t)(f->end - f->at)) {
        out->inner = (struct fields){.at = f->at, .end = f->at + out->value};
        f->at += out->value;
    } else if ((key & 7) != WIRE_VARINT) {
        f->bad = true;
    }
    return !f->bad;
}

static enum sql_token_kind kind_of(uint64_t number, bool is_keyword, const char *text, size_t len)
{
    switch (number) {
    case PG_QUERY__TOKEN__IDENT:
        return text[0] == '"' ? SQL_TOKEN_QUOTED : SQL_TOKEN_WORD;
    case PG_QUERY__TOKEN__SCONST:
    case PG_QUERY__TOKEN__BCONST:
    case PG_QUERY__TOKEN__XCONST:
        return SQL_TOKEN_STRING;
    case PG_QUERY__TOKEN__ICONST:
    case PG_QUERY__TOKEN__FCONST:
        return SQL_TOKEN_NUMBER;
    case PG_QUERY__TOKEN__PARAM:
        return SQL_TOKEN_PARAMETER;
    case PG_QUERY__TOKEN__SQL_COMMENT:
    case PG_QUERY__TOKEN__C_COMMENT:
        return SQL_TOKEN_COMMENT;
    default:
        break;
    }
    if (is_keyword) {
        return SQL_TOKEN_WORD;
    }
    return len == 1 ? SQL_TOKEN_SYMBOL : SQL_TOKEN_OTHER;
}

/* Reads one token of `text`, which must begin at `min_start` or later and end inside the text. */
static bool read_token(struct fields f, const char *text, size_t len, size_t min_start,
                       struct sql_token *out)
{
    struct field field;
    uint64_t start = 0;
    uint64_t end = 0;
    uint64_t number = 0;
    bool is_keyword = false;
    while (read_field(&f, &field)) {
        switch (field.number) {
        case TOKEN_START:
            start = field.value;
            break;
        case TOKEN_END:
            end = field.value;
            break;
        case TOKEN_NUMBER:
            number = field.value;
            break;
        case TOKEN_KEYWORD:
            is_keyword = field.value != PG_QUERY__KEYWORD_KIND__NO_KEYWORD;
            break;
        default:
            break;
        }
    }
    /* RisingWave has no U&"" and U&'', and the scanner is wrong about where they end. */
    bool is_unicode = number == PG_QUERY__TOKEN__UIDENT || number == PG_QUERY__TOKEN__USCONST;
    if (f.bad || is_unicode || start < min_start || end <= start || end > len) {
        return false;
    }
    *out = (struct sql_token){.start = (size_t)start, .end = (size_t)end};
    out->kind = kind_of(number, is_keyword, text + start, out->end - out->start);
    return true;
}

static enum sql_scan_result read_answer(const PgQueryProtobuf *answer, const char *text, size_t len,
                                        struct sql_tokens *out_tokens)
{
    const uint8_t *bytes = (const uint8_t *)answer->data;
    struct fields all = {.at = bytes, .end = bytes + answer->len};
    struct fields counting = all;
    struct field field;
    size_t num = 0;
    while (read_field(&counting, &field)) {
        num += field.number == RESULT_TOKENS ? 1 : 0;
    }
    if (counting.bad || num > SIZE_MAX / sizeof(struct sql_token)) {
        return SQL_SCAN_REFUSED;
    }
    struct sql_tokens tokens = {.items = mem_new(num * sizeof(struct sql_token))};
    if (tokens.items == NULL) {
        return SQL_SCAN_NO_MEMORY;
    }
    size_t last_end = 0;
    while (read_field(&all, &field)) {
        if (field.number != RESULT_TOKENS) {
            continue;
        }
        struct sql_token *token = &tokens.items[tokens.num_items];
        if (!read_token(field.inner, text, len, last_end, token)) {
            sql_tokens_cleanup(&tokens);
            return SQL_SCAN_REFUSED;
        }
        last_end = token->end;
        tokens.num_items++;
    }
    *out_tokens = tokens;
    return SQL_SCAN_OK;
}

enum sql_scan_result sql_scan(const char *text, size_t len, struct sql_tokens *out_tokens)
{
    const char *why = NULL;
    /* The scanner counts bytes in an int. */
    if (len >= INT32_MAX || sql_doubt(text, len, &why)) {
        return SQL_SCAN_REFUSED;
    }
    char *copy = mem_copy(text, len);
    if (copy == NULL) {
        return SQL_SCAN_NO_MEMORY;
    }
    PgQueryScanResult scanned = pg_query_scan(copy);
    enum sql_scan_result result = SQL_SCAN_REFUSED;
    if (scanned.error == NULL) {
        result = read_answer(&scanned.pbuf, text, len, out_tokens);
    }
    pg_query_free_scan_result(scanned);
    mem_free(copy);
    return result;
}

void sql_tokens_cleanup(struct sql_tokens *tokens)
{
    if (tokens != NULL) {
        mem_free(tokens->items);
        *tokens = (struct sql_tokens){0};
    }
}

/* Is text[0, len) equal to `lower` when its ASCII letters are folded? */
static bool equals_folded(const char *text, size_t len, const char *lower, size_t lower_len)
{
    if (len != lower_len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int c = text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i];
        if (c != lower[i]) {
            return false;
        }
    }
    return true;
}

bool sql_token_is_word(const char *text, const struct sql_token *token, const char *lower)
{
    return token->kind == SQL_TOKEN_WORD &&
           equals_folded(text + token->start, token->end - token->start, lower, strlen(lower));
}

bool sql_token_is_symbol(const char *text, const struct sql_token *token, char symbol)
{
    return token->kind == SQL_TOKEN_SYMBOL && text[token->start] == symbol;
}

bool sql_tokens_have_parameter(const struct sql_tokens *tokens)
{
    for (size_t i = 0; i < tokens->num_items; i++) {
        if (tokens->items[i].kind == SQL_TOKEN_PARAMETER) {
            return true;
        }
    }
    return false;
}

bool sql_tokens_name(const char *text, const struct sql_tokens *tokens, const char *name,
                     size_t name_len)
{
    for (size_t i = 0; i < tokens->num_items; i++) {
        const struct sql_token *token = &tokens->items[i];
        const char *from = text + token->start;
        size_t len = token->end - token->start;
        if (token->kind == SQL_TOKEN_WORD && equals_folded(from, len, name, name_len)) {
            return true;
        }
        if (token->kind == SQL_TOKEN_QUOTED && len == name_len + 2 &&
            memcmp(from + 1, name, name_len) == 0) {
            return true;
        }
    }
    return false;
}

bool sql_next_piece(const char *text, size_t text_len, const struct sql_tokens *tokens,
                    size_t *cursor, struct sql_piece *out_piece)
{
    /* The cursor is the first token of the next piece; one past the end of the list: no more. */
    size_t at = *cursor;
    if (at > tokens->num_items) {
        return false;
    }
    struct sql_piece piece = {.first = at, .end = text_len, .empty = true};
    piece.start = at != 0 ? tokens->items[at - 1].end : 0;
    if (piece.start == text_len) {
        return false;
    }
    while (at < tokens->num_items && !sql_token_is_symbol(text, &tokens->items[at], ';')) {
        piece.empty = piece.empty && tokens->items[at].kind == SQL_TOKEN_COMMENT;
        at++;
    }
    if (at < tokens->num_items) {
        piece.end = tokens->items[at].start;
    }
    piece.num = at - piece.first;
    *cursor = at + 1;
    *out_piece = piece;
    return true;
}

/*
 * How far a search window of six bytes, the length of the shorter word, may move when its last byte
 * is the index: so far that no start of "replac" or "mvswap" is jumped over. 0 stands for 6, any
 * byte that is in neither word.
 */
static const uint8_t gate_shift[256] = {
    ['m'] = 5, ['M'] = 5, ['r'] = 5, ['R'] = 5, ['v'] = 4, ['V'] = 4,
    ['e'] = 4, ['E'] = 4, ['s'] = 3, ['S'] = 3, ['p'] = 3, ['P'] = 3,
    ['w'] = 2, ['W'] = 2, ['l'] = 2, ['L'] = 2, ['a'] = 1, ['A'] = 1};

bool sql_gate(const void *text, size_t len)
{
    const char *bytes = text;
    for (size_t end = 6; end <= len;) {
        unsigned char last = (unsigned char)bytes[end - 1];
        if ((last == 'p' || last == 'P') && equals_folded(bytes + end - 6, 6, "mvswap", 6)) {
            return true;
        }
        if ((last == 'c' || last == 'C') && len > end &&
            equals_folded(bytes + end - 6, 7, "replace", 7)) {
            return true;
        }
        end += gate_shift[last] != 0 ? gate_shift[last] : 6;
    }
    return false;
}
