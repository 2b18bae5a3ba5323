/*
 * replace: one replacement of a view, materialized or not, as a conversation with a server.
 *
 * The engine says what it wants next (run this SQL, wait, lock a name), is told the result, and
 * ends in an outcome. It opens no connection, reads no clock and knows no wire format: the proxy
 * drives it over the client's own session, the commands through libpq, the tests with scripted
 * results.
 *
 *     replace_new -> { replace_next -> caller does it -> replace_result }* -> REPLACE_DONE
 *                    -> replace_outcome -> replace_free
 *
 * Promise: an engine that was cancelled, refused or cut off at any moment ends with the original
 * view as it was and nothing left behind, or says exactly what may be left.
 */
#ifndef MVSWAP_REPLACE_REPLACE_H
#define MVSWAP_REPLACE_REPLACE_H

#include "attributes.h"
#include "moment.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replace;

enum replace_request_kind {
    REPLACE_RUN,  /* run `sql` and tell rows, tag or error */
    REPLACE_WAIT, /* tell REPLACE_WAITED when the monotonic clock has reached `until_ms` */
    REPLACE_LOCK, /* tell REPLACE_LOCKED when this engine alone holds all `families` in the process.
                   * Whatever it held is given up first, and all are taken in one step, so that no
                   * two engines wait for one another: in between others may have changed
                   * everything. May be asked for several times, but only while nothing is on the
                   * server that undo would have to remove: without memory for it the session ends
                   */
    REPLACE_SLOT, /* tell REPLACE_LOCKED when this engine holds one of the max_builds slots of the
                   * process, or REPLACE_FULL when too many wait for one */
    REPLACE_END_SLOT, /* give it back, then tell REPLACE_OK */
    REPLACE_READERS,  /* tell REPLACE_OK with one row, of no columns, for each other session of the
                       * process in a READ ONLY transaction that began before `before_ms`
                       * and not before `from_ms` */
    REPLACE_DONE      /* finished: see replace_outcome. Locks and slot end now */
};

enum replace_mode {
    REPLACE_CARRY_OUT,
    REPLACE_PLAN /* EXPLAIN: everything is looked at, nothing that lasts is changed */
};

/* Pointers are valid until the next call on the same engine. */
struct replace_request {
    enum replace_request_kind kind;
    const char *sql;        /* NUL-terminated */
    bool notices_to_client; /* the server's NOTICEs to this statement concern the client */
    bool with_parameters;   /* the statement holds $1: run it with what the client bound to it */
    bool cancellable; /* when the engine is cancelled the caller may cancel it on the server */
    uint64_t until_ms;
    uint64_t from_ms; /* REPLACE_READERS */
    uint64_t before_ms;
    /* REPLACE_LOCK: each is database, schema and name of a view, one string. At least one, at most
     * LIMIT_LOCK_FAMILIES (501); the first is that of the view that is replaced. */
    const char *const *families;
    size_t num_families;
};

enum replace_result_kind {
    REPLACE_OK,    /* the statement succeeded: rows and tag */
    REPLACE_ERROR, /* the server answered an error */
    REPLACE_LOST,  /* the server connection is gone; nothing can be run any more */
    REPLACE_WAITED,
    REPLACE_LOCKED, /* a lock comes with rows: see struct replace_left */
    REPLACE_FULL
};

/*
 * An object of a family that was left under a temporary name, for the process to remember. The lock
 * comes with what is remembered of its first family, as rows of four cells: schema, name, id,
 * until (the last two in decimal).
 */
struct replace_left {
    const char *schema; /* the view's own, or that of a view that followed */
    const char *name;
    uint64_t id;
    uint64_t until_us; /* kept on purpose until then (microseconds since 1970); 0: not on purpose */
};

/* An error of the server. `raw` is what the caller needs to hand it to the client unchanged; the
 * engine keeps a copy and never looks inside. Fields may be "" (a server may omit any). */
struct replace_server_error {
    const char *sqlstate;
    const char *message;
    const uint8_t *raw;
    size_t raw_len;
};

/* Borrowed for the call. `cells` holds num_rows x num_columns texts, row by row; NULL is NULL. */
struct replace_result {
    enum replace_result_kind kind;
    size_t num_rows;
    size_t num_columns;
    const char *const *cells;
    const char *tag;
    struct replace_server_error error;
};

enum replace_progress {
    REPLACE_NO_PROGRESS,      /* it is about something else */
    REPLACE_PROGRESS_UNKNOWN, /* something is being built */
    REPLACE_PROGRESS_KNOWN
};

/* A message for the client besides the answer. Optional parts are NULL. */
struct replace_notice {
    const char *severity; /* NOTICE or WARNING */
    const char *sqlstate;
    const char *message;
    const char *detail;
    const char *hint;
    enum replace_progress progress;
    unsigned permille; /* with REPLACE_PROGRESS_KNOWN: how much is built */
};

enum replace_outcome_kind {
    REPLACE_PENDING,         /* not yet REPLACE_DONE */
    REPLACE_SUCCEEDED,       /* answer `tag` */
    REPLACE_PLANNED,         /* answer `plan` as rows of one column, QUERY PLAN */
    REPLACE_NOT_OURS,        /* answer what the server itself said to the client's statement */
    REPLACE_FAILED,          /* answer `error` */
    REPLACE_FAILED_BY_SERVER /* answer `raw`, the server's own error */
};

/* What became of the view; of a plan: what would become of it. */
enum replace_effect {
    REPLACE_UNTOUCHED, /* it is as it was */
    REPLACE_CREATED,   /* there was none */
    REPLACE_REPLACED   /* another object has its name; also when something failed after that */
};

/* Valid until replace_free. */
struct replace_outcome {
    enum replace_outcome_kind kind;
    enum replace_effect effect;
    bool would_be_refused; /* of a plan: its lines say why */
    const char *tag;
    struct replace_notice error; /* severity ERROR */
    const uint8_t *raw;
    size_t raw_len;
    bool server_lost;        /* the session cannot go on after the answer */
    const char *const *plan; /* lines */
    size_t num_plan;
    /* What is to be remembered of the lock's first family from now on, in place of what was;
     * meaningful only if `left_known`. */
    bool left_known;
    const struct replace_left *left;
    size_t num_left;
};

enum replace_reason {
    REPLACE_CANCELLED_BY_CLIENT,
    REPLACE_CLIENT_GONE,
    REPLACE_SHUTDOWN,
    REPLACE_TIMED_OUT /* the engine's own: build_timeout */
};

/*
 * replace_new starts a replacement of the view that `text`[0, len) (one statement without `;` and
 * the comments around it, recognised by
 * statement_read) replaces. Copies what it needs. NULL when there is no memory or the text is not
 * such a statement. Free with replace_free.
 */
MUST_CHECK struct replace *replace_new(const char *text, size_t len,
                                       const struct replace_settings *settings,
                                       enum replace_mode mode, struct moment now);

/*
 * replace_new_rollback starts the way back of the view `schema`.`name`, plain or materialized: one
 * more swap, with the newest object of its family that was live before it and is kept under a
 * temporary name, or with the one of the stamp `to` (as in its name; NULL: the newest). Copies what
 * it needs. NULL without memory. What was live is kept in its turn, and told as left.
 */
MUST_CHECK struct replace *replace_new_rollback(const char *schema, const char *name,
                                                const char *to,
                                                const struct replace_settings *settings,
                                                enum replace_mode mode, struct moment now);
void replace_free(struct replace *r);

/* replace_next: true, with `out_request`, when something is wanted now; false while a result is
 * owed. After the end it goes on saying REPLACE_DONE. */
bool replace_next(struct replace *r, struct replace_request *out_request);

/* replace_result tells the result of the request that replace_next gave last. */
void replace_result(struct replace *r, const struct replace_result *result, struct moment now);

/*
 * replace_cancel: undo starts as soon as the statement that runs has answered (at once when the
 * engine waits), and the conversation goes on to its end. After the swap it changes nothing: the
 * statement has succeeded by then. Later calls are ignored.
 */
void replace_cancel(struct replace *r, enum replace_reason why, struct moment now);

/*
 * While a statement runs: replace_due is the monotonic time at which replace_tick wants to be
 * called (progress is told, build_timeout is over), or MOMENT_NEVER. replace_tick: true when the
 * statement has run too long: the engine is cancelled, and the caller may cancel it on the server
 * if the request said so.
 */
uint64_t replace_due(const struct replace *r);
bool replace_tick(struct replace *r, struct moment now);

/* Does the replacement go on when its client goes away (on_disconnect)? */
bool replace_outlives_client(const struct replace *r);

/* replace_next_notice: the next message for the client, oldest first; false when there is none now.
 */
bool replace_next_notice(struct replace *r, struct replace_notice *out_notice);

/*
 * replace_next_moved: a name that means another object now, in whatever schema, so that statements
 * which were prepared on the old object can be prepared again; false when there is none now. Each
 * is told when its object has been swapped, and once more just before the old objects are dropped:
 * other frontends of the server learn of a swap a moment later. "" stands for any name (there was
 * no memory). Valid until the next call on the engine. Transactions that began after *out_moved_ms
 * (monotonic) know the new object: when it is told again, that is not the time of telling.
 */
bool replace_next_moved(struct replace *r, const char **out_name, uint64_t *out_moved_ms);

const struct replace_outcome *replace_outcome(const struct replace *r);

/* While it goes on, for whoever has to leave it: is the new view (of a rollback the old one) live?
 */
enum replace_live { REPLACE_NOT_LIVE, REPLACE_PERHAPS_LIVE, REPLACE_LIVE };
enum replace_live replace_live(const struct replace *r);
/* The name of what is built beside the view, and after the swap of what was live; of a rollback
 * that of the predecessor. NULL: not known yet. Valid until the next call on the engine. */
const char *replace_temporary_name(const struct replace *r);

/* For log lines. The id is the stamp in the temporary names; the step's name is a static string. */
const char *replace_id(const struct replace *r);
const char *replace_step_name(const struct replace *r);
/* The view as "schema.name"; the schema is missing until it is known. */
const char *replace_view_name(const struct replace *r);

#endif
