/* mentions: see mentions.h. */
#include "mentions.h"

#include <string.h>
#include <strings.h>

static bool is_ascii(const char *text)
{
    while (*text != 0 && (uint8_t)*text < 0x80) {
        text++;
    }
    return *text == 0;
}

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (uint8_t)c >= 0x80;
}

/* FNV-1a of a word in whatever case; *out_len is how long it is. */
static size_t slot_of(const char *word, size_t *out_len)
{
    uint32_t hash = 2166136261U;
    size_t len = 0;
    for (; is_of_name(word[len]); len++) {
        hash = (hash ^ (uint8_t)(word[len] | 0x20)) * 16777619U;
    }
    *out_len = len;
    return hash % MENTIONS_SLOTS;
}

/* Not one word of ASCII. */
static bool is_odd(const char *name)
{
    size_t len = 0;
    (void)slot_of(name, &len);
    return len == 0 || name[len] != 0 || !is_ascii(name);
}

void mentions_init(struct mentions *m, const char *names, size_t len)
{
    *m = (struct mentions){.names = len <= LIMIT_MOVED ? names : NULL, .len = len};
    for (size_t at = 0; m->names != NULL && at < len; at += strlen(names + at) + 1) {
        size_t ignored = 0;
        if (is_odd(names + at)) {
            m->any_odd = true;
            continue;
        }
        size_t slot = slot_of(names + at, &ignored);
        m->next[at] = m->slots[slot];
        m->slots[slot] = (uint16_t)(at + 1);
    }
}

static bool is_name(const struct mentions *m, size_t slot, const char *word, size_t len)
{
    for (size_t at = m->slots[slot]; at != 0; at = m->next[at - 1]) {
        const char *name = m->names + at - 1;
        if (strncasecmp(name, word, len) == 0 && name[len] == 0) {
            return true;
        }
    }
    return false;
}

static bool holds_a_name(const struct mentions *m, const char *text)
{
    while (*text != 0) {
        size_t len = 0;
        size_t slot = slot_of(text, &len);
        if (len != 0 && is_name(m, slot, text, len)) {
            return true;
        }
        text += len != 0 ? len : 1;
    }
    return false;
}

/* As a word, in whatever case. */
static bool holds(const char *text, const char *part)
{
    size_t part_len = strlen(part);
    for (const char *at = text; *at != 0; at++) {
        if ((*at | 0x20) == (part[0] | 0x20) && (at == text || !is_of_name(at[-1])) &&
            strncasecmp(at, part, part_len) == 0 && !is_of_name(at[part_len])) {
            return true;
        }
    }
    return false;
}

/* U&"...", which may spell anything. */
static bool holds_escapes(const char *text)
{
    const char *at = strstr(text, "&\"");
    while (at != NULL && (at == text || (at[-1] | 0x20) != 'u')) {
        at = strstr(at + 1, "&\"");
    }
    return at != NULL;
}

/* Quotes in a name are doubled in a text, and what upper case letters outside ASCII become is the
 * server's affair. */
static bool holds_an_odd_name(const struct mentions *m, const char *text)
{
    bool text_is_ascii = is_ascii(text);
    for (size_t at = 0; at < m->len; at += strlen(m->names + at) + 1) {
        const char *name = m->names + at;
        if (is_odd(name) && (name[0] == 0 || strchr(name, '"') != NULL ||
                             (is_ascii(name) ? holds(text, name) : !text_is_ascii))) {
            return true;
        }
    }
    return false;
}

bool mentions_any(const struct mentions *m, const char *text)
{
    return m->names == NULL || (m->len != 0 && holds_escapes(text)) || holds_a_name(m, text) ||
           (m->any_odd && holds_an_odd_name(m, text));
}
