/*
 * session_internal: what the files of the session share. Not for others: see session.h.
 *
 *     session.c        life and death: events, actions, closing
 *     first_packets.c  before there is a server
 *     from_client.c    what each client message does in each state (the shield's phase check)
 *     from_server.c    what each server message does in each state
 *     bracket.c        the server refuses first (docs/architecture.md)
 *     conversation.c   drives the replacement engine over the server connection
 */
#ifndef MVSWAP_CORE_SESSION_INTERNAL_H
#define MVSWAP_CORE_SESSION_INTERNAL_H

#include "buf.h"
#include "candidate.h"
#include "result_rows.h"
#include "session.h"
#include "walk.h"
#include "wire.h"

enum session_state {
    SESSION_STARTUP,    /* waiting for the client's first packets */
    SESSION_CONNECTING, /* the packet is kept, the server is being dialled */
    SESSION_CANCELLING, /* a CancelRequest was passed on; the server closes when it is done */
    SESSION_LOGIN,      /* relaying; AuthenticationOk has not come */
    SESSION_RELAY,      /* relaying */
    SESSION_BRACKET, /* a candidate is with the server: does it refuse it? Client bytes are held */
    SESSION_REPLACING, /* the engine talks to the server. Client bytes are held */
    SESSION_SKIPPING,  /* the server was skipping to Sync and ours ended that: drop to the client's
                        */
    SESSION_CLOSING,   /* outputs are being flushed; no input means anything */
    SESSION_STATE_COUNT
};

/* What the server's start-up messages say (design: known before the first candidate). */
enum server_kind {
    SERVER_UNKNOWN,          /* no ReadyForQuery yet */
    SERVER_MAYBE_RISINGWAVE, /* it announced no integer_datetimes, as PostgreSQL always does */
    SERVER_OTHER             /* never intercepted */
};

/* What the server asked the client to prove, which decides what a 'p' message may look like. */
enum auth_request {
    AUTH_NOTHING, /* a 'p' has no business */
    AUTH_TEXT,    /* cleartext or md5: one NUL-terminated string */
    AUTH_BYTES    /* SASL, GSS, SSPI: opaque */
};

enum bracket_stage {
    BRACKET_BEFORE,      /* the first nonce's error has not come: all answers are the client's */
    BRACKET_FIRST_READY, /* it has; its ReadyForQuery is next */
    BRACKET_ANSWER,      /* now comes the answer to the candidate, then that to our Sync */
    BRACKET_LAST_READY   /* the second nonce's error came; its ReadyForQuery ends the bracket */
};

enum { NONCE_LEN = 23 /* mvswap_ and 16 hexadecimal digits */ };

struct bracket {
    enum bracket_stage stage;
    bool first_came;
    char first[NONCE_LEN + 1];
    char last[NONCE_LEN + 1];
    int waiting_ready;      /* status of a ReadyForQuery whose owner is not known yet, or -1 */
    bool client_ready_kept; /* the client's own one after a refusal, answered when we are done */
    struct buf refusal;     /* body of the refusal; empty: not refused */
    struct buf text;        /* of the Query */
    struct candidate candidate; /* in it */
};

/* The engine's conversation. */
enum engine_wait { ENGINE_IDLE, ENGINE_WAITS_RESULT, ENGINE_WAITS_TIME, ENGINE_WAITS_LOCK };
struct conversation {
    struct replace *engine;
    enum engine_wait wait;
    uint64_t wake_ms;
    bool notices_to_client;
    struct result_rows rows;
    bool got_error;
    struct buf error; /* body of the server's ErrorResponse */
    struct moment started;
    const char *step; /* last one reported */
};

enum { MAX_ACTIONS = 16, MAX_REPORTS = 32 };

/* What is asked of the shell besides reports. */
struct queued_action {
    enum action_kind kind;
    enum side side;
};

/* Reports are large and rare: an idle session holds none. */
struct queued_report {
    struct queued_report *next;
    struct session_report report;
};

struct session {
    enum session_state state;
    struct moment now;
    struct session_config config;
    uint64_t nonces; /* made so far */

    struct buf startup; /* first packet of the client, while it is incomplete or undelivered */
    bool ssl_asked;
    bool gss_asked;
    bool is_cancel;
    bool ready_seen;
    bool saw_integer_datetimes;
    bool saw_server_version;
    bool other_encoding;
    enum server_kind kind;
    enum auth_request auth;
    uint8_t status; /* transaction status of the last ReadyForQuery */
    uint64_t asked; /* Query, FunctionCall and Sync messages sent on */
    uint64_t
        answered; /* ReadyForQuery messages that came; may run ahead (docs/risingwave.md 8.6) */

    bool unsynced; /* parts of an extended series were sent on, its Sync was not */

    struct walk walk[NUM_SIDES];
    struct output out[NUM_SIDES];
    bool eof[NUM_SIDES];
    bool draining;
    bool shut_down;   /* not even what the client has sent already is begun any more */
    bool client_left; /* nobody is there to answer to */
    bool pressed;     /* the process keeps too much: see session_set_pressed */
    size_t peek_at;   /* next message start in the held client bytes, for Terminate */

    struct bracket bracket;
    struct conversation talk;

    uint64_t deadline;
    struct queued_action actions[MAX_ACTIONS];
    size_t num_actions;
    struct queued_report *reports; /* oldest first */
    size_t num_reports;
    struct buf family; /* of the lock */
    bool lock_taken;
};

/* session.c */
void session_enter(struct session *s, enum session_state state);
void session_act(struct session *s, enum action_kind kind, enum side side);
void session_log(struct session *s, enum report_level level, const char *event, const char *detail);
/* Ends the session with an error for the client (FATAL) and a reason for the log. */
void session_fail(struct session *s, const char *sqlstate, const char *message, const char *detail);
void session_fail_for_shutdown(struct session *s);
/* Ends it without a word to the client. */
void session_close(struct session *s, const char *reason);
/* A ReadyForQuery went to the client. */
void session_count_answer(struct session *s);
/* Ends the session if shutdown was asked and nothing runs. */
void session_end_if_idle(struct session *s);
void session_relay(struct session *s, enum side to, const uint8_t *bytes, size_t len, bool lasting);

/* first_packets.c */
void session_read_first_packets(struct session *s);
void session_connected(struct session *s);

/* from_client.c, from_server.c: the owners of the two walks. */
extern const struct walk_owner walk_from_client;
extern const struct walk_owner walk_from_server;
/* Remembers what a ParameterStatus says, wherever it comes. */
void note_parameter(struct session *s, const uint8_t *body, size_t len);
/* The client sends no more: tells the server so, behind the part of a message that was held. Not
 * while client bytes are held for another reason. */
void session_pass_half_close(struct session *s);

/* bracket.c */
/* `text` is that of a Query, without its NUL. True: it is with the server, in a bracket. */
bool bracket_begin_if_candidate(struct session *s, const uint8_t *text, size_t len);
/* What stands behind the candidate that was carried out goes to the server as the next Query; false
 * when there is nothing. */
bool bracket_send_rest(struct session *s);
enum walk_act bracket_start(struct session *s, const struct wire_header *header);
void bracket_message(struct session *s, const struct wire_header *header, const uint8_t *whole,
                     bool lasting);
void bracket_cleanup(struct bracket *b);
void resume_client(struct session *s);

/* conversation.c */
void conversation_begin(struct session *s);
void conversation_message(struct session *s, const struct wire_header *header, const uint8_t *whole,
                          bool lasting);
void conversation_locked(struct session *s);
void conversation_deadline(struct session *s);
void conversation_lost(struct session *s);
void conversation_cancel(struct session *s, enum replace_reason why);
void conversation_cleanup(struct conversation *t);
/* Has the client sent its end, or a Terminate that is held? */
bool client_is_leaving(struct session *s);
/* ... during a replacement: undo. */
void notice_client_leaving(struct session *s);

#endif
