/* prepared: see prepared.h. Lists: a session holds a handful of migrations, not thousands. */
#include "prepared.h"

#include "limits.h"
#include "mem.h"

#include <string.h>

static size_t size_of_statement(const struct prepared_statement *s)
{
    return strlen(s->name) + s->text_len + s->types_len;
}

static size_t size_of_portal(const struct prepared_portal *portal)
{
    return strlen(portal->name) + portal->values_len;
}

static void free_statement(struct prepared_statement *s)
{
    mem_free(s->name);
    mem_free(s->text);
    mem_free(s->types);
    mem_free(s);
}

static void release_statement(struct prepared *p, struct prepared_statement *s)
{
    if (--s->uses == 0) {
        p->memory -= size_of_statement(s);
        free_statement(s);
    }
}

static void free_portal(struct prepared_portal *portal)
{
    mem_free(portal->name);
    mem_free(portal->values);
    mem_free(portal);
}

/* Takes the statement at `at` off the list. */
static void drop_statement(struct prepared *p, struct prepared_statement **at)
{
    struct prepared_statement *s = *at;
    *at = s->next;
    p->num--;
    release_statement(p, s);
}

static void drop_portal(struct prepared *p, struct prepared_portal **at)
{
    struct prepared_portal *portal = *at;
    *at = portal->next;
    p->num--;
    p->memory -= size_of_portal(portal);
    release_statement(p, portal->statement);
    free_portal(portal);
}

static struct prepared_statement **place_of_statement(struct prepared *p, const char *name)
{
    struct prepared_statement **at = &p->statements;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static struct prepared_portal **place_of_portal(struct prepared *p, const char *name)
{
    struct prepared_portal **at = &p->portals;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

void prepared_cleanup(struct prepared *p)
{
    while (p->portals != NULL) {
        drop_portal(p, &p->portals);
    }
    while (p->statements != NULL) {
        drop_statement(p, &p->statements);
    }
}

bool prepared_is_empty(const struct prepared *p)
{
    return p->num == 0;
}

bool prepared_has_substitute(const struct prepared_statement *statement)
{
    return statement->kind == PREPARED_PLAN || statement->kind == PREPARED_SETTING;
}

const struct prepared_statement *prepared_find_statement(const struct prepared *p, const char *name)
{
    const struct prepared_statement *s = p->statements;
    while (s != NULL && strcmp(s->name, name) != 0) {
        s = s->next;
    }
    return s;
}

const struct prepared_portal *prepared_find_portal(const struct prepared *p, const char *name)
{
    const struct prepared_portal *portal = p->portals;
    while (portal != NULL && strcmp(portal->name, name) != 0) {
        portal = portal->next;
    }
    return portal;
}

static bool is_full(const struct prepared *p)
{
    return p->memory > LIMIT_PREPARED || p->num > LIMIT_PREPARED_NUM;
}

/* Forgets candidates, the oldest first, all or until there is room; not the youngest entries when
 * there shall be room for them. */
static void give_up(struct prepared *p, bool all)
{
    struct prepared_portal **portal = &p->portals;
    while (*portal != NULL && (all || (is_full(p) && (*portal)->next != NULL))) {
        if ((*portal)->statement->kind == PREPARED_CANDIDATE) {
            drop_portal(p, portal);
        } else {
            portal = &(*portal)->next;
        }
    }
    struct prepared_statement **statement = &p->statements;
    while (*statement != NULL && (all || (is_full(p) && (*statement)->next != NULL))) {
        if ((*statement)->kind == PREPARED_CANDIDATE) {
            drop_statement(p, statement);
        } else {
            statement = &(*statement)->next;
        }
    }
}

void prepared_forget_candidates(struct prepared *p)
{
    give_up(p, true);
}

/* When nothing but statements that stay is left, the oldest of these. */
static void make_room(struct prepared *p)
{
    give_up(p, false);
    while (is_full(p) && p->portals != NULL && p->portals->next != NULL) {
        drop_portal(p, &p->portals);
    }
    while (is_full(p) && p->statements != NULL && p->statements->next != NULL) {
        drop_statement(p, &p->statements);
    }
}

void prepared_keep_statement(struct prepared *p, const struct prepared_statement *statement)
{
    prepared_forget_statement(p, statement->name);
    struct prepared_statement *kept = mem_new(sizeof(*kept));
    if (kept == NULL) {
        return;
    }
    *kept = *statement;
    kept->next = NULL;
    kept->uses = 1;
    kept->name = mem_copy(statement->name, strlen(statement->name));
    kept->text = mem_copy(statement->text, statement->text_len);
    kept->types = (uint8_t *)mem_copy(statement->types, statement->types_len);
    if (kept->name == NULL || kept->text == NULL || kept->types == NULL) {
        free_statement(kept);
        return;
    }
    struct prepared_statement **end = &p->statements;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = kept;
    p->num++;
    p->memory += size_of_statement(kept);
    make_room(p);
}

void prepared_keep_portal(struct prepared *p, const char *name, const char *statement_name,
                          const uint8_t *values, size_t values_len)
{
    prepared_forget_portal(p, name);
    struct prepared_statement *statement = *place_of_statement(p, statement_name);
    struct prepared_portal *portal = statement != NULL ? mem_new(sizeof(*portal)) : NULL;
    if (portal == NULL) {
        return;
    }
    portal->name = mem_copy(name, strlen(name));
    portal->values = (uint8_t *)mem_copy(values, values_len);
    if (portal->name == NULL || portal->values == NULL) {
        free_portal(portal);
        return;
    }
    portal->values_len = values_len;
    portal->statement = statement;
    statement->uses++;
    struct prepared_portal **end = &p->portals;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = portal;
    p->num++;
    p->memory += size_of_portal(portal);
    make_room(p);
}

void prepared_forget_statement(struct prepared *p, const char *name)
{
    struct prepared_statement **at = place_of_statement(p, name);
    if (*at != NULL) {
        drop_statement(p, at);
    }
}

void prepared_forget_portal(struct prepared *p, const char *name)
{
    struct prepared_portal **at = place_of_portal(p, name);
    if (*at != NULL) {
        drop_portal(p, at);
    }
}
