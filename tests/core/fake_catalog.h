/*
 * fake_catalog: the relations of a fake_server, for the statements that change them
 * (fake_catalog.c) and those that ask for them (fake_questions.c).
 */
#ifndef MVSWAP_TESTS_CORE_FAKE_CATALOG_H
#define MVSWAP_TESTS_CORE_FAKE_CATALOG_H

#include "fake_server.h"

/* A relation with its id; ids stand apart, for tests to see and set. None: NULL and 0. */
struct fake_found {
    struct fake_relation *relation;
    unsigned id;
};
enum { FAKE_NUM_RELATIONS = 3 };

bool fake_begins(const char *sql, const char *with);
/* The view, the one that is built, the probe; those that are not there have the id 0. */
void fake_all(struct fake_server *f, struct fake_found out[FAKE_NUM_RELATIONS]);
/* The one whose name stands in the statement behind `before`, in quotes of that kind. */
struct fake_found fake_by_name(struct fake_server *f, const char *sql, const char *before,
                               char quote);
/* Answers a question; false, and nothing is said, when it is none that is known. */
bool fake_answer(struct fake_server *f, const char *sql);

#endif
