/* sweep_view: see sweep_view.h. */
#include "sweep_view.h"

#include "buf.h"
#include "json_text.h"
#include "temp_name.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NUM_COLUMNS = 6, MOST_TEXT = 64, US_A_SECOND = 1000000, MOST_READERS_SHOWN = 3 };

static const char *const headings[NUM_COLUMNS] = {"name", "kind", "since (UTC)",
                                                  "age",  "size", "what of it"};

static bool is_running(const struct sweep_item *item)
{
    return item->fate == SWEEP_BUILDING;
}

static bool belongs(const struct sweep_item *item, enum sweep_view_part part)
{
    return part == SWEEP_VIEW_ALL || is_running(item) == (part == SWEEP_VIEW_RUNNING);
}

static uint64_t age_s(const struct sweep_view *view, const struct sweep_item *item)
{
    return view->now_us > item->settled_us ? (view->now_us - item->settled_us) / US_A_SECOND : 0;
}

static void add_since(struct buf *out, const struct sweep_item *item, bool iso)
{
    time_t seconds = (time_t)(item->since_us / US_A_SECOND);
    struct tm parts;
    char text[MOST_TEXT] = "";
    if (gmtime_r(&seconds, &parts) != NULL) {
        (void)(iso ? strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)
                   : strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts));
    }
    buf_add_text(out, text);
}

/* In the largest unit of which there are two. */
static void add_age(struct buf *out, uint64_t seconds)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (seconds >= 2 * units[i].seconds) {
            buf_add_format(out, "%" PRIu64 " %s", seconds / units[i].seconds, units[i].unit);
            return;
        }
    }
    buf_add_format(out, "%" PRIu64 " s", seconds);
}

static void add_size(struct buf *out, const struct sweep_item *item)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    enum { LAST_UNIT = sizeof(units) / sizeof(units[0]) - 1, STEP = 1024, MANY = 10 * STEP };
    uint64_t size = item->size;
    size_t unit = 0;
    if (!item->has_size) {
        buf_add_text(out, "-");
        return;
    }
    for (; size >= MANY && unit < LAST_UNIT; unit++) {
        size /= STEP;
    }
    buf_add_format(out, "%" PRIu64 " %s", size, units[unit]);
}

static void add_readers(const struct sweep_view *view, size_t at, struct buf *out)
{
    size_t nth = 0;
    const char *name = NULL;
    for (; nth < MOST_READERS_SHOWN && (name = sweep_reader(view->sweep, at, nth)) != NULL; nth++) {
        buf_add_format(out, "%s%s", nth == 0 ? "read by " : ", ", name);
    }
    size_t more = 0;
    while (sweep_reader(view->sweep, at, nth + more) != NULL) {
        more++;
    }
    if (more != 0) {
        buf_add_format(out, " and %zu more", more);
    }
}

/* A replacement that was cut off right behind its swap has not given it its own name. */
static void add_live_index(const struct sweep_item *item, struct buf *out)
{
    size_t len = 0;
    enum temp_kind kind;
    if (!temp_name_parse(item->name, &len, &kind)) {
        len = 0;
    }
    buf_add_format(out, "index of \"%s\": it stays; ALTER INDEX renames it to \"%.*s\"",
                   item->family, (int)len, item->name);
}

static void add_fate(const struct sweep_view *view, size_t at, struct buf *out)
{
    const struct sweep_item *item = sweep_item(view->sweep, at);
    switch (item->fate) {
    case SWEEP_DUE:
        buf_add_text(out, view->drops ? "was not dropped" : "can be dropped");
        break;
    case SWEEP_BUILDING:
        buf_add_format(out, "is being built%s%s", item->progress != NULL ? ": " : "",
                       item->progress != NULL ? item->progress : "");
        break;
    case SWEEP_REPLACING:
        buf_add_format(out, "\"%s\" is being replaced", item->family);
        break;
    case SWEEP_KEPT:
        buf_add_text(out, "kept on purpose");
        break;
    case SWEEP_YOUNG:
        buf_add_text(out, "not old enough");
        break;
    case SWEEP_IN_USE:
        buf_add_text(out, "a running statement may read it");
        break;
    case SWEEP_READ:
        add_readers(view, at, out);
        break;
    case SWEEP_GOES_WITH:
        buf_add_format(out, "index of what \"%s\" has left: goes with it", item->family);
        break;
    case SWEEP_ON_LIVE:
        add_live_index(item, out);
        break;
    case SWEEP_DROPPED:
        buf_add_text(out, "dropped");
        break;
    case SWEEP_GONE:
        buf_add_text(out, "gone: dropped or renamed by somebody else");
        break;
    case SWEEP_REFUSED:
        buf_add_format(out, "refused: %s", item->error);
        break;
    }
}

static void fill(const struct sweep_view *view, size_t at, struct buf cells[NUM_COLUMNS])
{
    const struct sweep_item *item = sweep_item(view->sweep, at);
    for (size_t i = 0; i < NUM_COLUMNS; i++) {
        buf_truncate(&cells[i], 0);
    }
    buf_add_format(&cells[0], "%s.%s", item->schema, item->name);
    buf_add_text(&cells[1], sweep_kind_word(item->kind));
    add_since(&cells[2], item, false);
    add_age(&cells[3], age_s(view, item));
    add_size(&cells[4], item);
    add_fate(view, at, &cells[5]);
}

/* A line break in a name or a message would end the row. */
static void print_cell(const char *text, size_t width)
{
    size_t shown = 0;
    for (; *text != 0; text++) {
        (void)putchar((unsigned char)*text < ' ' ? ' ' : *text);
        shown += ((unsigned char)*text & 0xC0) != 0x80; /* UTF-8 goes on */
    }
    (void)printf("%*s", (int)(width > shown ? width - shown : 0), "");
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != 0; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static void print_row(struct buf cells[NUM_COLUMNS], const size_t widths[NUM_COLUMNS])
{
    for (size_t i = 0; i < NUM_COLUMNS; i++) {
        const char *text = buf_text(&cells[i]);
        bool last = i + 1 == NUM_COLUMNS;
        print_cell(text != NULL ? text : "?", last ? 0 : widths[i]);
        (void)fputs(last ? "\n" : "  ", stdout);
    }
}

void sweep_view_table(const struct sweep_view *view, enum sweep_view_part part, const char *nothing)
{
    struct buf cells[NUM_COLUMNS] = {{0}};
    size_t widths[NUM_COLUMNS] = {0};
    size_t num = 0;
    for (size_t at = 0; at < sweep_num_items(view->sweep); at++) {
        if (belongs(sweep_item(view->sweep, at), part)) {
            fill(view, at, cells);
            for (size_t i = 0; i < NUM_COLUMNS; i++) {
                const char *text = buf_text(&cells[i]);
                size_t width = text != NULL ? width_of(text) : 0;
                widths[i] = width > widths[i] ? width : widths[i];
            }
            num++;
        }
    }
    for (size_t i = 0; i < NUM_COLUMNS; i++) {
        size_t width = strlen(headings[i]);
        widths[i] = width > widths[i] ? width : widths[i];
        buf_truncate(&cells[i], 0);
        buf_add_text(&cells[i], headings[i]);
    }
    if (num == 0) {
        (void)printf("%s\n", nothing);
    } else {
        print_row(cells, widths);
    }
    for (size_t at = 0; at < sweep_num_items(view->sweep); at++) {
        if (belongs(sweep_item(view->sweep, at), part)) {
            fill(view, at, cells);
            print_row(cells, widths);
        }
    }
    for (size_t i = 0; i < NUM_COLUMNS; i++) {
        buf_cleanup(&cells[i]);
    }
}

/* ---- for programs ---- */

static json_t *item_json(const struct sweep_view *view, size_t at)
{
    const struct sweep_item *item = sweep_item(view->sweep, at);
    json_t *object = json_object();
    json_t *readers = json_array();
    struct buf since = {0};
    const char *name = NULL;
    add_since(&since, item, true);
    for (size_t nth = 0; (name = sweep_reader(view->sweep, at, nth)) != NULL; nth++) {
        json_append(readers, name);
    }
    json_put(object, "schema", item->schema);
    json_put(object, "name", item->name);
    json_put(object, "kind", sweep_kind_word(item->kind));
    json_put(object, "of", item->family);
    json_put(object, "owner", item->owner);
    json_put(object, "by", item->is_dbt ? "dbt" : "mvswap");
    json_put(object, "since", buf_text(&since));
    (void)json_object_set_new(object, "age_seconds", json_integer((json_int_t)age_s(view, item)));
    (void)json_object_set_new(object, "size_bytes",
                              item->has_size ? json_integer((json_int_t)item->size) : json_null());
    json_put(object, "progress", item->progress);
    (void)json_object_set_new(object, "readers", readers);
    json_put(object, "state", sweep_fate_word(item->fate));
    json_put(object, "error", item->error);
    buf_cleanup(&since);
    return object;
}

static json_t *part_json(const struct sweep_view *view, enum sweep_view_part part)
{
    json_t *array = json_array();
    for (size_t at = 0; at < sweep_num_items(view->sweep); at++) {
        if (belongs(sweep_item(view->sweep, at), part)) {
            (void)json_array_append_new(array, item_json(view, at));
        }
    }
    return array;
}

bool sweep_view_json(const struct sweep_view *view, bool by_part)
{
    json_t *document = by_part ? json_object() : part_json(view, SWEEP_VIEW_ALL);
    if (by_part) {
        (void)json_object_set_new(document, "replacements", part_json(view, SWEEP_VIEW_RUNNING));
        (void)json_object_set_new(document, "leftovers", part_json(view, SWEEP_VIEW_LEFT));
    }
    bool good = document != NULL && json_dumpf(document, stdout, JSON_INDENT(2)) == 0 &&
                putchar('\n') != EOF;
    json_decref(document);
    return good;
}
