/* console: see console.h. */
#include "console.h"

#include "json_text.h"
#include "mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_LEN = 24, PERMILLE = 1000, MS_A_SECOND = 1000 };

struct console {
    bool json;
    bool terminal;
    bool bar;         /* the cursor is behind a progress bar */
    json_t *document; /* NULL: for people */
    json_t *notices;  /* of the statement that runs */
};

struct console *console_new(bool json)
{
    struct console *c = mem_new(sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->json = json;
    c->terminal = !json && isatty(STDERR_FILENO) == 1;
    c->document = json ? json_array() : NULL;
    c->notices = json ? json_array() : NULL;
    if (json && (c->document == NULL || c->notices == NULL)) {
        json_decref(c->document);
        json_decref(c->notices);
        mem_free(c);
        return NULL;
    }
    return c;
}

bool console_is_terminal(const struct console *c)
{
    return c->terminal;
}

/* ---- for people ---- */

static void clear_bar(struct console *c)
{
    if (c->bar) {
        (void)fputs("\r\033[K", stderr);
        c->bar = false;
    }
}

static void show_bar(struct console *c, const struct replace_notice *notice)
{
    char bar[BAR_LEN + 1];
    unsigned filled =
        notice->progress == REPLACE_PROGRESS_KNOWN ? notice->permille * BAR_LEN / PERMILLE : 0;
    for (unsigned i = 0; i < BAR_LEN; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[BAR_LEN] = 0;
    clear_bar(c);
    (void)fprintf(stderr, "[%s] %s", bar, notice->message);
    (void)fflush(stderr);
    c->bar = true;
}

static void show_message(struct console *c, const struct replace_notice *notice)
{
    clear_bar(c);
    (void)fprintf(stderr, "%s:  %s\n", notice->severity, notice->message);
    if (notice->detail != NULL) {
        (void)fprintf(stderr, "DETAIL:  %s\n", notice->detail);
    }
    if (notice->hint != NULL) {
        (void)fprintf(stderr, "HINT:  %s\n", notice->hint);
    }
}

static const char *effect_text(const struct replace_outcome *outcome)
{
    bool plan = outcome->kind == REPLACE_PLANNED;
    switch (outcome->effect) {
    case REPLACE_CREATED:
        return plan ? "would be created" : "created";
    case REPLACE_REPLACED:
        return plan ? "would be replaced" : "replaced";
    case REPLACE_UNTOUCHED:
        break;
    }
    return plan ? "nothing to do" : "unchanged";
}

static void show_outcome(struct console *c, const struct replace *engine, const char *source,
                         const struct replace_notice *error, uint64_t ms)
{
    const struct replace_outcome *outcome = replace_outcome(engine);
    clear_bar(c);
    if (error != NULL) {
        if (source != NULL) {
            (void)fprintf(stderr, "%s: ", source);
        }
        show_message(c, error);
        return;
    }
    if (outcome->kind == REPLACE_PLANNED) {
        for (size_t i = 0; i < outcome->num_plan; i++) {
            (void)printf("%s\n", outcome->plan[i]);
        }
        return;
    }
    (void)printf("%s: %s (%" PRIu64 ".%" PRIu64 " s)\n", replace_view_name(engine),
                 effect_text(outcome), ms / MS_A_SECOND, ms % MS_A_SECOND / 100);
    (void)fflush(stdout);
}

/* ---- for programs ---- */

static json_t *message_json(const struct replace_notice *notice)
{
    json_t *object = json_object();
    json_put(object, "severity", notice->severity);
    json_put(object, "sqlstate", notice->sqlstate);
    json_put(object, "message", notice->message);
    json_put(object, "detail", notice->detail);
    json_put(object, "hint", notice->hint);
    return object;
}

static const char *outcome_word(const struct replace_outcome *outcome)
{
    static const char *const done[] = {[REPLACE_UNTOUCHED] = "unchanged",
                                       [REPLACE_CREATED] = "created",
                                       [REPLACE_REPLACED] = "replaced"};
    static const char *const planned[] = {[REPLACE_UNTOUCHED] = "nothing",
                                          [REPLACE_CREATED] = "create",
                                          [REPLACE_REPLACED] = "replace"};
    if (outcome->kind == REPLACE_PLANNED) {
        return outcome->would_be_refused ? "refuse" : planned[outcome->effect];
    }
    return done[outcome->effect];
}

static void add_outcome(struct console *c, const struct replace *engine, const char *source,
                        const struct replace_notice *error, uint64_t ms)
{
    const struct replace_outcome *outcome = replace_outcome(engine);
    json_t *object = json_object();
    json_put(object, "view", replace_view_name(engine));
    json_put(object, "source", source);
    json_put(object, "outcome", error != NULL ? "failed" : outcome_word(outcome));
    (void)json_object_set_new(object, "seconds", json_real((double)ms / MS_A_SECOND));
    (void)json_object_set_new(object, "error", error != NULL ? message_json(error) : json_null());
    if (outcome->kind == REPLACE_PLANNED) {
        json_t *plan = json_array();
        for (size_t i = 0; i < outcome->num_plan; i++) {
            json_append(plan, outcome->plan[i]);
        }
        (void)json_object_set_new(object, "plan", plan);
    }
    (void)json_object_set_new(object, "notices", c->notices);
    c->notices = json_array();
    (void)json_array_append_new(c->document, object);
}

/* ---- either ---- */

void console_notice(struct console *c, const struct replace_notice *notice)
{
    if (c->json) {
        if (notice->progress == REPLACE_NO_PROGRESS) {
            (void)json_array_append_new(c->notices, message_json(notice));
        }
    } else if (notice->progress != REPLACE_NO_PROGRESS && c->terminal) {
        show_bar(c, notice);
    } else {
        show_message(c, notice);
    }
}

void console_outcome(struct console *c, const struct replace *engine, const char *source,
                     const struct replace_notice *error, uint64_t ms)
{
    if (c->json) {
        add_outcome(c, engine, source, error, ms);
    } else {
        show_outcome(c, engine, source, error, ms);
    }
}

void console_not_begun(struct console *c, const char *view, const char *source)
{
    if (!c->json) {
        (void)fprintf(stderr, "%s: \"%s\" was not begun\n", source, view);
        return;
    }
    json_t *object = json_object();
    json_put(object, "view", view);
    json_put(object, "source", source);
    json_put(object, "outcome", "not begun");
    (void)json_array_append_new(c->document, object);
}

bool console_end(struct console *c)
{
    bool good = true;
    clear_bar(c);
    if (c->json) {
        good = json_dumpf(c->document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0 &&
               putchar('\n') != EOF;
    }
    good = fflush(stdout) == 0 && good;
    json_decref(c->document);
    json_decref(c->notices);
    mem_free(c);
    return good;
}
