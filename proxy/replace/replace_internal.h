/*
 * replace_internal: what the files of the engine share. Not for others: see replace.h.
 *
 * The engine is one state (enum step) with one table (replace.c). A step asks one thing and takes
 * its result; taking a result names the next step. Each file owns the steps of one stage.
 */
#ifndef MVSWAP_REPLACE_INTERNAL_H
#define MVSWAP_REPLACE_INTERNAL_H

#include "buf.h"
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
    uint64_t swapped_ms;            /* monotonic: SWAP was answered */
    bool hands_off;     /* the names are not as expected after the swap: nothing more is touched */
    bool swap_in_doubt; /* it was answered by an error that may not be the whole truth */
    uint64_t processes_asked_ms;
    unsigned quiet_readings; /* of the process list, in a row */
    unsigned drop_attempts;
    bool job_cancelled; /* since the drop was last tried */

    struct kept_rows remembered; /* of the family: name, id, until */
    size_t left_at;
    struct replace_left *left; /* remembered from now on */
    size_t num_left;
    bool *due; /* beside `left`: it is to be dropped */
    bool left_known;
    bool old_left; /* the old view stays */
    uint64_t old_left_until_us;

    bool cancelled; /* and not acted upon yet */
    enum replace_reason cancel_reason;

    struct buf sql;     /* of the request that is out */
    const char *family; /* likewise, in `sql` */
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

static inline bool zero_downtime(const struct replace *r)
{
    return r->settings.values[SETTING_ZERO_DOWNTIME] == REPLACE_ZERO_DOWNTIME_ON;
}

/* inspect.c */
void ask_listed(struct replace *r, struct replace_request *out);

/* Can this version give a relation that name by RENAME or SWAP? */
bool survives_rename(const struct replace *r, const char *name);

/* facts.c */
void facts_cleanup(struct replace *r);
/* Reads them, for what `phase` says; the indexes are read on their own before. */
enum step begin_facts(struct replace *r, enum phase phase);
void ask_columns_of(struct replace *r, struct replace_request *out, uint64_t id);
enum step after_facts(struct replace *r);
size_t num_indexes(const struct replace *r);
const char *index_name(const struct replace *r, size_t num);
const char *index_definition(const struct replace *r, size_t num);
bool is_index_of_view(const struct replace *r, uint64_t id);
/* Cells of DESCRIBE. */
enum { DESCRIBE_NAME, DESCRIBE_TYPE, DESCRIBE_HIDDEN, DESCRIBE_COMMENT };
/* The column that a row of DESCRIBE is about; NULL: the relation itself. */
const char *described_column(const struct replace_result *rows, size_t row);

/* dependents.c */
enum step fail_reads_itself(struct replace *r);

/* probe.c, change.c */
enum step begin_probe(struct replace *r);
/* Is the stored definition of the probe, with the client's clauses, what the old view has? */
bool same_definition(const struct replace *r, const char *probe);
/* Which of the names does the old view's query mention? False: it cannot be read. */
MUST_CHECK bool definition_names(const struct replace *r, const char *const *names, size_t num,
                                 bool *out_named);
bool same_columns(const struct replace *r);
/* Will the new view have a column of that name? */
bool has_column(const struct replace *r, const char *name);
/* Does the new view (rows: id, schema, name) read what the probe read? As below. */
enum step check_reads_of_probe(struct replace *r, const struct replace_result *result);
/* 40001: what the new view reads has another name by now. */
enum step fail_moved(struct replace *r, const char *name);
/* What a check says: the step that refuses, or STEP_COUNT when there is nothing to refuse. */
enum step check_columns(struct replace *r);
enum step check_grants(struct replace *r, const char *acl);
/* The answers are in: is anything to be done? */
enum step decide(struct replace *r);

/* build.c */
/* From now on build_timeout and progress_interval count. */
void start_build_clock(struct replace *r);
void build_cleanup(struct build *build);
/* The name under which it is built is what `name` holds, which is emptied. */
MUST_CHECK bool set_name(struct build *build, struct buf *name);
enum step begin_build(struct replace *r, struct build *build);
void ask_create_plain(struct replace *r);
void run_create(struct replace *r, struct replace_request *out);
enum step create_answered(struct replace *r);
/* The view, or the index that is being built, cannot be built. */
enum step fail_build(struct replace *r, const struct replace_result *result);
enum step fail_index(struct replace *r, const char *sqlstate, const char *why);
bool may_have_been_taken_on(const struct replace_server_error *error);
/* Was CREATE answered so lately that the object need not be visible yet? */
bool may_still_be_seen(const struct replace *r, const struct build *build);

/* carry.c, grants.c, indexes.c */
enum step begin_carrying(struct replace *r);
enum step next_carry(struct replace *r);
/* Appends to r->carry what makes the grants of the new view those of the old one. */
MUST_CHECK bool carry_grants(struct replace *r);
/* COMMENT ON; `column` NULL: on the relation. */
void add_comment(struct buf *out, const char *schema, const char *relation, const char *column,
                 const char *text);
bool carries_indexes(const struct replace *r);
/* Is there an index on a column that the new view has not? As check_columns. */
enum step check_indexes(struct replace *r);
enum step next_index(struct replace *r);
enum step after_index(struct replace *r);
enum step skip_index(struct replace *r);

/* handover.c. begin_reserving_handover: the indexes are known; reserve_handover: the one at
 * r->index_at has its name; reserve_index_warnings: before the gap. False without memory. */
MUST_CHECK bool begin_reserving_handover(struct replace *r);
MUST_CHECK bool reserve_handover(struct replace *r);
MUST_CHECK bool reserve_index_warnings(struct replace *r);
void handover_cleanup(struct replace *r);
enum step begin_handover(struct replace *r);
/* The name that it shall have. One that has kept a temporary name, because a replacement broke off
 * while names were handed over, gets its own one back. */
void add_own_index_name(const struct replace *r, size_t num, struct buf *out);
/* Its name at this replacement, or while the other one holds its own. */
void add_index_name(const struct replace *r, size_t num, enum temp_kind kind, struct buf *out);
/* Appends the statements that give the indexes from r->index_at on their own names. */
void add_index_names(const struct replace *r, struct buf *out);
/* Warn of the indexes from r->index_at on: that they have kept their temporary names; that they are
 * not there. */
void warn_index_names(struct replace *r, const char *why);
void warn_indexes_missing(struct replace *r);
/* Warns of the one at r->index_at; `message` NULL: what was set aside. */
void warn_of_index(struct replace *r, const char *message, const char *why, const char *hint);

/* cutover.c, finish.c, drain.c */
void ask_ids(struct replace *r, struct replace_request *out);
/* What is behind a name: 0 when nothing, several, or no materialized view. */
uint64_t id_behind(const struct replace_result *result, const char *name);
enum step begin_finish(struct replace *r);
enum step begin_drain(struct replace *r);
/* How long a statement must have run to be one that may read the old view (ms). */
uint64_t older_than_swap(const struct replace *r);
/* A client who cancels, and a shutdown, do not want to wait for the readers of the old view. */
bool stops_draining(const struct replace *r);
/* Does a row of the process list read one of these, and has it run for that long? */
bool process_reads(const struct replace_result *result, size_t row, const char *const *view_names,
                   size_t num_names, uint64_t older_than_ms);

/* leftovers.c */
/* Sets memory aside for what is to be remembered. */
MUST_CHECK bool reserve_left(struct replace *r);
/* The old view stays under the temporary name; `until_us` 0: not on purpose. */
void leave_old(struct replace *r, uint64_t until_us);
enum step keep_old(struct replace *r);
/* The old view is dropped, kept or left: now what was left before. */
enum step after_old(struct replace *r);
/* Makes the list of what is to be remembered. */
void remember(struct replace *r);

/* undo.c: sets memory aside for every statement that must not fail. False without memory. */
MUST_CHECK bool reserve_spare(struct replace *r);
enum step begin_undo(struct replace *r);

/* reading.c. cell: NULL for NULL and for what is not there. cell_id: 0 when no number. */
const char *cell(const struct replace_result *result, size_t row, size_t column);
uint64_t cell_id(const struct replace_result *result, size_t row, size_t column);
/* Both are there, and equal. */
bool same_text(const char *a, const char *b);
/* A copy of a cell; NULL also without memory. */
char *copy_cell(const struct replace_result *result, size_t row, size_t column);
/* Does a row of SHOW MATERIALIZED VIEWS name this view? */
bool listed(const struct replace *r, const struct replace_result *result, const char *name);
/* Does the text name the view, or is it unreadable? In doubt it does. */
bool names_view(const struct replace *r, const char *sql);
bool is_superuser(const struct replace *r, const char *name);
/* "--" outside literals, or unreadable: a rename of such a definition aborts the server's meta. */
bool definition_is_unsafe(const char *definition);
/* Definition, ACL and owner of a relation. */
void ask_relation(struct replace *r, struct replace_request *out, uint64_t id);
/* The id behind the temporary name, if it is a materialized view, finished or not. */
void ask_temp_id(struct replace *r, struct replace_request *out);
/* Makes r->sql the request. */
void run(struct replace *r, struct replace_request *out);

/*
 * ending.c. fail_* set the outcome once (the first failure is the one that counts) and return the
 * step with which undo begins; detail and hint may be NULL.
 */
enum step fail(struct replace *r, const char *sqlstate, const char *message, const char *detail,
               const char *hint);
/* fail with a message made from `format`. */
enum step fail_format(struct replace *r, const char *sqlstate, const char *detail, const char *hint,
                      const char *format, ...) PRINTF_LIKE(5, 6);
enum step fail_by_server(struct replace *r, const struct replace_result *result);
enum step fail_without_memory(struct replace *r);
enum step fail_timed_out(struct replace *r);
enum step end_not_ours(struct replace *r);
enum step end_succeeded(struct replace *r, const char *tag);
/* Success, and nothing was done: "Materialized view x {state}: {why}". */
enum step end_untouched(struct replace *r, const char *state, const char *why);
enum step end_lost(struct replace *r);
/* The swap is done: success, whatever comes later. `why` (or NULL) is the warning's reason for the
 * old view that stays. */
enum step end_swapped(struct replace *r, const char *why);
/* zero_downtime = off: the new view has all that it shall have. */
enum step end_recreated(struct replace *r);

/* report.c. tell: a NOTICE, if the client wants to be told that much: `least` is what it must have
 * asked for. */
void tell(struct replace *r, enum replace_notices least, const char *message);
/* How far the build is, as rw_ddl_progress has it, or NULL; sets the time for the next. */
void tell_progress(struct replace *r, const char *progress);
void notice(struct replace *r, const char *severity, const char *sqlstate, const char *message,
            const char *detail, const char *hint);
/* Warn that the object under the temporary name stays, or may have stayed, with the SQL that
 * removes it. */
void warn_leftover(struct replace *r, const char *why);
void warn_perhaps_left(struct replace *r, const char *why);
void warn_build_left(struct replace *r, const struct build *build, const char *why);
void warn_build_perhaps_left(struct replace *r, const struct build *build, const char *why);
void warn_probe_left(struct replace *r, const char *why);
/* Warns that the object with this id is not under that name any more. */
void warn_lost_sight(struct replace *r, const char *name, uint64_t id);
/* A WARNING to be queued later; NULL without memory. `why` and `hint` may be NULL. */
struct queued_notice *warning_new(const char *message, const char *why, const char *hint);
/* Queues `n`, or, if there was no memory for it, the one that was set aside. */
void warn_or_reserved(struct replace *r, struct queued_notice *n, struct queued_notice **reserved);
/* zero_downtime = off: the view is gone; tells its definition. */
void warn_lost_view(struct replace *r, const char *fate);
/* Sets aside what may have to be told in the gap and behind it. False without memory. */
MUST_CHECK bool reserve_gap_warnings(struct replace *r);
/* zero_downtime = off: the view is there; tells what it has not got. */
void warn_not_carried(struct replace *r, const char *why);
/* "The view is unchanged.", where that is so; else NULL. */
const char *unchanged_hint(const struct replace *r);
/* Sets the warning aside for r->view, as it is now. False without memory. */
MUST_CHECK bool reserve_leftover_warning(struct replace *r);
void notices_free(struct queued_notice *list);

/* plan.c: lines of EXPLAIN. */
void plan_add(struct replace *r, const char *format, ...) PRINTF_LIKE(2, 3);
void plan_step(struct replace *r, const char *step, const char *text);
void plan_first(struct replace *r);
void plan_change(struct replace *r);
void plan_wait(struct replace *r);
void plan_drain(struct replace *r);
void plan_keep(struct replace *r);
void plan_refusal(struct replace *r, const char *sqlstate, const char *message, const char *detail,
                  const char *hint);
enum step end_planned(struct replace *r);

#endif
