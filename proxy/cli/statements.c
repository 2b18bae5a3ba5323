/* statements: see statements.h. */
#include "statements.h"

#include "buf.h"
#include "mem.h"
#include "sql_scan.h"
#include "statement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Far above what a person writes; a file of data given by mistake ends here. */
enum { LONGEST_SOURCE = 64 * 1024 * 1024, PIECE = 64 * 1024, MOST_STATEMENTS = 1000 };

static bool complain(const char *source, size_t line, const char *problem)
{
    (void)fprintf(stderr, "mvswap: %s:%zu: %s\n", source, line, problem);
    return false;
}

static bool read_stream(FILE *from, struct buf *out)
{
    char piece[PIECE];
    size_t len = 0;
    buf_init(out, LONGEST_SOURCE);
    while ((len = fread(piece, 1, sizeof(piece), from)) != 0) {
        buf_add(out, piece, len);
    }
    return ferror(from) == 0 && !buf_failed(out);
}

static bool read_file(const char *name, struct buf *out)
{
    bool is_stdin = strcmp(name, "-") == 0;
    FILE *from = is_stdin ? stdin : fopen(name, "rb");
    if (from == NULL) {
        (void)fprintf(stderr, "mvswap: %s: %s\n", name, strerror(errno));
        return false;
    }
    bool good = read_stream(from, out);
    if (!is_stdin) {
        (void)fclose(from);
    }
    if (!good) {
        (void)fprintf(stderr, "mvswap: %s: cannot be read, or is too long\n", name);
    }
    return good;
}

static size_t line_of(const char *text, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at; i++) {
        line += text[i] == '\n' ? 1 : 0;
    }
    return line;
}

/* Where a statement comes from: `source` is not copied. */
struct place {
    const char *source;
    size_t nth;
    size_t line;
};

static bool add(struct cli_statements *list, const struct place *at, const char *text, size_t len,
                const struct statement *statement)
{
    if (list->num == MOST_STATEMENTS) {
        return complain(at->source, at->line, "too many statements: at most 1000 in one run");
    }
    struct cli_statement *items = mem_resize(list->items, (list->num + 1) * sizeof(*items));
    if (items == NULL) {
        return complain(at->source, at->line, "out of memory");
    }
    list->items = items;
    struct cli_statement *s = &items[list->num++];
    *s = (struct cli_statement){.source = at->source, .nth = at->nth, .line = at->line};
    s->text = mem_copy(text, len);
    s->name = mem_copy(statement->name, strlen(statement->name));
    if (statement->schema != NULL) {
        s->schema = mem_copy(statement->schema, strlen(statement->schema));
    }
    bool good =
        s->text != NULL && s->name != NULL && (s->schema != NULL || statement->schema == NULL);
    return good || complain(at->source, at->line, "out of memory");
}

static bool take_piece(struct cli_statements *list, struct place at, const char *text,
                       const struct sql_tokens *tokens, const struct sql_piece *piece)
{
    struct statement statement;
    size_t first = piece->first;
    while (first + 1 < piece->first + piece->num &&
           tokens->items[first].kind == SQL_TOKEN_COMMENT) {
        first++;
    }
    at.line = line_of(text, tokens->items[first].start);
    if (statement_read(text, tokens, piece, &statement) != STATEMENT_READ) {
        return complain(at.source, at.line, "out of memory");
    }
    bool good = false;
    if (statement.kind == STATEMENT_OTHER) {
        (void)complain(at.source, at.line,
                       "expected CREATE OR REPLACE [MATERIALIZED] VIEW name AS query");
    } else if (statement.has_parameters) {
        (void)complain(at.source, at.line,
                       "the statement holds a parameter ($1): nothing is bound to it");
    } else {
        good = add(list, &at, text + piece->start, piece->end - piece->start, &statement);
    }
    statement_cleanup(&statement);
    return good;
}

static bool take_text(struct cli_statements *list, struct place at, const char *text, size_t len)
{
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    size_t cursor = 0;
    bool good = true;
    if (sql_scan(text, len, &tokens) != SQL_SCAN_OK) {
        return complain(at.source, 1, "cannot be read as SQL in UTF-8");
    }
    while (good && sql_next_piece(text, len, &tokens, &cursor, &piece)) {
        good = piece.empty || take_piece(list, at, text, &tokens, &piece);
    }
    sql_tokens_cleanup(&tokens);
    return good;
}

bool statements_read(const struct direct_options *options, struct cli_statements *out_statements)
{
    bool good = true;
    size_t nth = 0;
    *out_statements = (struct cli_statements){.num = 0};
    for (size_t i = 0; i < options->num_sources && good; i++) {
        const struct direct_source *source = &options->sources[i];
        struct buf text = {0};
        if (!source->is_file) {
            struct place at = {.source = "-c", .nth = ++nth};
            good = take_text(out_statements, at, source->text, strlen(source->text));
        } else {
            struct place at = {.source = source->text};
            good = read_file(source->text, &text) &&
                   take_text(out_statements, at, (const char *)buf_bytes(&text), buf_len(&text));
        }
        buf_cleanup(&text);
    }
    if (good && out_statements->num == 0) {
        (void)fputs("mvswap: there is no statement\n", stderr);
        good = false;
    }
    return good;
}

void statements_cleanup(struct cli_statements *statements)
{
    for (size_t i = 0; i < statements->num; i++) {
        mem_free(statements->items[i].text);
        mem_free(statements->items[i].schema);
        mem_free(statements->items[i].name);
    }
    mem_free(statements->items);
    *statements = (struct cli_statements){.num = 0};
}

/* ---- their order ---- */

/* Does the text of one name the view of the other? */
enum naming { NAMES_NOT, NAMES_PERHAPS, NAMES_AS_SOURCE, NUM_NAMINGS };

struct order {
    const struct cli_statement *items;
    size_t num;
    enum naming *namings; /* [i * num + k]: of k, in the text of i */
    bool *taken;
};

static bool token_is(const char *text, const struct sql_tokens *tokens, size_t at, const char *name)
{
    const struct sql_tokens one = {.items = tokens->items + at, .num_items = 1};
    return sql_tokens_name(text, &one, name, strlen(name));
}

static bool is_source(const char *text, const struct sql_token *before)
{
    return sql_token_is_word(text, before, "from") || sql_token_is_word(text, before, "join");
}

/* By the name at that place, with or without a schema in front. */
static enum naming naming_at(const char *text, const struct sql_tokens *tokens, size_t at,
                             const struct cli_statement *own, const struct cli_statement *other)
{
    size_t first = at;
    if (!token_is(text, tokens, at, other->name)) {
        return NAMES_NOT;
    }
    if (at >= 2 && sql_token_is_symbol(text, &tokens->items[at - 1], '.')) {
        first = at - 2;
        bool same = other->schema != NULL && token_is(text, tokens, first, other->schema);
        if (other->schema != NULL && !same) {
            return NAMES_NOT;
        }
    }
    /* Without schemas its own name is that of its own view. */
    bool is_own = strcmp(own->name, other->name) == 0 && (first == at || other->schema == NULL);
    if (is_own || first == 0) {
        return NAMES_NOT;
    }
    return is_source(text, &tokens->items[first - 1]) ? NAMES_AS_SOURCE : NAMES_PERHAPS;
}

static bool find_namings(struct order *o)
{
    for (size_t i = 0; i < o->num; i++) {
        const char *text = o->items[i].text;
        struct sql_tokens tokens = {0};
        if (sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
            return false;
        }
        for (size_t k = 0; k < o->num; k++) {
            enum naming *naming = &o->namings[i * o->num + k];
            for (size_t at = 0; at < tokens.num_items && k != i; at++) {
                enum naming here = naming_at(text, &tokens, at, &o->items[i], &o->items[k]);
                *naming = here > *naming ? here : *naming;
            }
        }
        sql_tokens_cleanup(&tokens);
    }
    return true;
}

/* The first that names none that is still to come, in this way or a surer one; num: there is none.
 */
static size_t next(const struct order *o, enum naming least)
{
    for (size_t i = 0; i < o->num; i++) {
        bool waits = o->taken[i];
        for (size_t k = 0; k < o->num && !waits; k++) {
            waits = !o->taken[k] && o->namings[i * o->num + k] >= least;
        }
        if (!waits) {
            return i;
        }
    }
    return o->num;
}

static size_t next_of_any(const struct order *o)
{
    size_t at = next(o, NAMES_PERHAPS);
    at = at != o->num ? at : next(o, NAMES_AS_SOURCE);
    return at != o->num ? at : next(o, NUM_NAMINGS);
}

bool statements_order(struct cli_statements *statements)
{
    size_t num = statements->num;
    struct order o = {.items = statements->items,
                      .num = num,
                      .namings = mem_new(num * num * sizeof(*o.namings)),
                      .taken = mem_new(num)};
    struct cli_statement *ordered = mem_new(num * sizeof(*ordered));
    bool good = o.namings != NULL && o.taken != NULL && ordered != NULL && find_namings(&o);
    for (size_t i = 0; i < num && good; i++) {
        size_t at = next_of_any(&o);
        ordered[i] = statements->items[at];
        o.taken[at] = true;
    }
    if (good) {
        memcpy(statements->items, ordered, num * sizeof(*ordered));
    } else {
        (void)fputs("mvswap: out of memory\n", stderr);
    }
    mem_free(ordered);
    mem_free(o.namings);
    mem_free(o.taken);
    return good;
}
