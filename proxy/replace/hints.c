/* hints: see hints.h. */
#include "hints.h"

#include "buf.h"
#include "sql_scan.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char opening[] = "/*";
static const char mark[] = "mvswap:";
enum { DELIMITER_LEN = 2 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A part of a comment. */
struct part {
    const char *at;
    const char *end;
};

static void skip_blanks(struct part *p)
{
    while (p->at < p->end && is_blank(*p->at)) {
        p->at++;
    }
}

/* What stands in the comment behind the mark; false when it is no hint. */
static bool find_mark(const char *text, const struct sql_token *token, struct part *out)
{
    size_t len = token->end - token->start;
    if (token->kind != SQL_TOKEN_COMMENT || len < (size_t)2 * DELIMITER_LEN ||
        memcmp(text + token->start, opening, DELIMITER_LEN) != 0) {
        return false;
    }
    struct part p = {.at = text + token->start + DELIMITER_LEN,
                     .end = text + token->end - DELIMITER_LEN};
    skip_blanks(&p);
    size_t left = (size_t)(p.end - p.at);
    if (left < sizeof(mark) - 1 || strncasecmp(p.at, mark, sizeof(mark) - 1) != 0) {
        return false;
    }
    p.at += sizeof(mark) - 1;
    *out = p;
    return true;
}

/* Up to one of the two, blanks behind it left out. */
static void take_until(struct part *p, char one, char other, struct buf *out)
{
    const char *start = p->at;
    while (p->at < p->end && *p->at != one && *p->at != other) {
        p->at++;
    }
    const char *end = p->at;
    while (end > start && is_blank(end[-1])) {
        end--;
    }
    buf_add(out, start, (size_t)(end - start));
}

/* '...', with '' for one quote. False: it does not end. */
static bool take_quoted(struct part *p, struct buf *out)
{
    for (p->at++; p->at < p->end; p->at++) {
        if (*p->at != '\'') {
            buf_add_byte(out, (uint8_t)*p->at);
        } else if (p->at + 1 < p->end && p->at[1] == '\'') {
            buf_add_byte(out, '\'');
            p->at++;
        } else {
            p->at++;
            skip_blanks(p);
            return p->at == p->end || *p->at == ',';
        }
    }
    return false;
}

static enum hints_result refuse_form(const char *name, struct settings_problem *out_problem)
{
    *out_problem = (struct settings_problem){.sqlstate = "22023"};
    (void)snprintf(out_problem->message, sizeof(out_problem->message),
                   "the hint \"%.60s\" has no value that can be read", name);
    (void)snprintf(out_problem->hint, sizeof(out_problem->hint),
                   "Write mvswap: name=value, name='value'.");
    return HINTS_BAD;
}

static enum hints_result apply(const char *name, const char *value, bool readable,
                               struct replace_settings *settings,
                               struct settings_problem *out_problem)
{
    enum setting setting = SETTING_COUNT;
    if (name == NULL || value == NULL) {
        return HINTS_NO_MEMORY;
    }
    if (!settings_find(name, &setting, out_problem)) {
        return HINTS_BAD;
    }
    if (!readable) {
        return refuse_form(name, out_problem);
    }
    if (settings_set(settings, setting, value, SOURCE_HINT, out_problem)) {
        return HINTS_READ;
    }
    return settings_lacked_memory(out_problem) ? HINTS_NO_MEMORY : HINTS_BAD;
}

/* One name=value. */
static enum hints_result take_pair(struct part *p, struct replace_settings *settings,
                                   struct settings_problem *out_problem)
{
    struct buf name = {0};
    struct buf value = {0};
    take_until(p, '=', ',', &name);
    bool readable = p->at < p->end && *p->at == '=';
    if (readable) {
        p->at++;
        skip_blanks(p);
        if (p->at < p->end && *p->at == '\'') {
            readable = take_quoted(p, &value);
        } else {
            take_until(p, ',', ',', &value);
        }
    }
    enum hints_result result =
        apply(buf_text(&name), buf_text(&value), readable, settings, out_problem);
    buf_cleanup(&name);
    buf_cleanup(&value);
    return result;
}

static enum hints_result take_hint(struct part *p, struct replace_settings *settings,
                                   struct settings_problem *out_problem)
{
    enum hints_result result = HINTS_READ;
    skip_blanks(p);
    while (result == HINTS_READ && p->at < p->end) {
        result = take_pair(p, settings, out_problem);
        if (p->at < p->end && *p->at == ',') {
            p->at++;
        }
        skip_blanks(p);
    }
    return result;
}

enum hints_result hints_read(const char *text, size_t len, struct replace_settings *settings,
                             struct settings_problem *out_problem)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(text, len, &tokens) != SQL_SCAN_OK) {
        return HINTS_NO_MEMORY; /* it was read before */
    }
    enum hints_result result = HINTS_READ;
    for (size_t i = 0; result == HINTS_READ && i < tokens.num_items; i++) {
        struct part hint;
        if (find_mark(text, &tokens.items[i], &hint)) {
            result = take_hint(&hint, settings, out_problem);
        }
    }
    sql_tokens_cleanup(&tokens);
    return result;
}
