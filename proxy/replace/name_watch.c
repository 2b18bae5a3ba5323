/* name_watch: see name_watch.h. */
#include "name_watch.h"

#include "kept.h"
#include "mem.h"
#include "rows.h"

#include <stdlib.h>
#include <string.h>

const char name_watch_sql[] = "SELECT r.id, s.name, r.name FROM rw_catalog.rw_relations r"
                              " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
                              " WHERE r.relation_type IN ('materialized view', 'view')";

enum { COLUMN_ID, COLUMN_SCHEMA, COLUMN_NAME };

struct name {
    const char *schema; /* in the rows */
    const char *name;
    uint64_t id;
    uint64_t since_us; /* 0: it had it when the watch began */
};

struct name_watch {
    struct kept_rows rows;
    struct name *names; /* ordered */
    size_t num;
    bool watches; /* there is a list to compare with */
};

struct name_watch *name_watch_new(void)
{
    return mem_new(sizeof(struct name_watch));
}

void name_watch_forget(struct name_watch *w)
{
    kept_rows_cleanup(&w->rows);
    mem_free(w->names);
    *w = (struct name_watch){.watches = false};
}

void name_watch_free(struct name_watch *w)
{
    if (w != NULL) {
        name_watch_forget(w);
        mem_free(w);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct name *x = a;
    const struct name *y = b;
    int order = strcmp(x->schema, y->schema);
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Fills `names`, which has room for all rows; returns how many there are. */
static size_t read_names(const struct replace_result *rows, struct name *names)
{
    size_t num = 0;
    for (size_t row = 0; row < rows->num_rows; row++) {
        struct name n = {.schema = cell(rows, row, COLUMN_SCHEMA),
                         .name = cell(rows, row, COLUMN_NAME),
                         .id = cell_id(rows, row, COLUMN_ID)};
        if (n.schema != NULL && n.name != NULL && n.id != 0) {
            names[num++] = n;
        }
    }
    qsort(names, num, sizeof(*names), by_name);
    return num;
}

static void compare(const struct name_watch *w, struct name *n, uint64_t now_us,
                    struct buf *out_moved)
{
    const struct name *before =
        w->num != 0 ? bsearch(n, w->names, w->num, sizeof(*n), by_name) : NULL;
    if (before != NULL && before->id == n->id) {
        n->since_us = before->since_us;
        return;
    }
    n->since_us = now_us;
    if (before != NULL) {
        buf_add(out_moved, n->name, strlen(n->name) + 1);
    }
}

bool name_watch_take(struct name_watch *w, const struct replace_result *rows, uint64_t now_us,
                     struct buf *out_moved)
{
    struct kept_rows kept = {.block = NULL};
    struct name *names = mem_new(rows->num_rows * sizeof(*names));
    if (names == NULL || !kept_rows_set(&kept, rows)) {
        mem_free(names);
        return false;
    }
    size_t num = read_names(&kept.rows, names);
    for (size_t i = 0; i < num && w->watches; i++) {
        compare(w, &names[i], now_us, out_moved);
    }
    name_watch_forget(w);
    *w = (struct name_watch){.rows = kept, .names = names, .num = num, .watches = true};
    return true;
}

bool name_watch_since(const struct name_watch *w, size_t *at, uint64_t *out_id,
                      uint64_t *out_since_us)
{
    while (*at < w->num) {
        const struct name *n = &w->names[(*at)++];
        if (n->since_us != 0) {
            *out_id = n->id;
            *out_since_us = n->since_us;
            return true;
        }
    }
    return false;
}
