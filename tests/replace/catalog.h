/*
 * catalog: a RisingWave small enough for tests of the engine: it answers the SQL that the engine
 * sends from a list of objects, and CREATE, SWAP, DROP, OWNER TO, SET and CANCEL JOBS change that
 * list. It watches on the way: what the engine may never send is kept as `violation`.
 * Must not know: the engine's steps, faults.
 */
#ifndef MVSWAP_TESTS_REPLACE_CATALOG_H
#define MVSWAP_TESTS_REPLACE_CATALOG_H

#include "replace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CATALOG_NAME = 320,
    CATALOG_TEXT = 1024,
    CATALOG_OBJECTS = 20,
    CATALOG_READS = 4,
    CATALOG_SUPERUSERS = 4,
    CATALOG_CELLS = 256
};

struct catalog_object {
    uint64_t id; /* 0: the place is free */
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char kind[32]; /* as rw_relations prints it */
    char owner[64];
    char acl[CATALOG_TEXT]; /* "": NULL */
    char definition[CATALOG_TEXT];
    char comment[64]; /* of its first column; "": none */
    uint64_t reads[CATALOG_READS];
    uint64_t visible_ms;  /* from then on this frontend shows it */
    uint64_t finished_ms; /* from then on its job is created */
    bool hidden;          /* its relation is not visible to the user; its id is */
    bool ours;            /* the engine's CREATE made it */
    bool touched;         /* dropped, renamed or swapped by somebody else */
};

enum listing_form {
    LISTING_QUALIFIED,        /* public.mv */
    LISTING_BARE,             /* mv, as 2.2 does */
    LISTING_QUOTED,           /* "public"."mv" */
    LISTING_QUOTED_WHERE_DUE, /* public."My View" */
};

struct catalog {
    unsigned major;
    unsigned minor;
    const char *version; /* NULL: RisingWave major.minor */
    const char *user;
    const char *schema; /* NULL: current_schema() is NULL */
    const char *database;
    const char *superusers[CATALOG_SUPERUSERS];
    bool background_ddl;
    struct catalog_object objects[CATALOG_OBJECTS];
    uint64_t next_id;
    uint64_t now_ms;
    enum listing_form listing;
    const char *jobs[2]; /* texts of creating jobs; "NULL" is a NULL */

    /* What becomes of the engine's CREATE. */
    uint64_t seen_after_ms;  /* of a background build */
    uint64_t build_ms;       /* likewise: finished after this long */
    bool never_seen;         /* the job fails before anybody sees it */
    uint64_t fails_after_ms; /* the job fails then; 0: it does not */
    uint64_t build_reads[CATALOG_READS];
    const char *build_definition; /* NULL: as written */
    const char *build_acl;        /* default privileges */
    unsigned names_taken;         /* so many CREATEs meet a taken name */
    bool foreground_anyway;       /* the plan cannot run in the background (VALUES) */

    /* What the engine may touch. */
    char target_schema[CATALOG_NAME];
    char target_name[CATALOG_NAME];
    uint64_t target_id;    /* the view at the start; 0: none */
    uint64_t inspected_id; /* what the engine was told is behind the name */
    uint64_t seen_id;      /* ... and first behind the temporary name */
    bool created;          /* its last CREATE was answered well */
    bool first_creation;   /* it was told that there is nothing */
    bool swapped;          /* it swapped these two */
    uint64_t raced_id;     /* somebody else's object that a DROP met by such a race */
    bool racing;           /* somebody else changed the catalog just before this statement */
    char violation[CATALOG_TEXT];
};

/* One answer. Cells and texts are separate allocations of exactly their size. */
struct answer {
    struct replace_result result;
    char *owned[CATALOG_CELLS];
    size_t num_owned;
    const char *cells[CATALOG_CELLS];
};

/* A server of this version with the view public.mv (id 10), owned by root. */
void catalog_init(struct catalog *c, unsigned major, unsigned minor);
/* Adds an object that is finished; `reads` is an id or 0. */
struct catalog_object *catalog_add(struct catalog *c, const char *schema, const char *name,
                                   const char *kind, uint64_t reads);
struct catalog_object *catalog_find(struct catalog *c, const char *schema, const char *name);
struct catalog_object *catalog_by_id(struct catalog *c, uint64_t id);
bool catalog_created(const struct catalog *c, const struct catalog_object *object);

/* Runs one statement. Free the answer with answer_cleanup. */
void catalog_run(struct catalog *c, const char *sql, struct answer *out_answer);
/* Makes `a` an error of the server, whatever it was before. */
void answer_error(struct answer *a, const char *sqlstate, const char *message);
void answer_row(struct answer *a, size_t num_columns, const char *const *cells);
void answer_cleanup(struct answer *a);

#endif
