/*
 * replace_internal: what the files of the engine share. Not for others: see replace.h.
 *
 * The engine is one state (enum step) with one table (step_table.c). A step asks one thing and
 * takes its result; taking a result names the next step. Each file owns the steps of one stage.
 */
#ifndef MVSWAP_REPLACE_INTERNAL_H
#define MVSWAP_REPLACE_INTERNAL_H

#include "replace_state.h"
#include "rows.h"

/* Is it a plain view that is replaced? It has nothing to build. */
static inline bool is_view(const struct replace *r)
{
    return r->statement.kind == STATEMENT_REPLACE_VIEW;
}

/* What it is, as the catalog says it. */
static inline const char *kind_name(const struct replace *r)
{
    return is_view(r) ? "view" : "materialized view";
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
enum step begin_dependents(struct replace *r);
enum step fail_reads_itself(struct replace *r);

/* hazards.c: the step that refuses, or STEP_COUNT. */
enum step check_hazards_of_dependents(struct replace *r);

/* fates.c */
enum step judge_dependents(struct replace *r);
size_t num_fated(const struct replace *r, enum fate fate);
/* Will it be swapped, too, by this engine or by one of a cascade? */
bool gets_another_name(const struct replace *r, const struct dependent *d);
bool reads_view_that_stays(const struct replace *r, const struct dependent *d);
/* `kind "schema.name"` */
void add_dependent_name(const struct dependent *d, struct buf *out);
/* Do the rows (reader, id) say that `reader` reads what reads the view? */
bool reads_through_dependents(const struct replace *r, const struct replace_result *reads,
                              uint64_t reader);

/* followers.c: what will be sent for those that follow, and the warnings of all that are concerned;
 * then the last look. */
enum step begin_reserving_followers(struct replace *r);
/* The longest statement that will be sent for them, and the longest of their names and `len`. */
size_t longest_of_followers(const struct replace *r);
size_t longest_name_of_followers(const struct replace *r, size_t len);
/* It stays; `why` may be NULL. Each is named once. */
void warn_stays(struct replace *r, struct dependent *d, const char *why);
/* Does it read the new one at once in some places, though it stays on the old one? */
bool reads_new_in_places(const struct replace *r, const struct dependent *d);
void warn_follower_left(struct replace *r, struct dependent *d);

/* rollback.c */
enum step begin_index_renames(struct replace *r);

/* cascade.c */
enum step begin_cascade(struct replace *r);
enum step next_in_cascade(struct replace *r);
enum step after_cascade(struct replace *r);
/* The engine of a rebuild is done. */
enum step take_child(struct replace *r);
void adopted_cleanup(struct replace *r);
/* The id of the object that stands behind the name by now. */
uint64_t moved_id(const struct replace *r, uint64_t id);
/* For rw_depend what reads a plain view also reads what that one reads. So when a plain view is
 * replaced its readers may lose what the old one read, and read what the new one does. */
bool may_come_through_view(const struct replace *r, uint64_t id);
bool new_view_reads(const struct replace *r, uint64_t id);
/* In a rebuild: will that one be rebuilt later? */
bool will_be_rebuilt(const struct replace *r, uint64_t id);
/* In a rebuild: does it read what its old self read? Rows of which those of `reader` count (0:
 * all): the step that refuses, or STEP_COUNT. */
enum step check_reads_of_rebuild(struct replace *r, const struct replace_result *rows,
                                 uint64_t reader, size_t id_column, size_t name_column);

/* follow.c, stayers.c */
enum step begin_following(struct replace *r);
enum step after_following(struct replace *r);
/* Names those that are known to stay, each once. */
void warn_of_stayers(struct replace *r);
/* The connection is lost, or nothing more can be done: old selves that are still there are told and
 * remembered. */
void leave_old_selves(struct replace *r);
enum step after_carry_to_follower(struct replace *r);
enum step refused_carry_to_follower(struct replace *r, const struct replace_result *result);
/* Whether the view itself was swapped is not known: so it is not known what they are on. */
void doubt_followers(struct replace *r);
/* Names those that were not moved yet as staying. */
void abandon_followers(struct replace *r, const char *why);
/* The drain is over, or not needed. */
enum step begin_old_selves(struct replace *r);
enum step settle_old(struct replace *r);
bool old_is_still_read(const struct replace *r);

/* probe.c, change.c */
enum step begin_probe(struct replace *r);
/* Is the stored definition of the probe, with the client's clauses, what the old view has? */
bool same_definition(const struct replace *r, const char *probe);
/* Which of the names does the old view's query mention? False: it cannot be read. */
MUST_CHECK bool definition_names(const struct replace *r, const char *const *names, size_t num,
                                 bool *out_named);
bool same_columns(const struct replace *r);
/* Of whatever types. */
bool same_column_names(const struct replace *r);
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

/* build.c, poll.c */
/* How long a recovering cluster is asked. */
enum { RECOVERED_WITHIN_MS = 60000 };
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
/* What grants are on. */
struct grants_object {
    const char *kind; /* as in SQL */
    const char *schema;
    const char *name;
};
/* Appends to r->carry what makes the grants `acl` of the object into `wanted`. */
MUST_CHECK bool carry_difference_of(struct replace *r, const struct grants_object *object,
                                    const char *wanted, const char *acl);
/* Is there nothing in the ACL that cannot be read for certain? Also false without memory. */
bool grants_are_readable(const struct replace *r, const char *acl);
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
void ask_ids_of(struct replace *r, struct replace_request *out, const char *schema,
                const char *name, const char *temporary);
/* The id behind a name: 0 when nothing, several, or not of that kind. */
uint64_t id_of_kind(const struct replace_result *result, const char *name, const char *kind);
/* The last questions before the swap: what the new view reads, and the ids. */
enum step last_look(struct replace *r);
/* closure.c: the view's own name; then those of all that will be swapped, and everything is
 * inspected once more; then the probe. */
enum step begin_locking(struct replace *r);
enum step lock_closure(struct replace *r);
uint64_t id_behind(const struct replace *r, const struct replace_result *result, const char *name);
enum step begin_finish(struct replace *r);
enum step begin_drain(struct replace *r);
/* When all frontends know of the swap. */
uint64_t known_everywhere_ms(const struct replace *r);
/* How long a statement must have run to be one that may read the old view (ms). */
uint64_t older_than_swap(const struct replace *r);
/* A client who cancels, and a shutdown, do not want to wait for the readers of the old view. */
bool stops_draining(const struct replace *r);
/* moved.c: `name` means another object now; what was told is to be told once more. */
void moved_add(struct replace *r, const char *name);
void moved_again(struct replace *r);
/* Transactions that began after it know all that was told. */
uint64_t moved_known_ms(const struct replace *r);

/* readers.c: waits for READ ONLY transactions that are too old for what comes next. */
enum step begin_readers(struct replace *r);

/* leftovers.c */
/* Sets memory aside for what is to be remembered. */
MUST_CHECK bool reserve_left(struct replace *r);
/* Of a cascade nothing should be left but what something that stays reads. */
void warn_of_cascade_left(struct replace *r);
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

/* reading.c */
/* A copy of a cell; NULL also without memory. */
char *copy_cell(const struct replace_result *result, size_t row, size_t column);
/* Does a row of SHOW MATERIALIZED VIEWS name this view? */
bool listed(const struct replace *r, const struct replace_result *result, const char *name);
bool is_superuser(const struct replace *r, const char *name);
/* "--" outside literals, or unreadable: a rename of such a definition aborts the server's meta. */
bool definition_is_unsafe(const char *definition);
/* Definition, ACL and owner of a relation. */
void ask_relation(struct replace *r, struct replace_request *out, uint64_t id);
/* The id behind the temporary name, if it is a materialized view, finished or not. */
void ask_temp_id(struct replace *r, struct replace_request *out);
/* "DROP " + the kind of the view that is replaced + " ". */
void add_verb(const struct replace *r, struct buf *out, const char *verb);
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
/* The old view stays, for certain or perhaps. Of a rebuild that is told at the end of the cascade,
 * which tries to drop it once more. */
void warn_old_left(struct replace *r, bool perhaps, const char *why);
/* ... or, of a rollback, that both names may mean either object. */
void warn_swap_in_doubt(struct replace *r, const char *why);
void warn_build_left(struct replace *r, const struct build *build, const char *why);
void warn_build_perhaps_left(struct replace *r, const struct build *build, const char *why);
void warn_named_left(struct replace *r, const char *schema, const char *name, const char *drop);
void warn_probe_left(struct replace *r, const char *why);
/* Warns that the object with this id is not under that name any more. */
void warn_lost_sight(struct replace *r, const char *schema, const char *name, uint64_t id);
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
/* `for_readers`: not only for drain_min. */
void plan_drain(struct replace *r, bool for_readers);
void plan_keep(struct replace *r);
void plan_refusal(struct replace *r, const char *sqlstate, const char *message, const char *detail,
                  const char *hint);
enum step end_planned(struct replace *r);

#endif
