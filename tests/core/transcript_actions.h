/* transcript_actions: what a session asks for, as the lines of a transcript (transcript.h). */
#ifndef MVSWAP_TESTS_CORE_TRANSCRIPT_ACTIONS_H
#define MVSWAP_TESTS_CORE_TRANSCRIPT_ACTIONS_H

#include "session.h"

/* Appends one line; nothing for a report. What is left is written name,id,until. */
void transcript_note_action(const struct action *action, struct buf *out);

#endif
