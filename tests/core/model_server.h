/*
 * model_server: RisingWave's side of a whole session, for tests that compare what a client gets
 * through a session with what it would get from a server that knows the statement. Sits on a
 * fake_server, which answers the engine; adds the extended protocol, batches, errors, transactions
 * and cancels as risingwave.md 8 and the transcripts 12, 13, 16 and 20 have them.
 *
 * It works in steps, so that a cancel can come while a statement runs. Two ways of knowing:
 *     fake->knows_the_statement not set   refuses CREATE OR REPLACE, as every version does
 *     set                                 answers what a client should see behind a session
 * The messages of the extended protocol are in model_extended.c, what a text does is in
 * model_statements.c.
 */
#ifndef MVSWAP_TESTS_CORE_MODEL_SERVER_H
#define MVSWAP_TESTS_CORE_MODEL_SERVER_H

#include "fake_server.h"

/* A prepared statement or a portal. */
struct model_entry {
    struct model_entry *next; /* younger */
    char name[32];
    char statement[32]; /* of a portal: by name, which is how its end is decided */
    struct buf text;
    struct buf types;   /* the end of the Parse */
    struct buf values;  /* the end of the Bind */
    unsigned num_given; /* rows, while it is suspended */
    bool of_view;       /* the client's text is about a plain view */
};

struct model_server {
    struct fake_server *fake;
    bool ended; /* by Terminate */
    bool quiet; /* no NOTICE, no ParameterStatus */
    struct model_entry *statements;
    struct model_entry *portals;

    struct buf query; /* what runs: a Query's text, or that of a portal */
    size_t at;        /* of the next statement in a Query */
    bool in_query;
    bool running;   /* a statement is, and a cancel would hit it */
    bool hit;       /* one did */
    uint32_t limit; /* of the Execute */
    char portal[32];
    struct buf text; /* of the statement that runs */

    struct buf building;    /* text and parameters of a new view */
    struct buf built_from;  /* ... of the view */
    unsigned num_replaced;  /* how often it changed */
    unsigned num_unchanged; /* ... or was built from the same already */
    unsigned own_hits;      /* statements of the session's own that a cancel should not have hit */
    bool hit_clients;       /* the last hit was of a statement of the client */
    size_t taken;           /* bytes of messages */
    size_t taken_before;    /* ... up to the message that is worked at */
    unsigned num_repeated;  /* statements that `expected` says were cancelled */
    size_t last_repeated;   /* taken_before of the last one */
    bool unnamed_in_doubt;  /* a cancelled Bind may have cost the client its unnamed portal */
    struct buf *expected;   /* what the client got elsewhere: its cancels are repeated here */
    unsigned polls_per_job; /* before a new view is finished */
    bool builds_for_long;   /* builds end only by a cancel, or when ... */
    bool time_is_up;        /* ... this is set */
};

/* From now on `fake` leaves its messages to this. */
void model_server_init(struct model_server *m, struct fake_server *fake);
void model_server_cleanup(struct model_server *m);
/* Takes a message, begins a statement or ends it; false when there is nothing to do. */
bool model_server_step(struct model_server *m);
/* Does it wait for time_is_up? */
bool model_server_builds(const struct model_server *m);
/* A CancelRequest comes. */
void model_server_cancel(struct model_server *m);
/* An ErrorResponse with this text. */
void model_say_error(struct model_server *m, const char *message);
void model_say(struct model_server *m, const char *line);
/* Was what is answered now cancelled in `expected`? Then it is here as well. */
bool model_repeats_cancel(struct model_server *m);

/* What of statements and portals, parameters and view is not the same; NULL: all is. */
const char *model_server_difference(const struct model_server *a, const struct model_server *b);

/* model_extended.c */
/* A message of the extended protocol but for Sync. */
void model_take_extended(struct model_server *m, uint8_t tag, const uint8_t *body, size_t len);
/* NULL: there is none of that name. */
struct model_entry *model_find(struct model_entry *list, const char *name);
void model_free_first(struct model_entry **list);

/* model_statements.c */
/* The next statement of a text from *at on that is not empty, into `out`; false at the end. */
bool model_next_statement(const char *text, size_t *at, struct buf *out);
/* The word that makes the text a syntax error, or NULL. */
const char *model_bad_word(const char *text);
bool model_is_clients(const char *text);
/* What a Parse of this text keeps: of an EXPLAIN what a session would have put in its place. */
const char *model_text_kept(const struct model_server *m, const char *text);
/* The engine's CREATE of a new view. */
bool model_is_build(const char *text);
/* How many rows describe it: 0 for none. */
unsigned model_num_columns(const char *text);
unsigned model_num_parameters(const char *text);
/* Runs m->text, with `portal` in the extended protocol; false: it answered an error. */
bool model_run(struct model_server *m, struct model_entry *portal);
/* Its error ends with a ReadyForQuery of its own in the extended protocol. */
bool model_errs_while_running(const char *text);

#endif
