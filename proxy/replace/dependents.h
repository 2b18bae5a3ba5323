/*
 * dependents: who reads the view that is replaced, directly or through others, and what is to
 * become of each. Not for others than the engine: see replace.h.
 *
 * dependents.c reads them, hazards.c says what the server's rewriting of their texts would break,
 * fates.c decides, follow.c moves the views, stayers.c drops what was left behind and names what
 * stays.
 */
#ifndef MVSWAP_REPLACE_DEPENDENTS_H
#define MVSWAP_REPLACE_DEPENDENTS_H

#include "attributes.h"
#include "kept.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queued_notice;

enum dependent_kind {
    DEPENDENT_VIEW,
    DEPENDENT_MATERIALIZED_VIEW,
    DEPENDENT_OTHER, /* sink, subscription, table ... */
    DEPENDENT_UNSEEN /* this user may not see it, or it is of no kind that is known */
};

enum fate {
    FATE_APART,    /* reads nothing that gets another name */
    FATE_STAYS,    /* goes on reading the old one */
    FATE_FOLLOWS,  /* is to be created anew on the new one */
    FATE_FOLLOWED, /* was; its old self has the temporary name */
    FATE_REBUILDS, /* cascade: a materialized view that is to be rebuilt on the new one */
    FATE_REBUILT   /* was */
};

/* Cells of dependent.row. */
enum {
    DEPENDENT_ID,
    DEPENDENT_READS,
    DEPENDENT_SCHEMA,
    DEPENDENT_NAME,
    DEPENDENT_KIND,
    DEPENDENT_OWNER,
    DEPENDENT_DEFINITION,
    DEPENDENT_ACL
};

/* All that is sent for a view that follows: made before the swap, since afterwards no allocation
 * may lose a word. Owned. */
struct follower {
    char *temporary;     /* its name meanwhile */
    char *create;        /* with the names of its columns */
    char *create_plain;  /* without; NULL: it has no star */
    char *set_path;      /* its schema and those of what it reads */
    char *set_path_last; /* ... with its own behind the others */
    char *swap;
    char *drop;
    struct queued_notice *warning; /* that it stays */
    struct queued_notice *left;    /* that `temporary` may be left */
    uint64_t new_id;               /* 0: not seen */
    bool star;                     /* its query has a `*`, whose columns may be others by now */
    bool made;                     /* CREATE was sent for `temporary` */
    bool old_left;                 /* the view's old self stays under that name */
    bool old_dropped;              /* ... or is gone */
    bool other_columns;            /* it has followed with columns of other names */
};

struct dependent {
    uint64_t id;
    enum dependent_kind kind;
    struct kept_rows row; /* one row */
    size_t depth;         /* 1: reads no other dependent */
    enum fate fate;
    uint64_t now_id; /* of the object that has its name by now; 0: still its own */
    bool in_doubt;   /* it may have been moved all the same */
    const char *why; /* it stays; static, NULL: that was said when it could not follow */
    struct follower follower;
};

/* One reads another. Texts are borrowed; NULL: what is read cannot be seen, or is no relation. */
struct reference {
    uint64_t reader;
    uint64_t id;
    const char *name;
    const char *schema;
};

struct dependents {
    struct dependent *items; /* readers behind what they read, when all are known */
    size_t num;
    size_t asked;                 /* how many of them have been asked who reads them */
    struct reference *references; /* what each of them reads, and a plain view itself, sorted */
    size_t num_references;
    struct kept_rows reference_rows; /* which own the texts of `references` */
    size_t *by_id;                   /* places in `items`, sorted by id; NULL: not made yet */
    struct kept_rows columns;        /* of the views: id, name */
    struct kept_rows creating;       /* texts of jobs that are being created and name the view */
};

void follower_cleanup(struct follower *f);
void dependents_cleanup(struct dependents *d);
/* NULL: cannot be seen. */
const char *dependent_text(const struct dependent *d, size_t cell);
/* What the object with the id `reader` reads, as the catalog had it before the swap: `*out_num` of
 * them from the returned one on. */
const struct reference *dependents_references(const struct dependents *d, uint64_t reader,
                                              size_t *out_num);
/* Is `id` among them? */
bool dependents_reads(const struct dependents *d, uint64_t reader, uint64_t id);
/* Has it a name as replacements give? It may be a user's all the same. */
bool is_temporary(const struct dependent *d);
/* NULL: there is none with that id. */
struct dependent *dependents_find(const struct dependents *d, uint64_t id);

#endif
