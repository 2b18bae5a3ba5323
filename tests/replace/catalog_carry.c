/*
 * catalog_carry: OWNER TO, SET PARALLELISM and RESOURCE_GROUP, GRANT, REVOKE, COMMENT, and how an
 * ACL is printed. The engine may send them for what it built only. See catalog.h.
 */
#include "catalog_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void catalog_grant(struct catalog_object *o, const char *user, const char *grantor, bool option)
{
    struct catalog_grant *place = NULL;
    for (size_t i = 0; i < CATALOG_GRANTS; i++) {
        struct catalog_grant *g = &o->grants[i];
        if (strcmp(g->user, user) == 0 && strcmp(g->grantor, grantor) == 0) {
            g->option = g->option || option;
            return;
        }
        place = place == NULL && g->user[0] == 0 ? g : place;
    }
    if (place == NULL) {
        abort();
    }
    set_text(place->user, CATALOG_WORD, user);
    set_text(place->grantor, CATALOG_WORD, grantor);
    place->option = option;
}

/* An element of an array is quoted when it holds one of its signs. */
static void add_entry(char text[CATALOG_TEXT], const char *user, const char *letters,
                      const char *grantor)
{
    char entry[3 * CATALOG_WORD];
    char quoted[6 * CATALOG_WORD];
    size_t len = 0;
    (void)snprintf(entry, sizeof(entry), "%s=%s/%s", user, letters, grantor);
    bool quotes = strpbrk(entry, " ,{}\"\\") != NULL;
    if (quotes) {
        quoted[len++] = '"';
    }
    for (const char *at = entry; *at != 0; at++) {
        if (*at == '"' || *at == '\\') {
            quoted[len++] = '\\';
        }
        quoted[len++] = *at;
    }
    if (quotes) {
        quoted[len++] = '"';
    }
    quoted[len] = 0;
    size_t end = strlen(text);
    (void)snprintf(text + end, CATALOG_TEXT - end, "%s%s", end > 1 ? "," : "", quoted);
}

const char *catalog_acl(const struct catalog *c, const struct catalog_object *o,
                        char out_text[CATALOG_TEXT])
{
    if (o->acl[0] != 0) {
        return strcmp(o->acl, "NULL") == 0 ? NULL : o->acl;
    }
    set_text(out_text, CATALOG_TEXT, "{");
    for (size_t i = 0; i < CATALOG_SUPERUSERS && c->superusers[i] != NULL; i++) {
        add_entry(out_text, c->superusers[i], "arwd", "root");
    }
    for (size_t i = 0; i < CATALOG_GRANTS; i++) {
        const struct catalog_grant *g = &o->grants[i];
        if (g->user[0] != 0) {
            add_entry(out_text, g->user, g->option ? "r*" : "r", g->grantor);
        }
    }
    size_t end = strlen(out_text);
    (void)snprintf(out_text + end, CATALOG_TEXT - end, "}");
    return out_text;
}

/* Steps over the words for a relation's kind. */
static const char *read_kind(const char **at)
{
    return read_word(at, "MATERIALIZED VIEW ") ? "materialized view"
           : read_word(at, "VIEW ")            ? "view"
                                               : NULL;
}

/* The object, which must be one that the engine built, and of that kind; NULL: of a kind that has
 * comments. */
static struct catalog_object *built_object(struct catalog *c, const char **at, const char *kind,
                                           const char *sql, struct answer *a)
{
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    if (!read_qualified(at, schema, name)) {
        catalog_violated(c, "a name without its schema", sql);
        return NULL;
    }
    struct catalog_object *o = catalog_find(c, schema, name);
    bool fits = o != NULL && (kind != NULL ? is_kind(o, kind) : !is_kind(o, "view"));
    if (!fits || !catalog_created(c, o)) {
        answer_not_found(a, kind != NULL ? kind : "table", name);
        return NULL;
    }
    bool live = c->swapped && !catalog_is_temporary(o->name, TEMP_BUILD);
    if (!c->racing && !c->temp_taken && (!catalog_is_new(c, o) || live)) {
        catalog_violated(c, "something of an object changed that was not built, or is live", sql);
    }
    return o;
}

static void alter_object(struct catalog *c, const char *sql, struct answer *a)
{
    char text[CATALOG_NAME] = "";
    const char *at = sql + strlen("ALTER ");
    const char *kind = read_kind(&at);
    struct catalog_object *o = built_object(c, &at, kind, sql, a);
    if (o == NULL) {
        return;
    }
    a->result.tag = is_kind(o, "view") ? "ALTER_VIEW" : "ALTER_MATERIALIZED_VIEW";
    if (read_word(&at, " OWNER TO ") && read_name(&at, text) && *at == 0) {
        if (!catalog_is_superuser(c, c->user)) {
            answer_error(a, "XX000", "Permission denied: no CREATE on the schema");
            return;
        }
        set_text(o->owner, CATALOG_WORD, text);
    } else if (is_kind(o, "view")) {
        catalog_violated(c, "ALTER VIEW of an unknown form", sql);
    } else if (read_word(&at, " SET RESOURCE_GROUP = ") && read_text(&at, text) && *at == 0) {
        set_text(o->resource_group, CATALOG_WORD, text);
    } else if (read_word(&at, " SET CONFIG ")) {
        size_t end = strlen(o->config);
        (void)snprintf(o->config + end, CATALOG_TEXT - end, "%s", at);
    } else if (catalog_at_least(c, 3, 0) && read_word(&at, " SET PARALLELISM = '")) {
        at--;
        if (!read_text(&at, text) || *at != 0) {
            catalog_violated(c, "an unknown parallelism", sql);
        }
        set_text(o->parallelism, CATALOG_WORD, text);
    } else if (read_word(&at, " SET PARALLELISM = ")) {
        bool adaptive = strcmp(at, "ADAPTIVE") == 0;
        if (!adaptive && (*at == 0 || at[strspn(at, "0123456789")] != 0)) {
            catalog_violated(c, "an unknown parallelism", sql);
        }
        (void)snprintf(o->parallelism, CATALOG_WORD, adaptive ? "%.20s" : "FIXED(%.20s)", at);
    } else {
        catalog_violated(c, "ALTER MATERIALIZED VIEW of an unknown form", sql);
    }
}

void catalog_alter(struct catalog *c, const char *sql, struct answer *a)
{
    if (strstr(sql, "\" SWAP WITH \"") != NULL) {
        catalog_swap(c, sql, a);
    } else {
        alter_object(c, sql, a);
    }
}

void catalog_grant_select(struct catalog *c, const char *sql, struct answer *a)
{
    char user[CATALOG_NAME] = "";
    const char *at = sql + strlen("GRANT SELECT ON ");
    const char *kind = read_kind(&at);
    struct catalog_object *o = built_object(c, &at, kind, sql, a);
    if (o == NULL) {
        return;
    }
    bool read = read_word(&at, " TO ") && read_name(&at, user);
    bool option = read_word(&at, " WITH GRANT OPTION");
    if (!read || *at != 0) {
        catalog_violated(c, "GRANT of an unknown form", sql);
        return;
    }
    catalog_grant(o, user, c->user, option);
    a->result.tag = "GRANT_PRIVILEGE";
}

/* A superuser takes back what anybody granted; others what they granted themselves. */
void catalog_revoke_select(struct catalog *c, const char *sql, struct answer *a)
{
    char user[CATALOG_NAME] = "";
    const char *at = sql + strlen("REVOKE SELECT ON ");
    const char *kind = read_kind(&at);
    struct catalog_object *o = built_object(c, &at, kind, sql, a);
    if (o == NULL) {
        return;
    }
    if (!read_word(&at, " FROM ") || !read_name(&at, user) || *at != 0) {
        catalog_violated(c, "REVOKE of an unknown form", sql);
        return;
    }
    for (size_t i = 0; i < CATALOG_GRANTS; i++) {
        struct catalog_grant *g = &o->grants[i];
        if (strcmp(g->user, user) == 0 &&
            (catalog_is_superuser(c, c->user) || strcmp(g->grantor, c->user) == 0)) {
            *g = (struct catalog_grant){.option = false};
        }
    }
    a->result.tag = "REVOKE_PRIVILEGE";
}

static struct catalog_column *column_of(struct catalog_object *o, const char *name)
{
    for (size_t i = 0; i < CATALOG_COLUMNS; i++) {
        if (o->columns[i].name[0] != 0 && strcmp(o->columns[i].name, name) == 0) {
            return &o->columns[i];
        }
    }
    return NULL;
}

/* COMMENT ON TABLE "s"."n" IS '...' or ON COLUMN "s"."n"."c" IS '...'. */
void catalog_comment(struct catalog *c, const char *sql, struct answer *a)
{
    char column[CATALOG_NAME] = "";
    char text[CATALOG_NAME] = "";
    const char *at = sql + strlen("COMMENT ON ");
    bool on_column = read_word(&at, "COLUMN ");
    if (!on_column && !read_word(&at, "TABLE ")) {
        catalog_violated(c, "COMMENT of an unknown form", sql);
        return;
    }
    struct catalog_object *o = built_object(c, &at, NULL, sql, a);
    if (o == NULL) {
        return;
    }
    bool read = !on_column || (read_word(&at, ".") && read_name(&at, column));
    if (!read || !read_word(&at, " IS ") || !read_text(&at, text) || *at != 0) {
        catalog_violated(c, "COMMENT of an unknown form", sql);
        return;
    }
    struct catalog_column *place = on_column ? column_of(o, column) : NULL;
    if (on_column && place == NULL) {
        answer_not_found(a, "column", column);
        return;
    }
    set_text(on_column ? place->comment : o->comment, CATALOG_WORD, text);
    a->result.tag = "COMMENT";
}
