/* shield: see shield.h. */
#include "shield.h"

#include <string.h>

enum { MOST_COUNT = INT16_MAX, MOST_PARTS = 6 };

static const struct {
    uint8_t tag;
    enum shield_part parts[MOST_PARTS];
} bodies[] = {
    {CLIENT_QUERY, {SHIELD_TEXT}},
    {CLIENT_PARSE, {SHIELD_TEXT, SHIELD_TEXT, SHIELD_TYPES}},
    {CLIENT_BIND, {SHIELD_TEXT, SHIELD_TEXT, SHIELD_FORMATS, SHIELD_VALUES, SHIELD_FORMATS}},
    {CLIENT_DESCRIBE, {SHIELD_KIND, SHIELD_TEXT}},
    {CLIENT_CLOSE, {SHIELD_KIND, SHIELD_TEXT}},
    {CLIENT_EXECUTE, {SHIELD_TEXT, SHIELD_U32}},
    {CLIENT_SYNC, {SHIELD_END}},
    {CLIENT_FLUSH, {SHIELD_END}},
    {CLIENT_TERMINATE, {SHIELD_END}},
};
static const enum shield_part anything[] = {SHIELD_ANYTHING};

static void next_part(struct shield *s)
{
    s->part++;
    s->counted = false;
}

/* Gathers a big-endian number of `width` bytes; true when it is whole. */
static bool take_number(struct shield *s, unsigned width, uint8_t byte)
{
    s->number = s->number << 8 | byte;
    s->num_digits++;
    return s->num_digits == width;
}

static uint32_t number_taken(struct shield *s)
{
    uint32_t number = s->number;
    s->number = 0;
    s->num_digits = 0;
    return number;
}

static bool take_count(struct shield *s, uint8_t byte)
{
    if (!take_number(s, 2, byte)) {
        return true;
    }
    uint32_t count = number_taken(s);
    if (count > MOST_COUNT) {
        return false;
    }
    s->counted = true;
    switch (*s->part) {
    case SHIELD_TYPES:
        s->skip = (size_t)count * 4;
        next_part(s);
        break;
    case SHIELD_FORMATS:
        s->skip = (size_t)count * 2;
        next_part(s);
        break;
    default:
        s->items = count;
        if (count == 0) {
            next_part(s);
        }
        break;
    }
    return true;
}

static bool take_value_length(struct shield *s, uint8_t byte)
{
    if (!take_number(s, 4, byte)) {
        return true;
    }
    uint32_t len = number_taken(s);
    s->items--;
    if (s->items == 0) {
        next_part(s);
    }
    if (len == UINT32_MAX) {
        return true; /* NULL */
    }
    s->skip = len;
    return len <= INT32_MAX;
}

static bool take_byte(struct shield *s, uint8_t byte)
{
    switch (*s->part) {
    case SHIELD_KIND:
        next_part(s);
        return byte == 'S' || byte == 'P';
    case SHIELD_U32:
        if (take_number(s, 4, byte)) {
            (void)number_taken(s);
            next_part(s);
        }
        return true;
    case SHIELD_TYPES:
    case SHIELD_FORMATS:
        return take_count(s, byte);
    case SHIELD_VALUES:
        return s->counted ? take_value_length(s, byte) : take_count(s, byte);
    default:
        return false; /* a byte behind the end */
    }
}

/* Up to and with the NUL, or all there is. */
static size_t take_text(struct shield *s, const uint8_t *bytes, size_t len)
{
    const uint8_t *nul = memchr(bytes, 0, len);
    if (nul == NULL) {
        return len;
    }
    next_part(s);
    return (size_t)(nul - bytes) + 1;
}

static size_t take_skipped(struct shield *s, size_t len)
{
    size_t part = len < s->skip ? len : s->skip;
    s->skip -= part;
    return part;
}

void shield_begin(struct shield *s, const struct wire_header *header)
{
    *s = (struct shield){.part = anything,
                         .left = WIRE_HEADER_LEN + (size_t)header->body_len,
                         .skip = WIRE_HEADER_LEN};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (bodies[i].tag == header->tag) {
            s->part = bodies[i].parts;
        }
    }
}

bool shield_take(struct shield *s, const uint8_t *bytes, size_t len)
{
    s->left -= len;
    while (len != 0 && *s->part != SHIELD_ANYTHING) {
        size_t used = 1;
        if (s->skip != 0) {
            used = take_skipped(s, len);
        } else if (*s->part == SHIELD_TEXT) {
            used = take_text(s, bytes, len);
        } else if (!take_byte(s, *bytes)) {
            return false;
        }
        bytes += used;
        len -= used;
        if (s->skip > len + s->left) {
            return false; /* more is announced than the message holds */
        }
    }
    return s->left != 0 || *s->part == SHIELD_ANYTHING || (s->skip == 0 && *s->part == SHIELD_END);
}
