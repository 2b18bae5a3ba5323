/*
 * closure: the names of all that will be swapped are locked together, the view's own and those of
 * the views that follow it: two replacements that move one view at the same time would each swap it
 * away from under the other. Locks are given up and taken anew in one step, so that nobody waits
 * while holding one; whatever was inspected before is inspected again then.
 */
#include "replace_internal.h"

#include "mem.h"
#include "sql_format.h"

#include <string.h>

enum {
    /* Dependents that change each time while the locks are waited for. */
    MOST_ROUNDS = 5
};

/* One string that names the family, unambiguous because names hold no double quote. */
static bool add_family(struct replace *r, struct text_list *list, const char *schema,
                       const char *name)
{
    struct buf family = {0};
    sql_format(&family, "%I.%I.%I", r->database, schema, name);
    return text_list_take(list, &family);
}

static bool list_families(struct replace *r, struct text_list *out)
{
    bool listed = add_family(r, out, r->schema, r->statement.name);
    for (size_t i = 0; i < r->dependents.num && listed; i++) {
        const struct dependent *d = &r->dependents.items[i];
        if (gets_another_name(r, d)) {
            listed = add_family(r, out, dependent_text(d, DEPENDENT_SCHEMA),
                                dependent_text(d, DEPENDENT_NAME));
        }
    }
    return listed;
}

static bool holds(const struct replace *r, const char *family)
{
    for (size_t i = 0; i < r->families.num; i++) {
        if (strcmp(r->families.items[i], family) == 0) {
            return true;
        }
    }
    return false;
}

static bool holds_all(const struct replace *r, const struct text_list *wanted)
{
    for (size_t i = 0; i < wanted->num; i++) {
        if (!holds(r, wanted->items[i])) {
            return false;
        }
    }
    return true;
}

enum step begin_locking(struct replace *r)
{
    if (r->parent != NULL) {
        /* Its names are locked with those of the view that it is rebuilt for. */
        return reserve_left(r) ? STEP_TARGET : fail_without_memory(r);
    }
    return add_family(r, &r->families, r->schema, r->statement.name) ? STEP_LOCK
                                                                     : fail_without_memory(r);
}

enum step lock_closure(struct replace *r)
{
    struct text_list wanted = {0};
    if (r->mode == REPLACE_PLAN || r->parent != NULL) {
        return begin_probe(r);
    }
    if (!list_families(r, &wanted)) {
        text_list_cleanup(&wanted);
        return fail_without_memory(r);
    }
    if (holds_all(r, &wanted)) {
        text_list_cleanup(&wanted);
        return begin_probe(r);
    }
    text_list_cleanup(&r->families);
    r->families = wanted;
    return r->lock_rounds++ < MOST_ROUNDS
               ? STEP_LOCK
               : fail(r, "40001", "what reads the view changes all the time", NULL,
                      "Send the statement again.");
}

void ask_lock(struct replace *r, struct replace_request *out)
{
    out->kind = REPLACE_LOCK;
    out->families = (const char *const *)r->families.items;
    out->num_families = r->families.num;
}

/* Nothing that was found before the locks were taken is worth anything. */
static void forget_inspection(struct replace *r)
{
    for (size_t i = 0; i < r->num_superusers; i++) {
        mem_free(r->superusers[i]);
    }
    mem_free(r->superusers);
    mem_free(r->owner);
    mem_free(r->definition);
    r->superusers = NULL;
    r->num_superusers = 0;
    r->owner = NULL;
    r->definition = NULL;
    dependents_cleanup(&r->dependents);
}

enum step take_lock(struct replace *r, const struct replace_result *result)
{
    /* What earlier replacements left comes with the lock of the view's own name. */
    if (result->num_columns == 4 && !kept_rows_set(&r->remembered, result)) {
        return fail_without_memory(r);
    }
    forget_inspection(r);
    return reserve_left(r) ? STEP_TARGET : fail_without_memory(r);
}

/* EXPLAIN waits for nobody. */
enum step skip_lock(struct replace *r)
{
    (void)r;
    return STEP_TARGET;
}
