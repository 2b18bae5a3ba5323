/*
 * sql_doubt: see sql_doubt.h. A reader of its own that knows just enough of the lexical rules which
 * RisingWave and PostgreSQL share to tell code from strings, quoted identifiers and comments. It
 * stops at the first place where the two part ways or where it loses track itself.
 *
 * It also refuses long runs of operator characters: PostgreSQL's scanner looks at the whole run
 * again for every token in it, so a text of nothing but `+` takes time by the square of its length.
 */
#include "sql_doubt.h"

#include <stddef.h>
#include <string.h>

enum {
    /* No operator of either system is longer than five characters. */
    OPERATOR_MAX = 32,
    /* Rulers in comments are long, but not this long. */
    RUN_MAX = 200
};

struct reader {
    const char *text;
    size_t len;
    size_t at;
};

/* The byte `ahead` of the reader, or NUL at the end (inner NULs were refused before). */
static char peek(const struct reader *r, size_t ahead)
{
    if (ahead >= r->len - r->at) {
        return '\0';
    }
    return r->text[r->at + ahead];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes above ASCII are letters for PostgreSQL; RisingWave accepts them nowhere in code. */
static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_operator(char c)
{
    return c != '\0' && strchr("~!@#^&|`?+-*/%<>=", c) != NULL;
}

/*
 * utf8_length returns the length of the well-formed sequence at `bytes`, or 0: no overlong forms,
 * no surrogates, nothing above U+10FFFF. The second byte's range depends on the first (Unicode,
 * table of well-formed byte sequences); all later ones are 80..BF.
 */
static size_t utf8_length(const unsigned char *bytes, size_t len)
{
    unsigned char lead = bytes[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t need = 0;
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        need = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        need = 3;
        low = lead == 0xe0 ? 0xa0 : low;
        high = lead == 0xed ? 0x9f : high;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        need = 4;
        low = lead == 0xf0 ? 0x90 : low;
        high = lead == 0xf4 ? 0x8f : high;
    }
    if (need == 0 || need > len || bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return need;
}

/* What can be said of the bytes without knowing where strings begin. */
static const char *doubt_bytes(const char *text, size_t len)
{
    size_t run = 0;
    size_t step = 0;
    for (size_t i = 0; i < len; i += step) {
        step = utf8_length((const unsigned char *)text + i, len - i);
        if (step == 0) {
            return "the text is not UTF-8";
        }
        if (text[i] == '\0') {
            return "the text holds a zero byte";
        }
        run = is_operator(text[i]) ? run + 1 : 0;
        if (run > RUN_MAX) {
            return "a very long run of operator characters";
        }
    }
    return NULL;
}

/* The skippers below start at the first byte of their thing and leave the reader behind it. */

static const char *skip_line_comment(struct reader *r)
{
    while (r->at < r->len && peek(r, 0) != '\n') {
        if (peek(r, 0) == '\r' && peek(r, 1) != '\n') {
            return "a carriage return without line feed in a comment";
        }
        r->at++;
    }
    return NULL;
}

static const char *skip_block_comment(struct reader *r)
{
    size_t depth = 1;
    r->at += 2;
    while (depth != 0) {
        bool opens = peek(r, 0) == '/' && peek(r, 1) == '*';
        bool closes = peek(r, 0) == '*' && peek(r, 1) == '/';
        if (r->at >= r->len) {
            return "an unterminated comment";
        }
        if (!opens && !closes) {
            r->at++;
            continue;
        }
        depth = opens ? depth + 1 : depth - 1;
        /* RisingWave lets the second character of one mark be the first of the next. */
        if (depth != 0 && peek(r, 2) == peek(r, 0)) {
            return "overlapping marks in a nested comment";
        }
        r->at += 2;
    }
    return NULL;
}

static const char *skip_string(struct reader *r, bool backslash_escapes)
{
    r->at++;
    while (r->at < r->len) {
        if (backslash_escapes && peek(r, 0) == '\\') {
            r->at += r->len - r->at >= 2 ? 2 : 1;
        } else if (peek(r, 0) != '\'') {
            r->at++;
        } else if (peek(r, 1) == '\'') {
            r->at += 2;
        } else {
            r->at++;
            return NULL;
        }
    }
    return "an unterminated string";
}

static const char *skip_quoted(struct reader *r)
{
    const char *from = r->text + r->at + 1;
    const char *close = memchr(from, '"', r->len - r->at - 1);
    if (close == NULL) {
        return "an unterminated quoted identifier";
    }
    r->at = (size_t)(close - r->text) + 1;
    if (peek(r, 0) == '"') {
        return "a doubled quote in a quoted identifier";
    }
    return close == from ? "an empty quoted identifier" : NULL;
}

/* At `$`: a parameter, the start of a dollar quote, or a character that belongs to nothing. */
static const char *skip_dollar(struct reader *r)
{
    size_t tag = 1;
    while (is_word_start(peek(r, tag)) || is_digit(peek(r, tag))) {
        tag++;
    }
    if (peek(r, tag) != '$') {
        /* No quote. What follows the `$` is read as a word or number of its own. */
        r->at++;
        return NULL;
    }
    if (is_digit(peek(r, 1))) {
        return "a dollar quote whose tag begins with a digit";
    }
    const char *mark = r->text + r->at;
    size_t mark_len = tag + 1;
    r->at += mark_len;
    /* A tag holds no `$`, so each candidate is compared over bytes of its own: linear. */
    while (r->len - r->at >= mark_len) {
        const char *next = memchr(r->text + r->at, '$', r->len - r->at - (mark_len - 1));
        if (next == NULL) {
            break;
        }
        r->at = (size_t)(next - r->text);
        if (memcmp(next, mark, mark_len) == 0) {
            r->at += mark_len;
            return NULL;
        }
        r->at++;
    }
    return "an unterminated dollar quote";
}

/* A word, and the string behind it when the word is the E of an E'' string. */
static const char *skip_word(struct reader *r)
{
    bool is_e = peek(r, 0) == 'e' || peek(r, 0) == 'E';
    size_t num = 0;
    while (is_word_start(peek(r, 0)) || is_digit(peek(r, 0)) || peek(r, 0) == '$') {
        r->at++;
        num++;
    }
    return is_e && num == 1 && peek(r, 0) == '\'' ? skip_string(r, true) : NULL;
}

/* Operators end where a comment begins. */
static const char *skip_operator(struct reader *r)
{
    size_t num = 0;
    while (is_operator(peek(r, 0))) {
        bool line = peek(r, 0) == '-' && peek(r, 1) == '-';
        bool block = peek(r, 0) == '/' && peek(r, 1) == '*';
        if (line || block) {
            return line ? skip_line_comment(r) : skip_block_comment(r);
        }
        r->at++;
        num++;
        if (num > OPERATOR_MAX) {
            return "a long run of operator characters";
        }
    }
    return NULL;
}

static const char *skip_next(struct reader *r)
{
    char c = peek(r, 0);
    if (is_word_start(c)) {
        return skip_word(r);
    }
    if (is_operator(c)) {
        return skip_operator(r);
    }
    switch (c) {
    case '\'':
        return skip_string(r, false);
    case '"':
        return skip_quoted(r);
    case '$':
        return skip_dollar(r);
    default:
        break;
    }
    r->at++;
    /* The letters of a number are part of it: the e of 1e'...' starts no E'' string. */
    while (is_digit(c) && (is_word_start(peek(r, 0)) || is_digit(peek(r, 0)))) {
        r->at++;
    }
    return NULL;
}

bool sql_doubt(const char *text, size_t len, const char **out_why)
{
    struct reader r = {.text = text, .len = len};
    const char *why = doubt_bytes(text, len);
    while (why == NULL && r.at < r.len) {
        why = skip_next(&r);
    }
    if (why == NULL) {
        return false;
    }
    *out_why = why;
    return true;
}
