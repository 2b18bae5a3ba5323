/*
 * script: one whole conversation between the engine and the catalog of catalog.h, with faults at
 * chosen requests, and the judgement afterwards: was the promise of replace.h kept?
 */
#ifndef MVSWAP_TESTS_REPLACE_SCRIPT_H
#define MVSWAP_TESTS_REPLACE_SCRIPT_H

#include "catalog.h"
#include "replace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCRIPT_REQUESTS = 400,
    SCRIPT_FAULTS = 2,
    SCRIPT_TEXT = 4096,
    SCRIPT_NOTICES = 32,
    SCRIPT_LEFT = 12
};

enum fault {
    FAULT_NONE,
    FAULT_ERROR,          /* the server refuses; nothing happened */
    FAULT_ERROR_LATE,     /* an error although it took effect */
    FAULT_TARGET_DROPPED, /* by somebody else, just before */
    FAULT_TARGET_RENAMED,
    FAULT_TARGET_SWAPPED, /* with an older view of theirs */
    FAULT_TEMP_DROPPED,   /* likewise what was built */
    FAULT_TEMP_RENAMED,
    FAULT_TEMP_SWAPPED,
    FAULT_INDEX_DROPPED, /* by somebody else, one of the view */
    FAULT_INDEX_RENAMED,
    FAULT_INDEX_CREATED,
    FAULT_READER_DROPPED, /* by somebody else, a view that reads the view */
    FAULT_READER_RENAMED,
    FAULT_READER_SWAPPED,
    FAULT_READER_CREATED,
    FAULT_SELF_DROPPED, /* likewise what has a temporary name beside such a view */
    FAULT_SELF_RENAMED,
    FAULT_SELF_SWAPPED,
    FAULT_LAST_BY_OTHERS = FAULT_SELF_SWAPPED,
    FAULT_CANCEL_FIRST, /* before the request is asked for, one for each reason */
    FAULT_GONE_FIRST,
    FAULT_SHUTDOWN_FIRST,
    FAULT_CANCEL, /* while it runs; it ends well all the same */
    FAULT_GONE,
    FAULT_SHUTDOWN,
    FAULT_CANCEL_HITS, /* while it runs, and the server stops it */
    FAULT_LOST_BEFORE, /* the connection breaks before it took effect */
    FAULT_LOST_AFTER,
    FAULT_NO_ROWS, /* an answer that is not what it should be */
    FAULT_NULLS,
    FAULT_ODD_CELLS,
    FAULT_COUNT
};

extern const char *const fault_names[FAULT_COUNT];

struct script_fault {
    size_t at; /* the request, counted from 0 */
    enum fault fault;
    bool applied; /* set by script_run */
};

/* What the process remembers of the family. */
struct script_left {
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    uint64_t id;
    uint64_t until_us;
};

struct script {
    struct catalog catalog;
    const char *text; /* of the client; NULL: a replacement of mv */
    struct replace_settings settings;
    enum replace_mode mode;
    bool rollback;           /* of mv, in place of the statement */
    const char *rollback_to; /* the stamp; NULL: the newest */
    struct script_left remembered[SCRIPT_LEFT];
    size_t num_remembered;
    bool slots_full;
    size_t num_readers; /* READ ONLY transactions of others, up to ... */
    uint64_t readers_until_ms;
    struct script_fault faults[SCRIPT_FAULTS];
    const char *late_error;              /* text of FAULT_ERROR_LATE; NULL: a plain one */
    size_t memory_fails_at;              /* the engine's allocation that fails, from 1; 0: none */
    bool memory_fails_for_one_call;      /* there is memory again at the next call; else never */
    void (*meanwhile)(struct script *s); /* called before each request is carried out; or NULL */

    /* Filled by script_run. */
    bool made; /* replace_new gave an engine */
    size_t num_requests;
    const char *steps[SCRIPT_REQUESTS]; /* their names, static */
    char sql[SCRIPT_REQUESTS][SCRIPT_TEXT];
    bool notices_to_client[SCRIPT_REQUESTS];
    uint64_t at_ms[SCRIPT_REQUESTS]; /* when they were asked */
    uint64_t since_ms[SCRIPT_REQUESTS];
    size_t num_allocations;
    bool endless;
    enum replace_outcome_kind outcome;
    bool server_lost;
    char sqlstate[8];
    char tag[64];
    char error[SCRIPT_TEXT]; /* message, detail and hint, a line each */
    char raw[SCRIPT_TEXT];
    char stamp[32];
    char view_name[2 * CATALOG_NAME];
    size_t num_notices;
    char notices[SCRIPT_NOTICES][SCRIPT_TEXT]; /* severity, message, detail, hint: a line each */
    bool left_known;
    size_t num_left;
    struct script_left left[SCRIPT_LEFT];
    char plan[4 * SCRIPT_TEXT]; /* its lines */
    char moved[SCRIPT_TEXT];    /* names that were told to have moved, each with a blank behind */
    size_t moved_at[2];         /* the request that came next, of the first two */
    uint64_t moved_ms[2];       /* ... and since when they are known */
    size_t num_moved;
    char problem[SCRIPT_TEXT]; /* of script_kept_promise */

    struct catalog before;
};

void script_init(struct script *s, unsigned major, unsigned minor);
/* The object is left from an earlier replacement, kept until then (0: not on purpose), and the
 * process remembers it. */
void script_remember(struct script *s, struct catalog_object *o, uint64_t until_us);
/* Runs from replace_new to REPLACE_DONE or, at the latest, SCRIPT_REQUESTS. */
void script_run(struct script *s);
/* script_again makes everything ready for another run: the catalog is as before the last one. */
void script_again(struct script *s);
/* script_find_run runs what is set up, finds the request as script_find_step does, and makes
 * everything ready for another run. */
size_t script_find_run(struct script *s, const char *step, size_t num);
/* The clock of the script at its start. */
uint64_t script_now_us(const struct script *s);
/* script_kept_promise: false with the reason in s->problem. */
bool script_kept_promise(struct script *s);
/* script_unchanged: objects and background_ddl are what they were before the run. */
bool script_unchanged(const struct script *s);
/* script_says: does the error or a notice hold this text? */
bool script_says(const struct script *s, const char *text);
/* The request whose step has this name, the num-th of them from 0; SCRIPT_REQUESTS if there is
 * none. */
size_t script_find_step(const struct script *s, const char *step, size_t num);
/* Was a statement sent that begins like this? */
bool script_sent(const struct script *s, const char *beginning);

#endif
