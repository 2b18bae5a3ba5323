/*
 * script_told: keeps what the engine tells (script.h).
 */
#ifndef MVSWAP_TESTS_REPLACE_SCRIPT_TOLD_H
#define MVSWAP_TESTS_REPLACE_SCRIPT_TOLD_H

#include "script.h"

/* The names that have moved since they were asked for last. */
void script_note_moved(struct script *s, struct replace *r);
void script_note_outcome(struct script *s, struct replace *r);

#endif
