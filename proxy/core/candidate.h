/*
 * candidate: is this Query text a statement that mvswap may implement? Recognising makes it a
 * candidate only; whether the server would have run it is learnt from the server (bracket.c).
 */
#ifndef MVSWAP_CORE_CANDIDATE_H
#define MVSWAP_CORE_CANDIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * candidate_query looks at the body of a Query message, its final NUL included. True when it is one
 * CREATE OR REPLACE MATERIALIZED VIEW and nothing else but comments, blanks and semicolons. In
 * doubt false: unreadable text, no memory, a parameter token (built from here it would stop the
 * server).
 */
bool candidate_query(const uint8_t *body, size_t body_len);

#endif
