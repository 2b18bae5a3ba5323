/*
 * grants: what must be granted and revoked so that the new view is open to exactly those users to
 * whom the old one is. Superusers are listed in every ACL and need nothing. Who granted is not
 * carried over: the catalog prints it, but a grant is the same whoever gave it.
 */
#include "replace_internal.h"

#include "acl.h"
#include "mem.h"
#include "sql_format.h"

#include <stdlib.h>
#include <string.h>

/* What a grantee may do with a view; only SELECT means anything there (risingwave.md 5). */
enum right { RIGHT_NONE, RIGHT_SELECT, RIGHT_SELECT_AND_GRANT, RIGHT_UNREADABLE };

/* Splits an entry: `*out_name` becomes the grantee. */
static enum right read_entry(struct buf *entry)
{
    const char *text = buf_text(entry);
    long len = text != NULL ? acl_grantee_len(text) : -1;
    if (len < 0) {
        return RIGHT_UNREADABLE;
    }
    const char *letters = text + len + 1;
    enum right right = RIGHT_UNREADABLE;
    if (strncmp(letters, "r/", 2) == 0) {
        right = RIGHT_SELECT;
    } else if (strncmp(letters, "r*/", 3) == 0) {
        right = RIGHT_SELECT_AND_GRANT;
    }
    buf_truncate(entry, (size_t)len);
    return right;
}

/* What one user may do, whoever granted it. */
struct grant {
    char *grantee;
    enum right right;
};

struct grants {
    struct grant *items; /* sorted by grantee, one for each */
    size_t num;
};

static void grants_cleanup(struct grants *grants)
{
    for (size_t i = 0; i < grants->num; i++) {
        mem_free(grants->items[i].grantee);
    }
    mem_free(grants->items);
    *grants = (struct grants){0};
}

static int by_grantee(const void *a, const void *b)
{
    return strcmp(((const struct grant *)a)->grantee, ((const struct grant *)b)->grantee);
}

/* Several users may have granted to one: he has the most of it. */
static void merge(struct grants *grants)
{
    size_t kept = 0;
    if (grants->num > 1) {
        qsort(grants->items, grants->num, sizeof(*grants->items), by_grantee);
    }
    for (size_t i = 0; i < grants->num; i++) {
        struct grant *item = &grants->items[i];
        struct grant *last = kept != 0 ? &grants->items[kept - 1] : NULL;
        if (last != NULL && strcmp(last->grantee, item->grantee) == 0) {
            last->right = item->right > last->right ? item->right : last->right;
            mem_free(item->grantee);
        } else {
            grants->items[kept++] = *item;
        }
    }
    grants->num = kept;
}

enum reading { GRANTS_READ, GRANTS_UNREADABLE, GRANTS_NO_MEMORY };

static enum reading add_grant(struct grants *grants, const char *grantee, enum right right)
{
    struct grant *items = mem_resize(grants->items, (grants->num + 1) * sizeof(*items));
    if (items == NULL) {
        return GRANTS_NO_MEMORY;
    }
    grants->items = items;
    items[grants->num] = (struct grant){mem_copy(grantee, strlen(grantee)), right};
    if (items[grants->num].grantee == NULL) {
        return GRANTS_NO_MEMORY;
    }
    grants->num++;
    return GRANTS_READ;
}

/* The grants of an ACL (NULL: none) but those of superusers. What cannot be read is in
 * `out_entry`. */
static enum reading read_grants(const struct replace *r, const char *acl, struct grants *out,
                                struct buf *out_entry)
{
    size_t cursor = 0;
    enum reading reading = GRANTS_READ;
    while (reading == GRANTS_READ) {
        int more = acl != NULL ? array_text_next(acl, &cursor, out_entry) : 0;
        if (more == 0) {
            break;
        }
        enum right right = more > 0 ? read_entry(out_entry) : RIGHT_UNREADABLE;
        const char *grantee = buf_text(out_entry);
        if (grantee == NULL) {
            reading = GRANTS_NO_MEMORY;
        } else if (more < 0) {
            reading = GRANTS_UNREADABLE;
        } else if (!is_superuser(r, grantee)) {
            reading =
                right == RIGHT_UNREADABLE ? GRANTS_UNREADABLE : add_grant(out, grantee, right);
        }
    }
    merge(out);
    return reading;
}

enum step check_grants(struct replace *r, const char *acl)
{
    struct grants grants = {0};
    struct buf entry = {0};
    struct buf detail = {0};
    enum step refusal = STEP_COUNT;
    switch (read_grants(r, acl, &grants, &entry)) {
    case GRANTS_READ:
        break;
    case GRANTS_NO_MEMORY:
        refusal = fail_without_memory(r);
        break;
    case GRANTS_UNREADABLE:
        buf_add_format(&detail, "The entry of \"%s\" in its ACL cannot be read for certain.",
                       buf_text(&entry) != NULL ? buf_text(&entry) : "?");
        refusal = fail_format(r, "0A000", buf_text(&detail), unchanged_hint(r),
                              "replacing \"%s\" would lose its grants", r->view_name);
        break;
    }
    grants_cleanup(&grants);
    buf_cleanup(&entry);
    buf_cleanup(&detail);
    return refusal;
}

/* The kinds are two words of ours, never a name. */
static void add_object(struct buf *sql, const char *begin, const struct grants_object *object)
{
    buf_add_text(sql, begin);
    buf_add_text(sql, object->kind);
    sql_format(sql, " %I.%I", object->schema, object->name);
}

static bool carry_one(struct replace *r, const struct grants_object *object, const char *grantee,
                      enum right had, enum right wanted)
{
    struct buf sql = {0};
    bool good = true;
    if (had > wanted) {
        add_object(&sql, "REVOKE SELECT ON ", object);
        sql_format(&sql, " FROM %I", grantee);
        good = text_list_take(&r->carry, &sql);
        had = RIGHT_NONE;
    }
    if (good && had < wanted) {
        add_object(&sql, "GRANT SELECT ON ", object);
        sql_format(&sql, wanted == RIGHT_SELECT_AND_GRANT ? " TO %I WITH GRANT OPTION" : " TO %I",
                   grantee);
        good = text_list_take(&r->carry, &sql);
    }
    return good;
}

/* Both are sorted: one walk over the two. */
static bool carry_difference(struct replace *r, const struct grants_object *object,
                             const struct grants *old, const struct grants *new)
{
    size_t o = 0;
    size_t n = 0;
    bool good = true;
    while (good && (o < old->num || n < new->num)) {
        int order = o == old->num   ? 1
                    : n == new->num ? -1
                                    : by_grantee(&old->items[o], &new->items[n]);
        const char *grantee = order <= 0 ? old->items[o].grantee : new->items[n].grantee;
        enum right had = order >= 0 ? new->items[n].right : RIGHT_NONE;
        enum right wanted = order <= 0 ? old->items[o].right : RIGHT_NONE;
        good = carry_one(r, object, grantee, had, wanted);
        o += order <= 0;
        n += order >= 0;
    }
    return good;
}

bool grants_are_readable(const struct replace *r, const char *acl)
{
    struct grants grants = {0};
    struct buf entry = {0};
    bool readable = read_grants(r, acl, &grants, &entry) == GRANTS_READ;
    grants_cleanup(&grants);
    buf_cleanup(&entry);
    return readable;
}

/* `*out_num`: how many users need a grant. */
static bool carry_difference_counted(struct replace *r, const struct grants_object *object,
                                     const char *wanted, const char *acl, size_t *out_num)
{
    struct grants old = {0};
    struct grants new = {0};
    struct buf entry = {0};
    bool good = read_grants(r, wanted, &old, &entry) == GRANTS_READ &&
                read_grants(r, acl, &new, &entry) == GRANTS_READ &&
                carry_difference(r, object, &old, &new);
    *out_num = old.num;
    grants_cleanup(&old);
    grants_cleanup(&new);
    buf_cleanup(&entry);
    return good;
}

bool carry_difference_of(struct replace *r, const struct grants_object *object, const char *wanted,
                         const char *acl)
{
    size_t num = 0;
    return carry_difference_counted(r, object, wanted, acl, &num);
}

bool carry_grants(struct replace *r)
{
    const struct grants_object object = {is_view(r) ? "VIEW" : "MATERIALIZED VIEW", r->schema,
                                         r->view.name};
    return carry_difference_counted(r, &object, r->acl, r->new_acl, &r->num_grants);
}
