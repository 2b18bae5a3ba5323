/*
 * catalog_text: small parsers for names, literals and numbers in the engine's SQL, and answers made
 * of cells. See catalog_internal.h.
 */
#include "catalog_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *keep(struct answer *a, const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    if (copy == NULL || a->num_owned == CATALOG_CELLS) {
        abort();
    }
    memcpy(copy, text, strlen(text) + 1);
    a->owned[a->num_owned++] = copy;
    return copy;
}

void answer_row(struct answer *a, size_t num_columns, const char *const *cells)
{
    size_t at = a->result.num_rows * num_columns;
    if (at + num_columns > CATALOG_CELLS) {
        abort();
    }
    for (size_t i = 0; i < num_columns; i++) {
        a->cells[at + i] = cells[i] != NULL ? keep(a, cells[i]) : NULL;
    }
    a->result.num_rows++;
    a->result.num_columns = num_columns;
    a->result.cells = a->cells;
}

void answer_error(struct answer *a, const char *sqlstate, const char *message)
{
    a->result = (struct replace_result){.kind = REPLACE_ERROR};
    a->result.error.sqlstate = sqlstate;
    a->result.error.message = keep(a, message);
    a->result.error.raw = (const uint8_t *)a->result.error.message;
    a->result.error.raw_len = strlen(message);
}

void answer_cleanup(struct answer *a)
{
    for (size_t i = 0; i < a->num_owned; i++) {
        free(a->owned[i]);
    }
    *a = (struct answer){0};
}

void answer_not_found(struct answer *a, const char *kind, const char *name)
{
    char message[2 * CATALOG_NAME];
    (void)snprintf(message, sizeof(message),
                   "Failed to run the query\n\nCaused by these errors (recent errors listed "
                   "first):\n  1: Catalog error\n  2: %s not found: %s\n",
                   kind, name);
    answer_error(a, "42704", message);
}

void answer_exists(struct catalog *c, struct answer *a, const char *name)
{
    char message[2 * CATALOG_NAME];
    (void)snprintf(message, sizeof(message),
                   "Failed to run the query\n\nCaused by these errors (recent errors listed "
                   "first):\n  1: Catalog error\n  2: table with name %s exists\n",
                   name);
    /* Only the text tells in older versions. */
    answer_error(a, catalog_at_least(c, 2, 7) ? "42710" : "XX000", message);
}

bool word_is(const char *at, const char *lower)
{
    size_t i = 0;
    while (lower[i] != 0 && tolower((unsigned char)at[i]) == lower[i]) {
        i++;
    }
    return lower[i] == 0;
}

bool read_name(const char **at, char out_name[CATALOG_NAME])
{
    size_t len = 0;
    const char *p = *at;
    bool quoted = *p == '"';
    p += quoted ? 1 : 0;
    while (*p != 0 && len + 1 < CATALOG_NAME &&
           (quoted ? *p != '"' : isalnum((unsigned char)*p) || *p == '_' || *p == '$')) {
        out_name[len++] = quoted ? *p : (char)tolower((unsigned char)*p);
        p++;
    }
    out_name[len] = 0;
    if (len == 0 || (quoted && *p != '"')) {
        return false;
    }
    *at = p + (quoted ? 1 : 0);
    return true;
}

bool read_word(const char **at, const char *text)
{
    size_t len = strlen(text);
    if (strncmp(*at, text, len) != 0) {
        return false;
    }
    *at += len;
    return true;
}

bool read_qualified(const char **at, char out_schema[CATALOG_NAME], char out_name[CATALOG_NAME])
{
    return read_name(at, out_schema) && read_word(at, ".") && read_name(at, out_name);
}

bool read_text(const char **at, char out_text[CATALOG_NAME])
{
    size_t len = 0;
    if (!read_word(at, "'")) {
        return false;
    }
    for (; **at != 0 && (**at != '\'' || (*at)[1] == '\''); (*at)++) {
        *at += **at == '\'' ? 1 : 0;
        if (len + 1 < CATALOG_NAME) {
            out_text[len++] = **at;
        }
    }
    out_text[len] = 0;
    return read_word(at, "'");
}

void read_literal(const char *sql, unsigned num, char out_text[CATALOG_NAME])
{
    const char *at = sql;
    out_text[0] = 0;
    for (unsigned i = 0; i <= num; i++) {
        at += strcspn(at, "'");
        if (*at == 0 || !read_text(&at, out_text)) {
            out_text[0] = 0;
            return;
        }
    }
}

uint64_t read_number_behind(const char *sql, const char *mark)
{
    const char *found = NULL;
    for (const char *at = strstr(sql, mark); at != NULL; at = strstr(at + 1, mark)) {
        found = at + strlen(mark);
    }
    return found != NULL ? strtoull(found, NULL, 10) : 0;
}

size_t read_ids_of_list(const char *sql, uint64_t *out_ids, size_t max)
{
    const char *at = strstr(sql, " IN (");
    size_t num = 0;
    while (at != NULL && num < max && *at != ')') {
        at += strcspn(at, "0123456789)");
        if (isdigit((unsigned char)*at)) {
            out_ids[num++] = strtoull(at, NULL, 10);
            at += strspn(at, "0123456789");
        }
    }
    return num;
}

const char *null_if_empty(const char *text)
{
    return text[0] != 0 ? text : NULL;
}

const char *id_text(uint64_t id, char out_text[24])
{
    (void)snprintf(out_text, 24, "%" PRIu64, id);
    return out_text;
}

bool is_temp_of(const char *name, enum temp_kind kind, const char *base)
{
    size_t base_len = 0;
    enum temp_kind got = TEMP_BUILD;
    return temp_name_parse(name, &base_len, &got) && got == kind && base_len == strlen(base) &&
           strncmp(name, base, base_len) == 0;
}

bool catalog_is_temporary(const char *name, enum temp_kind kind)
{
    size_t base_len = 0;
    enum temp_kind got = TEMP_BUILD;
    return temp_name_parse(name, &base_len, &got) && got == kind;
}

void catalog_own_name(const char *name, char out_name[CATALOG_NAME])
{
    size_t len = 0;
    enum temp_kind kind = TEMP_BUILD;
    set_text(out_name, CATALOG_NAME, name);
    while (temp_name_parse(out_name, &len, &kind)) {
        out_name[len] = 0;
    }
}

void set_text(char *to, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size) {
        abort();
    }
    memmove(to, text, len + 1);
}
