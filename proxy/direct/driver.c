/* driver: see driver.h. */
#include "driver.h"

#include "buf.h"
#include "mem.h"

#include <string.h>

enum { CANCEL_AGAIN_MS = 1000, NUM_ERROR_FIELDS = 4 };

enum driver_state {
    DRIVER_IDLE, /* no engine, or one that is being asked */
    DRIVER_RUNS, /* a statement of the engine */
    DRIVER_ASKS, /* one of driver_ask */
    DRIVER_WAITS /* for the time that the engine wants */
};

struct driver {
    struct driver_hooks hooks;
    uv_loop_t *loop;
    struct link *link;
    uv_timer_t timer;
    struct replace *engine; /* borrowed; NULL: none */
    enum driver_state state;
    bool cancellable;
    bool notices_to_client;
    uint64_t wake_ms;
    uint64_t cancel_again_ms;
};

struct moment driver_now(const uv_loop_t *loop)
{
    uv_timeval64_t wall;
    (void)uv_gettimeofday(&wall);
    return (struct moment){.mono_ms = uv_now(loop),
                           .unix_us = (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_usec};
}

static void drive(struct driver *d);

static void on_timer(uv_timer_t *timer);

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void set_timer(struct driver *d)
{
    uint64_t due = d->engine != NULL ? replace_due(d->engine) : MOMENT_NEVER;
    due = sooner(due, d->cancel_again_ms);
    due = d->state == DRIVER_WAITS ? sooner(due, d->wake_ms) : due;
    (void)uv_timer_stop(&d->timer);
    if (due != MOMENT_NEVER) {
        uint64_t now = uv_now(d->loop);
        (void)uv_timer_start(&d->timer, on_timer, due > now ? due - now : 0, 0);
    }
}

static void tell_notices(struct driver *d)
{
    struct replace_notice notice;
    while (replace_next_notice(d->engine, &notice)) {
        d->hooks.noticed(d->hooks.context, &notice);
    }
}

static void interrupt(struct driver *d)
{
    if (d->state == DRIVER_RUNS && d->cancellable) {
        (void)link_cancel(d->link);
    }
}

static void go_on(struct driver *d, const struct replace_result *result)
{
    bool asked = d->state == DRIVER_ASKS;
    d->state = DRIVER_IDLE;
    if (asked) {
        d->hooks.answered(d->hooks.context, result);
        return;
    }
    replace_result(d->engine, result, driver_now(d->loop));
    drive(d);
}

static void on_timer(uv_timer_t *timer)
{
    struct driver *d = timer->data;
    struct moment now = driver_now(d->loop);
    if (d->engine == NULL) {
        return;
    }
    if (now.mono_ms >= d->cancel_again_ms) {
        d->cancel_again_ms = MOMENT_NEVER;
        interrupt(d);
    }
    if (now.mono_ms >= replace_due(d->engine)) {
        if (replace_tick(d->engine, now)) {
            interrupt(d);
        }
        tell_notices(d);
    }
    if (d->state == DRIVER_WAITS && now.mono_ms >= d->wake_ms) {
        go_on(d, &(struct replace_result){.kind = REPLACE_WAITED});
        return;
    }
    set_timer(d);
}

static void run(struct driver *d, const struct replace_request *request)
{
    d->state = DRIVER_RUNS;
    d->cancellable = request->cancellable;
    d->notices_to_client = request->notices_to_client;
    d->cancel_again_ms = MOMENT_NEVER;
    link_run(d->link, request->sql);
}

static void end(struct driver *d)
{
    d->engine = NULL;
    d->state = DRIVER_IDLE;
    set_timer(d);
    d->hooks.ended(d->hooks.context);
}

/* True when the engine can be asked again at once. */
static bool grant(struct driver *d, const struct replace_request *request)
{
    struct replace_result result = {.kind = REPLACE_OK};
    switch (request->kind) {
    case REPLACE_RUN:
        run(d, request);
        return false;
    case REPLACE_WAIT:
        d->state = DRIVER_WAITS;
        d->wake_ms = request->until_ms;
        return false;
    case REPLACE_LOCK:
    case REPLACE_SLOT:
        result.kind = REPLACE_LOCKED;
        break;
    case REPLACE_END_SLOT:
    case REPLACE_READERS:
        break;
    case REPLACE_DONE:
        end(d);
        return false;
    }
    replace_result(d->engine, &result, driver_now(d->loop));
    return true;
}

static void drive(struct driver *d)
{
    struct replace_request request;
    const char *moved = NULL;
    uint64_t moved_ms = 0;
    /* No statement is sent while a cancel is on its way: it could hit that one. */
    while (d->engine != NULL && (d->state == DRIVER_IDLE || d->state == DRIVER_WAITS) &&
           !link_is_cancelling(d->link)) {
        tell_notices(d);
        if (!replace_next(d->engine, &request)) {
            break; /* it goes on waiting */
        }
        d->state = DRIVER_IDLE;
        while (replace_next_moved(d->engine, &moved, &moved_ms)) {
        }
        tell_notices(d);
        if (!grant(d, &request)) {
            break;
        }
    }
    if (d->engine != NULL) {
        set_timer(d);
    }
}

/* ---- the link ---- */

static void on_opened(void *context, const char *problem)
{
    struct driver *d = context;
    d->hooks.opened(d->hooks.context, problem);
}

static const char *field(const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);
    return text != NULL ? text : "";
}

/* The server's error as the engine keeps it: four texts, one behind the other. */
static void add_error(struct buf *out, const PGresult *result)
{
    static const int codes[NUM_ERROR_FIELDS] = {PG_DIAG_SQLSTATE, PG_DIAG_MESSAGE_PRIMARY,
                                                PG_DIAG_MESSAGE_DETAIL, PG_DIAG_MESSAGE_HINT};
    for (size_t i = 0; i < NUM_ERROR_FIELDS; i++) {
        const char *text = field(result, codes[i]);
        buf_add(out, text, strlen(text) + 1);
    }
}

struct replace_notice driver_error(const struct replace_outcome *outcome)
{
    if (outcome->kind == REPLACE_FAILED) {
        return outcome->error;
    }
    struct replace_notice error = {.severity = "ERROR"};
    if (outcome->kind == REPLACE_FAILED_BY_SERVER) {
        const char *texts[NUM_ERROR_FIELDS];
        const char *at = (const char *)outcome->raw;
        for (size_t i = 0; i < NUM_ERROR_FIELDS; i++) {
            texts[i] = at[0] != 0 ? at : NULL;
            at += strlen(at) + 1;
        }
        error.sqlstate = texts[0] != NULL ? texts[0] : "XX000";
        error.message = texts[1] != NULL ? texts[1] : "";
        error.detail = texts[2];
        error.hint = texts[3];
        return error;
    }
    error.sqlstate = "0A000";
    error.message = "the server is not a RisingWave that can replace this view";
    error.detail = "It is another server, or the name has another database in front.";
    return error;
}

static void take_error(struct driver *d, const PGresult *result)
{
    struct buf raw = {0};
    add_error(&raw, result);
    if (buf_failed(&raw)) {
        /* An error must not look like anything else: as if the connection was lost. */
        buf_cleanup(&raw);
        go_on(d, &(struct replace_result){.kind = REPLACE_LOST});
        return;
    }
    struct replace_result told = {.kind = REPLACE_ERROR};
    told.error = (struct replace_server_error){.sqlstate = field(result, PG_DIAG_SQLSTATE),
                                               .message = field(result, PG_DIAG_MESSAGE_PRIMARY),
                                               .raw = buf_bytes(&raw),
                                               .raw_len = buf_len(&raw)};
    go_on(d, &told);
    buf_cleanup(&raw);
}

static void take_rows(struct driver *d, const PGresult *result)
{
    size_t num_rows = (size_t)PQntuples(result);
    size_t num_columns = (size_t)PQnfields(result);
    const char **cells = mem_new(num_rows * num_columns * sizeof(*cells));
    if (cells == NULL) {
        go_on(d, &(struct replace_result){.kind = REPLACE_LOST});
        return;
    }
    for (size_t i = 0; i < num_rows * num_columns; i++) {
        int row = (int)(i / num_columns);
        int column = (int)(i % num_columns);
        cells[i] = PQgetisnull(result, row, column) != 0 ? NULL : PQgetvalue(result, row, column);
    }
    go_on(d, &(struct replace_result){.kind = REPLACE_OK,
                                      .num_rows = num_rows,
                                      .num_columns = num_columns,
                                      .cells = cells,
                                      .tag = PQcmdStatus((PGresult *)(uintptr_t)result)});
    mem_free(cells);
}

static void on_answered(void *context, const PGresult *result)
{
    struct driver *d = context;
    d->cancel_again_ms = MOMENT_NEVER;
    if (result == NULL) {
        go_on(d, &(struct replace_result){.kind = REPLACE_LOST});
        return;
    }
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        take_rows(d, result);
        break;
    default:
        take_error(d, result);
        break;
    }
}

static void on_noticed(void *context, const PGresult *notice)
{
    struct driver *d = context;
    if (d->state != DRIVER_RUNS || !d->notices_to_client) {
        return;
    }
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY);
    struct replace_notice told = {
        .severity = severity != NULL ? severity : "NOTICE",
        .sqlstate = field(notice, PG_DIAG_SQLSTATE),
        .message = field(notice, PG_DIAG_MESSAGE_PRIMARY),
        .detail = PQresultErrorField(notice, PG_DIAG_MESSAGE_DETAIL),
        .hint = PQresultErrorField(notice, PG_DIAG_MESSAGE_HINT),
    };
    d->hooks.noticed(d->hooks.context, &told);
}

static void on_cancelled(void *context)
{
    struct driver *d = context;
    if (d->engine == NULL) {
        return;
    }
    if (d->state == DRIVER_IDLE) {
        drive(d);
    } else if (d->state == DRIVER_RUNS && d->cancellable) {
        /* It may have come before the statement that it was meant for. */
        d->cancel_again_ms = uv_now(d->loop) + CANCEL_AGAIN_MS;
        set_timer(d);
    }
}

/* ---- for the caller ---- */

struct driver *driver_open(uv_loop_t *loop, const char *const *keywords, const char *const *values,
                           const struct driver_hooks *hooks)
{
    struct driver *d = mem_new(sizeof(*d));
    if (d == NULL) {
        return NULL;
    }
    struct link_hooks of_link = {.context = d,
                                 .opened = on_opened,
                                 .answered = on_answered,
                                 .noticed = on_noticed,
                                 .cancelled = on_cancelled};
    d->hooks = *hooks;
    d->loop = loop;
    d->wake_ms = MOMENT_NEVER;
    d->cancel_again_ms = MOMENT_NEVER;
    d->link = link_open(loop, keywords, values, &of_link);
    if (d->link == NULL) {
        mem_free(d);
        return NULL;
    }
    (void)uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    return d;
}

void driver_carry_out(struct driver *driver, struct replace *engine)
{
    driver->engine = engine;
    driver->state = DRIVER_IDLE;
    drive(driver);
}

void driver_ask(struct driver *driver, const char *sql)
{
    driver->state = DRIVER_ASKS;
    link_run(driver->link, sql);
}

void driver_cancel(struct driver *driver)
{
    if (driver->engine == NULL) {
        return;
    }
    replace_cancel(driver->engine, REPLACE_CANCELLED_BY_CLIENT, driver_now(driver->loop));
    interrupt(driver);
    drive(driver);
}

static void timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void driver_close(struct driver *driver)
{
    if (driver != NULL) {
        link_close(driver->link);
        uv_close((uv_handle_t *)&driver->timer, timer_closed);
    }
}
