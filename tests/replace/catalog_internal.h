/*
 * catalog_internal: what the files of the catalog share.
 */
#ifndef MVSWAP_TESTS_REPLACE_CATALOG_INTERNAL_H
#define MVSWAP_TESTS_REPLACE_CATALOG_INTERNAL_H

#include "catalog.h"
#include "temp_name.h"

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
catalog_statement read_indexes, read_index_names, read_index_id, read_index_build, read_dependents,
    read_both_reads, read_indirect, read_new_reads, read_columns, read_zones, read_build,
    read_probe, read_left;
/* catalog_processes.c */
catalog_statement read_processes;
void watch_readers(struct catalog *c, const struct catalog_object *dropped, const char *sql);
/* catalog_build.c */
void catalog_swap_late(struct catalog *c);
catalog_statement catalog_create, catalog_create_view, catalog_create_index, catalog_swap,
    catalog_drop_view, catalog_cancel_job, set_background;
/* catalog_drop.c */
catalog_statement catalog_drop, catalog_drop_index, catalog_rename_index;
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
