/*
 * session: one client and one server connection, as a pure machine.
 *
 * Bytes and events go in; bytes for both sides, actions and one deadline come out. No call waits,
 * re-enters or keeps what it was given (but for spans of the input, until session_settle).
 * The same bytes in other pieces give the same outputs. Memory is bounded by limits.h.
 *
 * The shell, for each chunk that it read:
 *     session_feed, then session_next_action until false, write session_output of both sides,
 *     then session_settle before the chunk's memory is used again.
 */
#ifndef MVSWAP_CORE_SESSION_H
#define MVSWAP_CORE_SESSION_H

#include "attributes.h"
#include "moment.h"
#include "output.h"
#include "replace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

enum side { CLIENT, SERVER };
enum { NUM_SIDES = 2 };

/* Process id and secret key of a BackendKeyData or CancelRequest, as they stand in the message. */
struct cancel_key {
    uint8_t bytes[8];
};

struct session_config {
    uint8_t nonce_seed[16];       /* random and secret: names made from it must not be guessable */
    struct cancel_key cancel_key; /* likewise; what the client gets in place of the server's */
    struct replace_settings settings; /* the session makes its own copy */
};

enum session_event_kind {
    EVENT_CONNECTED,      /* the server connection that was asked for is there */
    EVENT_CONNECT_FAILED, /* it is not to be had; `reason` says why */
    EVENT_EOF,            /* `side` sends no more */
    EVENT_BROKEN,         /* `side` is gone: reset or write error */
    EVENT_LOCKED,         /* all that was asked for last is held */
    EVENT_SLOT,           /* the slot for a build that was asked for is held */
    EVENT_SLOT_REFUSED,   /* too many wait for one */
    EVENT_DEADLINE,       /* session_deadline has passed */
    EVENT_DRAIN,          /* shutdown: end as soon as nothing runs */
    EVENT_SHUTDOWN,       /* shutdown: end now; replacements undo first */
    EVENT_TURNED_AWAY,    /* it is not to be had: there are too many sessions */
    EVENT_CANCEL,         /* somebody sent this session's cancel key */
    EVENT_CANCEL_DONE,    /* the cancel that was asked for is done, or given up */
    EVENT_READERS,        /* `num_readers`, as was asked for */
    EVENT_MOVED,          /* names mean other objects now: `moved` */
    SESSION_EVENT_COUNT
};
struct session_event {
    enum session_event_kind kind;
    enum side side;
    const char *reason; /* static or valid for the call */
    /* EVENT_LOCKED: what is remembered of the first family; valid for the call. */
    const struct replace_left *left;
    size_t num_left;
    /* EVENT_MOVED: names, each with its NUL; NULL: which, is not known. Valid for the call. */
    const char *moved;
    size_t moved_len;
    uint64_t moved_ms;  /* EVENT_MOVED: transactions that began after it know these objects */
    size_t num_readers; /* EVENT_READERS */
};

enum action_kind {
    ACTION_CONNECT,        /* dial the server, then EVENT_CONNECTED or EVENT_CONNECT_FAILED */
    ACTION_SHUTDOWN_WRITE, /* once the output of `side` is written, pass its end on (half-close) */
    ACTION_LOCK,           /* give up what is held and take all `families` in the registry, then
                            * EVENT_LOCKED */
    ACTION_UNLOCK,         /* release them, or leave the queue for them */
    ACTION_REMEMBER,       /* `left` is what is to be remembered of the first of `families`, in
                            * place of what was; comes while the lock is held */
    ACTION_COUNT_READERS,  /* how many other sessions of the process have session_reads_since from
                            * `from_ms` on and before `before_ms`? Then EVENT_READERS */
    ACTION_MOVED,          /* `moved`, names each with its NUL, mean other objects now, which
                            * transactions know that began after `moved_ms`: tell EVENT_MOVED to
                            * all sessions of the process, this one as well */
    ACTION_TAKE_SLOT,      /* take a slot for a build in the registry, then EVENT_SLOT or
                            * EVENT_SLOT_REFUSED */
    ACTION_END_SLOT,       /* give it back, or leave the queue for it */
    ACTION_CANCEL,         /* this is a CancelRequest: tell EVENT_CANCEL to the session that has
                            * `key`, and EVENT_CANCEL_DONE to this one when that one gives
                            * ACTION_CANCEL_DONE or ends, or at once when there is none */
    ACTION_CANCEL_SERVER,  /* send a CancelRequest with `key` to the server that this session is
                            * connected to, wait until that connection is closed, then tell
                            * EVENT_CANCEL_DONE to this session */
    ACTION_CANCEL_DONE,    /* at once, before output is written: whoever asked to cancel this
                            * session may be told */
    ACTION_CANCEL_SENT_DONE, /* likewise, but only those who had asked before the last
                              * ACTION_CANCEL_SERVER */
    ACTION_CLOSE,            /* write what is pending to both sides, then close them */
    ACTION_ABORT,            /* close both sides now */
    ACTION_REPORT            /* log `report` */
};

enum report_level { REPORT_DEBUG, REPORT_INFO, REPORT_WARNING, REPORT_ERROR };

/* One line for the log. Texts are cut to these sizes; no statement, parameter or password is ever
 * in here. Empty strings: not given. */
struct session_report {
    enum report_level level;
    const char *event; /* static: "replace", "session" */
    char detail[96];
    char id[24];
    char view[128];
    uint64_t elapsed_ms;
};

struct action {
    enum action_kind kind;
    enum side side;
    const char *const *families; /* valid until the next call on the session, as all below */
    size_t num_families;
    const struct replace_left *left;
    size_t num_left;
    const char *moved;
    size_t moved_len;
    uint64_t moved_ms;
    uint64_t from_ms;
    uint64_t before_ms;
    struct cancel_key key;
    struct session_report report;
};

/* NULL without memory. */
MUST_CHECK struct session *session_new(const struct session_config *config, struct moment now);
void session_free(struct session *s);

/* session_feed consumes all of `in`, which came from `from`. */
void session_feed(struct session *s, enum side from, const uint8_t *in, size_t in_len,
                  struct moment now);
void session_event(struct session *s, const struct session_event *event, struct moment now);
bool session_next_action(struct session *s, struct action *out_action);
struct output *session_output(struct session *s, enum side to);
void session_settle(struct session *s);

/* session_memory: bytes that the session keeps of its peers' making: held and collected messages,
 * prepared candidates, answers to SQL of ours, output not taken. The shell adds them up over all
 * sessions. */
size_t session_memory(const struct session *s);
/* session_kept: how much of that are prepared statements that are to follow a swap, and (in
 * *out_num_over) how many could not be kept for that so far because of a limit. */
size_t session_kept(const struct session *s, uint64_t *out_num_over);
/* session_set_kept_full: their sum is over LIMIT_PARSED_PROCESS, or is not any more: no more are
 * kept. */
void session_set_kept_full(struct session *s, bool full);
/* session_set_pressed: the sum is over LIMIT_PROCESS, or is not any more. A pressed session forgets
 * its prepared statements, lets larger statements pass unseen, and does not read a client whose
 * bytes it would only hold. */
void session_set_pressed(struct session *s, bool pressed);
/* Should more be read from this side now? Each direction stops only for its own destination. */
bool session_wants_read(const struct session *s, enum side from);
/* Monotonic ms at which EVENT_DEADLINE is due, or MOMENT_NEVER. */
uint64_t session_deadline(const struct session *s);
/* Monotonic ms since when it may have been in the READ ONLY transaction that it is in (RisingWave
 * has no other), or MOMENT_NEVER. */
uint64_t session_reads_since(const struct session *s);
/* For the status line: does a replacement run? */
bool session_is_replacing(const struct session *s);

#endif
