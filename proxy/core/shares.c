/*
 * shares: what a replacement shares with the others of the process: the lock on the names of a
 * view, the slots for builds, what was left under temporary names. The shell has them; here is what
 * is asked for and told.
 */
#include "session_internal.h"

#include "limits.h"
#include "mem.h"

#include <inttypes.h>
#include <string.h>

enum { LEFT_COLUMNS = 4 /* replace.h, struct replace_left */ };

static void unlock(struct session *s)
{
    if (s->lock != LOCK_NONE) {
        s->lock = LOCK_NONE;
        session_act(s, ACTION_UNLOCK, CLIENT);
    }
}

/* Nothing that would have to be removed is on the server before a lock. */
static void end_without_lock(struct session *s, const char *sqlstate, const char *why)
{
    unlock(s); /* one that was held before */
    session_fail(s, sqlstate, why, NULL);
}

void shares_ask_lock(struct session *s, const struct replace_request *request)
{
    if (request->num_families > LIMIT_LOCK_FAMILIES) {
        end_without_lock(s, "54000", "too many views are replaced in one statement");
        return;
    }
    const char **families = mem_copy_texts(request->families, request->num_families);
    if (families == NULL) {
        end_without_lock(s, "53200", "out of memory");
        return;
    }
    mem_free(s->families);
    s->families = families;
    s->num_families = request->num_families;
    s->lock = LOCK_WAITED_FOR;
    s->talk.wait = ENGINE_WAITS_LOCK;
    session_act(s, ACTION_LOCK, CLIENT);
}

void shares_ask_slot(struct session *s)
{
    s->slot_taken = true;
    s->talk.wait = ENGINE_WAITS_SLOT;
    session_act(s, ACTION_TAKE_SLOT, CLIENT);
}

/* What is remembered, as the engine reads it: names are borrowed, numbers are written to `numbers`.
 * NULL without memory. */
static const char **make_cells(const struct replace_left *left, size_t num, struct buf *numbers)
{
    const char **cells = mem_new(num * LEFT_COLUMNS * sizeof(*cells));
    for (size_t i = 0; i < num; i++) {
        buf_add_format(numbers, "%" PRIu64, left[i].id);
        buf_add_byte(numbers, 0);
        buf_add_format(numbers, "%" PRIu64, left[i].until_us);
        buf_add_byte(numbers, 0);
    }
    if (cells == NULL || buf_failed(numbers)) {
        mem_free(cells);
        return NULL;
    }
    const char *at = (const char *)buf_bytes(numbers);
    for (size_t i = 0; i < num; i++) {
        const char **row = cells + i * LEFT_COLUMNS;
        row[0] = left[i].schema;
        row[1] = left[i].name;
        row[2] = at;
        row[3] = at + strlen(at) + 1;
        at = row[3] + strlen(row[3]) + 1;
    }
    return cells;
}

void shares_locked(struct session *s, const struct session_event *event)
{
    struct buf numbers = {0};
    if (s->state != SESSION_REPLACING || s->talk.wait != ENGINE_WAITS_LOCK) {
        return;
    }
    s->lock = LOCK_HELD;
    const char **cells = make_cells(event->left, event->num_left, &numbers);
    if (cells == NULL) {
        end_without_lock(s, "53200", "out of memory");
    } else {
        conversation_go_on(s, &(struct replace_result){.kind = REPLACE_LOCKED,
                                                       .num_rows = event->num_left,
                                                       .num_columns = LEFT_COLUMNS,
                                                       .cells = cells});
    }
    mem_free(cells);
    buf_cleanup(&numbers);
}

void shares_slot(struct session *s, bool granted)
{
    if (s->state == SESSION_REPLACING && s->talk.wait == ENGINE_WAITS_SLOT) {
        s->slot_taken = granted;
        conversation_go_on(
            s, &(struct replace_result){.kind = granted ? REPLACE_LOCKED : REPLACE_FULL});
    }
}

void shares_ask_readers(struct session *s, const struct replace_request *request)
{
    s->readers_from = request->from_ms;
    s->readers_before = request->before_ms;
    s->talk.wait = ENGINE_WAITS_READERS;
    session_act(s, ACTION_COUNT_READERS, CLIENT);
}

void shares_readers(struct session *s, size_t num)
{
    if (s->state == SESSION_REPLACING && s->talk.wait == ENGINE_WAITS_READERS) {
        conversation_go_on(s, &(struct replace_result){.kind = REPLACE_OK, .num_rows = num});
    }
}

void shares_end_slot(struct session *s)
{
    if (s->slot_taken) {
        s->slot_taken = false;
        session_act(s, ACTION_END_SLOT, CLIENT);
    }
}

void shares_stop_waiting(struct session *s)
{
    if (s->talk.wait == ENGINE_WAITS_SLOT) {
        shares_end_slot(s);
    } else if (s->talk.wait == ENGINE_WAITS_LOCK) {
        unlock(s);
    }
}

/* The outcome's list lives as long as its engine. */
static void remember(struct session *s)
{
    if (replace_outcome(s->talk.engine)->left_known) {
        shares_cleanup(s);
        s->ended = s->talk.engine;
        s->talk.engine = NULL;
        session_act(s, ACTION_REMEMBER, CLIENT);
    }
}

void shares_hand_out(struct session *s, struct action *out_action)
{
    const struct replace_outcome *outcome = replace_outcome(s->ended);
    out_action->families = s->families;
    out_action->num_families = s->num_families;
    out_action->left = outcome->left;
    out_action->num_left = outcome->num_left;
    s->ended_handed_out = true;
}

void shares_publish_moved(struct session *s)
{
    const char *name = NULL;
    uint64_t moved_ms = 0;
    while (replace_next_moved(s->talk.engine, &name, &moved_ms)) {
        buf_add(&s->moved_out, name, strlen(name) + 1);
        s->moved_out_ms = moved_ms > s->moved_out_ms ? moved_ms : s->moved_out_ms;
    }
    /* Without memory for them all names count as moved. */
    if ((buf_len(&s->moved_out) != 0 || buf_failed(&s->moved_out)) && !s->moved_queued) {
        s->moved_queued = true;
        session_act(s, ACTION_MOVED, CLIENT);
    }
}

void shares_hand_out_moved(struct session *s, struct action *out_action)
{
    bool known = !buf_failed(&s->moved_out);
    buf_swap(&s->moved_out, &s->moved_given);
    buf_cleanup(&s->moved_out);
    s->moved_queued = false;
    out_action->moved = known ? (const char *)buf_bytes(&s->moved_given) : NULL;
    out_action->moved_len = known ? buf_len(&s->moved_given) : 0;
    out_action->moved_ms = s->moved_out_ms;
}

void shares_cleanup(struct session *s)
{
    replace_free(s->ended);
    s->ended = NULL;
    s->ended_handed_out = false;
}

void shares_take_back(struct session *s)
{
    buf_cleanup(&s->moved_given);
    if (s->ended_handed_out) {
        shares_cleanup(s);
    }
}

void shares_end(struct session *s)
{
    shares_end_slot(s);
    if (s->lock == LOCK_HELD) {
        remember(s);
    }
    unlock(s);
}
