/*
 * catalog_internal: what the files of the catalog share.
 */
#ifndef MVSWAP_TESTS_REPLACE_CATALOG_INTERNAL_H
#define MVSWAP_TESTS_REPLACE_CATALOG_INTERNAL_H

#include "catalog.h"

typedef void catalog_statement(struct catalog *c, const char *sql, struct answer *a);

/* Statements are found by how they begin. */
struct statement_entry {
    const char *begins;
    catalog_statement *run;
};

void catalog_violated(struct catalog *c, const char *what, const char *sql);
bool catalog_at_least(const struct catalog *c, unsigned major, unsigned minor);
bool catalog_visible(const struct catalog *c, const struct catalog_object *o);
bool is_kind(const struct catalog_object *o, const char *kind);
void set_text(char *to, size_t size, const char *text);
void answer_not_found(struct answer *a, const char *kind, const char *name);
void answer_exists(struct catalog *c, struct answer *a, const char *name);

/* catalog_read.c */
catalog_statement read_identity, read_target, read_superusers, read_listing, read_status,
    read_description, read_jobs, read_progress, read_facts, read_ids, read_background,
    read_parallelism, read_job, read_job_config, read_schema;
/* catalog_depend.c */
catalog_statement read_indexes, read_index_names, read_index_id, read_index_build, read_both_reads,
    read_indirect, read_new_reads, read_columns, read_zones, read_build, read_probe, read_left;
/* catalog_rollback.c */
catalog_statement read_predecessors, read_predecessor_indexes;
/* Was it built by the engine, or is it what the engine goes back to? */
bool catalog_is_new(const struct catalog *c, const struct catalog_object *o);
/* From now on it is what a replacement would have built. */
void catalog_go_back(struct catalog *c, struct catalog_object *predecessor);
/* catalog_cascade.c: before each statement, and around it. */
void catalog_watch_cascade(struct catalog *c, catalog_statement *run, const char *sql);
void catalog_change_view(struct catalog *c);
/* The query behind the statement's AS becomes the object's; false: the answer is an error, and the
 * object is gone. */
bool catalog_take_query(struct catalog *c, struct catalog_object *o, const char *sql,
                        struct answer *a);
/* What read the view before it was rebuilt: all go when the last one is. */
bool catalog_is_old_self(const struct catalog *c, const struct catalog_object *o);
/* catalog_processes.c */
catalog_statement read_processes;
void watch_readers(struct catalog *c, const struct catalog_object *dropped, const char *sql);
/* The k-th object that `o` reads, as rw_depend has it; NULL: none. */
const struct catalog_object *catalog_read_by(struct catalog *c, const struct catalog_object *o,
                                             size_t k);
/* A row for each object that one of those in the statement's list, or behind "x.objid = ", reads.
 * `columns`: o is the reader's id, d what it reads, and of that s the schema, n the name, k the
 * kind, NULL when it cannot be seen. At most eight. */
void tell_reads(struct catalog *c, const char *sql, const char *columns, struct answer *a);
/* catalog_dependents.c */
catalog_statement read_dependents, read_references, read_columns_of_views, read_follower,
    read_references_of;
/* catalog_build.c */
catalog_statement catalog_create, catalog_create_index, catalog_cancel_job, set_background;
/* Where CREATE would create, with the object's name: one to three parts behind the word VIEW. */
bool catalog_created_name(const struct catalog *c, const char *sql, char *schema, char *name);
void catalog_add_default_grants(const struct catalog *c, struct catalog_object *o);
/* It reads, and has the columns of, what the catalog says that the client's query does. */
void catalog_set_query(const struct catalog *c, struct catalog_object *o);
/* catalog_view.c */
catalog_statement catalog_create_view, catalog_drop_view, read_path, set_path;
/* catalog_swap.c */
catalog_statement catalog_swap;
void catalog_swap_late(struct catalog *c);
/* catalog_bind.c. Sets what the query reads, and its columns, with its names bound under the path;
 * false: the answer is an error. */
bool catalog_bind(struct catalog *c, const char *path, const char *query,
                  struct catalog_object *out, struct answer *a);
/* What a swap does to the text. */
void catalog_rewrite(struct catalog_object *o, const char *from, const char *to);
/* Does the text name a relation `name` of another schema? */
bool catalog_names_other(const struct catalog_object *o, const char *schema, const char *name);
/* catalog_drop.c */
catalog_statement catalog_drop, catalog_drop_index, catalog_rename_index;
bool catalog_is_read(const struct catalog *c, uint64_t id);
bool catalog_left_and_due(const struct catalog *c, const struct catalog_object *o);
/* catalog_carry.c */
catalog_statement catalog_alter, catalog_grant_select, catalog_revoke_select, catalog_comment;
const char *catalog_acl(const struct catalog *c, const struct catalog_object *o,
                        char out_text[CATALOG_TEXT]);

/* catalog_text.c. An identifier at *at, quoted or folded to lower case; steps over it. */
bool read_name(const char **at, char out_name[CATALOG_NAME]);
/* "schema"."name" */
bool read_qualified(const char **at, char out_schema[CATALOG_NAME], char out_name[CATALOG_NAME]);
/* A literal '...' at *at, quotes inside doubled. */
bool read_text(const char **at, char out_text[CATALOG_NAME]);
/* Steps over `text`, if it is there. */
bool read_word(const char **at, const char *text);
/* The num-th literal of `sql`, counted from 0; "" if there are fewer. */
void read_literal(const char *sql, unsigned num, char out_text[CATALOG_NAME]);
/* The number behind the last occurrence of `mark`; 0: none. */
uint64_t read_number_behind(const char *sql, const char *mark);
/* The numbers of the last "IN (...)". */
size_t read_ids_of_list(const char *sql, uint64_t *out_ids, size_t max);
/* Is there `lower` at `at`, in any case? */
bool word_is(const char *at, const char *lower);
const char *null_if_empty(const char *text);
const char *id_text(uint64_t id, char out_text[24]);
/* Is it a temporary name of that kind, made of `base`? */
bool is_temp_of(const char *name, enum temp_kind kind, const char *base);

#endif
