/*
 * follow: what follow.c and follow_create.c share about the view that is followed now. Not for
 * others.
 */
#ifndef MVSWAP_REPLACE_FOLLOW_H
#define MVSWAP_REPLACE_FOLLOW_H

#include "replace_internal.h"

/* The ways in which a view is tried to be created, one after the other. Two of each three are under
 * a search_path made of its schema and those of what it reads, its own first or last. */
enum {
    TRY_AS_IT_IS,
    TRY_UNDER_ITS_PATH,
    TRY_UNDER_ITS_PATH_LAST,
    TRY_OTHER_COLUMNS, /* its query has a `*`: the columns that this means by now */
    TRY_OTHER_COLUMNS_UNDER_ITS_PATH,
    TRY_OTHER_COLUMNS_UNDER_ITS_PATH_LAST,
    TRY_NO_MORE
};

struct dependent *follow_current(const struct replace *r);
/* Why it may have to stay, for the WARNING; copied. */
void follow_set_why(struct replace *r, const char *why);
/* Is the try under a search_path of ours? */
bool follow_under_path(const struct replace *r);
/* It is not moved; nothing of it is left, or that was said. On to the next view. */
enum step follow_give_up(struct replace *r);
enum step follow_try_again(struct replace *r);
/* What was created is no use: it is dropped, and something else tried. */
enum step follow_drop_and_try(struct replace *r, const char *why);
/* ... and nothing else would help. */
enum step follow_drop_and_give_up(struct replace *r, const char *why);

#endif
