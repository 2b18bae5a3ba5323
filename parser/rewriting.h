/*
 * rewriting: what a swap's rewriting of names does to a stored text that reads the relation.
 *
 * The server walks the text of everything that reads one of the two relations and puts the other
 * name in its place, `FROM x` becoming `FROM x_tmp AS x`. It looks at the last part of a name only
 * and does not look everywhere (docs/risingwave.md 2 and 13, seen on 2.7). Careful: where the text
 * does not tell for certain the answer is that there is a fault. Must not know: catalogs.
 */
#ifndef MVSWAP_PARSER_REWRITING_H
#define MVSWAP_PARSER_REWRITING_H

#include "attributes.h"

#include <stdbool.h>

enum rewriting_fault {
    REWRITING_FINE,
    REWRITING_UNREADABLE,  /* the server may not be able to read it back, and stop */
    REWRITING_QUERY_NAMED, /* WITH x AS (...): the reference to it becomes the relation */
    REWRITING_QUALIFIED    /* FROM other.x: another relation, which is rewritten, too */
};

/* rewriting_fault: the first that `text` has when `schema`.`name` is given another name. */
enum rewriting_fault rewriting_fault(const char *text, const char *schema, const char *name);

/* rewriting_reads: does the text (CREATE of anything) name `name` where a relation stands, in
 * whatever schema? For texts of which the catalog does not tell what they read. True when it cannot
 * be read. */
bool rewriting_reads(const char *text, const char *name);
/* rewriting_indexes: is it CREATE INDEX on a relation of that name? */
bool rewriting_indexes(const char *text, const char *name);

/* How often a text reads a relation, by what the rewriting does about it. */
struct rewriting_places {
    unsigned rewritten;
    unsigned missed; /* read under the old name for ever, and so from another relation after the
                      * swap: TUMBLE and HOP, and subqueries in CASE, IN lists, subscripts,
                      * SUBSTRING, TRIM, OVERLAY */
};

/* rewriting_count: where `text` names `name` as a relation. A text that cannot be read counts as
 * one of each. */
struct rewriting_places rewriting_count(const char *text, const char *name);

#endif
