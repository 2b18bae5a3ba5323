/* setting_statement: see setting_statement.h. */
#include "setting_statement.h"

#include "buf.h"
#include "ident.h"
#include "mem.h"
#include "token_walk.h"

#include <string.h>

void setting_statement_cleanup(struct setting_statement *statement)
{
    mem_free(statement->name);
    mem_free(statement->value);
    *statement = (struct setting_statement){.kind = SETTING_NO_STATEMENT};
}

/* "mvswap", alone or in quotes. */
static bool take_prefix(struct token_walk *w)
{
    const struct sql_token *token = token_walk_next(w);
    static const char quoted[] = "\"mvswap\"";
    bool is_quoted = token != NULL && token->kind == SQL_TOKEN_QUOTED &&
                     token->end - token->start == sizeof(quoted) - 1 &&
                     memcmp(w->text + token->start, quoted, sizeof(quoted) - 1) == 0;
    if (is_quoted) {
        w->at++;
        return true;
    }
    return token_walk_word(w, "mvswap") != NULL;
}

/* The name behind the point; parts of it that follow belong to it, so that it is found unknown. */
static bool take_setting(struct token_walk *w, struct buf *out_name)
{
    do {
        const struct sql_token *part = token_walk_name(w);
        if (part == NULL) {
            return false;
        }
        if (buf_len(out_name) != 0) {
            buf_add_byte(out_name, '.');
        }
        if (!ident_fold(w->text, part, out_name)) {
            return false;
        }
    } while (token_walk_symbol(w, '.') != NULL);
    return true;
}

static bool is_plain_string(const char *text, const struct sql_token *token)
{
    return token->kind == SQL_TOKEN_STRING && text[token->start] == '\'';
}

/* What stands behind = or TO, up to the end. False when there is nothing. */
static bool take_value(struct token_walk *w, struct buf *out_value)
{
    const struct sql_token *first = token_walk_next(w);
    const struct sql_token *last = NULL;
    for (const struct sql_token *t = first; t != NULL; t = token_walk_next(w)) {
        last = t;
        w->at++;
    }
    if (first == NULL) {
        return false;
    }
    if (first != last) {
        buf_add(out_value, w->text + first->start, last->end - first->start);
        return true;
    }
    if (first->kind == SQL_TOKEN_QUOTED) {
        return ident_fold(w->text, first, out_value);
    }
    bool is_string = is_plain_string(w->text, first);
    size_t start = first->start + (is_string ? 1 : 0);
    size_t end = first->end - (is_string ? 1 : 0);
    for (size_t i = start; i < end; i++) {
        buf_add_byte(out_value, (uint8_t)w->text[i]);
        i += is_string && w->text[i] == '\'' ? 1 : 0; /* '' is one */
    }
    return true;
}

static enum setting_statement_kind read_set(struct token_walk *w, struct buf *name,
                                            struct buf *value)
{
    bool local = token_walk_word(w, "local") != NULL;
    if (!local) {
        (void)token_walk_word(w, "session");
    }
    if (!take_prefix(w) || token_walk_symbol(w, '.') == NULL || !take_setting(w, name)) {
        return SETTING_NO_STATEMENT;
    }
    if (token_walk_symbol(w, '=') == NULL && token_walk_word(w, "to") == NULL) {
        return SETTING_NO_STATEMENT;
    }
    size_t before = w->at;
    if (token_walk_word(w, "default") != NULL && token_walk_next(w) == NULL) {
        return SETTING_RESET;
    }
    w->at = before;
    if (!take_value(w, value)) {
        return SETTING_NO_STATEMENT;
    }
    return local ? SETTING_SET_LOCAL : SETTING_SET;
}

static enum setting_statement_kind read_other(struct token_walk *w, struct buf *name, bool show)
{
    if (!take_prefix(w)) {
        return SETTING_NO_STATEMENT;
    }
    if (token_walk_next(w) == NULL) {
        return show ? SETTING_SHOW_ALL : SETTING_NO_STATEMENT;
    }
    if (token_walk_symbol(w, '.') == NULL || !take_setting(w, name) || token_walk_next(w) != NULL) {
        return SETTING_NO_STATEMENT;
    }
    return show ? SETTING_SHOW : SETTING_RESET;
}

static bool takes_all(struct token_walk *w)
{
    size_t before = w->at;
    bool all = token_walk_word(w, "all") != NULL && token_walk_next(w) == NULL;
    w->at = all ? w->at : before;
    return all;
}

static char *text_of(struct buf *b)
{
    const char *text = buf_text(b);
    return text != NULL ? mem_copy(text, buf_len(b)) : NULL;
}

enum setting_statement_result setting_statement_read(const char *text,
                                                     const struct sql_tokens *tokens,
                                                     const struct sql_piece *piece,
                                                     struct setting_statement *out_statement)
{
    struct token_walk w = {
        .text = text, .items = tokens->items, .at = piece->first, .end = piece->first + piece->num};
    struct setting_statement read = {.kind = SETTING_NO_STATEMENT};
    struct buf name = {0};
    struct buf value = {0};
    if (token_walk_word(&w, "set") != NULL) {
        read.kind = read_set(&w, &name, &value);
    } else if (token_walk_word(&w, "reset") != NULL) {
        read.kind = takes_all(&w) ? SETTING_RESET_ALL : read_other(&w, &name, false);
    } else if (token_walk_word(&w, "discard") != NULL) {
        read.kind = takes_all(&w) ? SETTING_RESET_ALL : SETTING_NO_STATEMENT;
    } else if (token_walk_word(&w, "show") != NULL) {
        read.kind = read_other(&w, &name, true);
    }
    enum setting_statement_result result = SETTING_STATEMENT_READ;
    if (read.kind != SETTING_NO_STATEMENT) {
        read.name = text_of(&name);
        read.value = text_of(&value);
        if (read.name == NULL || read.value == NULL) {
            setting_statement_cleanup(&read);
            result = SETTING_STATEMENT_NO_MEMORY;
        }
    }
    buf_cleanup(&name);
    buf_cleanup(&value);
    if (result == SETTING_STATEMENT_READ) {
        *out_statement = read;
    }
    return result;
}
