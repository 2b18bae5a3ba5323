/*
 * prepared: the prepared statements and portals of one session that hold a candidate, as the server
 * has them: kept so that a replacement can be built from the text and the parameters that the
 * server was given; and those that hold an EXPLAIN of one or a statement about settings of ours,
 * whose place on the server another text has taken. Filled by extended.c from what the server has
 * confirmed, by nothing else.
 *
 * A candidate that is missing here is only passed on, and then refused by the server; so at the
 * caps the oldest entries give way to the newest, which is the one that will be executed. Those
 * with a substitute stay: the server would answer what the client did not ask; and so does RESET
 * ALL, which is short. Must not know: messages, the server's answers.
 */
#ifndef MVSWAP_CORE_PREPARED_H
#define MVSWAP_CORE_PREPARED_H

#include "attributes.h"
#include "candidate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum prepared_kind {
    PREPARED_CANDIDATE,
    PREPARED_PLAN,     /* EXPLAIN of one */
    PREPARED_SETTING,  /* about settings of ours */
    PREPARED_RESET_ALL /* the server's, after which ours are reset */
};

struct prepared_statement {
    struct prepared_statement *next; /* younger */
    enum prepared_kind kind;
    char *name; /* "" for the unnamed one */
    char *text; /* as the client sent it */
    size_t text_len;
    uint8_t *types; /* the end of its Parse, from the count on */
    size_t types_len;
    struct candidate candidate; /* in the text */
    unsigned uses;              /* the list of statements, and portals */
};

struct prepared_portal {
    struct prepared_portal *next; /* younger */
    char *name;
    struct prepared_statement *statement; /* kept as long as its portals */
    uint8_t *values;                      /* the end of its Bind, from the formats on */
    size_t values_len;
};

/* Zero is empty. */
struct prepared {
    struct prepared_statement *statements;
    struct prepared_portal *portals;
    size_t memory; /* bytes of the peer's making, each statement once */
    unsigned num;  /* of statements and portals */
};

void prepared_cleanup(struct prepared *p);
/* Forgets the candidates. */
void prepared_forget_candidates(struct prepared *p);
bool prepared_is_empty(const struct prepared *p);
/* Has another text taken its place on the server? */
bool prepared_has_substitute(const struct prepared_statement *statement);

/* Found by name, or NULL; valid until the next keep or forget. */
const struct prepared_statement *prepared_find_statement(const struct prepared *p,
                                                         const char *name);
const struct prepared_portal *prepared_find_portal(const struct prepared *p, const char *name);

/* The server has a new statement of this name: copied, in the place of one that had the name, whose
 * portals stay. Without memory it is not kept, and the name is forgotten. */
void prepared_keep_statement(struct prepared *p, const struct prepared_statement *statement);
/* Likewise a portal of the kept statement `statement_name`. */
void prepared_keep_portal(struct prepared *p, const char *name, const char *statement_name,
                          const uint8_t *values, size_t values_len);

/* The name means something else now, or nothing. Portals of the statement stay: which of them a
 * Close takes along the server knows best (risingwave.md 13), and it is asked about each Execute.
 */
void prepared_forget_statement(struct prepared *p, const char *name);
void prepared_forget_portal(struct prepared *p, const char *name);

#endif
