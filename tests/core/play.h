/*
 * play: one conversation (pipeline.h) between a client, a session and a model_server, with every
 * delivery cut and delayed at random, cancels at random moments, and what the client got of it in
 * the form in which two plays can be compared.
 */
#ifndef MVSWAP_TESTS_CORE_PLAY_H
#define MVSWAP_TESTS_CORE_PLAY_H

#include "model_server.h"
#include "pipeline.h"
#include "world.h"

struct play {
    const struct pipeline *line;
    uint64_t random;
    bool in_cuts;     /* else each side sends all it has at once, in turn */
    unsigned cancels; /* that may still come */
    unsigned cancel_rarity;
    bool foreground; /* how views are built */
    struct world w;
    struct model_server server;
    size_t fed;           /* bytes of the client */
    size_t num_paused;    /* pauses that were passed */
    unsigned num_notices; /* of the server, out of the blue */
    unsigned num_statuses;
    unsigned num_moved;    /* how often the session was told that names mean other objects */
    bool cancel_asked;     /* and whoever asked has not been let go */
    bool cancel_was_asked; /* ever */
    bool cancel_answered;  /* the one that is under way */
    size_t fed_at_release; /* what the client had sent when whoever asked last was let go */
    bool cancel_arrived;
    size_t num_looked_at; /* bytes that the client got */
    unsigned num_moves;
    unsigned cancel_moves_at;   /* the CancelRequest, or the news of its end */
    bool replacement_cancelled; /* the one that runs */
    const char *wrong;          /* what went wrong on the way */
    size_t got_at_pause[PIPELINE_MOST_PAUSES];
};

/* Plays the whole conversation through a session. False without one. */
bool play_through_session(struct play *p);
/* Plays it to a server that knows the statement. */
void play_directly(struct play *p);
void play_cleanup(struct play *p);

/*
 * What the client got, for comparing: without what comes at any moment (checked: none is lost, made
 * up or out of order) and without what a session says of its own; with `quiet` without all notices
 * and parameters. A notice that overtook a ReadyForQuery, as it may, stands before it on both
 * sides. Returns what is wrong with it, or NULL.
 */
const char *play_answers(const struct play *p, const struct buf *got, bool quiet, struct buf *out);

#endif
