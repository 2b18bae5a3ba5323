/*
 * script: see script.h. This file drives the engine and injects the faults; the judgement is in
 * promise.c.
 */
#include "script.h"

#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENT_MS = 5 };

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

void script_init(struct script *s, unsigned major, unsigned minor)
{
    memset(s, 0, sizeof(*s));
    catalog_init(&s->catalog, major, minor);
    /* What others may swap with. */
    (void)catalog_add(&s->catalog, "public", "theirs", "materialized view", 0);
    (void)catalog_add(&s->catalog, "public", "t", "table", 0);
}

/* Somebody else drops, renames or swaps what is behind this name. */
static bool vandalise(struct catalog *c, const char *name, unsigned how)
{
    struct catalog_object *o = catalog_find(c, c->target_schema, name);
    struct catalog_object *theirs = catalog_find(c, c->target_schema, "theirs");
    if (o == NULL || (how == 2 && theirs == NULL)) {
        return false;
    }
    c->racing = true;
    o->touched = true;
    if (how == 0) {
        *o = (struct catalog_object){0};
    } else {
        (void)snprintf(o->name, CATALOG_NAME, "%s", how == 1 ? "stolen" : "theirs");
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
        if (o->id != 0 && strstr(o->name, "_tmp_2") != NULL && (o->ours || o->id == c->target_id)) {
            return o->name;
        }
    }
    return "";
}

static bool change_by_others(struct catalog *c, enum fault fault)
{
    char name[CATALOG_NAME];
    if (fault >= FAULT_TARGET_DROPPED && fault <= FAULT_TARGET_SWAPPED) {
        return vandalise(c, c->target_name, fault - FAULT_TARGET_DROPPED);
    }
    if (fault >= FAULT_TEMP_DROPPED && fault <= FAULT_TEMP_SWAPPED) {
        (void)snprintf(name, sizeof(name), "%s", temporary_name(c));
        return vandalise(c, name, fault - FAULT_TEMP_DROPPED);
    }
    return false;
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

/* Rows of other shapes than asked for, and cells that are no numbers, names or states. */
static void distort(struct answer *a, enum fault fault)
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

/* One statement with whatever befalls it. */
static void run_statement(struct script *s, struct replace *r, const char *sql, enum fault fault)
{
    struct answer a;
    struct catalog *c = &s->catalog;
    bool takes_effect =
        fault != FAULT_ERROR && fault != FAULT_LOST_BEFORE && fault != FAULT_CANCEL_HITS;
    c->now_ms += STATEMENT_MS;
    if (takes_effect) {
        catalog_run(c, sql, &a);
        c->first_creation = c->first_creation || fault == FAULT_NO_ROWS;
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
        distort(&a, fault);
    }
    hand_over(s, r, &a.result);
    answer_cleanup(&a);
}

static bool is_cancel(enum fault fault, enum replace_reason *out_why)
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

static bool comes_first(enum fault fault)
{
    return fault >= FAULT_CANCEL_FIRST && fault <= FAULT_SHUTDOWN_FIRST;
}

static struct script_fault *fault_at(struct script *s, size_t at, bool first)
{
    for (size_t i = 0; i < SCRIPT_FAULTS; i++) {
        struct script_fault *f = &s->faults[i];
        if (f->fault != FAULT_NONE && f->at == at && comes_first(f->fault) == first) {
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
    (void)snprintf(s->sql[at], SCRIPT_TEXT, "%s",
                   request->kind == REPLACE_RUN    ? request->sql
                   : request->kind == REPLACE_LOCK ? request->family
                                                   : "");
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
    s->catalog.racing = false;
    if (f != NULL) {
        bool by_others = fault >= FAULT_TARGET_DROPPED && fault <= FAULT_TEMP_SWAPPED;
        bool lost = fault == FAULT_LOST_BEFORE || fault == FAULT_LOST_AFTER;
        f->applied = by_others ? change_by_others(&s->catalog, fault)
                               : kind == REPLACE_RUN || lost || is_cancel(fault, &why);
        if (lost && kind != REPLACE_RUN) {
            hand_over(s, r, &(struct replace_result){.kind = REPLACE_LOST});
            return false;
        }
    }
    if (is_cancel(fault, &why)) {
        replace_cancel(r, why, moment_of(s));
        if (replace_next(r, request)) {
            return true;
        }
    }
    if (kind == REPLACE_RUN) {
        run_statement(s, r, s->sql[at], fault);
    } else if (kind == REPLACE_LOCK) {
        hand_over(s, r, &(struct replace_result){.kind = REPLACE_LOCKED});
    } else {
        s->catalog.now_ms = until_ms > s->catalog.now_ms ? until_ms : s->catalog.now_ms;
        hand_over(s, r, &(struct replace_result){.kind = REPLACE_WAITED});
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
            first->applied = is_cancel(first->fault, &why);
            replace_cancel(r, why, moment_of(s));
        }
        if (!asked && !replace_next(r, &request)) {
            break; /* nothing is out and nothing is wanted: endless */
        }
        asked = false;
        if (request.kind == REPLACE_DONE) {
            return;
        }
        note_request(s, r, &request);
        asked = do_request(s, r, &request);
        memory_returns(s);
    }
    s->endless = true;
}

static const char *or_nothing(const char *text)
{
    return text != NULL ? text : "";
}

static void note_outcome(struct script *s, struct replace *r)
{
    const struct replace_outcome *outcome = replace_outcome(r);
    struct replace_notice n;
    s->outcome = outcome->kind;
    s->server_lost = outcome->server_lost;
    (void)snprintf(s->tag, sizeof(s->tag), "%s", or_nothing(outcome->tag));
    (void)snprintf(s->stamp, sizeof(s->stamp), "%s", replace_id(r));
    (void)snprintf(s->view_name, sizeof(s->view_name), "%s", replace_view_name(r));
    if (outcome->kind == REPLACE_FAILED) {
        (void)snprintf(s->sqlstate, sizeof(s->sqlstate), "%s", outcome->error.sqlstate);
        (void)snprintf(s->error, SCRIPT_TEXT, "%s\n%s\n%s", outcome->error.message,
                       or_nothing(outcome->error.detail), or_nothing(outcome->error.hint));
    }
    if (outcome->kind == REPLACE_FAILED_BY_SERVER) {
        (void)snprintf(s->raw, SCRIPT_TEXT, "%.*s", (int)outcome->raw_len,
                       (const char *)outcome->raw);
    }
    while (replace_next_notice(r, &n) && s->num_notices < SCRIPT_NOTICES) {
        (void)snprintf(s->notices[s->num_notices++], SCRIPT_TEXT, "%s\n%s\n%s\n%s", n.severity,
                       n.message, or_nothing(n.detail), or_nothing(n.hint));
    }
}

void script_run(struct script *s)
{
    static const char usual[] = "CREATE OR REPLACE MATERIALIZED VIEW mv AS SELECT a FROM t";
    const char *text = s->text != NULL ? s->text : usual;
    struct replace_settings settings = {.values[SETTING_BUILD] = s->build,
                                        .values[SETTING_DRAIN_MIN] = 500};
    s->before = s->catalog;
    /* An allocation of exactly its size: the sanitizer guards the end. */
    char *exact = malloc(strlen(text));
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, text, strlen(text));
    mem_fail_at(s->memory_fails_at != 0 ? s->memory_fails_at : SIZE_MAX);
    struct replace *r =
        replace_new(exact, strlen(text), &settings, REPLACE_CARRY_OUT, moment_of(s));
    free(exact);
    memory_returns(s);
    s->made = r != NULL;
    if (r != NULL) {
        converse(s, r);
        s->num_allocations = mem_count();
        note_outcome(s, r);
    }
    mem_fail_at(0);
    replace_free(r);
}

bool script_says(const struct script *s, const char *text)
{
    bool said = strstr(s->error, text) != NULL;
    for (size_t i = 0; i < s->num_notices; i++) {
        said = said || strstr(s->notices[i], text) != NULL;
    }
    return said;
}

size_t script_find_step(const struct script *s, const char *step, size_t num)
{
    for (size_t i = 0; i < s->num_requests; i++) {
        if (strcmp(s->steps[i], step) == 0 && num-- == 0) {
            return i;
        }
    }
    return SCRIPT_REQUESTS;
}
