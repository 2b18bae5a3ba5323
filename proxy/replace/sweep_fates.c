/*
 * sweep_fates: what of the items may go, and in which order. In doubt it stays.
 */
#include "sweep_internal.h"

#include "mem.h"
#include "rows.h"
#include "temp_name.h"

#include <string.h>

const char *sweep_fate_word(enum sweep_fate fate)
{
    static const char *const words[] = {
        [SWEEP_DUE] = "due",         [SWEEP_BUILDING] = "building", [SWEEP_REPLACING] = "replacing",
        [SWEEP_KEPT] = "kept",       [SWEEP_YOUNG] = "young",       [SWEEP_IN_USE] = "in use",
        [SWEEP_READ] = "read",       [SWEEP_GOES_WITH] = "index",   [SWEEP_ON_LIVE] = "live index",
        [SWEEP_DROPPED] = "dropped", [SWEEP_GONE] = "gone",         [SWEEP_REFUSED] = "refused",
    };
    return words[fate];
}

/* All that one replacement makes has its stamp, in whatever schema: views that follow it, too. */
static bool same_replacement(const struct sweep_item *a, const struct sweep_item *b)
{
    return !a->is_dbt && !b->is_dbt &&
           strcmp(a->name + strlen(a->name) - TEMP_STAMP_LEN,
                  b->name + strlen(b->name) - TEMP_STAMP_LEN) == 0;
}

static bool is_built_for(const struct sweep *s, const struct sweep_work *work)
{
    if (work->live_building) {
        return true;
    }
    for (size_t i = 0; i < s->num_works; i++) {
        const struct sweep_work *other = &s->works[i];
        bool same_family = same_text(other->item.schema, work->item.schema) &&
                           same_text(other->family, work->family);
        if (other->building && (same_family || same_replacement(&other->item, &work->item))) {
            return true;
        }
    }
    return false;
}

/* 0: it was not kept on purpose, or it is kept for another reason by now: it went back to be live,
 * and was replaced once more. */
static uint64_t kept_until(const struct sweep *s, const struct sweep_item *item)
{
    uint64_t until_us = 0;
    for (size_t i = 0; i < s->options.num_known; i++) {
        const struct sweep_known *known = &s->known[i];
        if (known->id == item->id && known->until_us > until_us &&
            same_text(known->schema, item->schema) && same_text(known->name, item->name) &&
            sweep_known_since(s, item->id) <= known->until_us) {
            until_us = known->until_us;
        }
    }
    return until_us;
}

static bool is_young(const struct sweep *s, const struct sweep_work *work)
{
    uint64_t now = s->now.unix_us;
    return work->item.settled_us > now ||
           (now - work->item.settled_us) / 1000 < s->options.older_than_ms;
}

static enum sweep_fate fate_of(struct sweep *s, const struct sweep_work *work)
{
    uint64_t until_us = kept_until(s, &work->item);
    if (work->building) {
        return SWEEP_BUILDING;
    }
    if (work->item.kind == SWEEP_INDEX) {
        return sweep_work_of(s, work->table_id) != NULL ? SWEEP_GOES_WITH : SWEEP_ON_LIVE;
    }
    if (is_built_for(s, work)) {
        return SWEEP_REPLACING;
    }
    if (until_us > s->now.unix_us) {
        return SWEEP_KEPT;
    }
    if (until_us == 0 && is_young(s, work)) {
        return SWEEP_YOUNG;
    }
    return work->in_use ? SWEEP_IN_USE : SWEEP_DUE;
}

static bool is_gone(const struct sweep_work *work)
{
    return work->item.fate == SWEEP_DROPPED || (work->item.fate == SWEEP_GONE && !work->taken);
}

/* Is it read by something that is there? Indexes do not count; what is due only if `due_counts`. */
static bool is_read(struct sweep *s, const struct sweep_work *work, bool due_counts)
{
    const struct replace_result *rows = &s->readers.rows;
    for (size_t row = 0; row < rows->num_rows; row++) {
        if (cell_id(rows, row, READER_OF) != work->item.id ||
            same_text(cell(rows, row, READER_TYPE), "index")) {
            continue;
        }
        const struct sweep_work *reader = sweep_work_of(s, cell_id(rows, row, READER_ID));
        bool stays = reader == NULL || !is_gone(reader);
        if (stays && (due_counts || reader == NULL || reader->item.fate != SWEEP_DUE)) {
            return true;
        }
    }
    return false;
}

/* A plain view has no time of its own: it is no older than what was made together with it. */
static void settle_together(struct sweep *s)
{
    for (size_t i = 0; i < s->num_works; i++) {
        struct sweep_item *item = &s->works[i].item;
        for (size_t k = 0; k < s->num_works; k++) {
            const struct sweep_item *other = &s->works[k].item;
            if (other->settled_us > item->settled_us && same_replacement(other, item)) {
                item->settled_us = other->settled_us;
            }
        }
    }
}

/* What is in other schemas was looked at since it tells of this one. */
static void keep_to_schema(struct sweep *s)
{
    size_t num = 0;
    for (size_t i = 0; i < s->num_works; i++) {
        if (s->schema == NULL || same_text(s->works[i].item.schema, s->schema)) {
            s->works[num++] = s->works[i];
        } else {
            mem_free(s->works[i].family);
        }
    }
    s->num_works = num;
}

void sweep_judge(struct sweep *s)
{
    bool changed = true;
    s->judged = true;
    settle_together(s);
    for (size_t i = 0; i < s->num_works; i++) {
        s->works[i].item.fate = fate_of(s, &s->works[i]);
    }
    keep_to_schema(s);
    /* What is read by something that stays stays, and what that reads. */
    while (changed) {
        changed = false;
        for (size_t i = 0; i < s->num_works; i++) {
            struct sweep_work *work = &s->works[i];
            if (work->item.fate == SWEEP_DUE && is_read(s, work, false)) {
                work->item.fate = SWEEP_READ;
                changed = true;
            }
        }
    }
}

size_t sweep_next_due(struct sweep *s)
{
    for (size_t i = 0; i < s->num_works; i++) {
        struct sweep_work *work = &s->works[i];
        if (work->item.fate == SWEEP_DUE && !is_read(s, work, true)) {
            return i;
        }
    }
    return s->num_works;
}
