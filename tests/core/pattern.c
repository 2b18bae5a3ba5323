/* pattern: see pattern.h. Matching backtracks at * only; lines are short. */
#include "pattern.h"

#include <ctype.h>
#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

/* The length of the name behind a '$', or 0 when it is none. */
static size_t name_len(const char *at)
{
    size_t len = islower((unsigned char)at[0]) != 0 ? strspn(at, letters) : 0;
    return len < sizeof(((struct pattern_names *)NULL)->items[0].name) ? len : 0;
}

static const char *value_of(const struct pattern_names *names, const char *name, size_t len)
{
    for (size_t i = 0; i < names->num; i++) {
        if (strlen(names->items[i].name) == len && memcmp(names->items[i].name, name, len) == 0) {
            return names->items[i].value;
        }
    }
    return NULL;
}

static const char *bind(struct pattern_names *names, const char *name, size_t len, const char *text)
{
    size_t value_len = 0;
    while (isalnum((unsigned char)text[value_len]) != 0 || text[value_len] == '_') {
        value_len++;
    }
    if (names->num == PATTERN_MAX_NAMES || value_len >= sizeof(names->items[0].value)) {
        return NULL;
    }
    memcpy(names->items[names->num].name, name, len);
    names->items[names->num].name[len] = 0;
    memcpy(names->items[names->num].value, text, value_len);
    names->items[names->num].value[value_len] = 0;
    return names->items[names->num++].value;
}

bool pattern_match(const char *pattern, const char *text, struct pattern_names *names)
{
    while (*pattern != 0) {
        size_t len = *pattern == '$' ? name_len(pattern + 1) : 0;
        if (len != 0) {
            const char *value = value_of(names, pattern + 1, len);
            value = value != NULL ? value : bind(names, pattern + 1, len, text);
            if (value == NULL || strncmp(text, value, strlen(value)) != 0) {
                return false;
            }
            text += strlen(value);
            pattern += 1 + len;
        } else if (*pattern == '*') {
            for (size_t at = strlen(text) + 1; at > 0; at--) {
                struct pattern_names tried = *names;
                if (pattern_match(pattern + 1, text + at - 1, &tried)) {
                    *names = tried;
                    return true;
                }
            }
            return false;
        } else if (*pattern++ != *text++) {
            return false;
        }
    }
    return *text == 0;
}

bool pattern_fill(const char *text, const struct pattern_names *names, struct buf *out)
{
    while (*text != 0) {
        size_t len = *text == '$' ? name_len(text + 1) : 0;
        const char *value = len != 0 ? value_of(names, text + 1, len) : NULL;
        if (len != 0 && value == NULL) {
            return false;
        }
        if (value != NULL) {
            buf_add_text(out, value);
            text += 1 + len;
        } else {
            buf_add_byte(out, (uint8_t)*text++);
        }
    }
    return true;
}
