/* same_query: see same_query.h. */
#include "same_query.h"

#include "token_walk.h"

#include <string.h>
#include <strings.h>

static struct token_walk walk_of(const struct query_text *q)
{
    struct token_walk w = {.text = q->text, .items = q->tokens->items};
    while (w.at < q->tokens->num_items && w.items[w.at].start < q->range.start) {
        w.at++;
    }
    w.end = w.at;
    while (w.end < q->tokens->num_items && w.items[w.end].end <= q->range.end) {
        w.end++;
    }
    return w;
}

static bool same_token(const char *a_text, const struct sql_token *a, const char *b_text,
                       const struct sql_token *b)
{
    size_t len = a->end - a->start;
    if (a->kind != b->kind || len != b->end - b->start) {
        return false;
    }
    return a->kind == SQL_TOKEN_WORD ? strncasecmp(a_text + a->start, b_text + b->start, len) == 0
                                     : memcmp(a_text + a->start, b_text + b->start, len) == 0;
}

static bool is_name(const struct sql_token *token)
{
    return token != NULL && (token->kind == SQL_TOKEN_WORD || token->kind == SQL_TOKEN_QUOTED);
}

/* Behind a name: steps over AS and the same name again, unless columns follow (`n AS n (a)` is not
 * what `n (a)` is). */
static void step_over_alias(struct token_walk *w, const struct sql_token *name)
{
    struct token_walk ahead = *w;
    if (token_walk_word(&ahead, "as") == NULL) {
        return;
    }
    const struct sql_token *alias = token_walk_name(&ahead);
    if (alias == NULL || !same_token(w->text, name, w->text, alias)) {
        return;
    }
    const struct sql_token *behind = token_walk_next(&ahead);
    if (behind == NULL || !sql_token_is_symbol(w->text, behind, '(')) {
        *w = ahead;
    }
}

static const struct sql_token *next(struct token_walk *w, bool with_aliases)
{
    const struct sql_token *token = token_walk_next(w);
    if (token != NULL) {
        w->at++;
        if (is_name(token) && !with_aliases) {
            step_over_alias(w, token);
        }
    }
    return token;
}

static bool same(const struct query_text *a, const struct query_text *b, bool with_aliases)
{
    struct token_walk in_a = walk_of(a);
    struct token_walk in_b = walk_of(b);
    for (;;) {
        const struct sql_token *from_a = next(&in_a, with_aliases);
        const struct sql_token *from_b = next(&in_b, with_aliases);
        if (from_a == NULL || from_b == NULL) {
            return from_a == from_b;
        }
        if (!same_token(a->text, from_a, b->text, from_b)) {
            return false;
        }
    }
}

bool same_tokens(const struct query_text *a, const struct query_text *b)
{
    return same(a, b, true);
}

bool same_query(const struct query_text *a, const struct query_text *b)
{
    return same(a, b, false);
}

/* A function may be named in quotes; a column of such a name harms nobody. */
static struct sql_token without_quotes(const char *text, const struct sql_token *token,
                                       const struct sql_token *behind)
{
    struct sql_token word = *token;
    if (token->kind == SQL_TOKEN_QUOTED && behind != NULL &&
        sql_token_is_symbol(text, behind, '(')) {
        word = (struct sql_token){SQL_TOKEN_WORD, token->start + 1, token->end - 1};
    }
    return word;
}

static bool is_one_of(const char *text, const struct sql_token *token, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (sql_token_is_word(text, token, *words)) {
            return true;
        }
    }
    return false;
}

static bool begins_with(const char *text, const struct sql_token *token, const char *lower)
{
    size_t len = strlen(lower);
    return token->end - token->start >= len && strncasecmp(text + token->start, lower, len) == 0;
}

/* Words whose meaning depends on who creates, when, or under which settings. */
static bool word_is_volatile(const char *text, const struct sql_token *before,
                             const struct sql_token *token, const struct sql_token *behind)
{
    static const char *const words[] = {
        "natural",  "user",    "session_user",   "system_user", "localtime",    "timestamptz",
        "regclass", "regproc", "localtimestamp", "regtype",     "regnamespace", "regrole",
        NULL};
    static const char *const functions[] = {
        "now",          "proctime",       "version",          "timezone",
        "to_timestamp", "to_timestamptz", "make_timestamptz", NULL};
    bool called = behind != NULL && sql_token_is_symbol(text, behind, '(');
    bool of_time = before != NULL && sql_token_is_word(text, before, "time");
    return is_one_of(text, token, words) || begins_with(text, token, "current_") ||
           begins_with(text, token, "_rw") || (of_time && sql_token_is_word(text, token, "zone")) ||
           (called && (is_one_of(text, token, functions) || begins_with(text, token, "pg_") ||
                       begins_with(text, token, "has_")));
}

/* What a star is tell the tokens around it. */
static bool star_multiplies(const char *text, const struct sql_token *before,
                            const struct sql_token *behind)
{
    static const char *const no_operands[] = {"select", "distinct", "all", NULL};
    static const char *const after_list[] = {"from", "union", "except", "intersect", "where", NULL};
    bool ends = behind == NULL || is_one_of(text, behind, after_list) ||
                sql_token_is_symbol(text, behind, ',') || sql_token_is_symbol(text, behind, ')');
    if (before == NULL || ends) {
        return false;
    }
    switch (before->kind) {
    case SQL_TOKEN_QUOTED:
    case SQL_TOKEN_NUMBER:
    case SQL_TOKEN_STRING:
        return true;
    case SQL_TOKEN_SYMBOL:
        return text[before->start] == ')' || text[before->start] == ']';
    case SQL_TOKEN_WORD:
        return !is_one_of(text, before, no_operands);
    case SQL_TOKEN_PARAMETER:
    case SQL_TOKEN_COMMENT:
    case SQL_TOKEN_OTHER:
        break;
    }
    return false;
}

static bool star_counts(const char *text, const struct sql_token *before,
                        const struct sql_token *first, const struct sql_token *behind)
{
    return before != NULL && sql_token_is_symbol(text, before, '(') && first != NULL &&
           sql_token_is_word(text, first, "count") && behind != NULL &&
           sql_token_is_symbol(text, behind, ')');
}

static bool ends_first_list(const char *text, const struct sql_token *token)
{
    return sql_token_is_word(text, token, "from") || sql_token_is_word(text, token, "union") ||
           sql_token_is_word(text, token, "except") || sql_token_is_word(text, token, "intersect");
}

bool query_is_fixed(const struct query_text *q)
{
    struct token_walk w = walk_of(q);
    const struct sql_token *last[2] = {NULL, NULL}; /* the two in front, nearest first */
    ptrdiff_t depth = 0;
    bool from_seen = false; /* that of the outermost SELECT */
    for (const struct sql_token *t = token_walk_next(&w); t != NULL; t = token_walk_next(&w)) {
        w.at++;
        struct sql_token word = without_quotes(q->text, t, token_walk_next(&w));
        if (t->kind == SQL_TOKEN_PARAMETER ||
            (word.kind == SQL_TOKEN_WORD &&
             word_is_volatile(q->text, last[0], &word, token_walk_next(&w)))) {
            return false;
        }
        if (t->kind == SQL_TOKEN_SYMBOL) {
            depth += strchr("([{", q->text[t->start]) != NULL;
            depth -= strchr(")]}", q->text[t->start]) != NULL;
        }
        from_seen = from_seen || (depth == 0 && ends_first_list(q->text, t));
        bool outermost = depth == 0 && !from_seen;
        if (sql_token_is_symbol(q->text, t, '*') && !outermost &&
            !star_multiplies(q->text, last[0], token_walk_next(&w)) &&
            !star_counts(q->text, last[0], last[1], token_walk_next(&w))) {
            return false;
        }
        last[1] = last[0];
        last[0] = t;
    }
    return true;
}

bool query_names(const struct query_text *q, const char *name)
{
    struct token_walk w = walk_of(q);
    struct sql_tokens inside = {.items = q->tokens->items + w.at, .num_items = w.end - w.at};
    return sql_tokens_name(q->text, &inside, name, strlen(name));
}
