/*
 * cascade: mvswap.dependents = cascade: the materialized views that read the view are rebuilt, one
 * after the other in the order in which they read one another, each by an engine of its own with
 * its stored definition, complete in itself: probe, build, indexes, grants, swap, views that
 * follow. It must read what its old self reads, moved objects at their new ids. One that fails
 * stays, with whatever reads it, and is named; the others are consistent. Old selves read one
 * another: they are dropped when all is done, leaf first (leftovers.c). Must not know: how a view
 * is replaced.
 */
#include "replace_internal.h"

#include "mem.h"

#include <string.h>

static const char reads_stayer[] = "it reads an object that stays";

static struct dependent *current(const struct replace *r)
{
    return &r->dependents.items[r->cascade_at];
}

/* Does it read a materialized view or a view that was to be moved and was not? */
static bool reads_what_stays(const struct replace *r, const struct dependent *d)
{
    for (size_t i = 0; i < r->dependents.num; i++) {
        const struct dependent *other = &r->dependents.items[i];
        if (other->fate == FATE_STAYS && dependents_reads(&r->dependents, d->id, other->id)) {
            return true;
        }
    }
    return false;
}

static enum step stays(struct replace *r, const char *why)
{
    struct dependent *d = current(r);
    d->fate = FATE_STAYS;
    warn_stays(r, d, why);
    return next_in_cascade(r);
}

/* What the client wants of the view itself is not meant for what reads it. */
static bool settings_of_child(const struct replace *r, struct replace_settings *out)
{
    static const enum setting of_view[] = {
        SETTING_CHECK,     SETTING_BEFORE_BUILD, SETTING_AFTER_SWAP, SETTING_COLUMNS,
        SETTING_ON_CHANGE, SETTING_DEPENDENTS,   SETTING_INDEXES};
    struct replace_settings built_in;
    settings_init(&built_in);
    bool good = settings_copy(&r->settings, out);
    for (size_t i = 0; i < sizeof(of_view) / sizeof(of_view[0]) && good; i++) {
        good = settings_reset(out, of_view[i], &built_in);
    }
    settings_cleanup(&built_in);
    if (!good) {
        settings_cleanup(out);
        return false;
    }
    out->values[SETTING_UNCHANGED] = REPLACE_UNCHANGED_REBUILDS;
    return true;
}

static enum step cannot_start(struct replace *r, const char *why)
{
    if (!r->path_is_set) {
        return stays(r, why);
    }
    mem_free(r->follow_why);
    r->follow_why = mem_copy(why, strlen(why));
    return STEP_CASCADE_RESTORE_PATH;
}

/* Its definition, and another engine, which is asked in place of this one until it is done. */
static enum step start_child(struct replace *r)
{
    struct replace_settings settings = {0};
    const char *text = current(r)->follower.create;
    if (!settings_of_child(r, &settings)) {
        return cannot_start(r, "out of memory");
    }
    r->child = replace_new(text, strlen(text), &settings, REPLACE_CARRY_OUT, r->now);
    settings_cleanup(&settings);
    if (r->child == NULL) {
        return cannot_start(r, "its definition cannot be read");
    }
    r->child->parent = r;
    r->child->expected_id = current(r)->id;
    return STEP_CASCADE;
}

enum step next_in_cascade(struct replace *r)
{
    while (r->cascade_at < r->dependents.num && current(r)->fate != FATE_REBUILDS) {
        r->cascade_at++;
    }
    if (r->cascade_at == r->dependents.num) {
        return after_cascade(r);
    }
    if (r->cancelled) {
        return stays(r, "the replacement was cancelled");
    }
    if (reads_what_stays(r, current(r))) {
        return stays(r, reads_stayer);
    }
    r->follow_try = 0;
    return r->mode == REPLACE_PLAN ? STEP_CASCADE : start_child(r);
}

enum step begin_cascade(struct replace *r)
{
    r->cascade_at = 0;
    return next_in_cascade(r);
}

/* EXPLAIN only: otherwise the engine of its own asks (replace.c). */
void ask_cascade(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, current(r)->follower.create);
    run(r, out);
}

enum step take_cascade(struct replace *r, const struct replace_result *result)
{
    (void)result;
    current(r)->fate = FATE_REBUILT;
    return next_in_cascade(r);
}

void ask_cascade_set_path(struct replace *r, struct replace_request *out)
{
    r->path_is_set = true;
    buf_add_text(&r->sql, current(r)->follower.set_path);
    run(r, out);
}

enum step take_cascade_set_path(struct replace *r, const struct replace_result *result)
{
    return result->kind == REPLACE_ERROR ? STEP_CASCADE_RESTORE_PATH : start_child(r);
}

void ask_cascade_restore_path(struct replace *r, struct replace_request *out)
{
    buf_add_text(&r->sql, r->restore_path);
    run(r, out);
}

enum step take_cascade_restore_path(struct replace *r, const struct replace_result *result)
{
    if (result->kind == REPLACE_ERROR) {
        notice(r, "WARNING", "01000", "the session's search_path could not be put back",
               result->error.message, r->restore_path);
    }
    r->path_is_set = false;
    return current(r)->fate == FATE_REBUILDS ? stays(r, r->follow_why) : next_in_cascade(r);
}

static char *copy_text(const char *text)
{
    return text != NULL ? mem_copy(text, strlen(text)) : NULL;
}

static void free_left(struct replace_left *left)
{
    mem_free((char *)(uintptr_t)left->schema);
    mem_free((char *)(uintptr_t)left->name);
}

/* What it has left is looked after by us from now on. */
static void adopt_left(struct replace *r, const struct replace *child)
{
    size_t before = r->num_adopted;
    for (size_t i = 0; i < child->num_left; i++) {
        const struct replace_left *left = &child->left[i];
        struct replace_left copy = {.schema = copy_text(left->schema),
                                    .name = copy_text(left->name),
                                    .id = left->id,
                                    .until_us = left->until_us};
        struct replace_left *adopted = mem_resize(r->adopted, (r->num_adopted + 1) * sizeof(copy));
        r->adopted = adopted != NULL ? adopted : r->adopted;
        if (adopted != NULL && copy.schema != NULL && copy.name != NULL) {
            adopted[r->num_adopted++] = copy;
        } else {
            warn_named_left(r, left->schema, left->name, "DROP MATERIALIZED VIEW");
            free_left(&copy);
        }
    }
    bool reserved = r->num_adopted == before || reserve_left(r);
    while (!reserved && r->num_adopted > before) {
        /* There is no room for it in what is remembered. */
        struct replace_left *left = &r->adopted[--r->num_adopted];
        warn_named_left(r, left->schema, left->name, "DROP MATERIALIZED VIEW");
        free_left(left);
    }
}

/* Views that followed it are other objects by now. */
static void adopt_moves(struct replace *r, const struct replace *child)
{
    for (size_t i = 0; i < child->dependents.num; i++) {
        const struct dependent *moved = &child->dependents.items[i];
        for (size_t k = 0; k < r->dependents.num && moved->now_id != 0; k++) {
            struct dependent *d = &r->dependents.items[k];
            if (d->id == moved->id || d->now_id == moved->id) {
                d->now_id = moved->now_id;
            }
        }
    }
}

void adopted_cleanup(struct replace *r)
{
    for (size_t i = 0; i < r->num_adopted; i++) {
        free_left(&r->adopted[i]);
    }
    mem_free(r->adopted);
    r->adopted = NULL;
    r->num_adopted = 0;
}

static void adopt_notices(struct replace *r, struct replace *child)
{
    struct queued_notice **end = &r->notices;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = child->notices;
    child->notices = NULL;
}

/* Was it, or would it be, something about names under this search_path? */
static bool may_help_to_set_path(const struct replace *child)
{
    return child->reads_differ || child->probe_refused != NULL;
}

/* Names that were told when they moved are told again before the drop. */
static void adopt_moved_names(struct replace *r, const struct replace *child)
{
    for (size_t i = 0; i < child->moved.num; i++) {
        moved_add(r, child->moved.items[i]);
    }
}

/* The connection is lost: what it says of what may be left is said as a warning. */
static void adopt_error(struct replace *r, const struct replace_outcome *outcome)
{
    if (outcome->kind == REPLACE_FAILED) {
        notice(r, "WARNING", "01000", outcome->error.message, outcome->error.detail,
               outcome->error.hint);
    }
}

/* What its end means for the view that it was to rebuild. */
static enum step after_child(struct replace *r, const struct replace *child)
{
    struct dependent *d = current(r);
    if (child->outcome.server_lost) {
        adopt_error(r, &child->outcome);
        return end_lost(r);
    }
    if (child->gone) {
        d->fate =
            FATE_APART; /* nothing to be moved, and nothing that is known to read the old one */
    }
    bool tries_again = d->fate == FATE_REBUILDS && may_help_to_set_path(child) && !r->cancelled &&
                       r->restore_path != NULL && r->follow_try++ == 0;
    if (r->path_is_set) {
        return STEP_CASCADE_RESTORE_PATH;
    }
    if (tries_again) {
        return STEP_CASCADE_SET_PATH;
    }
    return d->fate == FATE_REBUILDS ? stays(r, r->follow_why) : next_in_cascade(r);
}

enum step take_child(struct replace *r)
{
    struct replace *child = r->child;
    struct dependent *d = current(r);
    const struct replace_outcome *outcome = &child->outcome;
    const char *why = outcome->kind == REPLACE_FAILED             ? outcome->error.message
                      : outcome->kind == REPLACE_FAILED_BY_SERVER ? child->server_words
                                                                  : NULL;
    r->child = NULL;
    r->now = child->now;
    adopt_notices(r, child);
    adopt_left(r, child);
    adopt_moves(r, child);
    adopt_moved_names(r, child);
    mem_free(r->follow_why);
    r->follow_why = copy_text(why);
    d->in_doubt = d->in_doubt || child->hands_off || child->made == MADE_SWAPPING;
    /* Also when the connection was lost since. */
    if (child->made >= MADE_SWAPPED) {
        d->fate = FATE_REBUILT;
        d->now_id = child->view.id;
        r->num_rebuilt++;
    }
    r->after_slot = after_child(r, child);
    bool lost = outcome->server_lost;
    replace_free(child);
    return lost ? r->after_slot : STEP_CASCADE_END_SLOT;
}

/* One that has failed may hold it still. */
enum step take_cascade_end_slot(struct replace *r, const struct replace_result *result)
{
    (void)result;
    return r->after_slot;
}

uint64_t moved_id(const struct replace *r, uint64_t id)
{
    if (id == r->old_id) {
        return r->view.id;
    }
    const struct dependent *d = dependents_find(&r->dependents, id);
    return d != NULL && d->now_id != 0 ? d->now_id : id;
}

bool will_be_rebuilt(const struct replace *r, uint64_t id)
{
    const struct dependent *d =
        r->parent != NULL ? dependents_find(&r->parent->dependents, id) : NULL;
    return d != NULL && d->fate == FATE_REBUILDS;
}

bool may_come_through_view(const struct replace *r, uint64_t id)
{
    return is_view(r) && dependents_reads(&r->dependents, r->old_id, id);
}

bool new_view_reads(const struct replace *r, uint64_t id)
{
    const struct replace_result *rows = &r->reads.rows;
    for (size_t i = 0; is_view(r) && i < rows->num_rows; i++) {
        if (cell_id(rows, i, 0) == id) {
            return true;
        }
    }
    return false;
}

/* What a rebuild reads: rows of some answer. */
struct reads {
    const struct replace_result *rows;
    uint64_t reader;  /* only rows that begin with it; 0: all */
    size_t id_column; /* of what is read */
    size_t name_column;
};

static bool is_of_reader(const struct reads *reads, size_t row)
{
    return reads->reader == 0 || cell_id(reads->rows, row, 0) == reads->reader;
}

static bool is_read(const struct reads *reads, uint64_t id)
{
    for (size_t i = 0; i < reads->rows->num_rows; i++) {
        if (is_of_reader(reads, i) && cell_id(reads->rows, i, reads->id_column) == id) {
            return true;
        }
    }
    return false;
}

/* In a rebuild: does the row tell of something that its old self read? */
static bool old_self_read(const struct replace *parent, uint64_t old_id, uint64_t id)
{
    size_t num = 0;
    const struct reference *before = dependents_references(&parent->dependents, old_id, &num);
    for (size_t i = 0; i < num; i++) {
        if (moved_id(parent, before[i].id) == id) {
            return true;
        }
    }
    return false;
}

/* Functions have no names here, and a view's rows do not have them. */
static bool reads_what_old_self_read(const struct replace *r, const struct reads *reads)
{
    const struct replace *parent = r->parent;
    size_t num = 0;
    const struct reference *before = dependents_references(&parent->dependents, r->old_id, &num);
    for (size_t i = 0; i < reads->rows->num_rows; i++) {
        if (is_of_reader(reads, i) && cell(reads->rows, i, reads->name_column) != NULL &&
            !old_self_read(parent, r->old_id, cell_id(reads->rows, i, reads->id_column)) &&
            !new_view_reads(parent, cell_id(reads->rows, i, reads->id_column))) {
            return false;
        }
    }
    for (size_t i = 0; i < num; i++) {
        if (before[i].name != NULL && !is_read(reads, moved_id(parent, before[i].id)) &&
            !may_come_through_view(parent, before[i].id)) {
            return false;
        }
    }
    return true;
}

enum step check_reads_of_rebuild(struct replace *r, const struct replace_result *rows,
                                 uint64_t reader, size_t id_column, size_t name_column)
{
    const struct reads reads = {rows, reader, id_column, name_column};
    if (r->parent == NULL || reads_what_old_self_read(r, &reads)) {
        return STEP_COUNT;
    }
    r->reads_differ = true;
    return fail(r, "55000", "created anew it would read other objects than before", NULL,
                unchanged_hint(r));
}
