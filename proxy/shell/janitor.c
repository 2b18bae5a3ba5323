/* janitor: see janitor.h. */
#include "janitor.h"

#include "driver.h"
#include "log.h"
#include "mem.h"
#include "name_watch.h"
#include "proxy_internal.h"
#include "rows.h"
#include "sql_format.h"
#include "swap_notices.h"
#include "sweep.h"
#include "sweep_log.h"

#include <stdio.h>
#include <string.h>

enum {
    /* A server that does not answer: the connection is given up, so that a name that is locked for
     * a drop is free again, and another one tried at the next look. */
    ANSWERED_WITHIN_MS = 60 * 1000,
    MOST_OF_PROBLEM = 256,
    NUM_KEYWORDS = 4
};

enum janitor_state {
    JANITOR_OFF, /* no connection: off, or the next look opens one */
    JANITOR_OPENING,
    JANITOR_IDLE,
    JANITOR_ASKS_DATABASE,
    JANITOR_REVISITS, /* as the next one, on a connection that may have been lost since it was idle
                       */
    JANITOR_WATCHES,
    JANITOR_SWEEPS
};

struct janitor {
    struct proxy *proxy;
    uv_timer_t looks;
    uv_timer_t answer; /* runs while the server owes one */
    unsigned num_timers;
    uint32_t interval_ms; /* of `looks`; 0: off */
    uint64_t lock_id;     /* among the sessions of the registry */
    enum janitor_state state;
    struct janitor_options options; /* of this look */
    char *database;                 /* of the connection */
    struct driver *driver;
    struct name_watch *watch;
    struct swap_notices notices;
    struct sweep *sweep;
    struct sweep_log log;
    char failing[MOST_OF_PROBLEM]; /* why, as it was said; "": it goes well */
};

/* ---- the registry ---- */

static void unlock(struct janitor *j)
{
    registry_unlock(j->proxy->registry, j->lock_id);
    (void)uv_async_send(&j->proxy->wake);
}

/* No replacement of this process runs, and none begins: who comes waits in the registry. */
static bool lock(struct janitor *j, const struct sweep_request *request)
{
    struct buf family = {0};
    bool locked = false;
    sql_format(&family, "%I.%I.%I", j->database, request->schema, request->family);
    const char *name = buf_text(&family);
    unlock(j);
    if (name != NULL) {
        locked = registry_lock(j->proxy->registry, &name, 1, j->lock_id) == REGISTRY_LOCKED;
    }
    buf_cleanup(&family);
    if (!locked) {
        unlock(j);
    }
    return locked;
}

/* ---- one look ---- */

static void disconnect(struct janitor *j)
{
    if (j->driver != NULL) {
        driver_close(j->driver);
        j->driver = NULL;
    }
    sweep_free(j->sweep);
    j->sweep = NULL;
    mem_free(j->database);
    j->database = NULL;
    unlock(j);
    (void)uv_timer_stop(&j->answer);
    j->state = JANITOR_OFF;
}

/* Once for each reason, until it goes well again. libpq's texts end with a line break. */
static void fail(struct janitor *j, const char *why)
{
    char text[MOST_OF_PROBLEM];
    (void)snprintf(text, sizeof(text), "%s", why);
    text[strcspn(text, "\n")] = 0;
    if (strcmp(j->failing, text) != 0) {
        log_line(LOG_WARNING, "janitor", "detail", text, NULL);
        memcpy(j->failing, text, sizeof(text));
    }
    disconnect(j);
}

static void on_no_answer(uv_timer_t *timer)
{
    fail(timer->data, "the server does not answer");
}

static void wait_for_answer(struct janitor *j, enum janitor_state state)
{
    j->state = state;
    (void)uv_timer_start(&j->answer, on_no_answer, ANSWERED_WITHIN_MS, 0);
}

static void ask(struct janitor *j, enum janitor_state state, const char *sql)
{
    wait_for_answer(j, state);
    driver_ask(j->driver, sql);
}

struct known_list {
    struct sweep_known *items;
    size_t num;
};

static void add_remembered(void *context, const struct replace_left *left)
{
    struct known_list *list = context;
    list->items[list->num++] = (struct sweep_known){
        .id = left->id, .until_us = left->until_us, .schema = left->schema, .name = left->name};
}

static bool begin_sweep(struct janitor *j)
{
    struct known_list known = {.num = 0};
    size_t num = remembered_num(j->proxy->remembered);
    uint64_t id = 0;
    uint64_t since_us = 0;
    for (size_t at = 0; name_watch_since(j->watch, &at, &id, &since_us);) {
        num++;
    }
    known.items = mem_new(num * sizeof(*known.items));
    if (known.items == NULL) {
        return false;
    }
    remembered_each(j->proxy->remembered, add_remembered, &known);
    for (size_t at = 0; name_watch_since(j->watch, &at, &id, &since_us);) {
        known.items[known.num++] = (struct sweep_known){.id = id, .since_us = since_us};
    }
    struct sweep_options options = {.older_than_ms = j->options.older_than_ms,
                                    .drops = !j->options.dry_run,
                                    .known = known.items,
                                    .num_known = known.num};
    j->sweep = sweep_new(&options, proxy_now(j->proxy));
    mem_free(known.items);
    return j->sweep != NULL;
}

static void take_ended(struct janitor *j)
{
    const struct sweep_item *item = sweep_take_ended(j->sweep);
    if (item == NULL || (item->fate != SWEEP_DROPPED && item->fate != SWEEP_REFUSED)) {
        return; /* it is looked at again */
    }
    sweep_log_item(&j->log, item);
    if (item->fate == SWEEP_DROPPED && remembered_drop(j->proxy->remembered, item->id)) {
        proxy_save(j->proxy);
    }
}

static void end_look(struct janitor *j)
{
    const struct replace_notice *error = sweep_error(j->sweep);
    unlock(j);
    if (error != NULL) {
        fail(j, error->message);
        return;
    }
    sweep_log_end(&j->log, j->sweep, j->options.dry_run);
    if (j->failing[0] != 0) {
        log_line(LOG_INFO, "janitor", "detail", "looks again", NULL);
    }
    j->failing[0] = 0;
    sweep_free(j->sweep);
    j->sweep = NULL;
    j->state = JANITOR_IDLE;
}

static void drive(struct janitor *j)
{
    struct sweep_request request;
    for (;;) {
        sweep_next(j->sweep, &request);
        switch (request.kind) {
        case SWEEP_RUN:
            ask(j, JANITOR_SWEEPS, request.sql);
            return;
        case SWEEP_LOCK: {
            struct replace_result result = {.kind =
                                                lock(j, &request) ? REPLACE_LOCKED : REPLACE_FULL};
            sweep_result(j->sweep, &result, proxy_now(j->proxy));
            break;
        }
        case SWEEP_DONE:
            end_look(j);
            return;
        }
    }
}

static void take_names(struct janitor *j, const struct replace_result *result)
{
    struct buf moved = {0};
    struct moment now = proxy_now(j->proxy);
    if (!name_watch_take(j->watch, result, now.unix_us, &moved)) {
        fail(j, "out of memory");
        return;
    }
    if (buf_failed(&moved)) {
        swaps_add(j->proxy->swaps, NULL, 0, now.mono_ms); /* which, is not known */
    } else {
        swap_notices_publish(&j->notices, j->proxy->swaps, &moved, now.mono_ms);
    }
    (void)uv_async_send(&j->proxy->wake);
    buf_cleanup(&moved);
    if (begin_sweep(j)) {
        drive(j);
    } else {
        fail(j, "out of memory");
    }
}

static void take_database(struct janitor *j, const struct replace_result *result)
{
    const char *name = cell(result, 0, 0);
    j->database = name != NULL ? mem_copy(name, strlen(name)) : NULL;
    if (j->database == NULL) {
        fail(j, "the database's name is not known");
        return;
    }
    ask(j, JANITOR_WATCHES, name_watch_sql);
}

/* ---- the connection ---- */

static void connect_to_server(struct janitor *j);

static void on_answered(void *context, const struct replace_result *result)
{
    struct janitor *j = context;
    (void)uv_timer_stop(&j->answer);
    if (j->state == JANITOR_REVISITS && result->kind == REPLACE_LOST) {
        disconnect(j); /* firewalls and load balancers end what is idle */
        connect_to_server(j);
        return;
    }
    if (j->state != JANITOR_SWEEPS && result->kind != REPLACE_OK) {
        fail(j, result->kind == REPLACE_LOST ? "the connection to the server is lost"
                                             : result->error.message);
        return;
    }
    switch (j->state) {
    case JANITOR_ASKS_DATABASE:
        take_database(j, result);
        break;
    case JANITOR_REVISITS:
    case JANITOR_WATCHES:
        take_names(j, result);
        break;
    default:
        sweep_result(j->sweep, result, proxy_now(j->proxy));
        take_ended(j);
        drive(j);
        break;
    }
}

static void on_opened(void *context, const char *problem)
{
    struct janitor *j = context;
    (void)uv_timer_stop(&j->answer);
    if (problem != NULL) {
        fail(j, problem);
    } else {
        j->options = j->proxy->options.janitor;
        ask(j, JANITOR_ASKS_DATABASE, "SELECT current_database()");
    }
}

/* Nothing is carried out by an engine here. */
static void on_noticed(void *context, const struct replace_notice *notice)
{
    (void)context;
    (void)notice;
}

static void on_ended(void *context)
{
    (void)context;
}

static void connect_to_server(struct janitor *j)
{
    /* What comes later is stronger. The end of the process waits for the thread that connects. */
    static const char *const keywords[NUM_KEYWORDS] = {"fallback_application_name", "dbname",
                                                       "connect_timeout", NULL};
    const char *const values[NUM_KEYWORDS] = {"mvswap", j->proxy->options.janitor.dsn, "10", NULL};
    struct driver_hooks hooks = {.context = j,
                                 .opened = on_opened,
                                 .noticed = on_noticed,
                                 .ended = on_ended,
                                 .answered = on_answered};
    wait_for_answer(j, JANITOR_OPENING);
    j->driver = driver_open(&j->proxy->loop, keywords, values, &hooks);
    if (j->driver == NULL) {
        fail(j, "out of memory");
    }
}

/* A look that lasts longer than the interval is not disturbed. */
static void on_time_to_look(uv_timer_t *timer)
{
    struct janitor *j = timer->data;
    if (j->state == JANITOR_OFF) {
        connect_to_server(j);
    } else if (j->state == JANITOR_IDLE) {
        j->options = j->proxy->options.janitor;
        ask(j, JANITOR_REVISITS, name_watch_sql);
    }
}

static void set_interval(struct janitor *j, uint32_t ms)
{
    j->interval_ms = ms;
    (void)uv_timer_stop(&j->looks);
    if (ms != 0) {
        (void)uv_timer_start(&j->looks, on_time_to_look, ms, ms);
    }
}

/* ---- for the proxy ---- */

static void free_parts(struct janitor *j)
{
    name_watch_free(j->watch);
    swap_notices_cleanup(&j->notices);
    sweep_log_cleanup(&j->log);
    mem_free(j);
}

struct janitor *janitor_new(struct proxy *proxy)
{
    struct janitor *j = mem_new(sizeof(*j));
    if (j == NULL || (j->watch = name_watch_new()) == NULL) {
        mem_free(j);
        log_line(LOG_ERROR, "janitor", "detail", "out of memory", NULL);
        return NULL;
    }
    j->proxy = proxy;
    j->lock_id = ++proxy->last_id;
    j->notices.seen = swaps_newest(proxy->swaps);
    (void)uv_timer_init(&proxy->loop, &j->looks);
    (void)uv_timer_init(&proxy->loop, &j->answer);
    j->looks.data = j;
    j->answer.data = j;
    j->num_timers = 2;
    janitor_reload(j);
    return j;
}

/* A look that runs goes on with what it began with, but drops nothing more that might stay now. */
void janitor_reload(struct janitor *j)
{
    if (j == NULL) {
        return;
    }
    const struct janitor_options *options = &j->proxy->options.janitor;
    uint32_t interval_ms = options->dsn[0] != 0 ? options->interval_ms : 0;
    if (strcmp(options->dsn, j->options.dsn) != 0) {
        disconnect(j);
        name_watch_forget(j->watch);
        j->options = *options;
        j->failing[0] = 0;
        j->interval_ms = 0;
    }
    if (j->sweep != NULL &&
        (options->dry_run || options->older_than_ms > j->options.older_than_ms)) {
        sweep_stop(j->sweep);
    }
    /* Only when it is another one: else signals in a row would put off the next look for ever. */
    if (j->interval_ms != interval_ms) {
        set_interval(j, interval_ms);
    }
    if (interval_ms != 0 && j->state == JANITOR_OFF) {
        connect_to_server(j);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct janitor *j = handle->data;
    if (--j->num_timers == 0) {
        free_parts(j);
    }
}

void janitor_free(struct janitor *j)
{
    if (j != NULL) {
        disconnect(j);
        uv_close((uv_handle_t *)&j->looks, on_closed);
        uv_close((uv_handle_t *)&j->answer, on_closed);
    }
}
