/* script_faults: see script_faults.h. */
#include "script_faults.h"

#include <stdio.h>
#include <string.h>

const char *const fault_names[FAULT_COUNT] = {
    [FAULT_NONE] = "ok",
    [FAULT_ERROR] = "error",
    [FAULT_ERROR_LATE] = "error, took effect",
    [FAULT_TARGET_DROPPED] = "view dropped by others",
    [FAULT_TARGET_RENAMED] = "view renamed by others",
    [FAULT_TARGET_SWAPPED] = "view swapped by others",
    [FAULT_TEMP_DROPPED] = "new view dropped by others",
    [FAULT_TEMP_RENAMED] = "new view renamed by others",
    [FAULT_TEMP_SWAPPED] = "new view swapped by others",
    [FAULT_INDEX_DROPPED] = "index dropped by others",
    [FAULT_INDEX_RENAMED] = "index renamed by others",
    [FAULT_INDEX_CREATED] = "index created by others",
    [FAULT_READER_DROPPED] = "reader dropped by others",
    [FAULT_READER_RENAMED] = "reader renamed by others",
    [FAULT_READER_SWAPPED] = "reader swapped by others",
    [FAULT_READER_CREATED] = "reader created by others",
    [FAULT_SELF_DROPPED] = "its self dropped by others",
    [FAULT_SELF_RENAMED] = "its self renamed by others",
    [FAULT_SELF_SWAPPED] = "its self swapped by others",
    [FAULT_CANCEL_FIRST] = "cancelled before",
    [FAULT_GONE_FIRST] = "client gone before",
    [FAULT_SHUTDOWN_FIRST] = "shut down before",
    [FAULT_CANCEL] = "cancelled during",
    [FAULT_GONE] = "client gone during",
    [FAULT_SHUTDOWN] = "shut down during",
    [FAULT_CANCEL_HITS] = "cancelled, stopped",
    [FAULT_LOST_BEFORE] = "lost before effect",
    [FAULT_LOST_AFTER] = "lost after effect",
    [FAULT_NO_ROWS] = "no rows",
    [FAULT_NULLS] = "NULL cells",
    [FAULT_ODD_CELLS] = "odd cells",
};

static bool is_view(const struct catalog_object *o)
{
    return strcmp(o->kind, "view") == 0;
}

/* Indexes go with their view. */
static bool is_read_by_others(const struct catalog *c, uint64_t id)
{
    bool read = false;
    for (size_t i = 0; i < CATALOG_OBJECTS * CATALOG_READS; i++) {
        const struct catalog_object *o = &c->objects[i / CATALOG_READS];
        read = read ||
               (o->id != 0 && o->reads[i % CATALOG_READS] == id && strcmp(o->kind, "index") != 0);
    }
    return read;
}

/* Somebody else drops, renames or swaps the object. */
static bool vandalise(struct catalog *c, struct catalog_object *o, unsigned how)
{
    char name[CATALOG_NAME];
    struct catalog_object *theirs =
        o != NULL ? catalog_find(c, o->schema, is_view(o) ? "their_view" : "theirs") : NULL;
    if (o == NULL || (how == 2 && theirs == NULL) || (how == 0 && is_read_by_others(c, o->id))) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%s", o->name);
    c->racing = true;
    o->touched = true;
    if (how == 0) {
        catalog_remove(c, o);
    } else {
        (void)snprintf(o->name, CATALOG_NAME, "%s", how == 1 ? "stolen" : theirs->name);
    }
    if (how == 2) {
        theirs->touched = true;
        (void)snprintf(theirs->name, CATALOG_NAME, "%s", name);
    }
    return true;
}

/* The name behind which the engine builds, from the objects: "" if there is none. */
static const char *temporary_name(const struct catalog *c)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (o->id != 0 && strstr(o->name, "_tmp_2") != NULL &&
            strcmp(o->kind, "materialized view") == 0 &&
            (o->ours || o->id == c->target_id || o->id == c->predecessor_id)) {
            return o->name;
        }
    }
    return "";
}

static bool is_beside_target(const struct catalog *c, const struct catalog_object *o)
{
    char own[CATALOG_NAME];
    catalog_own_name(o->name, own);
    return strcmp(own, c->target_name) == 0;
}

/* May it have been made to read the view? Of a cascade materialized views may, too. */
static bool is_moved(const struct catalog *c, const struct catalog_object *o)
{
    bool rebuilt =
        c->cascades && strcmp(o->kind, "materialized view") == 0 && strcmp(o->name, "theirs") != 0;
    return o->id != 0 && !o->touched && o->id != c->target_id && (is_view(o) || rebuilt);
}

/* The first view that nobody reads of those that read the view (`temporary`: of those that have a
 * temporary name beside it). */
static struct catalog_object *find_reader(struct catalog *c, bool temporary)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *o = &c->objects[i];
        if (!is_moved(c, o) || catalog_is_temporary(o->name, TEMP_BUILD) != temporary ||
            catalog_is_temporary(o->name, TEMP_PROBE) || is_beside_target(c, o) ||
            strcmp(o->name, "their_view") == 0) {
            continue;
        }
        if (!is_read_by_others(c, o->id)) {
            return o;
        }
    }
    return NULL;
}

/* It reads whatever has the view's name at this moment. */
static bool create_reader(struct catalog *c)
{
    const struct catalog_object *live = catalog_find(c, c->target_schema, c->target_name);
    if (live == NULL || catalog_find(c, "public", "their_reader") != NULL) {
        return false;
    }
    struct catalog_object *o = catalog_add(c, "public", "their_reader", "view", live->id);
    o->columns[0] = live->columns[0];
    (void)snprintf(o->definition, CATALOG_TEXT, "CREATE VIEW their_reader AS SELECT %s FROM %s",
                   live->columns[0].name, c->target_name);
    return true;
}

static bool change_an_index(struct catalog *c, enum fault fault)
{
    struct catalog_object *target = catalog_by_id(c, c->target_id);
    if (fault == FAULT_INDEX_CREATED) {
        if (target != NULL) {
            catalog_add_index(c, "their_index")->touched = true;
        }
        return target != NULL;
    }
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        struct catalog_object *o = &c->objects[i];
        if (o->id == 0 || strcmp(o->kind, "index") != 0 || o->reads[0] != c->target_id) {
            continue;
        }
        c->racing = true;
        o->touched = true;
        if (fault == FAULT_INDEX_DROPPED) {
            *o = (struct catalog_object){0};
        } else {
            (void)snprintf(o->name, CATALOG_NAME, "stolen_index");
        }
        return true;
    }
    return false;
}

bool fault_by_others(struct catalog *c, enum fault fault)
{
    if (fault >= FAULT_INDEX_DROPPED && fault <= FAULT_INDEX_CREATED) {
        return change_an_index(c, fault);
    }
    if (fault >= FAULT_TARGET_DROPPED && fault <= FAULT_TARGET_SWAPPED) {
        c->temp_taken = c->temp_taken || c->gap_allowed;
        return vandalise(c, catalog_find(c, c->target_schema, c->target_name),
                         fault - FAULT_TARGET_DROPPED);
    }
    if (fault >= FAULT_TEMP_DROPPED && fault <= FAULT_TEMP_SWAPPED) {
        c->temp_taken = c->temp_taken || fault == FAULT_TEMP_SWAPPED;
        return vandalise(c, catalog_find(c, c->target_schema, temporary_name(c)),
                         fault - FAULT_TEMP_DROPPED);
    }
    if (fault == FAULT_READER_CREATED) {
        return create_reader(c);
    }
    if (fault >= FAULT_READER_DROPPED && fault <= FAULT_READER_SWAPPED) {
        return vandalise(c, find_reader(c, false), fault - FAULT_READER_DROPPED);
    }
    if (fault >= FAULT_SELF_DROPPED && fault <= FAULT_SELF_SWAPPED) {
        c->temp_taken = c->temp_taken || fault == FAULT_SELF_SWAPPED;
        return vandalise(c, find_reader(c, true), fault - FAULT_SELF_DROPPED);
    }
    return false;
}

/* Rows of other shapes than asked for, and cells that are no numbers, names or states. */
void fault_distort(struct answer *a, enum fault fault)
{
    static const char *const odd[] = {"99999999999999999999", "\xff\"'", "-1", ""};
    size_t num_columns = a->result.num_columns != 0 ? a->result.num_columns : 2;
    const char *cells[8] = {NULL};
    answer_cleanup(a);
    a->result = (struct replace_result){.kind = REPLACE_OK, .tag = "SELECT 2"};
    for (size_t i = 0; fault == FAULT_ODD_CELLS && i < num_columns && i < 8; i++) {
        cells[i] = odd[i % 4];
    }
    for (size_t row = 0; fault != FAULT_NO_ROWS && row < 2; row++) {
        answer_row(a, num_columns, cells);
    }
}

bool fault_is_cancel(enum fault fault, enum replace_reason *out_why)
{
    switch (fault) {
    case FAULT_CANCEL:
    case FAULT_CANCEL_FIRST:
    case FAULT_CANCEL_HITS:
        *out_why = REPLACE_CANCELLED_BY_CLIENT;
        return true;
    case FAULT_GONE:
    case FAULT_GONE_FIRST:
        *out_why = REPLACE_CLIENT_GONE;
        return true;
    case FAULT_SHUTDOWN:
    case FAULT_SHUTDOWN_FIRST:
        *out_why = REPLACE_SHUTDOWN;
        return true;
    default:
        return false;
    }
}

bool fault_comes_first(enum fault fault)
{
    return fault >= FAULT_CANCEL_FIRST && fault <= FAULT_SHUTDOWN_FIRST;
}
