/*
 * sweep_items: what has a temporary name, and what the server says of each. Asks nothing itself.
 */
#include "sweep_internal.h"

#include "mem.h"
#include "processes.h"
#include "rows.h"
#include "temp_name.h"

#include <stdlib.h>
#include <string.h>

enum {
    US_A_SECOND = 1000000,
    /* A statement on the family's own name that has run for longer may be reading what had that
     * name before: when that was swapped is not known to the second. A limit that is shorter
     * counts. */
    LATE_MS = 60000
};

const char *sweep_kind_word(enum sweep_kind kind)
{
    static const char *const words[] = {[SWEEP_MATERIALIZED_VIEW] = "materialized view",
                                        [SWEEP_VIEW] = "view",
                                        [SWEEP_INDEX] = "index"};
    return words[kind];
}

/* The same words as rw_relations has them. */
static bool read_kind(const char *type, enum sweep_kind *out_kind)
{
    for (int kind = SWEEP_MATERIALIZED_VIEW; kind <= SWEEP_INDEX; kind++) {
        if (same_text(type, sweep_kind_word((enum sweep_kind)kind))) {
            *out_kind = (enum sweep_kind)kind;
            return true;
        }
    }
    return false;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t sweep_known_since(const struct sweep *s, uint64_t id)
{
    uint64_t since_us = 0;
    for (size_t i = 0; i < s->options.num_known; i++) {
        if (s->known[i].id == id) {
            since_us = later(since_us, s->known[i].since_us);
        }
    }
    return since_us;
}

/* Fills `work` from a row; false: it is not one. `*out_base_len`: of the family's name. */
static bool read_item(const struct sweep *s, size_t row, struct sweep_work *work,
                      size_t *out_base_len)
{
    const struct replace_result *rows = &s->relations.rows;
    struct sweep_item *item = &work->item;
    enum temp_kind temp;
    *item = (struct sweep_item){.id = cell_id(rows, row, RELATION_ID),
                                .schema = cell(rows, row, RELATION_SCHEMA),
                                .name = cell(rows, row, RELATION_NAME),
                                .owner = cell(rows, row, RELATION_OWNER)};
    if (item->id == 0 || item->schema == NULL || item->name == NULL ||
        !read_kind(cell(rows, row, RELATION_TYPE), &item->kind)) {
        return false;
    }
    if (temp_name_parse(item->name, out_base_len, &temp)) {
        item->since_us = temp_name_time(item->name);
    } else if (s->options.with_dbt &&
               temp_name_parse_dbt(item->name, out_base_len, &item->since_us)) {
        item->is_dbt = true;
    } else {
        return false;
    }
    work->item.settled_us = later(item->since_us, sweep_known_since(s, item->id));
    return true;
}

/* What has the family's own name now. */
static uint64_t find_live(const struct sweep *s, const struct sweep_work *work)
{
    const struct replace_result *rows = &s->relations.rows;
    for (size_t row = 0; row < rows->num_rows; row++) {
        if (same_text(cell(rows, row, RELATION_SCHEMA), work->item.schema) &&
            same_text(cell(rows, row, RELATION_NAME), work->family)) {
            return cell_id(rows, row, RELATION_ID);
        }
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct sweep_item *x = &((const struct sweep_work *)a)->item;
    const struct sweep_item *y = &((const struct sweep_work *)b)->item;
    int order = strcmp(x->schema, y->schema);
    return order != 0 ? order : strcmp(x->name, y->name);
}

bool sweep_find_items(struct sweep *s)
{
    size_t num_rows = s->relations.rows.num_rows;
    s->works = mem_new(num_rows * sizeof(*s->works));
    if (s->works == NULL) {
        return false;
    }
    for (size_t row = 0; row < num_rows; row++) {
        struct sweep_work work = {.live_id = 0};
        size_t base_len = 0;
        if (!read_item(s, row, &work, &base_len)) {
            continue;
        }
        work.family = mem_copy(work.item.name, base_len);
        if (work.family == NULL) {
            return false;
        }
        work.item.family = work.family;
        work.live_id = find_live(s, &work);
        s->works[s->num_works++] = work;
    }
    qsort(s->works, s->num_works, sizeof(*s->works), by_name);
    return true;
}

struct sweep_work *sweep_work_of(struct sweep *s, uint64_t id)
{
    for (size_t i = 0; id != 0 && i < s->num_works; i++) {
        if (s->works[i].item.id == id) {
            return &s->works[i];
        }
    }
    return NULL;
}

/* Rows of id and the seconds since 1970 at which it was finished. What replaced an object was
 * finished before it: so that is no older either. */
void sweep_take_created(struct sweep *s, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        uint64_t id = cell_id(result, row, 0);
        const char *text = cell(result, row, 1);
        uint64_t created_us = text != NULL ? strtoull(text, NULL, 10) * US_A_SECOND : 0;
        for (size_t i = 0; i < s->num_works; i++) {
            struct sweep_work *work = &s->works[i];
            if (work->item.id == id || (work->live_id == id && id > work->item.id)) {
                work->item.settled_us = later(work->item.settled_us, created_us);
            }
            if (work->item.id == id && text == NULL) {
                work->building = true;
            }
        }
    }
}

static bool set_family(struct sweep_work *work, const char *name)
{
    char *family = mem_copy(name, strlen(name));
    if (family == NULL) {
        return false;
    }
    mem_free(work->family);
    work->family = family;
    work->item.family = family;
    return true;
}

static const char *name_of(const struct sweep *s, uint64_t id)
{
    for (size_t row = 0; row < s->relations.rows.num_rows; row++) {
        if (cell_id(&s->relations.rows, row, RELATION_ID) == id) {
            return cell(&s->relations.rows, row, RELATION_NAME);
        }
    }
    return NULL;
}

/* Rows of index and table: an index belongs to the family of its table. */
bool sweep_take_indexes(struct sweep *s, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        struct sweep_work *index = sweep_work_of(s, cell_id(result, row, 0));
        uint64_t table_id = cell_id(result, row, 1);
        if (index == NULL) {
            continue;
        }
        const struct sweep_work *table = sweep_work_of(s, table_id);
        const char *family = table != NULL ? table->family : name_of(s, table_id);
        index->table_id = table_id;
        if (family != NULL && !set_family(index, family)) {
            return false;
        }
    }
    return true;
}

void sweep_note_building(struct sweep *s, uint64_t id)
{
    for (size_t i = 0; id != 0 && i < s->num_works; i++) {
        struct sweep_work *work = &s->works[i];
        work->building = work->building || work->item.id == id;
        work->live_building = work->live_building || work->live_id == id;
    }
}

void sweep_take_sizes(struct sweep *s, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        struct sweep_work *work = sweep_work_of(s, cell_id(result, row, 0));
        const char *bytes = cell(result, row, 1);
        if (work != NULL && bytes != NULL && bytes[0] >= '0' && bytes[0] <= '9') {
            work->item.has_size = true;
            work->item.size = strtoull(bytes, NULL, 10);
        }
    }
}

/* Does it name a view that this sweep has dropped? It began before, and reads what stood behind. */
static bool reads_dropped(const struct sweep *s, const struct replace_result *result, size_t row)
{
    for (size_t i = 0; i < s->num_works; i++) {
        const char *const name[] = {s->works[i].item.name};
        if (s->works[i].item.fate == SWEEP_DROPPED && process_names(result, row, name, 1)) {
            return true;
        }
    }
    return false;
}

static uint64_t late_ms(const struct sweep *s)
{
    return s->options.older_than_ms < LATE_MS ? s->options.older_than_ms : LATE_MS;
}

/* A statement of which nobody can tell what it reads counts when it has run for a while: a busy
 * server always has a short one, which had to name something by its temporary name. */
static bool may_read_anything(const struct sweep *s, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        if ((process_has_run(result, row, late_ms(s)) && process_is_unclear(result, row)) ||
            reads_dropped(s, result, row)) {
            return true;
        }
    }
    return false;
}

/* How long a statement has run that began when the object had its other name yet: it may read it by
 * whatever names, through views. Never 0: the list shows the question itself. */
static uint64_t age_ms(const struct sweep *s, const struct sweep_work *work)
{
    enum { SLACK_MS = 1000 }; /* the list is a moment older than its answer */
    uint64_t now = s->now.unix_us;
    uint64_t age = now > work->item.settled_us ? (now - work->item.settled_us) / 1000 : 0;
    age = age > SLACK_MS ? age - SLACK_MS : age;
    return age != 0 ? age : 1;
}

static bool is_read_now(const struct sweep *s, const struct sweep_work *work,
                        const struct replace_result *result)
{
    const char *const own[] = {work->item.name};
    const char *const family[] = {work->family};
    for (size_t row = 0; row < result->num_rows; row++) {
        if (process_names(result, row, own, 1) || process_has_run(result, row, age_ms(s, work)) ||
            (process_has_run(result, row, late_ms(s)) && process_names(result, row, family, 1))) {
            return true;
        }
    }
    return false;
}

bool sweep_is_in_use(const struct sweep *s, const struct sweep_work *work,
                     const struct replace_result *result)
{
    return may_read_anything(s, result) || is_read_now(s, work, result);
}

/* Plain views, too: a statement that names one reads what stands behind it, and that may be another
 * item, which stays as long as the view does. */
void sweep_take_processes(struct sweep *s, const struct replace_result *result)
{
    bool any = may_read_anything(s, result);
    for (size_t i = 0; i < s->num_works; i++) {
        s->works[i].in_use = any || is_read_now(s, &s->works[i], result);
    }
}
