/* token_walk: see token_walk.h. */
#include "token_walk.h"

const struct sql_token *token_walk_next(struct token_walk *w)
{
    while (w->at < w->end && w->items[w->at].kind == SQL_TOKEN_COMMENT) {
        w->at++;
    }
    return w->at < w->end ? &w->items[w->at] : NULL;
}

const struct sql_token *token_walk_word(struct token_walk *w, const char *lower)
{
    const struct sql_token *token = token_walk_next(w);
    if (token == NULL || !sql_token_is_word(w->text, token, lower)) {
        return NULL;
    }
    w->at++;
    return token;
}

const struct sql_token *token_walk_symbol(struct token_walk *w, char symbol)
{
    const struct sql_token *token = token_walk_next(w);
    if (token == NULL || !sql_token_is_symbol(w->text, token, symbol)) {
        return NULL;
    }
    w->at++;
    return token;
}

const struct sql_token *token_walk_name(struct token_walk *w)
{
    const struct sql_token *token = token_walk_next(w);
    if (token == NULL || (token->kind != SQL_TOKEN_WORD && token->kind != SQL_TOKEN_QUOTED)) {
        return NULL;
    }
    w->at++;
    return token;
}
