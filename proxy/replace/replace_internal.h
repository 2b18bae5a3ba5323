/*
 * replace_internal: what the files of the engine share. Not for others: see replace.h.
 *
 * The engine is one state (enum step) with one table (replace.c). A step asks one thing and takes
 * its result; taking a result names the next step. Each file owns the steps of one stage.
 */
#ifndef MVSWAP_REPLACE_INTERNAL_H
#define MVSWAP_REPLACE_INTERNAL_H

#include "buf.h"
#include "replace.h"
#include "server_version.h"
#include "statement.h"
#include "temp_name.h"

enum step {
    /* inspect.c, losses.c: nothing has been changed on the server */
    STEP_IDENTIFY,      /* version, user, current schema, database */
    STEP_LOCK,          /* the family of the name, in this process */
    STEP_TARGET,        /* the object of that name */
    STEP_SUPERUSERS,    /* who needs no grants; is the user one of them */
    STEP_TARGET_LISTED, /* is the view finished: listed */
    STEP_TARGET_STATUS, /* ... and its job created (2.6 and later) */
    STEP_INDEXES,       /* what would be lost */
    STEP_COMMENTS,
    STEP_DEPENDENTS,
    STEP_CREATING_JOBS, /* dependents that have no rw_depend row yet */
    STEP_CREATE_FIRST,  /* no such relation: the client's CREATE without OR REPLACE */
    /* build.c */
    STEP_BACKGROUND_READ, /* the session's background_ddl */
    STEP_BACKGROUND_SET,
    STEP_CREATE, /* the temporary view */
    STEP_BACKGROUND_RESTORE,
    STEP_POLL_WAIT,
    STEP_POLL_PROGRESS, /* for the client only */
    STEP_POLL_STATUS,   /* id and, from 2.6, the state of its job */
    STEP_POLL_LISTED,
    STEP_NEW_FACTS, /* definition, grants and owner of what was built */
    STEP_OWNER,
    /* cutover.c */
    STEP_DEPENDENTS_AGAIN,
    STEP_CREATING_JOBS_AGAIN,
    STEP_IDS_BEFORE, /* the names still mean the inspected and the built object */
    STEP_SWAP,
    STEP_IDS_AFTER, /* the names mean each other's object now */
    STEP_DRAIN,
    STEP_ID_BEFORE_DROP,
    STEP_DROP,
    /* undo.c */
    STEP_UNDO_FIND,       /* is there anything under the temporary name, and is it ours */
    STEP_UNDO_CANCEL_JOB, /* before 2.7 a creating view cannot be dropped */
    STEP_UNDO_DROP,
    STEP_UNDO_WAIT, /* before the drop is tried again */
    STEP_UNDO_BACKGROUND,
    STEP_DONE,
    STEP_COUNT
};

/* How far the server has been changed; only ever grows. Decides what undo does. */
enum made {
    MADE_NOTHING,
    MADE_MAYBE,    /* CREATE was sent: something of ours may exist under the temporary name */
    MADE_BUILT,    /* the new view is finished under the temporary name, its id is known */
    MADE_SWAPPING, /* SWAP was sent, its answer is not known */
    MADE_SWAPPED,  /* the statement has succeeded; what fails later is a WARNING */
    MADE_DROPPED   /* the old view is gone */
};

/* One queued message; texts are owned. */
struct queued_notice {
    struct queued_notice *next;
    struct replace_notice notice;
};

struct replace {
    enum step step;
    bool owed; /* a request is out, its result has not come */
    enum made made;
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
    char *temp;        /* the temporary name */
    unsigned attempts; /* of CREATE */

    char **superusers;
    size_t num_superusers;
    char *owner; /* of the view that is replaced */
    char *acl;   /* likewise, as the catalog prints it; NULL: none */
    uint64_t old_id;
    uint64_t new_id;             /* 0: not seen yet */
    const char *background;      /* "true" or "false": what to put back; NULL: nothing */
    bool background_on;          /* what the session had */
    bool create_answered;        /* well: the new view exists, seen or not */
    bool create_in_doubt;        /* answered by an error that may not be the whole truth */
    uint64_t create_answered_ms; /* monotonic */
    uint64_t poll_interval_ms;
    uint64_t build_started_ms; /* monotonic */
    uint64_t next_progress_ms; /* when the client is told again; MOMENT_NEVER */
    uint64_t build_ends_ms;    /* build_timeout; MOMENT_NEVER */
    uint64_t wait_until_ms;
    unsigned drop_attempts;
    bool job_cancelled; /* since the drop was last tried */

    bool cancelled; /* and not acted upon yet */
    enum replace_reason cancel_reason;

    struct buf sql; /* of the request that is out */
    /* Set aside before anything is changed, so that undo, what follows the swap, and naming what is
     * left need no memory that may not be there. */
    struct buf spare;
    bool spare_taken; /* it is `sql` now */
    struct replace_outcome outcome;
    uint8_t *raw;        /* owned, outcome.raw */
    struct buf texts[3]; /* owned: message, detail, hint of outcome.error */
    struct queued_notice *notices;
    struct queued_notice *shown;    /* borrowed out by replace_next_notice */
    struct queued_notice *leftover; /* set aside: the warning about the temporary name */
};

/* The steps, by file. ask_* fills the request (r->sql for REPLACE_RUN), take_* names the next step;
 * refused_* is take_* for an error of the server, where it is not simply the end. */
#define STEP_FUNCTIONS(name)                                                                       \
    void ask_##name(struct replace *r, struct replace_request *out);                               \
    enum step take_##name(struct replace *r, const struct replace_result *result)
STEP_FUNCTIONS(identify);
STEP_FUNCTIONS(lock);
STEP_FUNCTIONS(target);
STEP_FUNCTIONS(superusers);
STEP_FUNCTIONS(target_listed);
STEP_FUNCTIONS(target_status);
STEP_FUNCTIONS(indexes);
STEP_FUNCTIONS(comments);
STEP_FUNCTIONS(dependents);
STEP_FUNCTIONS(creating_jobs);
STEP_FUNCTIONS(create_first);
STEP_FUNCTIONS(background_read);
STEP_FUNCTIONS(background_set);
STEP_FUNCTIONS(create);
STEP_FUNCTIONS(background_restore);
STEP_FUNCTIONS(poll_wait);
STEP_FUNCTIONS(poll_progress);
STEP_FUNCTIONS(poll_status);
STEP_FUNCTIONS(poll_listed);
STEP_FUNCTIONS(new_facts);
STEP_FUNCTIONS(owner);
STEP_FUNCTIONS(ids_before);
STEP_FUNCTIONS(swap);
STEP_FUNCTIONS(ids_after);
STEP_FUNCTIONS(drain);
STEP_FUNCTIONS(id_before_drop);
STEP_FUNCTIONS(drop);
STEP_FUNCTIONS(undo_find);
STEP_FUNCTIONS(undo_cancel_job);
STEP_FUNCTIONS(undo_drop);
STEP_FUNCTIONS(undo_wait);
STEP_FUNCTIONS(undo_background);
enum step refused_create(struct replace *r, const struct replace_result *result);
enum step refused_poll_progress(struct replace *r, const struct replace_result *result);
enum step refused_swap(struct replace *r, const struct replace_result *result);
enum step refused_ids_after(struct replace *r, const struct replace_result *result);
enum step refused_drop(struct replace *r, const struct replace_result *result);
enum step refused_undo_find(struct replace *r, const struct replace_result *result);
enum step refused_undo_drop(struct replace *r, const struct replace_result *result);

/* reading.c. cell: NULL for NULL and for what is not there. cell_id: 0 when no number. */
const char *cell(const struct replace_result *result, size_t row, size_t column);
uint64_t cell_id(const struct replace_result *result, size_t row, size_t column);
/* Does a row of SHOW MATERIALIZED VIEWS name this view? */
bool listed(const struct replace *r, const struct replace_result *result, const char *name);
/* Does the text name the view, or is it unreadable? In doubt it does. */
bool names_view(const struct replace *r, const char *sql);
bool is_superuser(const struct replace *r, const char *name);
/* Does the array hold a grantee who is no superuser? Leaves that name in `out_grantee`. */
bool grants_beyond_superusers(const struct replace *r, const char *acl, struct buf *out_grantee);
/* "--" outside literals, or unreadable: a rename of such a definition aborts the server's meta. */
bool definition_is_unsafe(const char *definition);
/* build.c: from now on build_timeout and progress_interval count. */
void start_build_clock(struct replace *r);
/* build.c: was CREATE answered so lately that the new view need not be visible yet? */
bool may_still_be_seen(const struct replace *r);
void ask_listed(struct replace *r, struct replace_request *out); /* inspect.c */
/* losses.c: the step after the ACL of the view was judged. */
enum step check_grants(struct replace *r);
/* undo.c: sets memory aside for every statement that must not fail. False without memory. */
MUST_CHECK bool reserve_spare(struct replace *r);
/* The id behind the temporary name, if it is a materialized view, finished or not. */
void ask_temp_id(struct replace *r, struct replace_request *out);
/* Makes r->sql the request. */
void run(struct replace *r, struct replace_request *out);

/*
 * Ending (report.c). fail_* set the outcome once (the first failure is the one that counts) and
 * return the step with which undo begins; detail and hint may be NULL.
 */
enum step fail(struct replace *r, const char *sqlstate, const char *message, const char *detail,
               const char *hint);
/* fail with a message made from `format`. */
enum step fail_format(struct replace *r, const char *sqlstate, const char *detail, const char *hint,
                      const char *format, ...) PRINTF_LIKE(5, 6);
enum step fail_by_server(struct replace *r, const struct replace_result *result);
enum step fail_without_memory(struct replace *r);
enum step end_not_ours(struct replace *r);
enum step end_succeeded(struct replace *r, const char *tag);
enum step end_lost(struct replace *r);
enum step begin_undo(struct replace *r);
/* The swap is done: success, whatever comes later. `why` (or NULL) is the warning's reason for the
 * old view that stays. */
enum step end_swapped(struct replace *r, const char *why);
/* A NOTICE, if the client wants to be told that much: `least` is what it must have asked for. */
void tell(struct replace *r, enum replace_notices least, const char *message);
/* How far the build is, as rw_ddl_progress has it, or NULL; sets the time for the next. */
void tell_progress(struct replace *r, const char *progress);
enum step fail_timed_out(struct replace *r);
void notice(struct replace *r, const char *severity, const char *sqlstate, const char *message,
            const char *detail, const char *hint);
/* Warns that the object under the temporary name stays, or may have stayed, with the SQL that
 * removes it. */
void warn_leftover(struct replace *r, const char *why);
void warn_perhaps_left(struct replace *r, const char *why);
/* Warns that the object with this id is not under the temporary name any more. */
void warn_lost_sight(struct replace *r, uint64_t id);
/* Sets the warning aside for r->temp, as it is now. False without memory. */
MUST_CHECK bool reserve_leftover_warning(struct replace *r);
void notices_free(struct queued_notice *list);

#endif
