/*
 * script: see script.h. This file drives the engine; what befalls it is in script_faults.c, what it
 * tells is kept by script_told.c, the judgement is in promise.c.
 */
#include "script.h"
#include "script_faults.h"
#include "script_told.h"

#include "mem.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENT_MS = 5 };

void script_init(struct script *s, unsigned major, unsigned minor)
{
    memset(s, 0, sizeof(*s));
    settings_init(&s->settings);
    catalog_init(&s->catalog, major, minor);
    /* What others may swap with, and what the query reads. */
    (void)catalog_add(&s->catalog, "public", "theirs", "materialized view", 0);
    uint64_t t = catalog_add(&s->catalog, "public", "t", "table", 0)->id;
    s->catalog.build_reads[0] = t;
    catalog_by_id(&s->catalog, s->catalog.target_id)->reads[0] = t;
}

void script_remember(struct script *s, struct catalog_object *o, uint64_t until_us)
{
    struct script_left *left = &s->remembered[s->num_remembered++];
    o->left = true;
    o->left_until_us = until_us;
    (void)snprintf(o->left_name, CATALOG_NAME, "%s", o->name);
    (void)snprintf(left->schema, CATALOG_NAME, "%s", o->schema);
    (void)snprintf(left->name, CATALOG_NAME, "%s", o->name);
    left->id = o->id;
    left->until_us = until_us;
}

static struct moment moment_of(const struct script *s)
{
    uint64_t ms = s->catalog.now_ms;
    return (struct moment){.mono_ms = ms, .unix_us = 1767225600000000 + ms * 1000};
}

static void hand_over(struct script *s, struct replace *r, const struct replace_result *result)
{
    replace_result(r, result, moment_of(s));
}

/* The statement runs. True when the engine gives it up and the server stops it. */
static bool is_stopped(struct script *s, struct replace *r, const char *sql, bool cancellable)
{
    struct catalog *c = &s->catalog;
    uint64_t until = c->now_ms + STATEMENT_MS + catalog_duration(c, sql);
    while (replace_due(r) <= until) {
        c->now_ms = replace_due(r) > c->now_ms ? replace_due(r) : c->now_ms;
        if (replace_tick(r, moment_of(s)) && cancellable) {
            return true;
        }
    }
    c->now_ms = until;
    return false;
}

/* One statement with whatever befalls it. */
static void run_statement(struct script *s, struct replace *r, const char *sql, bool cancellable,
                          enum fault fault)
{
    struct answer a;
    struct catalog *c = &s->catalog;
    if (is_stopped(s, r, sql, cancellable)) {
        fault = FAULT_CANCEL_HITS;
    }
    bool takes_effect =
        fault != FAULT_ERROR && fault != FAULT_LOST_BEFORE && fault != FAULT_CANCEL_HITS;
    if (takes_effect) {
        bool target = strcmp(replace_step_name(r), "inspect") == 0;
        catalog_run(c, sql, &a);
        c->first_creation = c->first_creation || (fault == FAULT_NO_ROWS && target);
    } else {
        a = (struct answer){.result = {.kind = REPLACE_OK, .tag = ""}};
    }
    if (fault == FAULT_ERROR || fault == FAULT_ERROR_LATE) {
        answer_cleanup(&a);
        bool own_words = fault == FAULT_ERROR_LATE && s->late_error != NULL;
        answer_error(&a, "XX000", own_words ? s->late_error : "Failed to run the query");
    } else if (fault == FAULT_CANCEL_HITS) {
        answer_cleanup(&a);
        answer_error(&a, "XX000", "Scheduler error: Cancelled: create");
    } else if (fault == FAULT_LOST_BEFORE || fault == FAULT_LOST_AFTER) {
        a.result = (struct replace_result){.kind = REPLACE_LOST};
    } else if (fault >= FAULT_NO_ROWS && a.result.kind == REPLACE_OK) {
        fault_distort(&a, fault);
        c->untrue = true;
    }
    hand_over(s, r, &a.result);
    answer_cleanup(&a);
}

static struct script_fault *fault_at(struct script *s, size_t at, bool first)
{
    for (size_t i = 0; i < SCRIPT_FAULTS; i++) {
        struct script_fault *f = &s->faults[i];
        if (f->fault != FAULT_NONE && f->at == at && fault_comes_first(f->fault) == first) {
            return f;
        }
    }
    return NULL;
}

static void note_request(struct script *s, const struct replace *r,
                         const struct replace_request *request)
{
    size_t at = s->num_requests++;
    s->steps[at] = replace_step_name(r);
    s->notices_to_client[at] = request->notices_to_client;
    s->at_ms[at] = s->catalog.now_ms;
    s->since_ms[at] = request->before_ms;
    (void)snprintf(s->sql[at], SCRIPT_TEXT, "%s",
                   request->kind == REPLACE_RUN        ? request->sql
                   : request->kind == REPLACE_LOCK     ? request->families[0]
                   : request->kind == REPLACE_SLOT     ? "(slot)"
                   : request->kind == REPLACE_END_SLOT ? "(end of slot)"
                   : request->kind == REPLACE_READERS  ? "(readers)"
                                                       : "");
}

static void violate(struct script *s, const char *what)
{
    if (s->catalog.violation[0] == 0) {
        (void)snprintf(s->catalog.violation, CATALOG_TEXT, "%s", what);
    }
}

/* All in one step, and only while there is nothing that undo would have to remove. */
static void take_locks(struct script *s, const struct replace_request *request)
{
    char *families = s->catalog.families;
    families[0] = 0;
    for (size_t i = 0; i < request->num_families; i++) {
        size_t len = strlen(families);
        (void)snprintf(families + len, sizeof(s->catalog.families) - len, "%s\n",
                       request->families[i]);
    }
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        if (s->catalog.objects[i].id != 0 && s->catalog.objects[i].ours) {
            violate(s, "a lock is waited for while something is to be undone");
        }
    }
    if (s->catalog.slot_held) {
        violate(s, "a slot held while waiting for a lock");
    }
    s->catalog.locked = true;
}

/* The lock of a family comes with what is remembered of it. */
static void give_lock(struct script *s, struct replace *r)
{
    struct answer a = {.result = {.kind = REPLACE_LOCKED}};
    char texts[2][24];
    for (size_t i = 0; i < s->num_remembered; i++) {
        const struct script_left *left = &s->remembered[i];
        (void)snprintf(texts[0], sizeof(texts[0]), "%" PRIu64, left->id);
        (void)snprintf(texts[1], sizeof(texts[1]), "%" PRIu64, left->until_us);
        answer_row(&a, 4, (const char *const[]){left->schema, left->name, texts[0], texts[1]});
    }
    hand_over(s, r, &a.result);
    answer_cleanup(&a);
}

static void give_slot(struct script *s, struct replace *r)
{
    s->catalog.slot_held = !s->slots_full;
    hand_over(s, r,
              &(struct replace_result){.kind = s->slots_full ? REPLACE_FULL : REPLACE_LOCKED});
}

/* What is not a statement. */
static void carry_out(struct script *s, struct replace *r, enum replace_request_kind kind,
                      uint64_t until_ms)
{
    switch (kind) {
    case REPLACE_LOCK:
        give_lock(s, r);
        break;
    case REPLACE_SLOT:
        give_slot(s, r);
        break;
    case REPLACE_READERS:
        hand_over(s, r,
                  &(struct replace_result){
                      .kind = REPLACE_OK,
                      .num_rows = s->readers_until_ms > s->catalog.now_ms ? s->num_readers : 0});
        break;
    case REPLACE_END_SLOT:
        s->catalog.slot_held = false;
        hand_over(s, r, &(struct replace_result){.kind = REPLACE_OK});
        break;
    case REPLACE_WAIT:
        s->catalog.now_ms = until_ms > s->catalog.now_ms ? until_ms : s->catalog.now_ms;
        hand_over(s, r, &(struct replace_result){.kind = REPLACE_WAITED});
        break;
    case REPLACE_RUN:
    case REPLACE_DONE:
        break;
    }
}

/* Memory that failed for one call is there again. */
static void memory_returns(const struct script *s)
{
    if (s->memory_fails_for_one_call && mem_count() >= s->memory_fails_at &&
        s->memory_fails_at != 0) {
        mem_fail_at(0);
    }
}

/* Does what the engine asks for. True when a cancel made it ask for something else instead, which
 * then stands in *request. */
static bool do_request(struct script *s, struct replace *r, struct replace_request *request)
{
    size_t at = s->num_requests - 1;
    struct script_fault *f = fault_at(s, at, false);
    enum fault fault = f != NULL ? f->fault : FAULT_NONE;
    enum replace_request_kind kind = request->kind;
    enum replace_reason why = REPLACE_SHUTDOWN;
    uint64_t until_ms = request->until_ms;
    bool cancellable = request->cancellable;
    s->catalog.racing = false;
    if (kind == REPLACE_LOCK) {
        take_locks(s, request);
    }
    if (s->meanwhile != NULL) {
        s->meanwhile(s);
    }
    if (fault == FAULT_CANCEL_HITS && !cancellable) {
        f = NULL; /* then the server is not told */
        fault = FAULT_NONE;
    }
    if (f != NULL) {
        bool by_others = fault >= FAULT_TARGET_DROPPED && fault <= FAULT_LAST_BY_OTHERS;
        bool lost = fault == FAULT_LOST_BEFORE || fault == FAULT_LOST_AFTER;
        f->applied = by_others ? fault_by_others(&s->catalog, fault)
                               : kind == REPLACE_RUN || lost || fault_is_cancel(fault, &why);
        s->catalog.disturbed = s->catalog.disturbed || (by_others && f->applied);
        if (lost && kind != REPLACE_RUN) {
            hand_over(s, r, &(struct replace_result){.kind = REPLACE_LOST});
            return false;
        }
    }
    if (fault_is_cancel(fault, &why)) {
        replace_cancel(r, why, moment_of(s));
        if (replace_next(r, request)) {
            return true;
        }
    }
    if (kind == REPLACE_RUN) {
        run_statement(s, r, s->sql[at], cancellable, fault);
    } else {
        carry_out(s, r, kind, until_ms);
    }
    return false;
}

static void converse(struct script *s, struct replace *r)
{
    struct replace_request request;
    bool asked = false;
    while (s->num_requests < SCRIPT_REQUESTS) {
        struct script_fault *first = fault_at(s, s->num_requests, true);
        enum replace_reason why = REPLACE_SHUTDOWN;
        if (first != NULL && !asked && !first->applied) {
            first->applied = fault_is_cancel(first->fault, &why);
            replace_cancel(r, why, moment_of(s));
        }
        if (!asked && !replace_next(r, &request)) {
            break; /* nothing is out and nothing is wanted: endless */
        }
        asked = false;
        script_note_moved(s, r);
        if (request.kind == REPLACE_DONE) {
            return;
        }
        note_request(s, r, &request);
        asked = do_request(s, r, &request);
        memory_returns(s);
    }
    s->endless = true;
}

/* The engine, given an allocation of exactly its size: the sanitizer guards the end. */
static struct replace *start_engine(const struct script *s)
{
    static const char usual[] = "CREATE OR REPLACE MATERIALIZED VIEW mv AS SELECT a FROM t";
    const char *text = s->text != NULL ? s->text : usual;
    const struct catalog *c = &s->catalog;
    if (s->rollback) {
        mem_fail_at(s->memory_fails_at != 0 ? s->memory_fails_at : SIZE_MAX);
        return replace_new_rollback(c->target_schema, c->target_name, s->rollback_to, &s->settings,
                                    s->mode, moment_of(s));
    }
    char *exact = malloc(strlen(text));
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, text, strlen(text));
    mem_fail_at(s->memory_fails_at != 0 ? s->memory_fails_at : SIZE_MAX);
    struct replace *r = replace_new(exact, strlen(text), &s->settings, s->mode, moment_of(s));
    free(exact);
    return r;
}

void script_run(struct script *s)
{
    struct catalog *c = &s->catalog;
    s->before = *c;
    c->needs_lock = true;
    c->first_new_id = c->next_id;
    c->plan = s->mode == REPLACE_PLAN;
    c->gap_allowed = s->settings.values[SETTING_ZERO_DOWNTIME] == REPLACE_ZERO_DOWNTIME_OFF;
    c->keeps_old = s->settings.values[SETTING_KEEP_OLD] != 0;
    c->rolls_back = s->rollback;
    c->cascades = s->settings.values[SETTING_DEPENDENTS] == REPLACE_DEPENDENTS_CASCADE;
    c->stamp = s->rollback_to;
    struct replace *r = start_engine(s);
    memory_returns(s);
    s->made = r != NULL;
    if (r != NULL) {
        converse(s, r);
        s->num_allocations = mem_count();
        script_note_outcome(s, r);
    }
    mem_fail_at(0);
    replace_free(r);
}

void script_again(struct script *s)
{
    /* What a run fills in is one block, between what is set up and `before`. */
    size_t from = offsetof(struct script, made);
    memset((char *)s + from, 0, offsetof(struct script, before) - from);
    s->catalog = s->before;
    for (size_t i = 0; i < SCRIPT_FAULTS; i++) {
        s->faults[i].applied = false;
    }
}

size_t script_find_run(struct script *s, const char *step, size_t num)
{
    script_run(s);
    size_t at = script_find_step(s, step, num);
    script_again(s);
    return at;
}

uint64_t script_now_us(const struct script *s)
{
    return moment_of(s).unix_us;
}
