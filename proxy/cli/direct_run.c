/* direct_run: see direct_run.h. */
#include "direct_run.h"

#include "driver.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUM_SIGNALS = 2 };

struct run {
    const struct direct_work *work;
    uv_loop_t loop;
    struct driver *driver;
    uv_signal_t signals[NUM_SIGNALS];
    struct replace *engine;
    uint64_t began_ms;
    bool open;
    bool interrupted;
    bool good;
};

static void end(struct run *run, bool good)
{
    run->good = good;
    for (int i = 0; i < NUM_SIGNALS; i++) {
        uv_close((uv_handle_t *)&run->signals[i], NULL);
    }
    driver_close(run->driver);
}

static void next_engine(struct run *run)
{
    bool none = run->interrupted || run->work->next == NULL;
    run->engine = none ? NULL : run->work->next(run->work->context, driver_now(&run->loop));
    if (run->engine == NULL) {
        end(run, true);
    } else {
        driver_carry_out(run->driver, run->engine);
    }
}

static void go_on(struct run *run)
{
    uv_update_time(&run->loop);
    run->began_ms = uv_now(&run->loop);
    const char *sql =
        run->work->ask != NULL ? run->work->ask(run->work->context, driver_now(&run->loop)) : NULL;
    if (sql != NULL) {
        driver_ask(run->driver, sql);
    } else {
        next_engine(run);
    }
}

static void on_opened(void *context, const char *problem)
{
    struct run *run = context;
    if (problem != NULL) {
        (void)fprintf(stderr, "mvswap: %s", problem); /* libpq's ends its lines itself */
        end(run, false);
    } else {
        run->open = true;
        go_on(run);
    }
}

static void on_answered(void *context, const struct replace_result *result)
{
    struct run *run = context;
    if (run->work->answered(run->work->context, result, driver_now(&run->loop))) {
        go_on(run);
    } else {
        end(run, false);
    }
}

static void on_noticed(void *context, const struct replace_notice *notice)
{
    struct run *run = context;
    run->work->noticed(run->work->context, notice);
}

static void on_ended(void *context)
{
    struct run *run = context;
    const struct replace_outcome *outcome = replace_outcome(run->engine);
    bool succeeded = outcome->kind == REPLACE_SUCCEEDED || outcome->kind == REPLACE_PLANNED;
    struct replace_notice error = {0};
    if (!succeeded) {
        error = driver_error(outcome);
    }
    bool lost = outcome->server_lost;
    bool more = run->work->ended(run->work->context, run->engine, succeeded ? NULL : &error,
                                 uv_now(&run->loop) - run->began_ms);
    replace_free(run->engine);
    run->engine = NULL;
    if (more && !lost) {
        go_on(run);
    } else {
        end(run, true);
    }
}

/* What is half done cannot be undone any more by this process. */
static _Noreturn void leave(const struct run *run)
{
    static const char *const words[] = {
        [REPLACE_NOT_LIVE] = "the view is as it was",
        [REPLACE_PERHAPS_LIVE] = "whether the other view is live is not known",
        [REPLACE_LIVE] = "the other view is live",
    };
    const char *name = run->engine != NULL ? replace_temporary_name(run->engine) : NULL;
    (void)fprintf(stderr, "\nmvswap: left at once%s%s.\n", run->engine != NULL ? ": " : "",
                  run->engine != NULL ? words[replace_live(run->engine)] : "");
    if (name != NULL) {
        (void)fprintf(stderr,
                      "\"%s\" may still be there, and more of that ending: mvswap leftovers lists"
                      " them.\n",
                      name);
    } else if (run->engine == NULL && run->interrupted) {
        (void)fputs("The statement that runs may still be carried out.\n", stderr);
    }
    (void)fflush(stdout);
    _Exit(EXIT_FAILURE);
}

static void stop(struct run *run)
{
    if (run->engine == NULL) {
        (void)fputs("\nmvswap: ends behind the statement that runs; once more leaves at once\n",
                    stderr);
        run->work->stop(run->work->context);
        return;
    }
    bool undoes = replace_live(run->engine) != REPLACE_LIVE;
    (void)fprintf(stderr, "\nmvswap: %s; once more leaves at once\n",
                  undoes ? "undoing it" : "it is live already, and ends without waiting");
    driver_cancel(run->driver);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;
    (void)number;
    bool can_stop = run->engine != NULL || (run->open && run->work->stop != NULL);
    if (run->interrupted || !can_stop) {
        leave(run);
    }
    run->interrupted = true;
    stop(run);
}

bool direct_run(const struct direct_options *options, const struct direct_work *work)
{
    static const int numbers[NUM_SIGNALS] = {SIGINT, SIGTERM};
    struct run run = {.work = work};
    struct driver_hooks hooks = {.context = &run,
                                 .opened = on_opened,
                                 .noticed = on_noticed,
                                 .ended = on_ended,
                                 .answered = on_answered};
    (void)signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&run.loop) != 0) {
        (void)fputs("mvswap: out of memory\n", stderr);
        return false;
    }
    run.driver = driver_open(&run.loop, options->keywords, options->values, &hooks);
    if (run.driver == NULL) {
        (void)fputs("mvswap: out of memory\n", stderr);
        (void)uv_loop_close(&run.loop);
        return false;
    }
    for (int i = 0; i < NUM_SIGNALS; i++) {
        (void)uv_signal_init(&run.loop, &run.signals[i]);
        run.signals[i].data = &run;
        (void)uv_signal_start(&run.signals[i], on_signal, numbers[i]);
    }
    (void)uv_run(&run.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&run.loop);
    return run.good;
}
