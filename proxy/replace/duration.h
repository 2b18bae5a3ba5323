/*
 * duration: a length of time as people write it in settings and options: a number and ms, s, min, h
 * or d. Must not know: what it is the time of.
 */
#ifndef MVSWAP_REPLACE_DURATION_H
#define MVSWAP_REPLACE_DURATION_H

#include "attributes.h"

#include <stdbool.h>
#include <stdint.h>

/* duration_parse: digits with at most one point, then a unit; without one seconds. False when it is
 * none, or more than 40 days. */
MUST_CHECK bool duration_parse(const char *text, uint32_t *out_ms);

enum { DURATION_TEXT_LEN = 24 };
/* duration_text writes it as duration_parse reads it, in the largest unit without a fraction. */
void duration_text(uint32_t ms, char out_text[DURATION_TEXT_LEN]);

#endif
