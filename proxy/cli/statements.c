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

static bool add(struct cli_statements *list, const char *source, size_t line, const char *text,
                size_t len, const char *name)
{
    if (list->num == MOST_STATEMENTS) {
        return complain(source, line, "too many statements: at most 1000 in one run");
    }
    struct cli_statement *items = mem_resize(list->items, (list->num + 1) * sizeof(*items));
    if (items == NULL) {
        return complain(source, line, "out of memory");
    }
    list->items = items;
    struct cli_statement *s = &items[list->num];
    *s = (struct cli_statement){.source = source, .line = line};
    s->text = mem_copy(text, len);
    s->name = mem_copy(name, strlen(name));
    list->num++;
    return (s->text != NULL && s->name != NULL) || complain(source, line, "out of memory");
}

static bool take_piece(struct cli_statements *list, const char *source, const char *text,
                       const struct sql_tokens *tokens, const struct sql_piece *piece)
{
    struct statement statement;
    size_t first = piece->first;
    while (first + 1 < piece->first + piece->num &&
           tokens->items[first].kind == SQL_TOKEN_COMMENT) {
        first++;
    }
    size_t line = line_of(text, tokens->items[first].start);
    if (statement_read(text, tokens, piece, &statement) != STATEMENT_READ) {
        return complain(source, line, "out of memory");
    }
    bool good = false;
    if (statement.kind == STATEMENT_OTHER) {
        (void)complain(source, line,
                       "expected CREATE OR REPLACE [MATERIALIZED] VIEW name AS query");
    } else if (statement.has_parameters) {
        (void)complain(source, line,
                       "the statement holds a parameter ($1): nothing is bound to it");
    } else {
        good =
            add(list, source, line, text + piece->start, piece->end - piece->start, statement.name);
    }
    statement_cleanup(&statement);
    return good;
}

static bool take_text(struct cli_statements *list, const char *source, const char *text, size_t len)
{
    struct sql_tokens tokens = {0};
    struct sql_piece piece;
    size_t cursor = 0;
    bool good = true;
    if (sql_scan(text, len, &tokens) != SQL_SCAN_OK) {
        return complain(source, 1, "cannot be read as SQL in UTF-8");
    }
    while (good && sql_next_piece(text, len, &tokens, &cursor, &piece)) {
        good = piece.empty || take_piece(list, source, text, &tokens, &piece);
    }
    sql_tokens_cleanup(&tokens);
    return good;
}

bool statements_read(const struct direct_options *options, struct cli_statements *out_statements)
{
    bool good = true;
    *out_statements = (struct cli_statements){.num = 0};
    for (size_t i = 0; i < options->num_sources && good; i++) {
        const struct direct_source *source = &options->sources[i];
        struct buf text = {0};
        if (!source->is_file) {
            good = take_text(out_statements, "-c", source->text, strlen(source->text));
        } else {
            good = read_file(source->text, &text) &&
                   take_text(out_statements, source->text, (const char *)buf_bytes(&text),
                             buf_len(&text));
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
        mem_free(statements->items[i].name);
    }
    mem_free(statements->items);
    *statements = (struct cli_statements){.num = 0};
}

/* ---- their order ---- */

struct order {
    const struct cli_statements *given;
    bool *names; /* [i * num + k]: does the text of i name the view of k? */
    bool *taken;
};

static bool find_names(struct order *o)
{
    size_t num = o->given->num;
    for (size_t i = 0; i < num; i++) {
        const char *text = o->given->items[i].text;
        struct sql_tokens tokens = {0};
        if (sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
            return false;
        }
        for (size_t k = 0; k < num; k++) {
            const char *name = o->given->items[k].name;
            o->names[i * num + k] = strcmp(name, o->given->items[i].name) != 0 &&
                                    sql_tokens_name(text, &tokens, name, strlen(name));
        }
        sql_tokens_cleanup(&tokens);
    }
    return true;
}

/* The first that names none that are still to come; of those that name one another the first. */
static size_t next(const struct order *o)
{
    size_t num = o->given->num;
    size_t first = num;
    for (size_t i = 0; i < num; i++) {
        bool waits = false;
        for (size_t k = 0; k < num && !waits; k++) {
            waits = !o->taken[k] && o->names[i * num + k];
        }
        if (!o->taken[i] && !waits) {
            return i;
        }
        first = !o->taken[i] && first == num ? i : first;
    }
    return first;
}

bool statements_order(struct cli_statements *statements)
{
    size_t num = statements->num;
    struct order o = {.given = statements, .names = mem_new(num * num), .taken = mem_new(num)};
    struct cli_statement *ordered = mem_new(num * sizeof(*ordered));
    bool good = o.names != NULL && o.taken != NULL && ordered != NULL && find_names(&o);
    for (size_t i = 0; i < num && good; i++) {
        size_t at = next(&o);
        ordered[i] = statements->items[at];
        o.taken[at] = true;
    }
    if (good) {
        memcpy(statements->items, ordered, num * sizeof(*ordered));
    }
    mem_free(ordered);
    mem_free(o.names);
    mem_free(o.taken);
    return good;
}
