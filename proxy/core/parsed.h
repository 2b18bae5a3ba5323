/*
 * parsed: the prepared statements of one session, as its client parsed them, so that they can be
 * parsed again when a name that they mention means another object (follow.c). RisingWave binds a
 * statement to object ids at Parse and never again (docs/risingwave.md 13).
 *
 * What is kept here the server has: a Parse counts from its ParseComplete on. The order of the
 * answers tells whose it is; where an error makes that doubtful, what was on its way is forgotten,
 * and the next Parse is to be asked about in a bracket (parsed_is_unclear). A statement that is
 * missing here is only not followed. Must not know: sessions, messages besides Parse, swaps.
 */
#ifndef MVSWAP_CORE_PARSED_H
#define MVSWAP_CORE_PARSED_H

#include "attributes.h"
#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum parsed_state {
    PARSED_SENT,     /* its ParseComplete has not come */
    PARSED_IN_PLACE, /* the server has it under its own name */
    PARSED_STAND_IN, /* `stand_in` is executed in its place */
    PARSED_CHANGED   /* `stand_in` would be, but the client has not been told of its columns, which
                      * are others */
};

enum { PARSED_STAND_IN_LEN = 24 /* a nonce and its NUL */ };

struct parsed_statement {
    struct parsed_statement *next; /* in the same bucket */
    struct buf body;               /* of its Parse: name, text, types */
    size_t size;                   /* as it is counted */
    enum parsed_state state;
    bool old;           /* a name that it mentions has moved since it was parsed */
    uint64_t moved_ms;  /* when that was, the last time; 0: never */
    bool named_portals; /* one with a name was bound from it, and may be open */
    uint64_t number;    /* in the order in which they were kept, from 1 */
    char stand_in[PARSED_STAND_IN_LEN];
    /* PARSED_CHANGED: what stood in before, whose columns the client knows; "": nothing did. */
    char known[PARSED_STAND_IN_LEN];
    struct buf left; /* earlier ones, each with its NUL: portals of theirs may be open */
};

/* What was sent, in order, and has not been answered. */
enum parsed_sent_kind {
    SENT_PARSE,
    SENT_QUERY,       /* ReadyForQuery answers it, unless it is skipped as part of a series */
    SENT_QUERY_ALONE, /* ... which it is in no part of */
    SENT_SYNC
};
struct parsed_sent {
    enum parsed_sent_kind kind;
    struct parsed_statement *statement; /* of a Parse; NULL: not kept (any more) */
};

/* What the words of an error tell of the message that it answers. */
enum parsed_error {
    ERROR_OF_PARSE,
    ERROR_OF_SERIES, /* another message of the extended protocol, but for an Execute of DML */
    ERROR_OF_RUN,    /* a Query, or DML in the extended protocol, which answers a ReadyForQuery of
                      * its own (docs/risingwave.md 8.6) */
    ERROR_OF_ANY
};

/* Zero is empty. */
struct parsed {
    struct parsed_statement **buckets; /* NULL: nothing was ever kept */
    size_t num;
    size_t memory;            /* bytes of the peer's making */
    uint64_t num_over;        /* Parses that were not kept because of a cap */
    bool unclear;             /* answers may come that are of none of `sent` */
    bool skipping;            /* the server drops what comes before the next Sync */
    unsigned num_apart;       /* statements that are old or not in place */
    uint64_t num_added;       /* statements so far */
    uint64_t unseen_bind;     /* num_added when a Bind passed that was not looked at */
    struct parsed_sent *sent; /* oldest first */
    size_t num_sent;
    size_t room_sent;
};

void parsed_cleanup(struct parsed *k);
/* Likewise, but for those in whose place others are executed: the client may know the columns of
 * those only. */
void parsed_shed(struct parsed *k);

/* NULL: none of that name. Valid until the next call that changes `k`. */
struct parsed_statement *parsed_find(const struct parsed *k, const char *name);
const char *parsed_text(const struct parsed_statement *statement);

/* A Parse with this body goes to the server. A statement of that name is forgotten unless it has a
 * name, which a Parse cannot take (docs/risingwave.md 8.6). `keep` false: it only counts for the
 * order of the answers. */
void parsed_parse_sent(struct parsed *k, const uint8_t *body, size_t len, bool keep);
/* One that is not known goes to the server, or was sent before its answers could be followed. */
void parsed_parse_unseen(struct parsed *k);
/* The server has parsed it: known by other means. */
void parsed_add(struct parsed *k, const uint8_t *body, size_t len);
/* A Bind that is not looked at goes to the server: of whichever statement, to whichever portal. */
void parsed_bind_unseen(struct parsed *k);
/* May a portal with a name be open that was bound from it? */
bool parsed_may_have_portals(const struct parsed *k, const struct parsed_statement *statement);
/* A Sync or a Query goes to the server; a Query is SENT_QUERY_ALONE if nothing of a series was sent
 * behind the last Sync. */
/* False: a Query that the server skips, as far as is known. */
bool parsed_barrier_sent(struct parsed *k, enum parsed_sent_kind kind);
/* The server's answers. */
void parsed_parse_complete(struct parsed *k);
void parsed_ready(struct parsed *k);
/* Returns how many Queries that were sent are skipped because of it, as far as is known. */
size_t parsed_error(struct parsed *k, enum parsed_error error);
/* All that was sent has been answered or will never be. */
void parsed_settle(struct parsed *k);
bool parsed_is_unclear(const struct parsed *k);

/* Nothing of that name is followed from now on. */
void parsed_forget(struct parsed *k, const char *name);

/* The setters of a statement's state. `stand_in` NULL: none. */
void parsed_enter(struct parsed *k, struct parsed_statement *statement, enum parsed_state state,
                  const char *stand_in);
/* PARSED_CHANGED: the client knows the columns of this one by now. */
void parsed_told(struct parsed *k, const char *stand_in);
/* It is to have another one than it has, or none: its name is added to `left`. */
void parsed_leave_stand_in(struct parsed *k, struct parsed_statement *statement);
/* Those that it has left are closed. */
void parsed_forget_left(struct parsed *k, struct parsed_statement *statement);
/* A name that it mentions moved at `moved_ms`. */
void parsed_make_old(struct parsed *k, struct parsed_statement *statement, uint64_t moved_ms);
void parsed_make_young(struct parsed *k, struct parsed_statement *statement);

/* Marks as old what mentions one of the names (mentions.h), each with its NUL in names[0, len),
 * that moved at `moved_ms`; all if `names` is NULL. */
void parsed_mark(struct parsed *k, const char *names, size_t len, uint64_t moved_ms);
/* ... those that are not old yet, and of whose columns nobody has to be told. */
void parsed_mark_rest(struct parsed *k, uint64_t moved_ms);

#endif
