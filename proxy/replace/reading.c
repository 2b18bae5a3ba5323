/*
 * reading: how results are read: cells, ids, lists of names, ACLs, stored definitions. When a text
 * cannot be read for certain the answer is the careful one.
 */
#include "replace_internal.h"

#include "acl.h"
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
    sql_format(&r->sql,
               "SELECT m.id FROM rw_catalog.rw_materialized_views m"
               " JOIN rw_catalog.rw_schemas s ON s.id = m.schema_id"
               " WHERE s.name = %L AND m.name = %L",
               r->schema, r->temp);
    run(r, out);
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

bool is_superuser(const struct replace *r, const char *name)
{
    for (size_t i = 0; i < r->num_superusers; i++) {
        if (strcmp(r->superusers[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool grants_beyond_superusers(const struct replace *r, const char *acl, struct buf *out_grantee)
{
    size_t cursor = 0;
    for (;;) {
        int more = array_text_next(acl, &cursor, out_grantee);
        if (more == 0) {
            return false;
        }
        const char *entry = more > 0 ? buf_text(out_grantee) : NULL;
        if (entry == NULL) {
            buf_cleanup(out_grantee);
            buf_add_text(out_grantee, "(unreadable)");
            return true;
        }
        long len = acl_grantee_len(entry);
        if (len < 0) {
            return true; /* cannot be told apart: counts as a grant, named as it stands */
        }
        buf_truncate(out_grantee, (size_t)len);
        const char *grantee = buf_text(out_grantee);
        if (grantee == NULL || !is_superuser(r, grantee)) {
            return true;
        }
    }
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

/* Compares a shown name, whose parts stand in quotes where they need them, with schema.name or name
 * alone (2.2 shows no schema). Names hold no double quotes, so leaving all quotes out is exact. */
static bool shown_name_is(const char *shown, const char *schema, const char *name)
{
    struct buf bare = {0};
    struct buf full = {0};
    for (const char *at = shown; *at != 0; at++) {
        if (*at != '"') {
            buf_add_byte(&bare, (uint8_t)*at);
        }
    }
    buf_add_format(&full, "%s.%s", schema, name);
    const char *got = buf_text(&bare);
    const char *want = buf_text(&full);
    bool same = got != NULL && want != NULL && (strcmp(got, want) == 0 || strcmp(got, name) == 0);
    buf_cleanup(&bare);
    buf_cleanup(&full);
    return same;
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

bool names_view(const struct replace *r, const char *sql)
{
    struct sql_tokens tokens = {0};
    size_t len = strlen(sql);
    if (sql_scan(sql, len, &tokens) != SQL_SCAN_OK) {
        return true;
    }
    bool named = sql_tokens_name(sql, &tokens, r->statement.name, strlen(r->statement.name));
    sql_tokens_cleanup(&tokens);
    return named;
}
