/*
 * replace_state: the state of one replacement. Not for others than the files of the engine: see
 * replace.h.
 */
#ifndef MVSWAP_REPLACE_STATE_H
#define MVSWAP_REPLACE_STATE_H

#include "buf.h"
#include "dependents.h"
#include "kept.h"
#include "replace.h"
#include "server_version.h"
#include "statement.h"
#include "steps.h"
#include "temp_name.h"

/* What has become of the old view; only ever grows, but for a SWAP that was refused. What exists
 * beside it under names of ours the builds and the probe say for themselves. */
enum made {
    MADE_NOTHING,
    MADE_GAP,      /* zero_downtime = off: it was dropped, the new one is not there yet */
    MADE_SWAPPING, /* SWAP was sent, its answer is not known */
    MADE_SWAPPED,  /* the statement has succeeded; what fails later is a WARNING */
    MADE_DROPPED   /* the old view is gone */
};

/* One queued message; texts are owned. */
struct queued_notice {
    struct queued_notice *next;
    struct replace_notice notice;
};

/* Why facts are read. */
enum phase {
    PHASE_INSPECT,   /* what is there, and may it be replaced */
    PHASE_LAST_LOOK, /* zero_downtime = off: just before the old view is dropped */
    PHASE_INDEXES,   /* the new view is built: which indexes has the old one now */
    PHASE_CARRY      /* they are built, too: everything else, just before the swap */
};

/* What the statements in `carry` are for. */
enum carrying {
    CARRIES_INDEX_COMMENTS, /* then the next index */
    CARRIES_TO_VIEW,        /* then its grants are read back */
    CARRIES_TO_FOLLOWER,    /* likewise (follow.c) */
    CARRIES_INDEX_NAMES,    /* of a rollback, after the swap */
    CARRIED                 /* and are as they should be */
};

/* What is built under a name of ours: the view, then one index after the other. */
struct build {
    char *name;    /* owned */
    uint64_t id;   /* 0: not seen yet */
    bool sent;     /* CREATE was sent: something of ours may exist under the name */
    bool answered; /* well: it exists, seen or not */
    bool in_doubt; /* answered by an error that may not be the whole truth */
    bool finished;
    uint64_t answered_ms;    /* monotonic */
    unsigned taken;          /* names that somebody else's objects had */
    bool died;               /* of a recovery, once */
    uint64_t retry_until_ms; /* while the cluster recovers; 0: it was not seen recovering */
};

/* What becomes of something that is remembered as left. */
enum left_fate {
    LEFT_STAYS,
    LEFT_DUE,     /* it is to be dropped; a materialized view, as far as is known */
    LEFT_DUE_VIEW /* likewise, a plain one */
};

/* The query as a plain view, which tells what the server makes of it. */
enum probe {
    PROBE_NONE,  /* none was made, or it is gone */
    PROBE_MAYBE, /* its CREATE was sent */
    PROBE_THERE
};

/* Is the definition the one that the view has? */
enum change {
    CHANGE_NOT_KNOWN, /* the probe was refused */
    CHANGE_NONE,      /* certainly */
    CHANGE_SOME       /* or not certainly none */
};

struct replace {
    enum step step;
    bool owed; /* a request is out, its result has not come */
    enum made made;
    enum phase phase;
    struct moment now;
    struct moment started;
    struct replace_settings settings;
    enum replace_mode mode;

    char *text; /* the statement and the comments around it, NUL-terminated */
    struct statement statement;
    struct server_version version;
    char *user;
    char *schema;
    char *database;
    char *view_name; /* "schema.name" for messages */

    char stamp[TEMP_STAMP_LEN + 1];
    struct build view;
    struct build index;     /* the one that is built now */
    struct build *building; /* one of the two */

    char **superusers;
    size_t num_superusers;
    uint64_t old_id;
    char *definition; /* of the old view, as stored */
    char *owner;      /* of the old view */
    char *acl;        /* likewise, as the catalog prints it; NULL: none */
    char *new_owner;  /* of the new view */
    char *new_acl;
    struct kept_rows indexes;         /* of the old view: id, name, definition */
    struct kept_rows *index_comments; /* DESCRIBE of each */
    size_t num_index_comments;
    unsigned name_tries;       /* of giving the new index its name */
    bool indexes_described;    /* the server has answered DESCRIBE of one */
    size_t index_at;           /* the one that a step is about */
    struct handover *handover; /* beside `indexes`, when they are carried over; owned */
    size_t num_handover;
    struct kept_rows comments;    /* DESCRIBE of the old view */
    struct kept_rows job;         /* of the old view: parallelism, resource group */
    struct kept_rows old_columns; /* name, type */
    struct kept_rows new_columns; /* likewise, of the probe or the new view */
    struct kept_rows reads;       /* what the new view reads: id, schema, name */

    bool rollback;                  /* nothing is built: see rollback.c */
    char *rollback_to;              /* the stamp; NULL: the newest */
    struct text_list index_renames; /* of a rollback, after the swap */

    struct dependents dependents;
    char *restore_path;      /* SET search_path as the session has it; NULL: not read */
    bool path_is_set;        /* and is to be put back */
    size_t follow_at;        /* the dependent that a step is about */
    unsigned follow_try;     /* how it is tried (follow.c) */
    bool follow_refused;     /* its CREATE was answered by an error */
    uint64_t follow_swap_ms; /* its SWAP was sent */
    unsigned follow_rounds;  /* how often its grants were given */
    char *follow_why;        /* it cannot follow; NULL: not known */
    struct replace *parent;  /* this one rebuilds one of its dependents; borrowed */
    struct replace *child;   /* which is asked in place of this one; owned */
    size_t cascade_at;       /* the dependent that it is about */
    size_t num_rebuilt;
    struct replace_left *adopted; /* what it left; texts owned */
    size_t num_adopted;
    bool reads_differ;        /* a rebuild would read something else */
    char *server_words;       /* of the error that ended a rebuild; NULL: none */
    uint64_t expected_id;     /* of what it rebuilds; 0: it rebuilds nothing */
    bool gone;                /* that is not there any more */
    enum step after_slot;     /* of a cascade */
    bool still_read;          /* the drain has ended without two quiet readings */
    bool old_due;             /* the old view is dropped with those of a cascade */
    const char **drain_names; /* borrowed: through which the old view is read; owned list */
    size_t num_drain_names;
    struct queued_notice *creating_warnings; /* set aside: jobs that are being created stay */

    enum probe probe;
    char *probe_name;
    uint64_t probe_id;
    char *probe_refused; /* the server's words; NULL: it was not */
    bool probe_answered; /* its columns and what it reads are known */
    bool reads_itself;
    enum change change;

    struct text_list carry; /* statements */
    size_t carry_at;
    enum carrying carrying;
    bool parallelism_differs; /* between the two jobs */
    unsigned grant_rounds;    /* how often grants were read back */
    size_t num_grants;        /* of users who need one */
    size_t num_comments;

    bool background_on;      /* what the session had */
    bool background_changed; /* and has not now: it is to be put back */
    uint64_t poll_interval_ms;
    uint64_t poll_failing_since_ms; /* 0: the last poll was answered well */
    uint64_t build_started_ms;      /* monotonic */
    uint64_t next_progress_ms;      /* when the client is told again; MOMENT_NEVER */
    uint64_t build_ends_ms;         /* build_timeout; MOMENT_NEVER */
    uint64_t built_ms;              /* monotonic: the last build was finished */
    uint64_t swapped_ms;            /* ... SWAP was answered */
    uint64_t readers_given_up_ms;   /* those before it were waited for in vain */
    uint64_t readers_until_ms;      /* how long transactions are waited for */
    bool hands_off;     /* the names are not as expected after the swap: nothing more is touched */
    bool swap_in_doubt; /* it was answered by an error that may not be the whole truth */
    uint64_t processes_asked_ms;
    unsigned quiet_readings; /* of the process list, in a row */
    unsigned drop_attempts;
    bool job_cancelled; /* since the drop was last tried */

    struct text_list moved; /* names that mean another object now */
    size_t moved_told;
    bool moved_lost;    /* not all are in the list */
    bool moved_unknown; /* ... which has not been told yet */
    uint64_t moved_ms;  /* who began after it knows what is told next */

    struct kept_rows remembered; /* of the family: see struct replace_left */
    size_t left_at;
    struct replace_left *left; /* remembered from now on */
    size_t num_left;
    enum left_fate *left_fates; /* beside `left` */
    bool left_dropped;          /* one of them, since all were tried */
    bool left_known;
    bool old_left; /* the old view stays */
    uint64_t old_left_until_us;

    bool cancelled; /* and not acted upon yet */
    enum replace_reason cancel_reason;

    struct text_list families; /* that are locked */
    unsigned lock_rounds;      /* how often they were, with those of dependents */

    struct buf sql; /* of the request that is out */
    /* Set aside before anything is changed, so that undo, what follows the swap, and naming what is
     * left need no memory that may not be there. */
    struct buf spare;
    bool spare_taken; /* it is `sql` now */
    struct replace_outcome outcome;
    uint8_t *raw;        /* owned, outcome.raw */
    struct buf texts[4]; /* owned: message, detail, hint, sqlstate of outcome.error */
    struct text_list plan;
    size_t plan_steps; /* lines of it that are numbered */
    bool plan_incomplete;
    bool lost_view_told;
    struct queued_notice *notices;
    struct queued_notice *shown;       /* borrowed out by replace_next_notice */
    struct queued_notice *lost_view;   /* set aside: zero_downtime = off, the view is gone */
    struct queued_notice *not_carried; /* likewise, it was created anew, but not all was done */
    struct queued_notice *leftover;    /* set aside: the warning about the temporary name */
};

/* Is there SQL of the client's in that setting? */
static inline bool has_sql(const struct replace *r, enum setting setting)
{
    return settings_sql(&r->settings, setting)[0] != 0;
}

#endif
