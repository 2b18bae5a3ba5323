/*
 * shield: is a client's message well formed inside? Judged piece by piece while it streams, so
 * that the last byte of a malformed message never reaches the server, where reading it may stop the
 * whole process.
 *
 * Judged are the messages that RisingWave reads: Query, Parse, Bind, Describe, Execute, Close and
 * those without a body (manual 55.7). Others pass: the server closes the connection at them.
 * Stricter than PostgreSQL in one point: counts above 32767, which RisingWave reads as negative.
 * Must not know: sessions, SQL, what a message does.
 */
#ifndef MVSWAP_CORE_SHIELD_H
#define MVSWAP_CORE_SHIELD_H

#include "attributes.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What stands next in a body. */
enum shield_part {
    SHIELD_END,     /* nothing more */
    SHIELD_TEXT,    /* bytes up to a NUL */
    SHIELD_KIND,    /* S or P */
    SHIELD_U32,     /* four bytes of any value */
    SHIELD_TYPES,   /* a count, that many Int32 */
    SHIELD_FORMATS, /* a count, that many Int16 */
    SHIELD_VALUES,  /* a count, that many lengths with as many bytes; -1 is NULL */
    SHIELD_ANYTHING /* not judged */
};

struct shield {
    const enum shield_part *part; /* the rest of the body's description */
    size_t left;                  /* bytes of the message that have not come */
    size_t skip;                  /* bytes that only have to be there */
    uint32_t number;              /* of which `num_digits` bytes have come */
    unsigned num_digits;
    bool counted;   /* the count of this part is known */
    uint32_t items; /* values that have not begun */
};

/* shield_begin: a message with this header begins. */
void shield_begin(struct shield *shield, const struct wire_header *header);
/* shield_take judges the next bytes of the message, from its tag on and none behind its end. False,
 * at the latest with its last byte: malformed. Not to be called again then. */
MUST_CHECK bool shield_take(struct shield *shield, const uint8_t *bytes, size_t len);

#endif
