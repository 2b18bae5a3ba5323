/*
 * sweep: what a crash, or a replacement on purpose, has left in a database under temporary names:
 * finds it, says what of it may go, and drops that, leaf first and never with CASCADE. As replace.h
 * a conversation with a server, for the commands and the janitor.
 *
 *     sweep_new -> { sweep_next -> caller does it -> sweep_result }* -> SWEEP_DONE -> sweep_free
 *
 * Names are ours only if they have exactly the form of temp_name.h, but users may own such names,
 * too. Nothing is dropped that is being built, that belongs to a view of which something is being
 * built, that is read, or that is younger than the limit. Right before each drop the id behind the
 * name is looked at. Must not know: connections, how anything is shown.
 */
#ifndef MVSWAP_REPLACE_SWEEP_H
#define MVSWAP_REPLACE_SWEEP_H

#include "attributes.h"
#include "moment.h"
#include "replace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sweep;

/* What the caller knows of an object, and no server does. */
struct sweep_known {
    uint64_t id;
    uint64_t until_us; /* kept on purpose until then, after that the limit does not count; 0: not */
    uint64_t since_us; /* it has had its name since then, or longer; 0: not known */
    /* Of what was kept: under another name, or since it got its name again, it is not that one. */
    const char *schema;
    const char *name;
};

struct sweep_options {
    const char *schema; /* NULL: all */
    uint64_t older_than_ms;
    bool with_dbt; /* what dbt-risingwave has left, too */
    bool drops;    /* else nothing is changed */
    const struct sweep_known *known;
    size_t num_known;
};

enum sweep_request_kind {
    SWEEP_RUN, /* run `sql`, which lasts no longer than a DROP does, and tell rows or error */
    /* No replacement of the view `schema`.`family` may begin from now on until the next request of
     * this kind, or the end: tell REPLACE_LOCKED, or REPLACE_FULL when one runs. */
    SWEEP_LOCK,
    SWEEP_DONE
};

struct sweep_request {
    enum sweep_request_kind kind;
    const char *sql;
    const char *schema;
    const char *family;
};

enum sweep_kind { SWEEP_MATERIALIZED_VIEW, SWEEP_VIEW, SWEEP_INDEX };

enum sweep_fate {
    SWEEP_DUE, /* it may go */
    SWEEP_BUILDING,
    SWEEP_REPLACING, /* something else of the same view is being built, or it is being replaced */
    SWEEP_KEPT,      /* on purpose: its time is not over */
    SWEEP_YOUNG,     /* it has been there, as it is, for less than the limit */
    SWEEP_IN_USE,    /* a statement reads it, or may do */
    SWEEP_READ,      /* something that stays reads it: sweep_reader */
    SWEEP_GOES_WITH, /* an index of one of the others, which takes it along */
    SWEEP_ON_LIVE, /* an index on something that has no temporary name: whoever knows it drops it */
    SWEEP_DROPPED,
    SWEEP_GONE,   /* somebody else has dropped, renamed or moved it meanwhile */
    SWEEP_REFUSED /* the server would not drop it: `error` */
};

struct sweep_item {
    uint64_t id;
    const char *schema;
    const char *name;
    const char *family; /* the name of the view to which it belongs, in the same schema */
    const char *owner;  /* NULL: not known */
    enum sweep_kind kind;
    bool is_dbt;
    enum sweep_fate fate;
    uint64_t since_us;   /* by the stamp in its name */
    uint64_t settled_us; /* the limit counts from here: since it was finished, or what has replaced
                          * it was, or it has its name, whatever came last */
    bool has_size;
    uint64_t size;        /* bytes of its own table, without what the job keeps besides */
    const char *progress; /* of what is being built; NULL: not told */
    const char *error;    /* of SWEEP_REFUSED */
};

/* Copies what it needs. NULL without memory. */
MUST_CHECK struct sweep *sweep_new(const struct sweep_options *options, struct moment now);
void sweep_free(struct sweep *s);

/* sweep_next: what is wanted now; after the end SWEEP_DONE for ever. Texts are valid until
 * sweep_result. */
void sweep_next(struct sweep *s, struct sweep_request *out_request);
void sweep_result(struct sweep *s, const struct replace_result *result, struct moment now);
/* sweep_stop: nothing more is dropped; the end comes as usual. */
void sweep_stop(struct sweep *s);

/* Valid when it is done, items ordered by schema and name; of a drop that has just ended also
 * before. None when there was an error before all of them were judged. After a later one those that
 * were not come to are due still, and so is one whose drop was on the way when the connection was
 * lost. */
size_t sweep_num_items(const struct sweep *s);
const struct sweep_item *sweep_item(const struct sweep *s, size_t at);
/* The `nth` that reads an item, as "schema.name", or NULL behind the last one; those that have
 * been dropped count. Valid until sweep_free. */
const char *sweep_reader(struct sweep *s, size_t at, size_t nth);
/* The item whose drop has ended last, once; NULL: none since. */
const struct sweep_item *sweep_take_ended(struct sweep *s);
/* NULL: all that was wanted could be looked at. `sqlstate` and `message` are there. */
const struct replace_notice *sweep_error(const struct sweep *s);
/* A static word for each: "due", "building", ... */
const char *sweep_fate_word(enum sweep_fate fate);
const char *sweep_kind_word(enum sweep_kind kind);

#endif
