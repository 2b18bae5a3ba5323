/*
 * sweep_server: a database for the sweep, as a small catalog that answers exactly the SQL that
 * sweep.c may send. Anything else, and any drop that must not be, is a `problem`. Judges drops by
 * the catalog alone. Must not know: what the sweep thinks of an object.
 */
#ifndef MVSWAP_TESTS_SWEEP_SERVER_H
#define MVSWAP_TESTS_SWEEP_SERVER_H

#include "sweep.h"

enum { MOST_OBJECTS = 20, MOST_READS = 3, MOST_CELLS = 256, POOL = 16384 };

enum { CREATED_NULL = -1 };

struct sweep_object {
    uint64_t id;      /* 0: no more objects */
    const char *type; /* as in rw_relations */
    const char *name;
    const char *schema; /* NULL: public */
    int64_t created;    /* of a materialized view, seconds since 1970; or CREATED_NULL */
    uint64_t table_id;  /* of an index */
    uint64_t reads[MOST_READS];
    bool building;     /* not in SHOW MATERIALIZED VIEWS, no rows in rw_depend */
    bool no_job;       /* rw_streaming_jobs and rw_ddl_progress say nothing of it */
    bool hidden;       /* this user cannot see it */
    bool may_go;       /* else a DROP of it is a problem */
    const char *error; /* what a DROP of it is answered */
    bool dropped;
};

struct sweep_process {
    const char *time; /* NULL: no more */
    const char *info;
    size_t from_list; /* lists before this one do not show it */
    bool until_next;  /* nor do those behind it */
};

enum sweep_fault {
    SWEEP_NO_FAULT,
    SWEEP_FAULT_ERROR,
    SWEEP_FAULT_LOST, /* before it was carried out */
    SWEEP_FAULT_LOST_AFTER,
    SWEEP_FAULT_RENAMED, /* somebody gives `target` another name just before */
    SWEEP_FAULT_TAKEN,   /* and that name to another object */
    SWEEP_FAULT_REMOVED, /* somebody drops it, and what reads it, just before */
    SWEEP_FAULT_COLUMNS, /* one column less in each row */
    SWEEP_FAULT_NULLS,   /* all cells are NULL */
    NUM_SWEEP_FAULTS
};

struct sweep_server {
    bool old; /* 2.2, else 2.7 */
    bool refuses_sizes;
    const char *locked; /* a family that is being replaced */
    struct sweep_object objects[MOST_OBJECTS + 1];
    struct sweep_process processes[4];

    size_t fault_at; /* the request, from 1 */
    enum sweep_fault fault;
    uint64_t target;

    size_t num_requests;
    size_t num_lists;
    uint64_t looked_at; /* by the request just before */
    char lock[64];      /* family that is held; schema with it */
    char lock_schema[64];
    bool listed;       /* the processes, since the lock */
    uint64_t dropping; /* what the request at hand drops */
    char dropped[128]; /* ids in order, "11 12" */
    char problem[512];
    size_t num_cells;
    const char *cells[MOST_CELLS];
    char pool[POOL];
    size_t pool_len;
};

/* Answers `request`; `out_result` is valid until the next one. */
void sweep_server_answer(struct sweep_server *server, const struct sweep_request *request,
                         struct replace_result *out_result);
struct sweep_object *sweep_server_find(struct sweep_server *server, uint64_t id);
/* What a DROP would meet; NULL: nothing. */
struct sweep_object *sweep_server_named(struct sweep_server *server, const char *schema,
                                        const char *name);
/* The id of what `sql` drops; 0: it is no DROP. */
uint64_t sweep_server_drops(struct sweep_server *server, const char *sql);

#endif
