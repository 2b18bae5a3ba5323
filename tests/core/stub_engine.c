/* stub_engine: see stub_engine.h. Letters: k OK, e error, x lost, w waited, l locked, f full, c
 * cancelled. */
#include "stub_engine.h"

#include "limits.h"
#include "mem.h"

#include <stdio.h>
#include <string.h>

struct stub_engine stub;

struct replace {
    size_t at; /* in stub.asks */
    size_t num_locks;
    bool owed;
    bool cancelled;
    bool failed;
    struct replace_outcome outcome;
};

static void hear(const char *what)
{
    size_t len = strlen(stub.heard);
    (void)snprintf(stub.heard + len, sizeof(stub.heard) - len, "%s", what);
}

struct replace *replace_new(const char *text, size_t len, const struct replace_settings *settings,
                            enum replace_mode mode, struct moment now)
{
    (void)now;
    (void)snprintf(stub.text, sizeof(stub.text), "%.*s", (int)len, text);
    stub.mode = mode;
    stub.settings = *settings;
    struct replace *r = mem_new(sizeof(*r));
    stub.num_alive += r != NULL ? 1 : 0;
    return r;
}

void replace_free(struct replace *r)
{
    stub.num_alive -= r != NULL ? 1 : 0;
    mem_free(r);
}

static enum replace_request_kind asked(const struct replace *r)
{
    return stub.asks[r->at];
}

bool replace_next(struct replace *r, struct replace_request *out_request)
{
    if (r->owed) {
        return false;
    }
    static const char *many[LIMIT_LOCK_FAMILIES + 1];
    r->owed = asked(r) != REPLACE_DONE;
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        many[i] = i == 0 ? "\"d\".\"s\".\"v\"" : "\"d\".\"s\".\"w\"";
    }
    r->num_locks += asked(r) == REPLACE_LOCK ? 1 : 0;
    *out_request =
        (struct replace_request){.kind = asked(r),
                                 .sql = "SELECT u.name",
                                 .families = many,
                                 .num_families = r->num_locks > 1 ? stub.num_families : 1};
    return true;
}

static void give_up(struct replace *r)
{
    r->failed = true;
    r->owed = false;
    r->at = stub.undo;
    while (stub.undo == 0 && asked(r) != REPLACE_DONE) {
        r->at++;
    }
}

void replace_result(struct replace *r, const struct replace_result *result, struct moment now)
{
    static const char *const letters[] = {"k", "e", "x", "w", "l", "f"};
    (void)now;
    hear(letters[result->kind]);
    for (size_t i = 0; result->kind == REPLACE_LOCKED && i < result->num_rows; i++) {
        for (size_t k = 0; k < result->num_columns; k++) {
            hear(k == 0 ? " " : ",");
            hear(result->cells[i * result->num_columns + k]);
        }
    }
    if (result->kind == REPLACE_LOST || result->kind == REPLACE_FULL || r->cancelled) {
        r->cancelled = false;
        stub.undo = result->kind == REPLACE_LOST ? 0 : stub.undo;
        give_up(r);
    } else if (r->owed) {
        r->owed = false;
        r->at++;
    }
}

void replace_cancel(struct replace *r, enum replace_reason why, struct moment now)
{
    (void)why;
    (void)now;
    if (r->failed) {
        return;
    }
    hear("c");
    if (r->owed && asked(r) != REPLACE_RUN) {
        give_up(r);
    } else {
        r->cancelled = true;
    }
}

uint64_t replace_due(const struct replace *r)
{
    (void)r;
    return MOMENT_NEVER;
}

bool replace_tick(struct replace *r, struct moment now)
{
    (void)r;
    (void)now;
    return false;
}

bool replace_outlives_client(const struct replace *r)
{
    (void)r;
    return false;
}

bool replace_next_moved(struct replace *r, const char **out_name, uint64_t *out_moved_ms)
{
    (void)r;
    (void)out_name;
    (void)out_moved_ms;
    return false;
}

bool replace_next_notice(struct replace *r, struct replace_notice *out_notice)
{
    (void)r;
    (void)out_notice;
    return false;
}

const struct replace_outcome *replace_outcome(const struct replace *r)
{
    static struct replace_outcome outcome;
    static const char *const plan[] = {"the plan"};
    outcome = (struct replace_outcome){
        .kind = r->failed                   ? REPLACE_FAILED
                : stub.mode == REPLACE_PLAN ? REPLACE_PLANNED
                                            : REPLACE_SUCCEEDED,
        .tag = stub.tag != NULL ? stub.tag : "CREATE_MATERIALIZED_VIEW",
        .plan = plan,
        .num_plan = 1,
        .error = {.severity = "ERROR", .sqlstate = "57014", .message = "as the test wanted"},
        .left_known = stub.left_known,
        .left = stub.left,
        .num_left = stub.num_left};
    return &outcome;
}

const char *replace_id(const struct replace *r)
{
    (void)r;
    return "id";
}

const char *replace_step_name(const struct replace *r)
{
    (void)r;
    return "step";
}

const char *replace_view_name(const struct replace *r)
{
    (void)r;
    return "s.v";
}
