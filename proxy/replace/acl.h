/*
 * acl: reads the `acl` column of RisingWave's catalogs, `{user=letters/grantor,...}` as array text.
 */
#ifndef MVSWAP_REPLACE_ACL_H
#define MVSWAP_REPLACE_ACL_H

#include "attributes.h"
#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * array_text_next reads the next element of the text form of a one-dimensional array ("{a,"b c"}").
 * Set `*cursor` to 0 first. Returns 1 with the element appended to the emptied `out_element`, 0 at
 * the end, -1 when the text is no such array. (PostgreSQL manual, 8.15.6.)
 */
MUST_CHECK int array_text_next(const char *text, size_t *cursor, struct buf *out_element);

/* acl_grantee_len: how many bytes of an entry are the grantee's name, or -1 when the entry cannot
 * be told apart for certain (user names are not quoted and may hold any character). */
MUST_CHECK long acl_grantee_len(const char *entry);

#endif
