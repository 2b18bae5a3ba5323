/*
 * catalog_bind: what a query reads and which columns it has, by the names in its text, and how a
 * swap rewrites these names in stored texts (docs/risingwave.md 2 and 13). As much SQL as the
 * tests' queries need: names behind FROM, JOIN and commas between them, TUMBLE and HOP, CASE. See
 * catalog.h.
 */
#include "catalog_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REFERENCES = 8 };

/* A relation's name in a text. */
struct reference {
    const char *last; /* where its last part begins */
    const char *end;
    char schema[CATALOG_NAME]; /* "": none is written */
    char name[CATALOG_NAME];
    bool missed; /* a swap does not rewrite it */
};

static bool is_word_sign(char sign)
{
    return isalnum((unsigned char)sign) || sign == '_' || sign == '$';
}

static size_t word_len(const char *at)
{
    size_t len = 0;
    while (is_word_sign(at[len])) {
        len++;
    }
    return len;
}

static bool is_word(const char *at, const char *lower)
{
    return word_is(at, lower) && !is_word_sign(at[strlen(lower)]);
}

static const char *behind_blanks(const char *at)
{
    return at + strspn(at, " \n\t");
}

/* Words that cannot be an alias: they end the list of what is read. */
static bool ends_list(const char *at)
{
    static const char *const words[] = {"where", "group", "order", "having", "limit", "union",
                                        "on",    "left",  "inner", "cross",  "join",  "select"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is_word(at, words[i])) {
            return true;
        }
    }
    return false;
}

/* The name at `at`, in up to three parts. */
static const char *read_reference(const char *at, bool missed, struct reference *out)
{
    *out = (struct reference){.last = at, .missed = missed};
    while (read_name(&at, out->name) && *at == '.') {
        set_text(out->schema, CATALOG_NAME, out->name);
        out->last = ++at;
    }
    out->end = at;
    return at;
}

/* Where the text goes on behind something that holds no names: a literal, a quoted name, a word. */
static const char *behind_item(const char *at)
{
    if (*at == '\'' || *at == '"') {
        const char *end = strchr(at + 1, *at);
        return end != NULL ? end + 1 : at + strlen(at);
    }
    return at + (is_word_sign(*at) ? word_len(at) : 1);
}

struct finding {
    bool expects;     /* a name comes next */
    bool in_list;     /* a comma makes one come next */
    unsigned in_case; /* how many CASEs are open */
};

/* Takes what stands at `at` into account; a name is read into `out`, and counted. */
static const char *find_one(const char *at, struct finding *f, struct reference *out, size_t *num)
{
    if (f->expects && (is_word(at, "tumble") || is_word(at, "hop"))) {
        *f = (struct finding){.in_case = f->in_case};
        *num += 1;
        return read_reference(strchr(at, '(') + 1, true, out);
    }
    if (f->expects && (is_word_sign(*at) || *at == '"') && !ends_list(at)) {
        f->expects = false;
        f->in_list = true;
        *num += 1;
        return read_reference(at, f->in_case != 0, out);
    }
    f->expects = is_word(at, "from") || is_word(at, "join") || (*at == ',' && f->in_list);
    f->in_list = f->in_list && *at != '(' && *at != ')' && !ends_list(at);
    f->in_case += is_word(at, "case");
    f->in_case -= is_word(at, "end") && f->in_case != 0;
    return behind_item(at);
}

static size_t find_references(const char *text, struct reference out[MOST_REFERENCES])
{
    struct finding f = {false};
    size_t num = 0;
    for (const char *at = behind_blanks(text); *at != 0;) {
        if (num == MOST_REFERENCES) {
            abort();
        }
        at = behind_blanks(find_one(at, &f, &out[num], &num));
    }
    return num;
}

/* The relation that a name means under a search_path, as SHOW prints it. */
static struct catalog_object *resolve(struct catalog *c, const char *path,
                                      const struct reference *reference)
{
    char schema[CATALOG_NAME];
    if (reference->schema[0] != 0) {
        return catalog_find(c, reference->schema, reference->name);
    }
    for (const char *at = path; *at != 0;) {
        size_t len = strcspn(at, ",");
        const char *next = at[len] != 0 ? at + len + 1 : at + len;
        while (len != 0 && (at[0] == '"' || at[0] == ' ')) {
            at++;
            len--;
        }
        while (len != 0 && (at[len - 1] == '"' || at[len - 1] == ' ')) {
            len--;
        }
        (void)snprintf(schema, sizeof(schema), "%.*s", (int)len, at);
        struct catalog_object *o =
            catalog_find(c, strcmp(schema, "$user") == 0 ? c->user : schema, reference->name);
        if (o != NULL) {
            return o;
        }
        at = next;
    }
    return NULL;
}

static void add_read(struct catalog_object *o, uint64_t id)
{
    for (size_t i = 0; i < CATALOG_READS; i++) {
        if (o->reads[i] == id || o->reads[i] == 0) {
            o->reads[i] = id;
            return;
        }
    }
    abort();
}

static void add_column(struct catalog_object *o, const char *name, const char *type)
{
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        if (o->columns[i].name[0] == 0) {
            catalog_set_column(&o->columns[i], name, type, "");
            return;
        }
    }
    abort();
}

static const struct catalog_column *find_column(const struct catalog_object *from, const char *name)
{
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        if (from->columns[i].name[0] != 0 && strcmp(from->columns[i].name, name) == 0) {
            return &from->columns[i];
        }
    }
    return NULL;
}

/* One item of the list behind SELECT: `*`, a column, or anything that has a name of its own. False:
 * there is no such column. */
static bool bind_item(struct catalog *c, const char *item, size_t len, struct catalog_object *out)
{
    char text[CATALOG_TEXT];
    char name[CATALOG_NAME] = "?column?";
    const struct catalog_object *first = catalog_by_id(c, out->reads[0]);
    const struct catalog_column *found = NULL;
    (void)snprintf(text, sizeof(text), "%.*s", (int)len, item);
    if (strcmp(text, "*") == 0) {
        for (size_t i = 0; first != NULL && i < CATALOG_COLUMNS; i++) {
            if (first->columns[i].name[0] != 0 && !first->columns[i].hidden) {
                add_column(out, first->columns[i].name, first->columns[i].type);
            }
        }
        return true;
    }
    bool column = strpbrk(text, " ('") == NULL;
    const char *at = strrchr(text, column ? '.' : ' ');
    at = at != NULL ? at + 1 : text;
    (void)read_name(&at, name);
    for (size_t i = 0; i < CATALOG_READS && out->reads[i] != 0; i++) {
        found = found == NULL ? find_column(catalog_by_id(c, out->reads[i]), name) : found;
    }
    add_column(out, name, found != NULL ? found->type : "integer");
    return !column || found != NULL || isdigit((unsigned char)name[0]);
}

static bool bind_columns(struct catalog *c, const char *query, struct catalog_object *out)
{
    const char *at = query;
    bool good = true;
    while (*at != 0 && !is_word(at, "select")) {
        at = behind_item(at);
    }
    for (at += strlen("select"); good && *at != 0 && !is_word(at, "from");) {
        size_t depth = 0;
        at = behind_blanks(at);
        const char *item = at;
        while (*at != 0 && (depth != 0 || (*at != ',' && !is_word(at, "from")))) {
            depth += *at == '(';
            depth -= *at == ')';
            at = behind_item(at);
        }
        size_t len = (size_t)(at - item);
        while (len != 0 && item[len - 1] == ' ') {
            len--;
        }
        good = bind_item(c, item, len, out);
        at += *at == ',';
    }
    return good;
}

bool catalog_bind(struct catalog *c, const char *path, const char *query,
                  struct catalog_object *out, struct answer *a)
{
    struct reference references[MOST_REFERENCES];
    size_t num = find_references(query, references);
    memset(out->reads, 0, sizeof(out->reads));
    memset(out->columns, 0, sizeof(out->columns));
    for (size_t i = 0; i < num; i++) {
        const struct catalog_object *read = resolve(c, path, &references[i]);
        if (read == NULL || !catalog_created(c, read)) {
            answer_not_found(a, "table or source", references[i].name);
            return false;
        }
        add_read(out, read->id);
        /* rw_depend lists for a view also what it reads through other views. */
        for (size_t k = 0; is_kind(read, "view") && k < CATALOG_READS && read->reads[k] != 0; k++) {
            add_read(out, read->reads[k]);
        }
    }
    if (!bind_columns(c, query, out)) {
        answer_error(a, "XX000",
                     "Failed to run the query\n\nCaused by:\n  Bind error: Item not"
                     " found: Invalid column\n");
        return false;
    }
    return true;
}

static void append(char *text, const char *more, size_t len)
{
    size_t end = strlen(text);
    if (end + len >= CATALOG_TEXT) {
        abort();
    }
    memcpy(text + end, more, len);
    text[end + len] = 0;
}

static bool has_alias(const char *behind)
{
    behind = behind_blanks(behind);
    return (is_word_sign(*behind) && !ends_list(behind)) || *behind == '"';
}

/* `FROM x` becomes `FROM y AS x`. The base name is all that counts. */
void catalog_rewrite(struct catalog_object *o, const char *from, const char *to)
{
    struct reference references[MOST_REFERENCES];
    char text[CATALOG_TEXT] = "";
    char name[2 * CATALOG_NAME + 16];
    size_t num = find_references(o->definition, references);
    const char *at = o->definition;
    for (size_t i = 0; i < num; i++) {
        const struct reference *r = &references[i];
        if (r->missed || strcmp(r->name, from) != 0) {
            continue;
        }
        append(text, at, (size_t)(r->last - at));
        (void)snprintf(name, sizeof(name), "%s%s%s", to, has_alias(r->end) ? "" : " AS ",
                       has_alias(r->end) ? "" : from);
        append(text, name, strlen(name));
        at = r->end;
    }
    append(text, at, strlen(at));
    set_text(o->definition, CATALOG_TEXT, text);
}

bool catalog_names_other(const struct catalog_object *o, const char *schema, const char *name)
{
    struct reference references[MOST_REFERENCES];
    size_t num = find_references(o->definition, references);
    bool other = false;
    for (size_t i = 0; i < num; i++) {
        const struct reference *r = &references[i];
        other = other ||
                (strcmp(r->name, name) == 0 && r->schema[0] != 0 && strcmp(r->schema, schema) != 0);
    }
    return other;
}
