/*
 * sweep_internal: what the files of the sweep share. Not for others: see sweep.h.
 */
#ifndef MVSWAP_REPLACE_SWEEP_INTERNAL_H
#define MVSWAP_REPLACE_SWEEP_INTERNAL_H

#include "buf.h"
#include "kept.h"
#include "server_version.h"
#include "sweep.h"

enum sweep_step {
    SWEEP_STEP_VERSION,
    SWEEP_STEP_RELATIONS,
    SWEEP_STEP_CREATED,
    SWEEP_STEP_INDEXES,
    SWEEP_STEP_JOBS,
    SWEEP_STEP_PROGRESS,
    SWEEP_STEP_LISTED, /* once for each schema that has an item */
    SWEEP_STEP_READERS,
    SWEEP_STEP_SIZES,
    SWEEP_STEP_PROCESSES,
    SWEEP_STEP_LOCK, /* from here on once for each drop */
    SWEEP_STEP_STILL_PROCESSES,
    SWEEP_STEP_LOOK,
    SWEEP_STEP_DROP,
    SWEEP_STEP_DONE,
    NUM_SWEEP_STEPS
};

/* An item, and what is found out of it on the way. Texts are those of the kept rows. */
struct sweep_work {
    struct sweep_item item;
    char *family;       /* owned */
    uint64_t live_id;   /* what has the family's own name; 0: nothing */
    uint64_t table_id;  /* of an index */
    bool building;      /* or an index on it is */
    bool live_building; /* what has the family's own name is */
    bool taken; /* SWEEP_GONE, but only from its name: it is there, and reads what it read */
    bool in_use;
};

struct sweep {
    struct sweep_options options; /* without what it points to: `schema`, `known` */
    char *schema;
    struct sweep_known *known; /* and its texts: owned */
    struct moment now;
    enum sweep_step step;
    bool stopped;
    bool judged;    /* the fates are set */
    bool has_ended; /* not told yet: `ended` */
    size_t ended;
    struct server_version version;
    struct sweep_work *works;
    size_t num_works;
    size_t at; /* of the schemas, or of the drops */
    struct kept_rows relations;
    struct kept_rows progress;
    struct kept_rows readers;
    struct buf sql;
    struct replace_notice error; /* `message` NULL: none */
    struct text_list texts;      /* errors, names of readers */
};

/* Columns of what is kept. */
enum { RELATION_ID, RELATION_SCHEMA, RELATION_NAME, RELATION_TYPE, RELATION_OWNER };
enum { READER_OF, READER_ID, READER_TYPE, READER_SCHEMA, READER_NAME };

/* sweep_items.c */
/* Makes the items out of the kept relations. False without memory. */
MUST_CHECK bool sweep_find_items(struct sweep *s);
struct sweep_work *sweep_work_of(struct sweep *s, uint64_t id);
/* When it was noticed to have its name; 0: not known. */
uint64_t sweep_known_since(const struct sweep *s, uint64_t id);
void sweep_take_created(struct sweep *s, const struct replace_result *result);
MUST_CHECK bool sweep_take_indexes(struct sweep *s, const struct replace_result *result);
/* What `id` is is being built, and so is what belongs to it. */
void sweep_note_building(struct sweep *s, uint64_t id);
void sweep_take_sizes(struct sweep *s, const struct replace_result *result);
void sweep_take_processes(struct sweep *s, const struct replace_result *result);
/* Does a statement read it, or may it? */
bool sweep_is_in_use(const struct sweep *s, const struct sweep_work *work,
                     const struct replace_result *result);

/* sweep_fates.c */
/* Sets the fate of all items, from what was found out. */
void sweep_judge(struct sweep *s);
/* The next item to be dropped, leaf first; num_works: none. */
size_t sweep_next_due(struct sweep *s);

#endif
