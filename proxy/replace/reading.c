/*
 * reading: how results are read: cells, ids, lists of names, ACLs, stored definitions. When a text
 * cannot be read for certain the answer is the careful one.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"
#include "sql_scan.h"

#include <stdlib.h>
#include <string.h>

void run(struct replace *r, struct replace_request *out)
{
    out->kind = REPLACE_RUN;
    out->sql = buf_text(&r->sql);
}

void ask_temp_id(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, "SELECT m.id FROM rw_catalog.");
    buf_add_text(&r->sql, is_view(r) ? "rw_views" : "rw_materialized_views");
    sql_format(&r->sql,
               " m JOIN rw_catalog.rw_schemas s ON s.id = m.schema_id"
               " WHERE s.name = %L AND m.name = %L",
               r->schema, r->view.name);
    run(r, out);
}

void add_verb(const struct replace *r, struct buf *out, const char *verb)
{
    buf_add_text(out, verb);
    buf_add_text(out, is_view(r) ? " VIEW " : " MATERIALIZED VIEW ");
}

const char *cell(const struct replace_result *result, size_t row, size_t column)
{
    if (row >= result->num_rows || column >= result->num_columns) {
        return NULL;
    }
    return result->cells[row * result->num_columns + column];
}

uint64_t cell_id(const struct replace_result *result, size_t row, size_t column)
{
    const char *text = cell(result, row, column);
    if (text == NULL || text[0] == 0 || text[strspn(text, "0123456789")] != 0 ||
        strlen(text) > 19) {
        return 0;
    }
    return strtoull(text, NULL, 10);
}

bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

char *copy_cell(const struct replace_result *result, size_t row, size_t column)
{
    const char *text = cell(result, row, column);
    return text != NULL ? mem_copy(text, strlen(text)) : NULL;
}

void ask_relation(struct replace *r, struct replace_request *out, uint64_t id)
{
    sql_format(&r->sql,
               "SELECT r.definition, r.acl, o.name FROM rw_catalog.rw_relations r"
               " LEFT JOIN rw_catalog.rw_users o ON o.id = r.owner WHERE r.id = %u",
               id);
    run(r, out);
}

bool is_superuser(const struct replace *r, const char *name)
{
    for (size_t i = 0; i < r->num_superusers; i++) {
        if (strcmp(r->superusers[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool definition_is_unsafe(const char *definition)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(definition, strlen(definition), &tokens) != SQL_SCAN_OK) {
        return true;
    }
    bool unsafe = false;
    /* Stored definitions hold no comments: what reads as one is a minus before a negative number.
     */
    for (size_t i = 0; i < tokens.num_items; i++) {
        unsafe = unsafe || tokens.items[i].kind == SQL_TOKEN_COMMENT;
    }
    sql_tokens_cleanup(&tokens);
    return unsafe;
}

/* Behind `text` in a shown name, where quotes stand around it or do not; NULL: it does not begin
 * so. Names hold no double quotes, so passing over all of them is exact. */
static const char *behind_shown(const char *shown, const char *text)
{
    shown += strspn(shown, "\"");
    for (; *text != 0; text++, shown++) {
        if (*shown != *text) {
            return NULL;
        }
    }
    return shown + strspn(shown, "\"");
}

/* Is it schema.name, or name alone (2.2 shows no schema)? Needs no memory: an answer that cannot be
 * read would be asked for again without end. */
static bool shown_name_is(const char *shown, const char *schema, const char *name)
{
    const char *rest = behind_shown(shown, name);
    if (rest != NULL && *rest == 0) {
        return true;
    }
    rest = behind_shown(shown, schema);
    rest = rest != NULL && *rest == '.' ? behind_shown(rest + 1, name) : NULL;
    return rest != NULL && *rest == 0;
}

bool listed(const struct replace *r, const struct replace_result *result, const char *name)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        const char *shown = cell(result, row, 0);
        if (shown != NULL && shown_name_is(shown, r->schema, name)) {
            return true;
        }
    }
    return false;
}
