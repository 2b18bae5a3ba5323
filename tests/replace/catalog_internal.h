/*
 * catalog_internal: what catalog.c and catalog_read.c share.
 */
#ifndef MVSWAP_TESTS_REPLACE_CATALOG_INTERNAL_H
#define MVSWAP_TESTS_REPLACE_CATALOG_INTERNAL_H

#include "catalog.h"

void catalog_violated(struct catalog *c, const char *what, const char *sql);
bool catalog_at_least(const struct catalog *c, unsigned major, unsigned minor);

/* False when `sql` is none of theirs. */
bool catalog_read(struct catalog *c, const char *sql, struct answer *a);
bool catalog_change(struct catalog *c, const char *sql, struct answer *a);

void run_create(struct catalog *c, const char *sql, struct answer *a);
void run_swap(struct catalog *c, const char *sql, struct answer *a);
void run_drop(struct catalog *c, const char *sql, struct answer *a);
void run_owner(struct catalog *c, const char *sql, struct answer *a);
void run_cancel_job(struct catalog *c, const char *sql, struct answer *a);

/* An identifier at *at, quoted or folded to lower case; steps over it. */
bool read_name(const char **at, char out_name[CATALOG_NAME]);
/* Is there `lower` at `at`, in any case? */
bool word_is(const char *at, const char *lower);

#endif
