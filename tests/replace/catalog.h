/*
 * catalog: a RisingWave small enough for tests of the engine: it answers the SQL that the engine
 * sends from a list of objects, and CREATE, SWAP, DROP, RENAME, GRANT, COMMENT, SET and CANCEL JOBS
 * change that list. It watches on the way: what the engine may never send is kept as `violation`.
 * Must not know: the engine's steps, faults.
 */
#ifndef MVSWAP_TESTS_REPLACE_CATALOG_H
#define MVSWAP_TESTS_REPLACE_CATALOG_H

#include "replace.h"
#include "temp_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CATALOG_NAME = 320,
    CATALOG_TEXT = 1024,
    CATALOG_WORD = 64,
    CATALOG_OBJECTS = 40,
    CATALOG_READS = 6,
    CATALOG_COLUMNS = 4,
    CATALOG_GRANTS = 6,
    CATALOG_SUPERUSERS = 4,
    CATALOG_PROCESSES = 6,
    CATALOG_HOOKS = 3,
    CATALOG_CELLS = 512
};

struct catalog_column {
    char name[CATALOG_WORD]; /* "": the place is free */
    char type[CATALOG_WORD];
    char comment[CATALOG_WORD]; /* "": none */
    bool hidden;
};

/* SELECT, the one privilege that means anything on a materialized view. */
struct catalog_grant {
    char user[CATALOG_WORD]; /* "": the place is free */
    char grantor[CATALOG_WORD];
    bool option;
};

struct catalog_object {
    uint64_t id; /* 0: the place is free */
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    char kind[32]; /* as rw_relations prints it; "function": in rw_depend only */
    char owner[CATALOG_WORD];
    char acl[CATALOG_TEXT]; /* "": made from the grants */
    struct catalog_grant grants[CATALOG_GRANTS];
    char definition[CATALOG_TEXT];
    struct catalog_column columns[CATALOG_COLUMNS];
    char comment[CATALOG_WORD]; /* "": none */
    char parallelism[CATALOG_WORD];
    char resource_group[CATALOG_WORD];
    char config[CATALOG_TEXT];     /* of its job, as SET CONFIG gave it: "(key = value)" each */
    uint64_t reads[CATALOG_READS]; /* of an index: the first is its table */
    uint64_t visible_ms;           /* from then on this frontend shows it */
    uint64_t finished_ms;          /* from then on its job is created */
    bool hidden;                   /* its relation is not visible to the user; its id is */
    bool ours;                     /* the engine's CREATE made it */
    bool swapped_away;             /* a view's old self: the engine made the view anew */
    bool touched;                  /* dropped, renamed or swapped by somebody else */
    bool left;                     /* an earlier replacement left it, the process remembers it */
    uint64_t left_until_us;
    char left_name[CATALOG_NAME];
};

/* A session of somebody else, as SHOW PROCESSLIST has it. */
struct catalog_process {
    const char *info;  /* what runs; NULL: nothing */
    uint64_t began_ms; /* listed from then on */
    uint64_t ends_ms;  /* ... until then; 0: the place is free */
    const char *time;  /* in place of the true time; "NULL": NULL */
    uint64_t reads;    /* the object that it would fail without, or 0 */
};

/* A statement of the client's settings, and its answer. */
struct catalog_hook {
    const char *begins; /* NULL: the place is free */
    size_t num_rows;
    const char *cell;   /* of each row */
    const char *error;  /* in place of rows; NULL: none */
    const char *schema; /* current_schema() afterwards; NULL: as it was */
};

/* What is minded while one view is replaced. */
struct catalog_replacing {
    char schema[CATALOG_NAME];
    char name[CATALOG_NAME];
    uint64_t inspected_id;
    uint64_t seen_id;
    bool created;
    bool swapped;
    bool rolls_back;
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
    char search_path[CATALOG_NAME]; /* as SHOW prints it */
    const char *superusers[CATALOG_SUPERUSERS];
    bool background_ddl;
    const char *session_parallelism; /* what SHOW says; "default": the session chooses none */
    const char *session_parallelism_of_views;
    struct catalog_object objects[CATALOG_OBJECTS];
    struct catalog_process processes[CATALOG_PROCESSES];
    uint64_t next_id;
    uint64_t now_ms;
    enum listing_form listing;
    const char *jobs[2]; /* texts of creating jobs; "NULL" is a NULL */

    /* What becomes of the engine's CREATE. */
    uint64_t foreground_ms;  /* how long one in the foreground takes */
    uint64_t seen_after_ms;  /* of a background build */
    uint64_t build_ms;       /* likewise: finished after this long */
    uint64_t index_build_ms; /* likewise, of an index */
    bool never_seen;         /* the job fails before anybody sees it */
    uint64_t fails_after_ms; /* the job fails then; 0: it does not */
    uint64_t build_reads[CATALOG_READS];
    struct catalog_column build_columns[CATALOG_COLUMNS];
    const char *build_definition;    /* NULL: as written */
    const char *default_grantees[2]; /* default privileges */
    const char *build_acl;           /* of what is built; NULL: made from its grants */
    unsigned names_taken;            /* so many CREATEs meet a taken name */
    bool index_name_taken;           /* CREATE INDEX does */
    bool foreground_anyway;          /* the plan cannot run in the background (VALUES) */
    unsigned recoveries;             /* so many CREATEs die of a recovery of the cluster */
    uint64_t recovers_until_ms;      /* the cluster takes no jobs before */
    const char *index_refusal;       /* CREATE INDEX is refused so; NULL: it is not */
    const char *probe_refusal;       /* likewise CREATE VIEW */
    const char *job_config[3][2];    /* of the target's job: key, value; NULL: no more */
    uint64_t polls_fail_until_ms;    /* what asks for the state of the build is refused before */
    bool swap_is_late;               /* SWAP is answered by an error, and done ... */
    uint64_t swap_late_ms;           /* ... so much later */
    bool view_swap_is_late;          /* likewise that of a view which follows */
    const char *follower_grantee;    /* to whom default privileges open it; NULL: nobody */
    const char *follower_refusal;    /* CREATE VIEW of such a one is refused so; NULL: it is not */
    struct catalog_hook hooks[CATALOG_HOOKS];
    bool probe_unseen; /* this frontend does not show the probe */

    /* What the engine may touch. */
    bool gap_allowed;                 /* zero_downtime = off */
    bool plan;                        /* EXPLAIN: nothing that lasts */
    bool keeps_old;                   /* what was kept before may go at once */
    bool cascades;                    /* what reads the view may be rebuilt */
    bool rebuilding;                  /* ... and one of them is */
    struct catalog_replacing rebuild; /* that one, or, while a statement of it runs, the view */
    const char *rebuild_refused;      /* CREATE of this one is refused; NULL: none */
    bool rolls_back;                  /* nothing is built: what is swapped in was kept */
    const char *stamp;                /* ... to the one of this stamp; NULL: the newest */
    uint64_t predecessor_id;          /* ... this one, and no other; 0: there is none */
    bool disturbed;  /* somebody else has changed the catalog: perhaps another one */
    bool needs_lock; /* the driver tells `locked` and `slot_held` */
    bool locked;
    char families[4 * CATALOG_TEXT]; /* ... these, a line each */
    bool slot_held;
    char target_schema[CATALOG_NAME];
    char target_name[CATALOG_NAME];
    uint64_t target_id;           /* the view at the start; 0: none */
    uint64_t first_new_id;        /* what has it, or a higher one, was made since the start */
    bool follower_created;        /* and has not been looked for */
    uint64_t follower_seen_id;    /* what was first seen behind its temporary name */
    uint64_t told_ids[2];         /* behind the two names that were asked for last */
    uint64_t inspected_id;        /* what the engine was told is behind the name */
    uint64_t seen_id;             /* ... and first behind the temporary name */
    bool created;                 /* its last CREATE was answered well */
    bool first_creation;          /* it was told that there is nothing */
    bool swapped;                 /* it swapped these two */
    bool exchanged;               /* or at least tried to, and others were in the way */
    bool untrue;                  /* an answer of the script's was untrue */
    char late_swap[CATALOG_TEXT]; /* "": none is to come */
    uint64_t late_swap_ms;        /* when it comes */
    bool gap;                     /* it dropped the inspected view (zero_downtime = off) */
    uint64_t raced_id;            /* somebody else's object that a DROP met by such a race */
    bool temp_taken; /* somebody else put an object of theirs behind the temporary name */
    bool racing;     /* somebody else changed the catalog just before this statement */
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
/* Adds an object that is finished, with one column `a`; `reads` is an id or 0. */
struct catalog_object *catalog_add(struct catalog *c, const char *schema, const char *name,
                                   const char *kind, uint64_t reads);
/* A plain view, whose names mean what they mean under the path; NULL: one means nothing. */
struct catalog_object *catalog_add_view(struct catalog *c, const char *path, const char *schema,
                                        const char *name, const char *query);
/* An index on mv, over its column `a`. */
struct catalog_object *catalog_add_index(struct catalog *c, const char *name);
/* It is gone, and its indexes with it. */
void catalog_remove(struct catalog *c, struct catalog_object *o);
struct catalog_object *catalog_find(struct catalog *c, const char *schema, const char *name);
struct catalog_object *catalog_by_id(struct catalog *c, uint64_t id);
bool catalog_created(const struct catalog *c, const struct catalog_object *object);
bool catalog_is_temporary(const char *name, enum temp_kind kind);
/* The name without stamps of temporary names. */
void catalog_own_name(const char *name, char out_name[CATALOG_NAME]);
void catalog_grant(struct catalog_object *o, const char *user, const char *grantor, bool option);
void catalog_set_column(struct catalog_column *column, const char *name, const char *type,
                        const char *comment);
bool catalog_is_superuser(const struct catalog *c, const char *user);

/* Runs one statement. Free the answer with answer_cleanup. */
void catalog_run(struct catalog *c, const char *sql, struct answer *out_answer);
/* How long the statement runs until it is answered. */
uint64_t catalog_duration(const struct catalog *c, const char *sql);
/* Makes `a` an error of the server, whatever it was before. */
void answer_error(struct answer *a, const char *sqlstate, const char *message);
void answer_row(struct answer *a, size_t num_columns, const char *const *cells);
void answer_cleanup(struct answer *a);

#endif
