/*
 * candidate: does this text of a Query or Parse hold a statement that mvswap may implement?
 * Recognising makes it a candidate only; whether the server would have run it is learnt from the
 * server (bracket.c).
 */
#ifndef MVSWAP_CORE_CANDIDATE_H
#define MVSWAP_CORE_CANDIDATE_H

#include "attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first candidate of a text: byte ranges of that text. */
struct candidate {
    bool materialized;
    bool explained; /* EXPLAIN stands in front: its plan is wanted, nothing is replaced */
    size_t start;   /* the statement with the comments around it, without its `;` */
    size_t create;  /* what is to be replaced or planned begins: behind EXPLAIN, else at start */
    size_t end;
    size_t rest; /* what stands behind its `;`; the length of the text when nothing but empty
                  * statements does */
};

/*
 * candidate_find looks for [EXPLAIN] CREATE OR REPLACE [MATERIALIZED] VIEW among the statements of
 * `text`[0, len). In doubt there is none: unreadable text, no memory, a parameter token anywhere (a
 * view built from here would stop the server), or, in front of the candidate, another statement
 * that the server refuses with the same words and that is not implemented (EXPLAIN with options
 * and EXPLAIN CREATE VIEW among them): then whose refusal it is could not be told.
 */
MUST_CHECK bool candidate_find(const uint8_t *text, size_t len, struct candidate *out_candidate);

/*
 * candidate_find_alone: is `text` one [EXPLAIN] CREATE OR REPLACE [MATERIALIZED] VIEW, as a Parse
 * may hold it? Parameters are allowed, since they are bound again, but not behind EXPLAIN, in whose
 * place the server gets another text. In doubt, or with more statements than one (which the server
 * refuses), it is not.
 */
MUST_CHECK bool candidate_find_alone(const uint8_t *text, size_t len,
                                     struct candidate *out_candidate);

/* candidate_words: what it is called in messages, without EXPLAIN; static. */
const char *candidate_words(const struct candidate *candidate);

#endif
