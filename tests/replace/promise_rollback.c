/*
 * promise_rollback: the way back makes nothing and drops nothing of the view's: it is one more
 * swap, after which what was live is as it was, under the temporary name. And, for any replacement:
 * the names that were told to have moved are those of the objects that were swapped, and no others.
 */
#include "promise.h"

#include <stdio.h>
#include <string.h>

static bool is_view(const struct catalog_object *o)
{
    return strcmp(o->kind, "view") == 0;
}

static bool is_there(struct script *s, uint64_t id, const char *what)
{
    const struct catalog_object *was = catalog_by_id(&s->before, id);
    return was == NULL || catalog_by_id(&s->catalog, id) != NULL ||
           promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS) ||
           promise_broken(s, what, was->name);
}

bool promise_rolled_back(struct script *s)
{
    const struct catalog *c = &s->catalog;
    if (!s->rollback) {
        return true;
    }
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &c->objects[i];
        if (o->id >= c->first_new_id && o->ours && !is_view(o) && !c->cascades) {
            return promise_broken(s, "the way back has built something", o->name);
        }
    }
    return is_there(s, c->target_id, "what was live is gone") &&
           is_there(s, c->predecessor_id, "what was to be gone back to is gone");
}

static bool is_told(const struct script *s, const char *name)
{
    char word[CATALOG_NAME + 2];
    char told[SCRIPT_TEXT + 1];
    (void)snprintf(word, sizeof(word), " %s ", name);
    (void)snprintf(told, sizeof(told), " %s", s->moved);
    return strstr(told, word) != NULL;
}

/* What has the object's own name by now, if that is another one that the engine has put there. */
static const struct catalog_object *successor(struct script *s, const struct catalog_object *was)
{
    const struct catalog_object *is =
        was->id != 0 ? catalog_find(&s->catalog, was->schema, was->name) : NULL;
    bool moved = is != NULL && is->id != was->id && is->ours && strcmp(is->kind, "index") != 0;
    return moved && !catalog_is_temporary(was->name, TEMP_BUILD) ? is : NULL;
}

/* The length of the name with which the list begins, if that of such an object (perhaps in the
 * place of one that was created meanwhile); else 0. */
static size_t moved_name(const struct script *s, const char *list)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *o = &s->catalog.objects[i];
        size_t len = strlen(o->name);
        bool own = strcmp(o->name, s->catalog.target_name) == 0 ||
                   !catalog_is_temporary(o->name, TEMP_BUILD);
        if (o->id != 0 && o->ours && own && strcmp(o->kind, "index") != 0 &&
            strncmp(list, o->name, len) == 0 && list[len] == ' ') {
            return len;
        }
    }
    return 0;
}

/* Whoever waits for the news of a name waits for its own one: the temporary ones are nobody's. */
bool promise_moved_told(struct script *s)
{
    const struct catalog *c = &s->catalog;
    bool known = s->outcome == REPLACE_SUCCEEDED && s->memory_fails_at == 0 &&
                 !promise_met(s, FAULT_TARGET_DROPPED, FAULT_LAST_BY_OTHERS) &&
                 !promise_met(s, FAULT_NO_ROWS, FAULT_ODD_CELLS);
    for (size_t i = 0; known && c->swapped && i < CATALOG_OBJECTS; i++) {
        const struct catalog_object *was = &s->before.objects[i];
        if (successor(s, was) != NULL && !is_told(s, was->name)) {
            return promise_broken(s, "it has moved, and that was not told", was->name);
        }
    }
    for (const char *at = s->moved; known && *at != 0;) {
        size_t len = moved_name(s, at);
        if (len == 0) {
            return promise_broken(s, "told to have moved, but has not", at);
        }
        at += len + 1;
    }
    return true;
}
