/*
 * session_internal: what the files of the session share. Not for others: see session.h. It is long
 * because it is the one list of them.
 *
 *     session.c        life and death: states, actions, closing
 *     events.c         what happens besides bytes
 *     first_packets.c  before there is a server
 *     from_client.c    what each client message does in each state (the shield's phase check)
 *     from_server.c    what each server message does in each state
 *     bracket_begin.c  a candidate goes to the server between two nonces
 *     bracket.c        ... and refuses first (docs/architecture.md)
 *     refusal.c        the words of that refusal
 *     extended.c       which messages of the extended protocol go in a bracket, what is kept
 *     follow.c         prepared statements follow a swap: ahead, at their next Bind
 *     follow_rounds.c  ... how they are parsed again
 *     behind.c         ... or behind, when an Execute has failed
 *     batch.c          Query messages that hold settings of ours
 *     own.c            SET, RESET and SHOW of settings of ours
 *     cancel.c         cancels of this session, and those that are not ours to carry out
 *     conversation.c   drives the replacement engine over the server connection
 *     shares.c         what it shares with others of the process: locks, slots for builds,
 *                      what was left
 *     answers.c        what the client and the log are told of a replacement
 *     leaving.c        has the client gone while its bytes are held?
 */
#ifndef MVSWAP_CORE_SESSION_INTERNAL_H
#define MVSWAP_CORE_SESSION_INTERNAL_H

#include "buf.h"
#include "candidate.h"
#include "parsed.h"
#include "prepared.h"
#include "result_rows.h"
#include "session.h"
#include "shield.h"
#include "walk.h"
#include "wire.h"

enum session_state {
    SESSION_STARTUP,    /* waiting for the client's first packets */
    SESSION_CONNECTING, /* the packet is kept, the server is being dialled */
    SESSION_CANCELLING, /* a CancelRequest is no session; it ends when the cancel has been done */
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

/* What a bracket is for in a batch with settings of ours. */
enum batch_part {
    PART_NONE,    /* no such batch */
    PART_ASKED,   /* nothing is sent: does the server read? */
    PART_CHECKED, /* the syntax of the rest is checked */
    PART_RUNS     /* statements of it run; their ReadyForQuery is withheld */
};
struct batch {
    struct buf text;   /* of the Query, with its NUL */
    struct buf ranges; /* struct batch_range, in order */
    size_t next;       /* to run */
};

enum bracket_stage {
    BRACKET_BEFORE,      /* the first nonce's error has not come: all answers are the client's */
    BRACKET_FIRST_READY, /* it has; its ReadyForQuery is next */
    BRACKET_ANSWER,      /* now comes the answer to the candidate, then that to our Sync */
    BRACKET_LAST_READY,  /* the second nonce's error came; its ReadyForQuery ends the bracket */
    BRACKET_ENDED, /* it is ours; waiting until a cancel that is on its way has come to the server
                    */
    BRACKET_PEEKS  /* of follow.c: nothing is asked; the client's next message decides */
};

enum { NONCE_LEN = 23 /* mvswap_ and 16 hexadecimal digits */ };

struct bracket {
    enum bracket_stage stage;
    bool first_came;
    bool took_effect; /* a message answered it that comes only when it was done, as ParseComplete */
    bool failed;      /* an error did; the refusal is one */
    bool substituted; /* another text than the client's was sent */
    bool cancelled;   /* the client wants none of it any more */
    bool asks;        /* PART_RUNS: there is a candidate in it */
    /* When names moved since it began, which what it parses may mention; 0: none did. */
    uint64_t moved_ms;
    enum batch_part part;
    char first[NONCE_LEN + 1];
    char last[NONCE_LEN + 1];
    int waiting_ready;      /* status of a ReadyForQuery whose owner is not known yet, or -1 */
    bool client_ready_kept; /* the client's own one after a refusal, answered when we are done */
    struct buf refusal;     /* body of the refusal; empty: not refused */
    uint8_t tag;            /* of the client's message */
    struct buf body;        /* its body */
    struct candidate candidate;           /* in the text of a Query */
    const struct prepared_portal *portal; /* of an Execute; kept while client bytes are held */
};

/* A Bind of a statement that is old or not in place: what the bracket asks about it. */
enum follow_step {
    FOLLOW_NOTHING, /* it is none of follow.c */
    FOLLOW_WAITS,   /* with which parameters is the new one, whose columns are others? */
    FOLLOW_LOOKS,   /* what does the old one describe? */
    FOLLOW_TRIES,   /* can its text be parsed again, under a name of ours, and describe the same? */
    FOLLOW_SWITCHES, /* then the same under its own name */
    FOLLOW_CLOSES    /* a Close of the client's: of what stands in as well */
};
/* What has not been compared with the kept statements yet. */
enum moved_what { MOVED_NOTHING, MOVED_NAMES, MOVED_ANYTHING };
struct follow {
    enum follow_step step;
    char new_name[NONCE_LEN + 1];
    struct buf parameters; /* ParameterDescription of the old one: what the new one is given */
    struct buf shape;      /* tag and body of its RowDescription or NoData */
    struct buf new_shape;  /* ... of the new one */
    bool parsed;           /* ParseComplete came in this step */
    unsigned own_closes;   /* FOLLOW_CLOSES: the next CloseCompletes are of ours */
    bool cancelled;        /* the client wants none of what waits behind the Bind */
};

/* What the server's last answers were, for behind.c. */
struct answered {
    bool row;       /* of the statement that runs, at least one */
    bool suspended; /* a portal is; nothing was bound since */
};

/* The engine's conversation. */
enum engine_wait {
    ENGINE_IDLE,
    ENGINE_WAITS_RESULT,
    ENGINE_WAITS_TIME,
    ENGINE_WAITS_LOCK,
    ENGINE_WAITS_SLOT,
    ENGINE_WAITS_READERS,
    ENGINE_WAITS_CANCEL /* nothing is sent while a CancelRequest is on its way: it would be hit */
};

/* How the end of what we have sent to the server is known. */
enum result_end {
    END_BY_READY,  /* a simple Query: its one ReadyForQuery */
    END_BY_NONCE,  /* a series with parameters: a word follows it that the server quotes in an error
                    */
    END_NONCE_CAME /* ... and that error has come; its ReadyForQuery is the last message */
};
struct conversation {
    struct replace *engine;
    enum engine_wait wait;
    uint64_t wake_ms;
    uint64_t cancel_again_ms; /* when the statement that runs was not hit; or MOMENT_NEVER */
    bool notices_to_client;
    bool plans;       /* what would be done is told, not done */
    bool cancellable; /* what runs on the server may be cancelled there */
    enum result_end end;
    char nonce[NONCE_LEN + 1];
    struct result_rows rows;
    bool got_error;
    bool lost;        /* there is no server any more */
    struct buf error; /* body of the server's ErrorResponse */
    struct moment started;
    const char *step; /* last one reported */
};

enum { MAX_ACTIONS = 16, MAX_REPORTS = 32 };

/* Of a CancelRequest of ours for the statement that runs on the server. */
enum cancel_way {
    CANCEL_NONE,
    CANCEL_ON_ITS_WAY,
    CANCEL_WANTED_AGAIN /* asked for once more since: what it was meant for may have begun later */
};

/* What is asked of the shell besides reports. */
struct queued_action {
    enum action_kind kind;
    enum side side;
};

enum lock_state { LOCK_NONE, LOCK_WAITED_FOR, LOCK_HELD };

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
    bool unanswered; /* the server has said nothing yet to a client that reads protocol 3 */
    bool ready_seen;
    struct cancel_key requested_key; /* of a CancelRequest, which this is not a session for */
    bool key_sent;                   /* our BackendKeyData went to the client */
    bool has_server_key;
    struct cancel_key server_key;
    enum cancel_way cancel_way;
    bool copy_in; /* the server reads rows: a Query would be none */
    bool saw_integer_datetimes;
    bool saw_server_version;
    bool other_encoding;
    enum server_kind kind;
    enum auth_request auth;
    uint8_t status;       /* transaction status of the last ReadyForQuery: session_set_status */
    uint64_t busy_since;  /* the first message went to the server behind its last answer */
    uint64_t reads_since; /* a READ ONLY transaction is open, and no older; or MOMENT_NEVER */
    uint64_t asked;       /* Query, FunctionCall and Sync messages sent on, and not skipped there */
    uint64_t
        answered; /* ReadyForQuery messages that came; may run ahead (docs/risingwave.md 8.6) */

    bool unsynced; /* parts of an extended series were sent on, its Sync was not */

    struct walk walk[NUM_SIDES];
    struct shield shield;             /* of the client's current message */
    struct replace_settings settings; /* now; config.settings is what RESET goes back to */
    struct replace_settings *outside; /* what holds when SET LOCAL ends; NULL: it was not used */
    struct output out[NUM_SIDES];
    bool eof[NUM_SIDES];
    bool end_passed_on; /* the client's, to the server: nothing more is sent there */
    bool draining;
    bool shut_down;   /* not even what the client has sent already is begun any more */
    bool client_left; /* nobody is there to answer to */
    bool pressed;     /* the process keeps too much: see session_set_pressed */
    size_t peek_at;   /* next message start in the held client bytes, for Terminate */

    struct bracket bracket;
    struct batch batch;
    struct prepared prepared;
    struct parsed parsed;
    bool kept_full;   /* see session_set_kept_full */
    struct buf moved; /* MOVED_NAMES: each with its NUL */
    enum moved_what moved_what;
    bool heard_moved;         /* at any time */
    uint64_t heard_ms;        /* ... the newest moved_ms; transactions that began later know all */
    uint64_t moved_ms;        /* ... of what is not compared yet */
    uint64_t behind_again_ms; /* not before, all statements are old because one has failed */
    struct follow follow;
    /* What stands in, and was bound last, with its portal to be described: the client learns its
     * columns if the server takes that Bind, which it answers next. "": nothing. */
    char telling[NONCE_LEN + 1];
    unsigned late_closes; /* of ours went to the server: the next CloseCompletes are of them */
    struct answered answered_with;
    struct buf moved_out;   /* names for an ACTION_MOVED */
    struct buf moved_given; /* ... that has been handed out */
    uint64_t moved_out_ms;  /* its moved_ms */
    bool moved_queued;
    struct conversation talk;

    uint64_t deadline;
    struct queued_action actions[MAX_ACTIONS];
    size_t num_actions;
    struct queued_report *reports; /* oldest first */
    size_t num_reports;
    const char **families; /* of the lock, or of the last one; one block */
    size_t num_families;
    enum lock_state lock;
    bool slot_taken;       /* or waited for */
    uint64_t readers_from; /* of an ACTION_COUNT_READERS */
    uint64_t readers_before;
    /* A replacement has ended; its engine is kept until ACTION_REMEMBER has been carried out. */
    struct replace *ended;
    bool ended_handed_out;
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
/* Of a ReadyForQuery, wherever it comes. 'I' ends what lasts as long as a transaction. */
void session_set_status(struct session *s, uint8_t status);
/* A ReadyForQuery went to the client. */
void session_count_answer(struct session *s);
/* So many of what was sent will never be answered: the server skips them. */
void session_count_skipped(struct session *s, size_t num);
/* All that was sent has been answered or skipped, but for `num`. */
void session_all_answered_but(struct session *s, size_t num);
/* Ends the session if shutdown was asked and nothing runs. */
void session_end_if_idle(struct session *s);
/* Buffers that could not grow end the session: what they lost cannot be told apart any more. */
void session_check_buffers(struct session *s);
void session_relay(struct session *s, enum side to, const uint8_t *bytes, size_t len, bool lasting);

/* first_packets.c */
void session_read_first_packets(struct session *s);
void session_connected(struct session *s);

/* from_client.c, from_server.c: the owners of the two walks. */
extern const struct walk_owner walk_from_client;
extern const struct walk_owner walk_from_server;
/* Remembers what a ParameterStatus says, wherever it comes. */
void note_parameter(struct session *s, const uint8_t *body, size_t len);
/* The client sends no more: tells the server so. Not while client bytes are held for another
 * reason than that a message is incomplete. */
void session_pass_half_close(struct session *s);

/* nonce.c: one word that nobody can guess. */
void make_nonce(struct session *s, char out_nonce[NONCE_LEN + 1]);

/* bracket.c */
/* Is the server one that may be asked, and the text one that can be read? */
bool may_intercept(const struct session *s);
/* The client's message goes to the server in a bracket; false without memory. */
MUST_CHECK bool bracket_begin(struct session *s, uint8_t tag, const uint8_t *body, size_t len);
/* Likewise with another message in its place, or nothing (`sent` NULL). */
MUST_CHECK bool bracket_begin_sending(struct session *s, uint8_t tag, const uint8_t *body,
                                      size_t len, uint8_t sent_tag, const uint8_t *sent,
                                      size_t sent_len);
/* A part of a batch, with its NUL behind it. */
MUST_CHECK bool bracket_begin_query(struct session *s, const uint8_t *text, size_t len,
                                    enum batch_part part);
/* `text` is that of a Query, without its NUL. True: it is with the server, in a bracket. */
bool bracket_begin_if_candidate(struct session *s, const uint8_t *text, size_t len);
/* What is with the server, in the text of the Query or of the portal's statement. */
const struct candidate *bracket_candidate(const struct bracket *b);
/* The cancel that was on its way is done. */
void bracket_cancel_done(struct session *s);
/* What stands behind the candidate that was carried out goes to the server as the next Query; false
 * when there is nothing. */
bool bracket_send_rest(struct session *s);
enum walk_act bracket_start(struct session *s, const struct wire_header *header);
void bracket_message(struct session *s, const struct wire_header *header, const uint8_t *whole,
                     bool lasting);
void bracket_cleanup(struct bracket *b);
void resume_client(struct session *s);

/* Likewise with `messages` in its place, whole ones or none. Empties `body`. */
MUST_CHECK bool bracket_begin_with(struct session *s, uint8_t tag, struct buf *body,
                                   const struct buf *messages);

/* follow.c, follow_rounds.c */
/* Is any statement old or not in place, or may be? */
static inline bool follow_is_on(const struct session *s)
{
    return ((unsigned)s->moved_what | s->parsed.num_apart) != 0;
}
/* Has a Bind with this body to be looked at? One look at nearly all. */
static inline bool follow_concerns_bind(const struct session *s, const uint8_t *body)
{
    return ((unsigned)s->moved_what | s->parsed.num_apart | body[0]) != 0;
}
/* A well-formed Bind, Describe or Close. True: it is with the server, as it was or otherwise, or
 * will be. */
bool follow_takes(struct session *s, uint8_t tag, const uint8_t *body, size_t len);
/* A Parse of none of ours goes to the server. True: in a bracket. */
bool follow_takes_parse(struct session *s, const uint8_t *body, size_t len);
/* A Parse in a bracket took effect; `keep` false: it is ours, and follows nothing. */
void follow_parsed(struct session *s, const uint8_t *body, size_t len, bool keep);
/* A message goes to the server that a ReadyForQuery answers. False: the server skips it. */
bool follow_note_barrier(struct session *s, uint8_t tag);
/* A message of that kind passes unseen. */
void follow_passes_unseen(struct session *s, uint8_t tag);
/* EVENT_MOVED */
void follow_heard_moved(struct session *s, const struct session_event *event);
/* ... or as much was seen of it by behind.c: of what, and when, is not known. */
void follow_doubts_all(struct session *s);
/* In a bracket: is the server's answer withheld? It is looked at if it is one that comes whole. */
bool follow_withholds(struct session *s, const struct wire_header *header, enum walk_act *out_act);
void follow_answer(struct session *s, const struct wire_header *header, const uint8_t *whole);
/* A round of it has ended. */
void follow_go_on(struct session *s);
/* BRACKET_PEEKS: more of the client's bytes are there, or its end, or of a message to it. */
void follow_peek(struct session *s);
void follow_cleanup(struct follow *f);
/* The client is to parse its statements again. */
void follow_add_error(struct buf *out);

/* ... and between its two files: */
/* What the server is to execute for a statement: that whose columns the client knows. */
const char *follow_name_on_server(const struct parsed_statement *statement);
/* Is there no transaction open that is older than what has moved of it? */
bool follow_is_in_time(const struct session *s, const struct parsed_statement *statement);
/* Is it old, and may it be followed now? What follows again and again, and is never closed, would
 * fill the server: the client is told to parse it again in the end (behind.c). */
bool follow_is_due(const struct session *s, const struct parsed_statement *statement);
/* In SESSION_RELAY: sends a Bind, of the statement that the server has under `name`; NULL: as it
 * is. True: in a bracket, since it takes the place of a portal of ours (extended.c), or the session
 * has ended without memory. */
bool follow_send_bind(struct session *s, const uint8_t *body, size_t len, const char *name);
/* The server's answer to one of late_closes? */
bool follow_is_late_close(struct session *s, uint8_t tag);
/* The Bind that the client's knowledge depends on was answered. */
void follow_told(struct session *s, bool good);
/* Appends a Describe or Close of a statement. */
void follow_add_named(struct buf *out, uint8_t tag, const char *name);
/* ... Closes of those that stood in earlier; returns how many. */
unsigned follow_add_closes(struct buf *out, const struct parsed_statement *statement);

/* behind.c */
/* An answer of the server's to what the client sent. */
void answers_note(struct session *s, uint8_t tag);
/* An error of the server's to what the client sent goes to the client, or another in its place. */
void behind_relay_error(struct session *s, const uint8_t *whole, size_t len, bool lasting);

/* extended.c */
/* A well-formed Parse, Bind, Execute or Close. True: it concerns a candidate and is with the
 * server, in a bracket. */
bool extended_begin_if_concerned(struct session *s, uint8_t tag, const uint8_t *body, size_t len);
/* A message of that kind passes unseen: what is known may not be true any more. */
void extended_passes_unseen(struct session *s, uint8_t tag);
/* The bracket ended in which the message took effect. */
void extended_took_effect(struct session *s);

/* batch.c */
/* `text` is that of a Query. True: settings of ours are in it or would be reset by it, and the
 * server is being asked. */
bool batch_begin_if_settings(struct session *s, const uint8_t *text, size_t len);
/* Is this how the server answers a check of good syntax? */
bool batch_is_good_syntax(const char *error_text);
/* In SESSION_RELAY: runs what is next, or ends the answer. */
void batch_run(struct session *s);
/* The part that ran last did what it says. */
void batch_part_succeeded(struct session *s);
/* Ends the answer: nothing of it is left, or an error came. */
void batch_stop(struct session *s);
/* The part that ran last ended with a candidate: what is behind it (`rest` bytes into it) is next.
 */
void batch_put_back(struct session *s, size_t rest);
void batch_cleanup(struct batch *batch);

/* own.c */
/* Could this text be a candidate, or one of the following? */
bool own_gate(const char *text, size_t len);
/* What of ours this text is, with nothing else in it. */
enum own_kind {
    OWN_NOTHING,
    OWN_STATEMENT, /* SET, RESET or SHOW of settings of ours */
    OWN_RESET_ALL  /* RESET ALL or DISCARD ALL: the server's, but ours are reset as well */
};
enum own_kind own_kind(const char *text, size_t len);
/* Is any setting of ours another than what RESET ALL makes it? */
bool own_is_changed(const struct session *s);
/* ... and could the text of a Query hold one? */
bool own_may_be_reset(const struct session *s, const char *text, size_t len);
/* The server has carried one out. */
void own_reset_all(struct session *s);
/* What the server parses in its place, with its NUL. */
void own_add_substitute(struct buf *out, const char *text);
/* Carries the statement out and answers the client, without ReadyForQuery; rows with their
 * description if `described`. False: the answer is an error. */
bool own_answer(struct session *s, const char *text, size_t len, bool described);
/* The transaction has ended: SET LOCAL is over. */
void own_end_transaction(struct session *s);
/* Frees all settings of the session. */
void own_forget(struct session *s);

/* cancel.c */
/* Somebody who knows this session's key wants what it does to end. */
void cancel_asked(struct session *s);
/* The CancelRequest that was on its way has been taken, or given up. */
void cancel_done(struct session *s);
/* Sends one for what runs on the server now; false when the server gave no key. */
bool cancel_on_server(struct session *s);
/* Gives the client a key of ours, once. */
void cancel_send_key(struct session *s);

/* conversation.c */
void conversation_cancel_done(struct session *s);
/* Nobody is there to answer to any more: undo, unless the client wanted it finished all the same.
 */
void conversation_client_gone(struct session *s);
/* When conversation_deadline is due, or MOMENT_NEVER. */
uint64_t conversation_wake_ms(const struct session *s);
void conversation_begin(struct session *s);
void conversation_message(struct session *s, const struct wire_header *header, const uint8_t *whole,
                          bool lasting);
/* What the engine waited for, besides an answer of the server and the time. */
void conversation_go_on(struct session *s, const struct replace_result *result);
void conversation_deadline(struct session *s);
void conversation_lost(struct session *s);
void conversation_cancel(struct session *s, enum replace_reason why);
void conversation_cleanup(struct conversation *t);
/* What it is called in the log. */
const char *conversation_event(const struct conversation *t);

/* shares.c */
/* The engine wants a lock, or a slot. Without memory, or for too many families, the session ends.
 */
void shares_ask_lock(struct session *s, const struct replace_request *request);
void shares_ask_slot(struct session *s);
/* It wants something else than what it waits for: it was cancelled. */
void shares_stop_waiting(struct session *s);
/* The shell says so. */
void shares_locked(struct session *s, const struct session_event *event);
void shares_slot(struct session *s, bool granted);
/* The engine wants to know of the READ ONLY transactions of others; the shell says how many. */
void shares_ask_readers(struct session *s, const struct replace_request *request);
void shares_readers(struct session *s, size_t num);
/* Gives back the slot, or everything: the replacement has ended. */
void shares_end_slot(struct session *s);
void shares_end(struct session *s);
/* The engine tells names that mean other objects now. */
void shares_publish_moved(struct session *s);
/* Fills in an ACTION_REMEMBER, an ACTION_MOVED. */
void shares_hand_out(struct session *s, struct action *out_action);
void shares_hand_out_moved(struct session *s, struct action *out_action);
/* Frees what was handed out. */
void shares_take_back(struct session *s);
void shares_cleanup(struct session *s);

/* answers.c */
void answer_notices(struct session *s);
void answer_log_step(struct session *s);
/* One answer for the client's one statement. */
void answer_outcome(struct session *s, const struct replace_outcome *outcome);
void answer_log_outcome(struct session *s, const struct replace_outcome *outcome);
/* Ends the answer to a Query; in a series the client's Sync does. */
void answer_ready(struct session *s);

/* leaving.c */
/* Has the client sent its end, or a Terminate that is held? */
bool client_is_leaving(struct session *s);
/* ... during a replacement: undo. */
void notice_client_leaving(struct session *s);

#endif
