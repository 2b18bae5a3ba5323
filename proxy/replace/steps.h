/*
 * steps: the steps of a replacement and their functions, as the table in replace.c needs them. Each
 * file of the engine owns the steps of one stage. Not for others: see replace.h.
 */
#ifndef MVSWAP_REPLACE_STEPS_H
#define MVSWAP_REPLACE_STEPS_H

#include "replace.h"

enum step {
    /* inspect.c: nothing has been changed on the server */
    STEP_IDENTIFY,      /* version, user, current schema, database */
    STEP_LOCK,          /* the names, in this process; again when views follow (closure.c) */
    STEP_TARGET,        /* the object of that name */
    STEP_SUPERUSERS,    /* who needs no grants; is the user one of them */
    STEP_TARGET_LISTED, /* is the view finished: listed */
    STEP_TARGET_STATUS, /* ... and its job created (2.6 and later) */
    STEP_CREATE_FIRST,  /* no such relation: the client's CREATE without OR REPLACE */
    /* facts.c: what the view has; once to be inspected, once more to be carried over */
    STEP_INDEXES,
    STEP_INDEX_COMMENTS, /* of one index after the other */
    STEP_COMMENTS,
    STEP_GRANTS, /* owner and ACL */
    STEP_JOB,    /* parallelism and resource group of its job (2.6 and later) */
    STEP_OLD_COLUMNS,
    /* dependents.c */
    STEP_DEPENDENTS,           /* level by level; read once more before the swap */
    STEP_DEPENDENT_REFERENCES, /* what each of them reads */
    STEP_DEPENDENT_COLUMNS,
    STEP_CREATING_JOBS, /* dependents that have no rw_depend row yet */
    STEP_SEARCH_PATH,   /* just before the swap, when views will follow */
    /* rollback.c */
    STEP_PREDECESSORS,
    STEP_PREDECESSOR_LISTED,
    STEP_PREDECESSOR_INDEXES,
    /* probe.c */
    STEP_PROBE_CREATE, /* the query as a plain view */
    STEP_PROBE_FIND,
    STEP_PROBE_COLUMNS,
    STEP_PROBE_READS,    /* what the old view and the probe read */
    STEP_PROBE_INDIRECT, /* what is read through views only */
    STEP_PROBE_ZONES,    /* is a timestamptz among it */
    STEP_PROBE_DROP,
    STEP_BEFORE_BUILD, /* the client's hook */
    STEP_SCHEMA_AGAIN, /* a hook may have changed where CREATE creates */
    STEP_SLOT,         /* one of max_builds */
    /* build.c, poll.c */
    STEP_BACKGROUND_READ, /* the session's background_ddl */
    STEP_BACKGROUND_SET,
    STEP_CREATE,       /* the temporary view */
    STEP_CREATE_INDEX, /* one after the other (indexes.c) */
    STEP_BACKGROUND_RESTORE,
    STEP_RETRY_WAIT, /* the cluster recovers; then CREATE once more */
    STEP_POLL_WAIT,
    STEP_POLL_PROGRESS, /* for the client only */
    STEP_POLL_STATUS,   /* id and, from 2.6, the state of its job */
    STEP_POLL_LISTED,
    /* carry.c */
    STEP_NEW_FACTS, /* definition, grants and owner of what was built */
    STEP_NEW_COLUMNS,
    STEP_NEW_READS,
    STEP_NEW_JOB,
    STEP_JOB_CONFIG,          /* of the old view's job (2.8 and later) */
    STEP_SESSION_PARALLELISM, /* does the session choose it */
    STEP_SESSION_PARALLELISM_OF_VIEWS,
    STEP_CARRY, /* one statement after the other: owner, grants, comments, job */
    STEP_CARRIED_GRANTS,
    STEP_END_SLOT,
    /* cutover.c */
    STEP_CHECK, /* the client's */
    /* readers.c; once more before the old view is dropped */
    STEP_READERS,
    STEP_READERS_WAIT,
    /* cutover.c again */
    STEP_NEW_READS_AGAIN, /* what it reads has the names that it had */
    STEP_IDS_BEFORE,      /* the names still mean the inspected and the built object */
    STEP_DROP_FIRST,      /* zero_downtime = off: in place of the swap */
    STEP_FIRST_GONE,      /* ... was answered by an error: is it there */
    STEP_SWAP,
    STEP_IDS_AFTER, /* the names mean each other's object now */
    STEP_SWAP_WAIT, /* or not yet: the answer was lost on its way */
    /* follow.c: the statement has succeeded; one view after the other */
    STEP_FOLLOW_SET_PATH, /* if names mean something else under the session's */
    STEP_FOLLOW_CREATE,
    STEP_FOLLOW_RESTORE_PATH,
    STEP_FOLLOW_FIND,
    STEP_FOLLOW_REFERENCES, /* it must read what its old self reads */
    STEP_FOLLOW_COLUMNS,
    STEP_FOLLOW_IDS,
    STEP_FOLLOW_SWAP,
    STEP_FOLLOW_IDS_AFTER,
    STEP_FOLLOW_SWAP_WAIT,
    STEP_FOLLOW_DROP_IDS,
    STEP_FOLLOW_DROP, /* it cannot follow, or not in this way */
    /* cascade.c */
    STEP_CASCADE, /* an engine of its own for one materialized view */
    STEP_CASCADE_END_SLOT,
    STEP_CASCADE_SET_PATH,
    STEP_CASCADE_RESTORE_PATH,
    /* finish.c */
    STEP_AFTER_SWAP,       /* the client's hook */
    STEP_INDEX_NAMES,      /* which are there, and on which view */
    STEP_INDEX_WAIT,       /* the name is taken: perhaps only for a moment */
    STEP_INDEX_RENAME_OLD, /* out of the way, one index after the other */
    STEP_INDEX_RENAME_NEW, /* ... and the new one in its place */
    /* drain.c */
    STEP_DRAIN_MIN,
    STEP_PROCESSES, /* who still reads the old view */
    STEP_DRAIN_WAIT,
    STEP_OLD_SELF_IDS, /* of views that followed (stayers.c) */
    STEP_OLD_SELF_DROP,
    STEP_ID_BEFORE_DROP,
    STEP_DROP,
    /* leftovers.c: what earlier replacements left */
    STEP_LEFT_IDS,
    STEP_LEFT_PROCESSES,
    STEP_LEFT_LOOK,
    STEP_LEFT_DROP,
    /* undo.c */
    STEP_UNDO_PROBE,
    STEP_UNDO_INDEX_FIND, /* an index that is being built holds its view */
    STEP_UNDO_INDEX_CANCEL_JOB,
    STEP_UNDO_INDEX_DROP,
    STEP_UNDO_FIND,       /* is there anything under the temporary name, and is it ours */
    STEP_UNDO_CANCEL_JOB, /* before 2.7 a creating view cannot be dropped */
    STEP_UNDO_DROP,
    STEP_UNDO_WAIT, /* before the drop is tried again */
    STEP_UNDO_BACKGROUND,
    STEP_DONE,
    STEP_COUNT
};

/* The steps, by file. ask_* fills the request (r->sql for REPLACE_RUN), take_* names the next step;
 * refused_* is take_* for an error of the server, where it is not simply the end; skip_* stands for
 * both where EXPLAIN has nothing to ask. */
void ask_identify(struct replace *r, struct replace_request *out);
enum step take_identify(struct replace *r, const struct replace_result *result);
void ask_lock(struct replace *r, struct replace_request *out);
enum step take_lock(struct replace *r, const struct replace_result *result);
void ask_target(struct replace *r, struct replace_request *out);
enum step take_target(struct replace *r, const struct replace_result *result);
void ask_superusers(struct replace *r, struct replace_request *out);
enum step take_superusers(struct replace *r, const struct replace_result *result);
void ask_target_listed(struct replace *r, struct replace_request *out);
enum step take_target_listed(struct replace *r, const struct replace_result *result);
void ask_target_status(struct replace *r, struct replace_request *out);
enum step take_target_status(struct replace *r, const struct replace_result *result);
void ask_create_first(struct replace *r, struct replace_request *out);
enum step take_create_first(struct replace *r, const struct replace_result *result);
void ask_indexes(struct replace *r, struct replace_request *out);
enum step take_indexes(struct replace *r, const struct replace_result *result);
void ask_index_comments(struct replace *r, struct replace_request *out);
enum step take_index_comments(struct replace *r, const struct replace_result *result);
void ask_comments(struct replace *r, struct replace_request *out);
enum step take_comments(struct replace *r, const struct replace_result *result);
void ask_grants(struct replace *r, struct replace_request *out);
enum step take_grants(struct replace *r, const struct replace_result *result);
void ask_job(struct replace *r, struct replace_request *out);
enum step take_job(struct replace *r, const struct replace_result *result);
void ask_old_columns(struct replace *r, struct replace_request *out);
enum step take_old_columns(struct replace *r, const struct replace_result *result);
void ask_dependents(struct replace *r, struct replace_request *out);
enum step take_dependents(struct replace *r, const struct replace_result *result);
void ask_dependent_references(struct replace *r, struct replace_request *out);
enum step take_dependent_references(struct replace *r, const struct replace_result *result);
void ask_dependent_columns(struct replace *r, struct replace_request *out);
enum step take_dependent_columns(struct replace *r, const struct replace_result *result);
void ask_search_path(struct replace *r, struct replace_request *out);
enum step take_search_path(struct replace *r, const struct replace_result *result);
void ask_creating_jobs(struct replace *r, struct replace_request *out);
enum step take_creating_jobs(struct replace *r, const struct replace_result *result);
void ask_predecessors(struct replace *r, struct replace_request *out);
enum step take_predecessors(struct replace *r, const struct replace_result *result);
enum step take_predecessor_listed(struct replace *r, const struct replace_result *result);
void ask_predecessor_indexes(struct replace *r, struct replace_request *out);
enum step take_predecessor_indexes(struct replace *r, const struct replace_result *result);
void ask_probe_create(struct replace *r, struct replace_request *out);
enum step take_probe_create(struct replace *r, const struct replace_result *result);
void ask_probe_find(struct replace *r, struct replace_request *out);
enum step take_probe_find(struct replace *r, const struct replace_result *result);
void ask_probe_columns(struct replace *r, struct replace_request *out);
enum step take_probe_columns(struct replace *r, const struct replace_result *result);
void ask_probe_reads(struct replace *r, struct replace_request *out);
enum step take_probe_reads(struct replace *r, const struct replace_result *result);
void ask_probe_indirect(struct replace *r, struct replace_request *out);
enum step take_probe_indirect(struct replace *r, const struct replace_result *result);
void ask_probe_zones(struct replace *r, struct replace_request *out);
enum step take_probe_zones(struct replace *r, const struct replace_result *result);
void ask_probe_drop(struct replace *r, struct replace_request *out);
enum step take_probe_drop(struct replace *r, const struct replace_result *result);
void ask_before_build(struct replace *r, struct replace_request *out);
enum step take_before_build(struct replace *r, const struct replace_result *result);
void ask_slot(struct replace *r, struct replace_request *out);
enum step take_slot(struct replace *r, const struct replace_result *result);
void ask_background_read(struct replace *r, struct replace_request *out);
enum step take_background_read(struct replace *r, const struct replace_result *result);
void ask_background_set(struct replace *r, struct replace_request *out);
enum step take_background_set(struct replace *r, const struct replace_result *result);
void ask_create(struct replace *r, struct replace_request *out);
enum step take_create(struct replace *r, const struct replace_result *result);
void ask_create_index(struct replace *r, struct replace_request *out);
enum step take_create_index(struct replace *r, const struct replace_result *result);
void ask_background_restore(struct replace *r, struct replace_request *out);
enum step take_background_restore(struct replace *r, const struct replace_result *result);
void ask_retry_wait(struct replace *r, struct replace_request *out);
enum step take_retry_wait(struct replace *r, const struct replace_result *result);
void ask_poll_wait(struct replace *r, struct replace_request *out);
enum step take_poll_wait(struct replace *r, const struct replace_result *result);
void ask_poll_progress(struct replace *r, struct replace_request *out);
enum step take_poll_progress(struct replace *r, const struct replace_result *result);
void ask_poll_status(struct replace *r, struct replace_request *out);
enum step take_poll_status(struct replace *r, const struct replace_result *result);
void ask_poll_listed(struct replace *r, struct replace_request *out);
enum step take_poll_listed(struct replace *r, const struct replace_result *result);
void ask_new_facts(struct replace *r, struct replace_request *out);
enum step take_new_facts(struct replace *r, const struct replace_result *result);
void ask_new_columns(struct replace *r, struct replace_request *out);
enum step take_new_columns(struct replace *r, const struct replace_result *result);
void ask_new_reads(struct replace *r, struct replace_request *out);
enum step take_new_reads(struct replace *r, const struct replace_result *result);
void ask_new_job(struct replace *r, struct replace_request *out);
enum step take_new_job(struct replace *r, const struct replace_result *result);
void ask_session_parallelism(struct replace *r, struct replace_request *out);
enum step take_session_parallelism(struct replace *r, const struct replace_result *result);
void ask_session_parallelism_of_views(struct replace *r, struct replace_request *out);
enum step take_session_parallelism_of_views(struct replace *r, const struct replace_result *result);
void ask_carry(struct replace *r, struct replace_request *out);
enum step take_carry(struct replace *r, const struct replace_result *result);
void ask_carried_grants(struct replace *r, struct replace_request *out);
enum step take_carried_grants(struct replace *r, const struct replace_result *result);
void ask_end_slot(struct replace *r, struct replace_request *out);
enum step take_end_slot(struct replace *r, const struct replace_result *result);
void ask_readers(struct replace *r, struct replace_request *out);
enum step take_readers(struct replace *r, const struct replace_result *result);
void ask_readers_wait(struct replace *r, struct replace_request *out);
enum step take_readers_wait(struct replace *r, const struct replace_result *result);
void ask_check(struct replace *r, struct replace_request *out);
enum step take_check(struct replace *r, const struct replace_result *result);
enum step take_new_reads_again(struct replace *r, const struct replace_result *result);
void ask_ids(struct replace *r, struct replace_request *out);
enum step take_ids_before(struct replace *r, const struct replace_result *result);
void ask_drop_first(struct replace *r, struct replace_request *out);
enum step take_drop_first(struct replace *r, const struct replace_result *result);
void ask_swap(struct replace *r, struct replace_request *out);
enum step take_swap(struct replace *r, const struct replace_result *result);
enum step take_ids_after(struct replace *r, const struct replace_result *result);
void ask_follow_set_path(struct replace *r, struct replace_request *out);
enum step take_follow_set_path(struct replace *r, const struct replace_result *result);
void ask_follow_create(struct replace *r, struct replace_request *out);
enum step take_follow_create(struct replace *r, const struct replace_result *result);
enum step refused_follow_create(struct replace *r, const struct replace_result *result);
void ask_follow_restore_path(struct replace *r, struct replace_request *out);
enum step take_follow_restore_path(struct replace *r, const struct replace_result *result);
void ask_follow_find(struct replace *r, struct replace_request *out);
enum step take_follow_find(struct replace *r, const struct replace_result *result);
enum step refused_follow_question(struct replace *r, const struct replace_result *result);
void ask_follow_references(struct replace *r, struct replace_request *out);
enum step take_follow_references(struct replace *r, const struct replace_result *result);
void ask_follow_columns(struct replace *r, struct replace_request *out);
enum step take_follow_columns(struct replace *r, const struct replace_result *result);
void ask_follow_ids(struct replace *r, struct replace_request *out);
enum step take_follow_ids(struct replace *r, const struct replace_result *result);
void ask_follow_swap(struct replace *r, struct replace_request *out);
enum step take_follow_swap(struct replace *r, const struct replace_result *result);
enum step refused_follow_swap(struct replace *r, const struct replace_result *result);
enum step take_follow_ids_after(struct replace *r, const struct replace_result *result);
enum step refused_follow_ids_after(struct replace *r, const struct replace_result *result);
void ask_follow_swap_wait(struct replace *r, struct replace_request *out);
enum step take_follow_swap_wait(struct replace *r, const struct replace_result *result);
enum step take_follow_drop_ids(struct replace *r, const struct replace_result *result);
enum step refused_follow_drop(struct replace *r, const struct replace_result *result);
void ask_follow_drop(struct replace *r, struct replace_request *out);
enum step take_follow_drop(struct replace *r, const struct replace_result *result);
enum step take_old_self_ids(struct replace *r, const struct replace_result *result);
enum step take_old_self_drop(struct replace *r, const struct replace_result *result);
enum step refused_old_self(struct replace *r, const struct replace_result *result);
void ask_cascade(struct replace *r, struct replace_request *out);
enum step take_cascade_end_slot(struct replace *r, const struct replace_result *result);
enum step take_cascade(struct replace *r, const struct replace_result *result);
void ask_cascade_set_path(struct replace *r, struct replace_request *out);
enum step take_cascade_set_path(struct replace *r, const struct replace_result *result);
void ask_cascade_restore_path(struct replace *r, struct replace_request *out);
enum step take_cascade_restore_path(struct replace *r, const struct replace_result *result);
void ask_after_swap(struct replace *r, struct replace_request *out);
enum step take_after_swap(struct replace *r, const struct replace_result *result);
void ask_index_rename_old(struct replace *r, struct replace_request *out);
enum step take_index_rename_old(struct replace *r, const struct replace_result *result);
void ask_index_rename_new(struct replace *r, struct replace_request *out);
enum step take_index_rename_new(struct replace *r, const struct replace_result *result);
void ask_drain_min(struct replace *r, struct replace_request *out);
enum step take_drain_min(struct replace *r, const struct replace_result *result);
void ask_processes(struct replace *r, struct replace_request *out);
enum step take_processes(struct replace *r, const struct replace_result *result);
void ask_drain_wait(struct replace *r, struct replace_request *out);
enum step take_drain_wait(struct replace *r, const struct replace_result *result);
enum step take_id_before_drop(struct replace *r, const struct replace_result *result);
void ask_drop(struct replace *r, struct replace_request *out);
enum step take_drop(struct replace *r, const struct replace_result *result);
void ask_left_ids(struct replace *r, struct replace_request *out);
enum step take_left_ids(struct replace *r, const struct replace_result *result);
enum step take_left_processes(struct replace *r, const struct replace_result *result);
void ask_left_look(struct replace *r, struct replace_request *out);
enum step take_left_look(struct replace *r, const struct replace_result *result);
void ask_left_drop(struct replace *r, struct replace_request *out);
enum step take_left_drop(struct replace *r, const struct replace_result *result);
void ask_undo_probe(struct replace *r, struct replace_request *out);
enum step take_undo_probe(struct replace *r, const struct replace_result *result);
void ask_undo_index_find(struct replace *r, struct replace_request *out);
enum step take_undo_find(struct replace *r, const struct replace_result *result);
void ask_undo_cancel_job(struct replace *r, struct replace_request *out);
enum step take_undo_cancel_job(struct replace *r, const struct replace_result *result);
void ask_undo_drop(struct replace *r, struct replace_request *out);
enum step take_undo_drop(struct replace *r, const struct replace_result *result);
void ask_undo_find(struct replace *r, struct replace_request *out);
void ask_undo_wait(struct replace *r, struct replace_request *out);
enum step take_undo_wait(struct replace *r, const struct replace_result *result);
enum step take_undo_background(struct replace *r, const struct replace_result *result);
enum step refused_index_comments(struct replace *r, const struct replace_result *result);
enum step refused_probe_create(struct replace *r, const struct replace_result *result);
enum step refused_probe_question(struct replace *r, const struct replace_result *result);
enum step refused_probe_drop(struct replace *r, const struct replace_result *result);
enum step refused_create(struct replace *r, const struct replace_result *result);
enum step refused_poll_progress(struct replace *r, const struct replace_result *result);
enum step refused_carry(struct replace *r, const struct replace_result *result);
enum step refused_swap(struct replace *r, const struct replace_result *result);
enum step refused_ids_after(struct replace *r, const struct replace_result *result);
enum step refused_after_swap(struct replace *r, const struct replace_result *result);
enum step refused_index_rename_old(struct replace *r, const struct replace_result *result);
enum step refused_index_rename_new(struct replace *r, const struct replace_result *result);
void ask_swap_wait(struct replace *r, struct replace_request *out);
enum step take_swap_wait(struct replace *r, const struct replace_result *result);
void ask_index_names(struct replace *r, struct replace_request *out);
enum step take_index_names(struct replace *r, const struct replace_result *result);
enum step refused_index_names(struct replace *r, const struct replace_result *result);
enum step skip_index_names(struct replace *r);
void ask_schema_again(struct replace *r, struct replace_request *out);
enum step take_schema_again(struct replace *r, const struct replace_result *result);
enum step refused_background_restore(struct replace *r, const struct replace_result *result);
void ask_job_config(struct replace *r, struct replace_request *out);
enum step take_job_config(struct replace *r, const struct replace_result *result);
enum step refused_comments(struct replace *r, const struct replace_result *result);
void ask_index_wait(struct replace *r, struct replace_request *out);
enum step take_index_wait(struct replace *r, const struct replace_result *result);
enum step refused_poll(struct replace *r, const struct replace_result *result);
enum step refused_session_parallelism(struct replace *r, const struct replace_result *result);
enum step refused_session_parallelism_of_views(struct replace *r,
                                               const struct replace_result *result);
enum step refused_drop_first(struct replace *r, const struct replace_result *result);
enum step take_first_gone(struct replace *r, const struct replace_result *result);
enum step refused_first_gone(struct replace *r, const struct replace_result *result);
enum step refused_processes(struct replace *r, const struct replace_result *result);
enum step refused_drop(struct replace *r, const struct replace_result *result);
enum step refused_left_question(struct replace *r, const struct replace_result *result);
enum step refused_left_drop(struct replace *r, const struct replace_result *result);
enum step refused_undo_find(struct replace *r, const struct replace_result *result);
enum step refused_undo_drop(struct replace *r, const struct replace_result *result);
enum step skip_lock(struct replace *r);
enum step skip_slot(struct replace *r);
enum step skip_poll(struct replace *r);
enum step skip_new_facts(struct replace *r);
enum step skip_end_slot(struct replace *r);
enum step skip_ids_before(struct replace *r);
enum step skip_ids_after(struct replace *r);
enum step skip_drain(struct replace *r);
enum step skip_id_before_drop(struct replace *r);

#endif
