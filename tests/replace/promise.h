/*
 * promise: the parts of the judgement of script.h. Each says false with the reason in s->problem.
 */
#ifndef MVSWAP_TESTS_REPLACE_PROMISE_H
#define MVSWAP_TESTS_REPLACE_PROMISE_H

#include "script.h"

bool promise_broken(struct script *s, const char *what, const char *name);
/* Was a fault of this range applied? */
bool promise_met(const struct script *s, enum fault first, enum fault last);
bool promise_same_object(const struct catalog_object *a, const struct catalog_object *b);

/* promise_carry.c: the new view has what the old one had, or it is told. */
bool promise_carried(struct script *s);
bool promise_same_grants(struct script *s, const struct catalog_object *old,
                         const struct catalog_object *live);
/* Comments, job, indexes. */
bool promise_same_facts(struct script *s, const struct catalog_object *old,
                        const struct catalog_object *live);
/* promise_depend.c: whoever reads the view reads the new one, or is named as staying and reads what
 * it read; the search_path is as it was. */
bool promise_dependents(struct script *s);
/* Did it read the view before, directly or through others? */
bool promise_reads_target(const struct script *s, const struct catalog_object *was);
bool promise_reads(const struct script *s, const struct catalog_object *was, uint64_t id);
/* promise_rollback.c: the way back makes and drops nothing, and what was live is there still; the
 * names that were told to have moved are those that mean other objects. */
bool promise_rolled_back(struct script *s);
bool promise_moved_told(struct script *s);
/* promise_left.c: what is left is named or remembered; nobody is told to drop anything else. */
bool promise_leftovers_named(struct script *s);
bool promise_no_false_claims(struct script *s);

#endif
