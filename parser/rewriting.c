/* rewriting: see rewriting.h. */
#include "rewriting.h"

#include "sql_scan.h"
#include "token_walk.h"

#include <string.h>

/* Does the token mean that name? */
static bool means(const char *text, const struct sql_token *token, const char *name)
{
    struct sql_token copy = *token;
    const struct sql_tokens one = {.items = &copy, .num_items = 1};
    return sql_tokens_name(text, &one, name, strlen(name));
}

/* Steps over "(...)", if there is one. */
static void step_over_parentheses(struct token_walk *w)
{
    size_t depth = 0;
    if (token_walk_symbol(w, '(') == NULL) {
        return;
    }
    for (depth = 1; depth != 0 && token_walk_next(w) != NULL;) {
        if (token_walk_symbol(w, '(') != NULL) {
            depth++;
        } else if (token_walk_symbol(w, ')') != NULL) {
            depth--;
        } else {
            w->at++;
        }
    }
}

/* Behind the name: [(columns)] AS [[NOT] MATERIALIZED] ( */
static bool names_query(struct token_walk behind)
{
    step_over_parentheses(&behind);
    if (token_walk_word(&behind, "as") == NULL) {
        return false;
    }
    (void)token_walk_word(&behind, "not");
    (void)token_walk_word(&behind, "materialized");
    return token_walk_symbol(&behind, '(') != NULL;
}

/* The token in front of `at` that is no comment, or NULL. */
static const struct sql_token *before(const struct sql_tokens *tokens, size_t *at)
{
    while (*at > 0) {
        *at -= 1;
        if (tokens->items[*at].kind != SQL_TOKEN_COMMENT) {
            return &tokens->items[*at];
        }
    }
    return NULL;
}

/* Does a FROM list begin, or end, with the word? */
static bool begins_list(const char *text, const struct sql_token *token)
{
    return sql_token_is_word(text, token, "from") || sql_token_is_word(text, token, "join");
}

static bool ends_list(const char *text, const struct sql_token *token)
{
    static const char *const words[] = {"select", "where",  "group",     "having", "order", "limit",
                                        "union",  "except", "intersect", "on",     "using"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (sql_token_is_word(text, token, words[i])) {
            return true;
        }
    }
    return false;
}

/* Does the comma at `at` stand in a FROM list? Looks back to what began the part it stands in. */
static bool is_in_list(const char *text, const struct sql_tokens *tokens, size_t at)
{
    const struct sql_token *token = NULL;
    size_t depth = 0;
    while ((token = before(tokens, &at)) != NULL) {
        if (sql_token_is_symbol(text, token, ')')) {
            depth++;
        } else if (sql_token_is_symbol(text, token, '(')) {
            if (depth == 0) {
                return false;
            }
            depth--;
        } else if (depth == 0 && begins_list(text, token)) {
            return true;
        } else if (depth == 0 && ends_list(text, token)) {
            /* a JOIN ... ON a = b, x is in the list all the same */
            return sql_token_is_word(text, token, "on") || sql_token_is_word(text, token, "using");
        }
    }
    return false;
}

/* Is the parenthesis at `at` that of TUMBLE( or HOP( ? */
static bool is_of_window(const char *text, const struct sql_tokens *tokens, size_t at)
{
    const struct sql_token *function = before(tokens, &at);
    return function != NULL && (sql_token_is_word(text, function, "tumble") ||
                                sql_token_is_word(text, function, "hop"));
}

/* A name, as it stands in a text. */
struct place {
    const struct sql_token *qualifier; /* in front of the dot; NULL: none */
    const struct sql_token *front;     /* the token in front of all its parts; NULL: none */
    size_t front_at;
};

static struct place place_of(const char *text, const struct sql_tokens *tokens, size_t at)
{
    struct place place = {0};
    const struct sql_token *front = before(tokens, &at);
    while (front != NULL && sql_token_is_symbol(text, front, '.')) {
        const struct sql_token *part = before(tokens, &at);
        place.qualifier = place.qualifier == NULL ? part : place.qualifier;
        front = part != NULL ? before(tokens, &at) : NULL;
    }
    place.front = front;
    place.front_at = at;
    return place;
}

/* Does a relation stand there? */
static bool is_relation(const char *text, const struct sql_tokens *tokens,
                        const struct place *place)
{
    if (place->front == NULL) {
        return false;
    }
    if (sql_token_is_symbol(text, place->front, ',')) {
        return is_in_list(text, tokens, place->front_at);
    }
    /* FROM (x JOIN y ...) and FROM ((x)) */
    if (sql_token_is_symbol(text, place->front, '(')) {
        struct place outer = {0};
        outer.front_at = place->front_at;
        outer.front = before(tokens, &outer.front_at);
        return is_of_window(text, tokens, place->front_at) || is_relation(text, tokens, &outer);
    }
    return begins_list(text, place->front) || sql_token_is_word(text, place->front, "into") ||
           sql_token_is_word(text, place->front, "lateral");
}

static bool is_followed_by_dot(const char *text, const struct sql_tokens *tokens, size_t at)
{
    struct token_walk behind = {
        .text = text, .items = tokens->items, .at = at + 1, .end = tokens->num_items};
    return token_walk_symbol(&behind, '.') != NULL;
}

static enum rewriting_fault fault_at(const char *text, const struct sql_tokens *tokens, size_t at,
                                     const char *schema)
{
    const struct token_walk behind = {
        .text = text, .items = tokens->items, .at = at + 1, .end = tokens->num_items};
    const struct place place = place_of(text, tokens, at);
    if (place.qualifier == NULL && names_query(behind)) {
        return REWRITING_QUERY_NAMED;
    }
    bool other = place.qualifier != NULL && !means(text, place.qualifier, schema);
    return other && !is_followed_by_dot(text, tokens, at) && is_relation(text, tokens, &place)
               ? REWRITING_QUALIFIED
               : REWRITING_FINE;
}

enum rewriting_fault rewriting_fault(const char *text, const char *schema, const char *name)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
        return REWRITING_UNREADABLE;
    }
    enum rewriting_fault fault = REWRITING_FINE;
    for (size_t i = 0; i < tokens.num_items; i++) {
        const struct sql_token *token = &tokens.items[i];
        enum rewriting_fault here = REWRITING_FINE;
        if (token->kind == SQL_TOKEN_COMMENT) {
            /* Stored texts hold none: what reads as one is a minus before a negative number. */
            here = REWRITING_UNREADABLE;
        } else if (means(text, token, name)) {
            here = fault_at(text, &tokens, i, schema);
        }
        if (here != REWRITING_FINE && (fault == REWRITING_FINE || here < fault)) {
            fault = here;
        }
    }
    sql_tokens_cleanup(&tokens);
    return fault;
}

bool rewriting_reads(const char *text, const char *name)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
        return true;
    }
    bool reads = false;
    for (size_t i = 0; i < tokens.num_items && !reads; i++) {
        if (means(text, &tokens.items[i], name) && !is_followed_by_dot(text, &tokens, i)) {
            const struct place place = place_of(text, &tokens, i);
            bool on = place.front != NULL && sql_token_is_word(text, place.front, "on");
            reads = is_relation(text, &tokens, &place) || on;
        }
    }
    sql_tokens_cleanup(&tokens);
    return reads;
}

bool rewriting_indexes(const char *text, const char *name)
{
    struct sql_tokens tokens = {0};
    const struct sql_token *table = NULL;
    if (sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
        return false;
    }
    struct token_walk w = {.text = text, .items = tokens.items, .end = tokens.num_items};
    bool index = token_walk_word(&w, "create") != NULL;
    (void)token_walk_word(&w, "unique");
    index = index && token_walk_word(&w, "index") != NULL;
    while (index && token_walk_next(&w) != NULL && token_walk_word(&w, "on") == NULL) {
        w.at++;
    }
    do {
        table = index ? token_walk_name(&w) : NULL;
    } while (table != NULL && token_walk_symbol(&w, '.') != NULL);
    bool named = table != NULL && means(text, table, name);
    sql_tokens_cleanup(&tokens);
    return named;
}

/* What encloses a token. */
struct enclosing {
    bool blind[64]; /* it is not looked into when names are rewritten */
    bool is_case[64];
    size_t depth;
};

static void enter(struct enclosing *e, bool blind, bool is_case)
{
    if (e->depth < sizeof(e->blind) / sizeof(e->blind[0])) {
        e->blind[e->depth] = blind;
        e->is_case[e->depth] = is_case;
    }
    e->depth++;
}

static void leave(struct enclosing *e, bool is_case)
{
    size_t most = sizeof(e->blind) / sizeof(e->blind[0]);
    if (e->depth != 0 && (e->depth > most || e->is_case[e->depth - 1] == is_case)) {
        e->depth--;
    }
}

/* Deeper than can be kept counts as blind. */
static bool is_blind(const struct enclosing *e)
{
    size_t most = sizeof(e->blind) / sizeof(e->blind[0]);
    bool blind = e->depth > most;
    for (size_t i = 0; i < e->depth && i < most; i++) {
        blind = blind || e->blind[i];
    }
    return blind;
}

/* IN (1, (SELECT ...)) and not IN (SELECT ...) */
static bool is_in_of_list(const char *text, const struct sql_tokens *tokens, size_t at,
                          const struct sql_token *function)
{
    struct token_walk behind = {
        .text = text, .items = tokens->items, .at = at + 1, .end = tokens->num_items};
    return sql_token_is_word(text, function, "in") && token_walk_word(&behind, "select") == NULL &&
           token_walk_word(&behind, "with") == NULL;
}

/* Does the parenthesis at `at` belong to something that is not looked into? */
static bool opens_blind(const char *text, const struct sql_tokens *tokens, size_t at)
{
    static const char *const functions[] = {"tumble", "hop", "substring", "trim", "overlay"};
    size_t in_front = at;
    const struct sql_token *function = before(tokens, &in_front);
    if (function == NULL) {
        return false;
    }
    bool blind = is_in_of_list(text, tokens, at, function);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        blind = blind || sql_token_is_word(text, function, functions[i]);
    }
    return blind;
}

static void enclose(const char *text, const struct sql_tokens *tokens, size_t at,
                    struct enclosing *e)
{
    const struct sql_token *token = &tokens->items[at];
    if (sql_token_is_symbol(text, token, '(')) {
        enter(e, opens_blind(text, tokens, at), false);
    } else if (sql_token_is_symbol(text, token, '[')) {
        enter(e, true, false);
    } else if (sql_token_is_word(text, token, "case")) {
        enter(e, true, true);
    } else if (sql_token_is_symbol(text, token, ')') || sql_token_is_symbol(text, token, ']')) {
        leave(e, false);
    } else if (sql_token_is_word(text, token, "end")) {
        leave(e, true);
    }
}

struct rewriting_places rewriting_count(const char *text, const char *name)
{
    struct rewriting_places places = {0, 0};
    struct sql_tokens tokens = {0};
    struct enclosing enclosing = {.depth = 0};
    if (sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
        return (struct rewriting_places){1, 1};
    }
    for (size_t i = 0; i < tokens.num_items; i++) {
        enclose(text, &tokens, i, &enclosing);
        if (means(text, &tokens.items[i], name) && !is_followed_by_dot(text, &tokens, i)) {
            const struct place place = place_of(text, &tokens, i);
            bool relation = is_relation(text, &tokens, &place);
            places.missed += relation && is_blind(&enclosing);
            places.rewritten += relation && !is_blind(&enclosing);
        }
    }
    sql_tokens_cleanup(&tokens);
    return places;
}
