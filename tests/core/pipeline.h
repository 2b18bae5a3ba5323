/*
 * pipeline: random conversations of a client, valid by the protocol, as one stream of bytes with
 * pauses in it. The same seed gives the same conversation.
 */
#ifndef MVSWAP_TESTS_CORE_PIPELINE_H
#define MVSWAP_TESTS_CORE_PIPELINE_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PIPELINE_MOST_PAUSES = 32 };

struct pipeline {
    struct buf bytes;
    size_t pauses[PIPELINE_MOST_PAUSES]; /* the client goes on when all up to here is answered */
    size_t num_pauses;                   /* the last one is at the end */
    bool has_query_in_series;            /* which a server that skips to Sync does not answer */
    bool has_failing_dml;                /* ... and whose error does not tell whether it skips */
    bool closes_all;                     /* every statement and portal, at the end */
    bool terminates;
    bool refuses_views; /* its server does: so no replacement knows of a probe what is unchanged */
};

/* A number below `most`. */
unsigned pipeline_random(uint64_t *random, unsigned most);
void pipeline_make(struct pipeline *p, uint64_t seed);
void pipeline_cleanup(struct pipeline *p);

#endif
