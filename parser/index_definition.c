/* index_definition: see index_definition.h. */
#include "index_definition.h"

#include "sql_format.h"
#include "token_walk.h"

#include <string.h>

/* The last token of the table's name, or NULL. */
static const struct sql_token *table_end(struct token_walk *w)
{
    const struct sql_token *part = NULL;
    if (token_walk_word(w, "create") == NULL || token_walk_word(w, "index") == NULL ||
        token_walk_name(w) == NULL || token_walk_word(w, "on") == NULL) {
        return NULL;
    }
    do {
        part = token_walk_name(w);
    } while (part != NULL && token_walk_symbol(w, '.') != NULL);
    return part;
}

bool index_definition_renamed(const char *definition, const char *index, const char *schema,
                              const char *table, struct buf *out)
{
    struct sql_tokens tokens = {0};
    if (sql_scan(definition, strlen(definition), &tokens) != SQL_SCAN_OK) {
        return false;
    }
    struct token_walk w = {.text = definition, .items = tokens.items, .end = tokens.num_items};
    const struct sql_token *end = table_end(&w);
    /* Columns in parentheses, or USING in front of them. */
    bool read = end != NULL && token_walk_next(&w) != NULL;
    if (read) {
        sql_format(out, "CREATE INDEX %I ON %I.%I", index, schema, table);
        buf_add_text(out, definition + end->end);
    }
    sql_tokens_cleanup(&tokens);
    return read;
}
