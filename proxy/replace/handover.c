/*
 * handover: after the swap each index's own name is given up by the old index and taken by the new
 * one. The statements and the warnings are made before the swap, one after the other as the indexes
 * are named: afterwards an allocation that fails may not leave a name behind without a word.
 * Must not know: how indexes are built (indexes.c).
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

/* A name that is taken is asked for again: so often, after so long. */
enum { NAME_TRIES = 6, NAME_TAKEN_MS = 200 };

/* What is set aside for one index. */
struct handover {
    char *rename_old; /* statements; NULL with zero_downtime = off */
    char *rename_own; /* of an old index that got its own name back since; NULL: it always had it */
    char *rename_new;
    const char *out_of_the_way; /* which of the two is to be sent; NULL: neither */
    struct queued_notice *warning;
};

void handover_cleanup(struct replace *r)
{
    for (size_t i = 0; i < r->num_handover; i++) {
        mem_free(r->handover[i].rename_old);
        mem_free(r->handover[i].rename_own);
        mem_free(r->handover[i].rename_new);
        notices_free(r->handover[i].warning);
    }
    mem_free(r->handover);
    r->handover = NULL;
    r->num_handover = 0;
}

bool begin_reserving_handover(struct replace *r)
{
    handover_cleanup(r);
    r->handover = mem_new(num_indexes(r) * sizeof(*r->handover));
    if (r->handover == NULL) {
        return false;
    }
    r->num_handover = num_indexes(r);
    return true;
}

void add_own_index_name(const struct replace *r, size_t num, struct buf *out)
{
    const char *name = index_name(r, num);
    size_t len = strlen(name);
    enum temp_kind kind = TEMP_BUILD;
    buf_truncate(out, 0);
    buf_add(out, name, len);
    while (buf_text(out) != NULL && temp_name_parse(buf_text(out), &len, &kind)) {
        buf_truncate(out, len);
    }
}

void add_index_name(const struct replace *r, size_t num, enum temp_kind kind, struct buf *out)
{
    struct buf own = {0};
    add_own_index_name(r, num, &own);
    const char *name = buf_text(&own);
    if (name != NULL) {
        temp_name(out, name, kind, r->stamp);
    } else {
        out->failed = true;
    }
    buf_cleanup(&own);
}

static char *rename_statement(const struct replace *r, const char *from, const char *to)
{
    struct buf sql = {0};
    sql_format(&sql, "ALTER INDEX %I.%I RENAME TO %I", r->schema, from, to);
    char *copy = buf_text(&sql) != NULL ? mem_copy(buf_text(&sql), buf_len(&sql)) : NULL;
    buf_cleanup(&sql);
    return copy;
}

static struct queued_notice *kept_name_warning(const char *own, const char *temporary,
                                               const char *rename, const char *why)
{
    struct buf message = {0};
    struct buf hint = {0};
    struct queued_notice *n = NULL;
    buf_add_format(&message, "index \"%s\" has kept its temporary name \"%s\"", own, temporary);
    buf_add_format(&hint, "%s;", rename);
    if (buf_text(&message) != NULL && buf_text(&hint) != NULL) {
        n = warning_new(buf_text(&message), why, buf_text(&hint));
    }
    buf_cleanup(&message);
    buf_cleanup(&hint);
    return n;
}

/* Both names are known. */
static bool reserve_renames(struct replace *r, struct handover *h, const char *own, const char *old,
                            const char *new)
{
    bool other_name = strcmp(index_name(r, r->index_at), own) != 0;
    mem_free(h->rename_old);
    mem_free(h->rename_own);
    mem_free(h->rename_new);
    notices_free(h->warning);
    h->rename_old = rename_statement(r, index_name(r, r->index_at), old);
    h->rename_own = other_name ? rename_statement(r, own, old) : NULL;
    h->rename_new = rename_statement(r, new, own);
    h->warning = h->rename_new != NULL ? kept_name_warning(own, new, h->rename_new, NULL) : NULL;
    return h->rename_old != NULL && h->warning != NULL && (!other_name || h->rename_own != NULL);
}

bool reserve_handover(struct replace *r)
{
    struct buf own = {0};
    struct buf old = {0};
    if (!zero_downtime(r)) {
        return true; /* it is built under its own name */
    }
    add_own_index_name(r, r->index_at, &own);
    add_index_name(r, r->index_at, TEMP_OLD, &old);
    bool reserved = buf_text(&own) != NULL && buf_text(&old) != NULL &&
                    reserve_renames(r, &r->handover[r->index_at], buf_text(&own), buf_text(&old),
                                    r->index.name);
    buf_cleanup(&own);
    buf_cleanup(&old);
    return reserved;
}

static struct queued_notice *missing_warning(const struct replace *r, size_t num)
{
    struct buf message = {0};
    buf_add_format(&message, "index \"%s\" was not created anew", index_name(r, num));
    const char *text = buf_text(&message);
    struct queued_notice *n =
        text != NULL ? warning_new(text, NULL, index_definition(r, num)) : NULL;
    buf_cleanup(&message);
    return n;
}

bool reserve_index_warnings(struct replace *r)
{
    bool reserved = true;
    for (size_t i = 0; reserved && i < r->num_handover; i++) {
        notices_free(r->handover[i].warning);
        r->handover[i].warning = missing_warning(r, i);
        reserved = r->handover[i].warning != NULL;
    }
    return reserved;
}

enum step begin_handover(struct replace *r)
{
    if (r->rollback) {
        return r->hands_off ? begin_cascade(r) : begin_index_renames(r);
    }
    if (r->hands_off) {
        warn_index_names(r, "Another replacement or rename came at the same moment.");
        return begin_cascade(r);
    }
    return carries_indexes(r) && num_indexes(r) != 0 ? STEP_INDEX_NAMES : begin_cascade(r);
}

void ask_index_names(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT i.name, i.primary_table_id FROM rw_catalog.rw_indexes i"
               " WHERE i.primary_table_id IN (%u, %u)",
               r->old_id, r->view.id);
    run(r, out);
}

enum step skip_index_names(struct replace *r)
{
    return r->index_at < num_indexes(r) ? STEP_INDEX_RENAME_OLD : begin_cascade(r);
}

static bool is_index_of(const struct replace_result *rows, const char *name, uint64_t view)
{
    for (size_t i = 0; i < rows->num_rows; i++) {
        const char *got = cell(rows, i, 0);
        if (got != NULL && strcmp(got, name) == 0 && cell_id(rows, i, 1) == view) {
            return true;
        }
    }
    return false;
}

/* An index that somebody has given the name meanwhile keeps it. */
static enum step next_handover(struct replace *r)
{
    if (r->mode == REPLACE_PLAN) {
        return skip_index_names(r);
    }
    if (r->index_at >= num_indexes(r)) {
        return begin_cascade(r);
    }
    return r->handover[r->index_at].out_of_the_way != NULL ? STEP_INDEX_RENAME_OLD
                                                           : STEP_INDEX_RENAME_NEW;
}

enum step take_index_names(struct replace *r, const struct replace_result *result)
{
    struct buf own = {0};
    for (size_t i = 0; i < r->num_handover; i++) {
        struct handover *h = &r->handover[i];
        add_own_index_name(r, i, &own);
        const char *name = buf_text(&own);
        h->out_of_the_way = NULL;
        if (is_index_of(result, index_name(r, i), r->old_id)) {
            h->out_of_the_way = h->rename_old;
        } else if (h->rename_own != NULL && name != NULL && is_index_of(result, name, r->old_id)) {
            h->out_of_the_way = h->rename_own;
        }
    }
    buf_cleanup(&own);
    return next_handover(r);
}

/* Another proxy hands names over at this moment, too: it will be done in an instant. */
void ask_index_wait(struct replace *r, struct replace_request *out)
{
    out->kind = REPLACE_WAIT;
    out->until_ms = r->now.mono_ms + NAME_TAKEN_MS;
}

enum step take_index_wait(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_INDEX_NAMES;
}

/* Without knowing what is behind the names none is touched. */
enum step refused_index_names(struct replace *r, const struct replace_result *result)
{
    warn_index_names(r, result->error.message);
    return begin_cascade(r);
}

void ask_index_rename_old(struct replace *r, struct replace_request *out)
{
    const struct handover *h = &r->handover[r->index_at];
    buf_add_text(&r->sql, h->out_of_the_way != NULL ? h->out_of_the_way : h->rename_old);
    run(r, out);
}

enum step take_index_rename_old(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_INDEX_RENAME_NEW;
}

void ask_index_rename_new(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, r->handover[r->index_at].rename_new);
    run(r, out);
}

enum step take_index_rename_new(struct replace *r, const struct replace_result *result)
{
    (void)result;
    r->index_at++;
    r->name_tries = 0;
    return next_handover(r);
}

/* Gone or not: if its name is free the new one takes it. */
enum step refused_index_rename_old(struct replace *r, const struct replace_result *result)
{
    return take_index_rename_old(r, result);
}

/* The new index works under its temporary name. */
static void warn_index_name(struct replace *r, const char *why)
{
    struct handover *h = &r->handover[r->index_at];
    struct buf own = {0};
    struct buf new = {0};
    add_own_index_name(r, r->index_at, &own);
    add_index_name(r, r->index_at, TEMP_BUILD, &new);
    bool named = buf_text(&own) != NULL && buf_text(&new) != NULL;
    warn_or_reserved(
        r, named ? kept_name_warning(buf_text(&own), buf_text(&new), h->rename_new, why) : NULL,
        &h->warning);
    buf_cleanup(&own);
    buf_cleanup(&new);
}

enum step refused_index_rename_new(struct replace *r, const struct replace_result *result)
{
    if (strstr(result->error.message, "exists") != NULL && ++r->name_tries < NAME_TRIES) {
        return STEP_INDEX_WAIT;
    }
    warn_index_name(r, result->error.message);
    return take_index_rename_new(r, result);
}

void warn_index_names(struct replace *r, const char *why)
{
    for (; r->index_at < r->num_handover; r->index_at++) {
        warn_index_name(r, why);
    }
}

void warn_of_index(struct replace *r, const char *message, const char *why, const char *hint)
{
    warn_or_reserved(r, message != NULL ? warning_new(message, why, hint) : NULL,
                     &r->handover[r->index_at].warning);
}

void warn_indexes_missing(struct replace *r)
{
    for (; r->index_at < r->num_handover; r->index_at++) {
        warn_or_reserved(r, missing_warning(r, r->index_at), &r->handover[r->index_at].warning);
    }
}

void add_index_names(const struct replace *r, struct buf *out)
{
    for (size_t i = r->index_at; i < r->num_handover; i++) {
        if (r->handover[i].rename_new != NULL) {
            buf_add_format(out, " %s;", r->handover[i].rename_new);
        }
    }
}
