/* ident: see ident.h. */
#include "ident.h"

#include <string.h>

/* RisingWave's letters and digits of unquoted names; unlike PostgreSQL's they end with ASCII. */
static bool is_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_part(char c)
{
    return is_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_unquoted(const char *text, size_t len)
{
    if (len == 0 || !is_start(text[0])) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (!is_part(text[i])) {
            return false;
        }
    }
    return true;
}

bool ident_fold(const char *text, const struct sql_token *token, struct buf *out_name)
{
    const char *from = text + token->start;
    size_t len = token->end - token->start;
    if (token->kind == SQL_TOKEN_QUOTED) {
        /* "" is an error for RisingWave, as an empty name and as an escape. */
        if (len <= 2 || memchr(from + 1, '"', len - 2) != NULL) {
            return false;
        }
        buf_add(out_name, from + 1, len - 2);
        return true;
    }
    if (token->kind != SQL_TOKEN_WORD || !is_unquoted(from, len)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        buf_add_byte(out_name, (uint8_t)(is_upper(from[i]) ? from[i] - 'A' + 'a' : from[i]));
    }
    return true;
}

bool ident_is_plain(const char *name, size_t name_len)
{
    if (!is_unquoted(name, name_len)) {
        return false;
    }
    for (size_t i = 0; i < name_len; i++) {
        if (is_upper(name[i])) {
            return false;
        }
    }
    return true;
}

/* Appends `text` between two `quote` characters, those inside doubled. */
static void add_quoted(struct buf *out, const char *text, char quote)
{
    buf_add_byte(out, (uint8_t)quote);
    for (const char *next = strchr(text, quote); next != NULL; next = strchr(text, quote)) {
        buf_add(out, text, (size_t)(next - text) + 1);
        buf_add_byte(out, (uint8_t)quote);
        text = next + 1;
    }
    buf_add_text(out, text);
    buf_add_byte(out, (uint8_t)quote);
}

bool ident_is_reserved(const char *name)
{
    static const char *const words[] = {"all",
                                        "analyse",
                                        "analyze",
                                        "and",
                                        "any",
                                        "array",
                                        "as",
                                        "asc",
                                        "asymmetric",
                                        "both",
                                        "case",
                                        "cast",
                                        "check",
                                        "collate",
                                        "column",
                                        "constraint",
                                        "create",
                                        "current_catalog",
                                        "current_date",
                                        "current_role",
                                        "current_time",
                                        "current_timestamp",
                                        "current_user",
                                        "default",
                                        "deferrable",
                                        "desc",
                                        "distinct",
                                        "do",
                                        "else",
                                        "emit",
                                        "end",
                                        "except",
                                        "false",
                                        "fetch",
                                        "for",
                                        "foreign",
                                        "from",
                                        "full",
                                        "grant",
                                        "group",
                                        "having",
                                        "in",
                                        "initially",
                                        "inner",
                                        "intersect",
                                        "into",
                                        "join",
                                        "lateral",
                                        "leading",
                                        "left",
                                        "limit",
                                        "localtime",
                                        "localtimestamp",
                                        "natural",
                                        "not",
                                        "null",
                                        "offset",
                                        "on",
                                        "only",
                                        "or",
                                        "order",
                                        "outer",
                                        "placing",
                                        "primary",
                                        "references",
                                        "returning",
                                        "right",
                                        "select",
                                        "session_user",
                                        "some",
                                        "symmetric",
                                        "table",
                                        "then",
                                        "to",
                                        "trailing",
                                        "true",
                                        "union",
                                        "unique",
                                        "user",
                                        "using",
                                        "values",
                                        "variadic",
                                        "when",
                                        "where",
                                        "window",
                                        "with"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(name, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

void ident_quote(struct buf *out, const char *name)
{
    add_quoted(out, name, '"');
}

void literal_quote(struct buf *out, const char *text)
{
    add_quoted(out, text, '\'');
}
