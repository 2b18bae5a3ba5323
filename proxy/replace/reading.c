/*
 * reading: how results are read: lists of names, ACLs, stored definitions. When a text
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

bool listed(const struct replace *r, const struct replace_result *result, const char *name)
{
    return rows_show(result, r->schema, name);
}
