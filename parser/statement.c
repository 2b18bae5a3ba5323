/*
 * statement: see statement.h. A reader of one fixed shape: it walks over the tokens of a piece
 * once, comments left out, and gives up at the first one that does not fit. It is stricter than the
 * server where that costs nothing: what it does not recognise passes through.
 */
#include "statement.h"

#include "ident.h"
#include "mem.h"
#include "token_walk.h"

#include <string.h>

enum { MAX_PARTS = 3 };

enum form {
    FORM_REPLACE, /* a client's, with OR REPLACE */
    FORM_STORED   /* the catalog's, without */
};

static bool take_or_replace(struct token_walk *w, struct statement *s)
{
    const struct sql_token * or = token_walk_word(w, "or");
    if (or == NULL || token_walk_word(w, "replace") == NULL || w->at == w->end) {
        return false;
    }
    /* Up to the next token, be it a comment: blanks go, comments stay. */
    s->or_replace = (struct byte_range){ or->start, w->items[w->at].start};
    return true;
}

/* CREATE [OR REPLACE] [TEMP|TEMPORARY] [MATERIALIZED] VIEW */
static bool take_head(struct token_walk *w, enum form form, struct statement *s)
{
    const struct sql_token *create = token_walk_word(w, "create");
    if (create == NULL || (form == FORM_REPLACE && !take_or_replace(w, s))) {
        return false;
    }
    s->whole.start = create->start;
    if (form == FORM_STORED) {
        s->or_replace = (struct byte_range){create->end, create->end};
    }
    if (token_walk_word(w, "temp") == NULL) {
        (void)token_walk_word(w, "temporary");
    }
    s->kind = STATEMENT_REPLACE_VIEW;
    if (token_walk_word(w, "materialized") != NULL) {
        s->kind = STATEMENT_REPLACE_MATERIALIZED_VIEW;
    }
    return token_walk_word(w, "view") != NULL;
}

/* The parts of a dotted name, outermost first. Returns their number, 0 when there is no such name.
 */
static size_t take_parts(struct token_walk *w, const struct sql_token *parts[MAX_PARTS])
{
    size_t num = 0;
    do {
        const struct sql_token *part = token_walk_name(w);
        if (part == NULL || num == MAX_PARTS) {
            return 0;
        }
        parts[num] = part;
        num++;
    } while (token_walk_symbol(w, '.') != NULL);
    return num;
}

/* "(name, ...)", if there is a parenthesis at all. */
static bool take_columns(struct token_walk *w, struct byte_range *out)
{
    const struct sql_token *open = token_walk_symbol(w, '(');
    if (open == NULL) {
        return true;
    }
    do {
        if (token_walk_name(w) == NULL) {
            return false;
        }
    } while (token_walk_symbol(w, ',') != NULL);
    const struct sql_token *close = token_walk_symbol(w, ')');
    if (close == NULL) {
        return false;
    }
    *out = (struct byte_range){open->start, close->end};
    return true;
}

/* +1 for a bracket that opens, -1 for one that closes. */
static int depth_change(const char *text, const struct sql_token *token)
{
    if (token->kind != SQL_TOKEN_SYMBOL) {
        return 0;
    }
    switch (text[token->start]) {
    case '(':
    case '[':
    case '{':
        return 1;
    case ')':
    case ']':
    case '}':
        return -1;
    default:
        return 0;
    }
}

/* "WITH (...)", if there is a WITH at all. What stands inside is the server's to judge. */
static bool take_options(struct token_walk *w, struct byte_range *out)
{
    const struct sql_token *with = token_walk_word(w, "with");
    if (with == NULL) {
        return true;
    }
    const struct sql_token *token = token_walk_next(w);
    if (token == NULL || !sql_token_is_symbol(w->text, token, '(')) {
        return false;
    }
    ptrdiff_t depth = 0;
    do {
        token = token_walk_next(w);
        if (token == NULL) {
            return false;
        }
        depth += depth_change(w->text, token);
        w->at++;
    } while (depth > 0);
    *out = (struct byte_range){with->start, token->end};
    return sql_token_is_symbol(w->text, token, ')');
}

/* The last tokens of a query, newest first, comments left out. */
enum { TAIL = 5 };

/* How many of the last tokens are EMIT IMMEDIATELY or EMIT ON WINDOW CLOSE: 2, 4 or 0. */
static size_t emit_tokens(const char *text, const struct sql_token *tail[TAIL], size_t num)
{
    if (num > 2 && sql_token_is_word(text, tail[0], "immediately") &&
        sql_token_is_word(text, tail[1], "emit")) {
        return 2;
    }
    if (num > 4 && sql_token_is_word(text, tail[0], "close") &&
        sql_token_is_word(text, tail[1], "window") && sql_token_is_word(text, tail[2], "on") &&
        sql_token_is_word(text, tail[3], "emit")) {
        return 4;
    }
    return 0;
}

/* Everything that is left: the query, and EMIT behind it. False when nothing is left. */
static bool take_query(struct token_walk *w, struct statement *s)
{
    const struct sql_token *first = token_walk_next(w);
    const struct sql_token *tail[TAIL] = {NULL};
    size_t num = 0;
    ptrdiff_t depth = 0;
    for (const struct sql_token *t = first; t != NULL; t = token_walk_next(w)) {
        for (size_t i = TAIL - 1; i > 0; i--) {
            tail[i] = tail[i - 1];
        }
        tail[0] = t;
        num++;
        depth += depth_change(w->text, t);
        w->at++;
    }
    if (first == NULL) {
        return false;
    }
    bool has_emit = s->kind == STATEMENT_REPLACE_MATERIALIZED_VIEW && depth == 0;
    size_t emit = has_emit ? emit_tokens(w->text, tail, num) : 0;
    s->query = (struct byte_range){first->start, tail[emit]->end};
    if (emit != 0) {
        s->emit = (struct byte_range){tail[emit - 1]->start, tail[0]->end};
    }
    s->whole.end = tail[0]->end;
    return true;
}

/* What became of an attempt; a failed allocation must not look like another statement. */
enum attempt { ATTEMPT_FITS, ATTEMPT_OTHER, ATTEMPT_NO_MEMORY };

static enum attempt fold(const char *text, const struct sql_token *token, char **out_name)
{
    struct buf name = {0};
    enum attempt result = ATTEMPT_OTHER;
    if (ident_fold(text, token, &name)) {
        char *copy = buf_failed(&name) ? NULL : mem_copy(buf_bytes(&name), buf_len(&name));
        result = copy != NULL ? ATTEMPT_FITS : ATTEMPT_NO_MEMORY;
        *out_name = copy;
    }
    buf_cleanup(&name);
    return result;
}

static enum attempt fold_parts(const char *text, const struct sql_token *const parts[MAX_PARTS],
                               size_t num, struct statement *s)
{
    char **const names[MAX_PARTS] = {&s->name, &s->schema, &s->database};
    enum attempt result = ATTEMPT_FITS;
    for (size_t i = 0; i < num && result == ATTEMPT_FITS; i++) {
        result = fold(text, parts[num - 1 - i], names[i]);
    }
    s->last_part = (struct byte_range){parts[num - 1]->start, parts[num - 1]->end};
    s->last_part_quoted = parts[num - 1]->kind == SQL_TOKEN_QUOTED;
    return result;
}

static enum attempt recognise(struct token_walk w, enum form form, struct statement *s)
{
    const struct sql_token *parts[MAX_PARTS] = {NULL};
    if (!take_head(&w, form, s)) {
        return ATTEMPT_OTHER;
    }
    /* IF NOT EXISTS fails here too: a view called "if" is followed by a dot, (, WITH or AS. */
    size_t num_parts = take_parts(&w, parts);
    if (num_parts == 0 || !take_columns(&w, &s->columns) || !take_options(&w, &s->options) ||
        token_walk_word(&w, "as") == NULL || !take_query(&w, s)) {
        return ATTEMPT_OTHER;
    }
    return fold_parts(w.text, parts, num_parts, s);
}

static enum statement_result read(const char *text, const struct sql_tokens *tokens,
                                  const struct sql_piece *piece, enum form form,
                                  struct statement *out_statement)
{
    struct token_walk w = {.text = text, .items = tokens->items, .at = piece->first};
    w.end = piece->first + piece->num;
    struct statement s = {0};
    enum attempt attempt = recognise(w, form, &s);
    if (attempt != ATTEMPT_FITS) {
        statement_cleanup(&s);
    }
    if (attempt == ATTEMPT_NO_MEMORY) {
        return STATEMENT_NO_MEMORY;
    }
    struct token_walk replacing = w;
    struct token_walk creating = w;
    struct statement head = {0};
    s.refused_alike = take_head(&replacing, FORM_REPLACE, &head);
    s.explain_refused_alike = (s.refused_alike || take_head(&creating, FORM_STORED, &head)) &&
                              head.kind == STATEMENT_REPLACE_VIEW;
    for (size_t i = w.at; i < w.end; i++) {
        s.has_parameters = s.has_parameters || w.items[i].kind == SQL_TOKEN_PARAMETER;
    }
    *out_statement = s;
    return STATEMENT_READ;
}

enum statement_result statement_read(const char *text, const struct sql_tokens *tokens,
                                     const struct sql_piece *piece, struct statement *out_statement)
{
    return read(text, tokens, piece, FORM_REPLACE, out_statement);
}

enum statement_result statement_read_stored(const char *text, const struct sql_tokens *tokens,
                                            const struct sql_piece *piece,
                                            struct statement *out_statement)
{
    return read(text, tokens, piece, FORM_STORED, out_statement);
}

void statement_cleanup(struct statement *statement)
{
    if (statement != NULL) {
        mem_free(statement->database);
        mem_free(statement->schema);
        mem_free(statement->name);
        *statement = (struct statement){0};
    }
}

enum statement_explain statement_explained(const char *text, const struct sql_tokens *tokens,
                                           const struct sql_piece *piece,
                                           struct sql_piece *out_inner)
{
    struct token_walk w = {
        .text = text, .items = tokens->items, .at = piece->first, .end = piece->first + piece->num};
    enum statement_explain explain = EXPLAIN_BARE;
    if (token_walk_word(&w, "explain") == NULL) {
        return EXPLAIN_NOTHING;
    }
    const struct sql_token *token = token_walk_next(&w);
    while (token != NULL && !sql_token_is_word(text, token, "create")) {
        explain = EXPLAIN_WITH_OPTIONS;
        w.at++;
        token = token_walk_next(&w);
    }
    if (token == NULL) {
        return EXPLAIN_NOTHING;
    }
    *out_inner = (struct sql_piece){
        .first = w.at, .num = w.end - w.at, .start = token->start, .end = piece->end};
    return explain;
}

const char *statement_command_tag(enum statement_kind kind)
{
    return kind == STATEMENT_REPLACE_VIEW ? "CREATE_VIEW" : "CREATE_MATERIALIZED_VIEW";
}

static void add_range(const char *text, size_t start, size_t end, struct buf *out)
{
    buf_add(out, text + start, end - start);
}

void statement_plain(const char *text, const struct statement *statement, struct buf *out)
{
    add_range(text, statement->whole.start, statement->or_replace.start, out);
    add_range(text, statement->or_replace.end, statement->whole.end, out);
}

void statement_renamed(const char *text, const struct statement *statement, const char *new_name,
                       struct buf *out)
{
    add_range(text, statement->whole.start, statement->or_replace.start, out);
    add_range(text, statement->or_replace.end, statement->last_part.start, out);
    if (statement->last_part_quoted || !ident_is_plain(new_name, strlen(new_name))) {
        ident_quote(out, new_name);
    } else {
        buf_add_text(out, new_name);
    }
    add_range(text, statement->last_part.end, statement->whole.end, out);
}
