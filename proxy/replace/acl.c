/* acl: see acl.h. */
#include "acl.h"

#include <string.h>

/* Reads up to the end of a quoted element; *at stands behind the opening quote. */
static bool read_quoted(const char *text, size_t *at, struct buf *out)
{
    for (; text[*at] != '"'; (*at)++) {
        if (text[*at] == '\\') {
            (*at)++;
        }
        if (text[*at] == 0) {
            return false;
        }
        buf_add_byte(out, (uint8_t)text[*at]);
    }
    (*at)++;
    return true;
}

int array_text_next(const char *text, size_t *cursor, struct buf *out_element)
{
    size_t at = *cursor;
    buf_truncate(out_element, 0);
    if (at == 0) {
        if (text[0] != '{') {
            return -1;
        }
        at = 1;
        if (text[1] == '}') {
            *cursor = 1;
            return text[2] == 0 ? 0 : -1;
        }
    } else if (text[at] == '}') {
        return text[at + 1] == 0 ? 0 : -1;
    } else if (text[at] == ',') {
        at++;
    } else {
        return -1;
    }
    if (text[at] == '"') {
        at++;
        if (!read_quoted(text, &at, out_element)) {
            return -1;
        }
    } else {
        size_t start = at;
        at += strcspn(text + at, ",{}\"\\");
        if (at == start) {
            return -1;
        }
        buf_add(out_element, text + start, at - start);
    }
    if (text[at] != ',' && text[at] != '}') {
        return -1;
    }
    *cursor = at;
    return buf_failed(out_element) ? -1 : 1;
}

long acl_grantee_len(const char *entry)
{
    const char *equals = strchr(entry, '=');
    if (equals == NULL || strchr(equals + 1, '=') != NULL || equals == entry) {
        return -1;
    }
    const char *slash = strchr(equals, '/');
    if (slash == NULL || strchr(slash + 1, '/') != NULL) {
        return -1;
    }
    return (long)(equals - entry);
}
