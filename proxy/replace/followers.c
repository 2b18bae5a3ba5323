/*
 * followers: what will be sent for each view that follows, and the warnings that it did not, made
 * before the swap: afterwards an allocation that fails may lose neither a view nor a word.
 * Must not know: when it is sent (follow.c).
 */
#include "replace_internal.h"

#include "definition.h"
#include "mem.h"
#include "rewriting.h"
#include "sql_format.h"

#include <string.h>

void follower_cleanup(struct follower *f)
{
    mem_free(f->temporary);
    mem_free(f->create);
    mem_free(f->create_plain);
    mem_free(f->set_path);
    mem_free(f->set_path_last);
    mem_free(f->swap);
    mem_free(f->drop);
    notices_free(f->warning);
    notices_free(f->left);
    *f = (struct follower){0};
}

/* The text of `b`, which is emptied; NULL without memory. */
static char *take_text(struct buf *b)
{
    const char *text = buf_text(b);
    char *copy = text != NULL ? mem_copy(text, buf_len(b)) : NULL;
    buf_cleanup(b);
    return copy;
}

/* " (a, b)", as the catalog has the columns; nothing if it has none. */
static void add_columns(const struct replace *r, const struct dependent *d, struct buf *out)
{
    const struct replace_result *rows = &r->dependents.columns.rows;
    const char *comma = " (";
    for (size_t i = 0; i < rows->num_rows; i++) {
        if (cell_id(rows, i, 0) == d->id && cell(rows, i, 1) != NULL) {
            buf_add_text(out, comma);
            sql_format(out, "%I", cell(rows, i, 1));
            comma = ", ";
        }
    }
    if (comma[0] == ',') {
        buf_add_text(out, ")");
    }
}

static void add_query(const struct dependent *d, struct buf *out)
{
    struct definition definition;
    if (!definition_read(dependent_text(d, DEPENDENT_DEFINITION), &definition)) {
        out->failed = true;
        return;
    }
    struct byte_range query = definition.statement.query;
    buf_add_text(out, " AS ");
    buf_add(out, definition.text + query.start, query.end - query.start);
    definition_cleanup(&definition);
}

static bool has_star(const char *text)
{
    struct sql_tokens tokens = {0};
    bool star = false;
    if (sql_scan(text, strlen(text), &tokens) != SQL_SCAN_OK) {
        return false;
    }
    for (size_t i = 0; i < tokens.num_items; i++) {
        star = star || sql_token_is_symbol(text, &tokens.items[i], '*');
    }
    sql_tokens_cleanup(&tokens);
    return star;
}

static void add_create(const struct replace *r, const struct dependent *d, const char *begin,
                       const char *name, bool with_columns, struct buf *out)
{
    buf_add_text(out, begin);
    sql_format(out, " %I.%I", dependent_text(d, DEPENDENT_SCHEMA), name);
    if (with_columns) {
        add_columns(r, d, out);
    }
    add_query(d, out);
}

/* Its own schema and those of what it reads: under this path its names may mean what they meant to
 * whoever created it. */
static void add_path(const struct replace *r, const struct dependent *d, bool own_first,
                     struct buf *out)
{
    size_t num = 0;
    const struct reference *references = dependents_references(&r->dependents, d->id, &num);
    const char *comma = "";
    buf_add_text(out, "SET search_path TO ");
    if (own_first) {
        sql_format(out, "%I", dependent_text(d, DEPENDENT_SCHEMA));
        comma = ", ";
    }
    for (size_t i = 0; i < num; i++) {
        if (references[i].schema != NULL) {
            buf_add_text(out, comma);
            sql_format(out, "%I", references[i].schema);
            comma = ", ";
        }
    }
    if (!own_first) {
        buf_add_text(out, comma);
        sql_format(out, "%I", dependent_text(d, DEPENDENT_SCHEMA));
    }
}

/* The rest of a definition behind the name; the whole when it cannot be read. */
static void add_behind_name(const char *text, struct buf *out)
{
    struct definition definition;
    if (!definition_read(text, &definition)) {
        out->failed = true;
        return;
    }
    buf_add_text(out, text + definition.statement.last_part.end);
    definition_cleanup(&definition);
}

static void add_replacement(const struct dependent *d, struct buf *out)
{
    sql_format(out, "CREATE OR REPLACE MATERIALIZED VIEW %I.%I",
               dependent_text(d, DEPENDENT_SCHEMA), dependent_text(d, DEPENDENT_NAME));
    add_behind_name(dependent_text(d, DEPENDENT_DEFINITION), out);
}

/* The SQL that moves it, as far as that can be said. */
static void add_remedy(const struct replace *r, const struct dependent *d, struct buf *out)
{
    const char *text = dependent_text(d, DEPENDENT_DEFINITION);
    const char *schema = dependent_text(d, DEPENDENT_SCHEMA);
    const char *name = dependent_text(d, DEPENDENT_NAME);
    const char *kind = dependent_text(d, DEPENDENT_KIND);
    if (d->kind == DEPENDENT_VIEW && text != NULL) {
        add_create(r, d, "CREATE OR REPLACE VIEW", name, true, out);
        buf_add_byte(out, ';');
    } else if (d->kind == DEPENDENT_MATERIALIZED_VIEW && text != NULL) {
        add_replacement(d, out);
        buf_add_byte(out, ';');
    } else if (d->kind == DEPENDENT_OTHER) {
        /* Definitions of sinks may hold passwords. */
        struct buf sql = {0};
        sql_format(&sql, "%I.%I", schema, name);
        buf_add_format(out, "Drop the %s %s and create it again.", kind,
                       buf_text(&sql) != NULL ? buf_text(&sql) : name);
        buf_cleanup(&sql);
    }
}

static const char new_in_places[] = "What it reads in TUMBLE, HOP, CASE, IN, a subscript, "
                                    "SUBSTRING, TRIM or OVERLAY is the new one at once";

/* Does the server's rewriting miss a place in the text of a view that stays? */
bool reads_new_in_places(const struct replace *r, const struct dependent *d)
{
    const char *text = dependent_text(d, DEPENDENT_DEFINITION);
    return d->kind == DEPENDENT_VIEW && text != NULL &&
           rewriting_count(text, r->statement.name).missed != 0;
}

/* More than this in a message helps nobody. */
enum { MOST_REMEDY = 16 * 1024 };

static struct queued_notice *stays_notice(const struct replace *r, const struct dependent *d,
                                          const char *why, bool with_remedy)
{
    struct buf message = {0};
    struct buf remedy = {0};
    struct buf detail = {0};
    struct queued_notice *n = NULL;
    add_dependent_name(d, &message);
    buf_add_format(&message, " %s on the old \"%s\"", d->in_doubt ? "may stay" : "stays",
                   r->view_name);
    if (with_remedy) {
        buf_init(&remedy, MOST_REMEDY);
        add_remedy(r, d, &remedy);
    }
    bool has_remedy = !buf_failed(&remedy) && buf_len(&remedy) != 0;
    if (why != NULL) {
        buf_add_format(&detail, "Reason: %s", why);
    }
    if (reads_new_in_places(r, d)) {
        buf_add_format(&detail, "%s%s", why != NULL ? ". " : "", new_in_places);
    }
    if (buf_text(&message) != NULL && buf_text(&detail) != NULL) {
        n = warning_new(buf_text(&message), buf_len(&detail) != 0 ? buf_text(&detail) : NULL,
                        has_remedy ? buf_text(&remedy) : NULL);
    }
    buf_cleanup(&message);
    buf_cleanup(&remedy);
    buf_cleanup(&detail);
    return n;
}

/* Of a view whose temporary self may have been left behind. */
static struct queued_notice *left_notice(const struct dependent *d)
{
    struct buf message = {0};
    struct buf hint = {0};
    struct queued_notice *n = NULL;
    buf_add_format(&message, "\"%s\" may be left in schema \"%s\"", d->follower.temporary,
                   dependent_text(d, DEPENDENT_SCHEMA));
    buf_add_format(&hint, "%s;", d->follower.drop);
    if (buf_text(&message) != NULL && buf_text(&hint) != NULL) {
        n = warning_new(buf_text(&message), NULL, buf_text(&hint));
    }
    buf_cleanup(&message);
    buf_cleanup(&hint);
    return n;
}

static bool reserve_statements(struct replace *r, struct dependent *d)
{
    struct follower *f = &d->follower;
    const char *schema = dependent_text(d, DEPENDENT_SCHEMA);
    const char *name = dependent_text(d, DEPENDENT_NAME);
    struct buf b = {0};
    temp_name(&b, name, TEMP_BUILD, r->stamp);
    f->temporary = take_text(&b);
    if (f->temporary == NULL) {
        return false;
    }
    add_create(r, d, "CREATE VIEW", f->temporary, true, &b);
    f->create = take_text(&b);
    f->star = has_star(dependent_text(d, DEPENDENT_DEFINITION));
    if (f->star) {
        add_create(r, d, "CREATE VIEW", f->temporary, false, &b);
        f->create_plain = take_text(&b);
    }
    add_path(r, d, true, &b);
    f->set_path = take_text(&b);
    add_path(r, d, false, &b);
    f->set_path_last = take_text(&b);
    sql_format(&b, "ALTER VIEW %I.%I SWAP WITH %I.%I", schema, f->temporary, schema, name);
    f->swap = take_text(&b);
    sql_format(&b, "DROP VIEW %I.%I", schema, f->temporary);
    f->drop = take_text(&b);
    f->left = f->drop != NULL ? left_notice(d) : NULL;
    return f->create != NULL && (!f->star || f->create_plain != NULL) && f->set_path != NULL &&
           f->set_path_last != NULL && f->swap != NULL && f->left != NULL;
}

static bool reserve_rebuild(struct replace *r, struct dependent *d)
{
    struct buf b = {0};
    add_replacement(d, &b);
    d->follower.create = take_text(&b);
    add_path(r, d, true, &b);
    d->follower.set_path = take_text(&b);
    return d->follower.create != NULL && d->follower.set_path != NULL;
}

/* That it stays can be said in any case. */
static bool reserve_dependent(struct replace *r, struct dependent *d)
{
    d->follower.warning = stays_notice(r, d, d->why, d->fate == FATE_FOLLOWS);
    if (d->follower.warning == NULL) {
        return false;
    }
    return d->fate == FATE_FOLLOWS    ? reserve_statements(r, d)
           : d->fate == FATE_REBUILDS ? reserve_rebuild(r, d)
                                      : true;
}

/* It is known by its text only. */
static struct queued_notice *creating_notice(const struct replace *r, const char *sql)
{
    struct buf message = {0};
    struct definition job;
    struct queued_notice *n = NULL;
    buf_add_text(&message, "a job that is being created");
    if (sql != NULL && definition_read(sql, &job)) {
        buf_add_format(&message, ", \"%s\",", job.statement.name);
        definition_cleanup(&job);
    }
    buf_add_format(&message, " stays on the old \"%s\"", r->view_name);
    if (buf_text(&message) != NULL) {
        n = warning_new(buf_text(&message), NULL, "Create it again when it is finished.");
    }
    buf_cleanup(&message);
    return n;
}

static bool reserve_creating_warnings(struct replace *r)
{
    const struct replace_result *jobs = &r->dependents.creating.rows;
    notices_free(r->creating_warnings);
    r->creating_warnings = NULL;
    for (size_t i = 0; i < jobs->num_rows; i++) {
        struct queued_notice *n = creating_notice(r, cell(jobs, i, 0));
        if (n == NULL) {
            return false;
        }
        n->next = r->creating_warnings;
        r->creating_warnings = n;
    }
    return true;
}

/* Through these names the old view is read: see drain.c. */
static bool reserve_drain_names(struct replace *r)
{
    size_t num = 0;
    mem_free(r->drain_names);
    r->drain_names = mem_new((2 + 2 * r->dependents.num) * sizeof(*r->drain_names));
    if (r->drain_names == NULL) {
        return false;
    }
    r->drain_names[num++] = r->statement.name;
    r->drain_names[num++] = r->view.name;
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *d = &r->dependents.items[i];
        if (gets_another_name(r, d)) {
            r->drain_names[num++] = dependent_text(d, DEPENDENT_NAME);
        }
        if (d->fate == FATE_FOLLOWS) {
            r->drain_names[num++] = d->follower.temporary;
        }
    }
    r->num_drain_names = num;
    return true;
}

enum step begin_reserving_followers(struct replace *r)
{
    if (!reserve_creating_warnings(r)) {
        return fail_without_memory(r);
    }
    if (num_fated(r, FATE_APART) != r->dependents.num) {
        return STEP_SEARCH_PATH;
    }
    return reserve_drain_names(r) ? last_look(r) : fail_without_memory(r);
}

size_t longest_name_of_followers(const struct replace *r, size_t longest)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *d = &r->dependents.items[i];
        if (d->follower.temporary != NULL) {
            size_t len = strlen(d->follower.temporary);
            size_t schema = strlen(dependent_text(d, DEPENDENT_SCHEMA));
            longest = len > longest ? len : longest;
            longest = schema > longest ? schema : longest;
        }
    }
    return longest;
}

size_t longest_of_followers(const struct replace *r)
{
    size_t longest = r->restore_path != NULL ? strlen(r->restore_path) : 0;
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *d = &r->dependents.items[i];
        const char *const texts[] = {d->follower.create, d->follower.create_plain,
                                     d->follower.set_path, d->follower.set_path_last,
                                     d->follower.swap};
        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
            size_t len = texts[k] != NULL ? strlen(texts[k]) : 0;
            longest = len > longest ? len : longest;
        }
    }
    return longest;
}

void ask_search_path(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SHOW search_path");
    run(r, out);
}

enum step take_search_path(struct replace *r, const struct replace_result *result)
{
    struct buf b = {0};
    const char *path = cell(result, 0, 0);
    /* In one string it is taken apart as SHOW has put it together (transcript 24). */
    mem_free(r->restore_path);
    r->restore_path = NULL;
    if (path != NULL && path[0] != 0) {
        sql_format(&b, "SET search_path TO %L", path);
        r->restore_path = take_text(&b);
    }
    bool reserved = r->restore_path != NULL || path == NULL || path[0] == 0;
    for (size_t i = 0; i < r->dependents.num && reserved; i++) {
        struct dependent *d = &r->dependents.items[i];
        if (d->fate != FATE_APART) {
            reserved = reserve_dependent(r, d);
        }
    }
    return reserved && reserve_drain_names(r) && reserve_left(r) && reserve_spare(r)
               ? last_look(r)
               : fail_without_memory(r);
}

void warn_stays(struct replace *r, struct dependent *d, const char *why)
{
    struct queued_notice *n = stays_notice(r, d, why, true);
    warn_or_reserved(r, n != NULL ? n : stays_notice(r, d, why, false), &d->follower.warning);
    d->why = NULL;
}

void warn_follower_left(struct replace *r, struct dependent *d)
{
    warn_or_reserved(r, NULL, &d->follower.left);
}
