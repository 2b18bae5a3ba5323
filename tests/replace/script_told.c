/*
 * script_told: what the engine has told is kept in the script, and questions about it. See
 * script.h.
 */
#include "script_told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *or_nothing(const char *text)
{
    return text != NULL ? text : "";
}

static void note_lists(struct script *s, const struct replace_outcome *outcome)
{
    s->left_known = outcome->left_known;
    for (size_t i = 0; outcome->left_known && i < outcome->num_left; i++) {
        if (s->num_left == SCRIPT_LEFT) {
            abort();
        }
        struct script_left *left = &s->left[s->num_left++];
        (void)snprintf(left->schema, CATALOG_NAME, "%s", outcome->left[i].schema);
        (void)snprintf(left->name, CATALOG_NAME, "%s", outcome->left[i].name);
        left->id = outcome->left[i].id;
        left->until_us = outcome->left[i].until_us;
    }
    size_t len = 0;
    for (size_t i = 0; outcome->kind == REPLACE_PLANNED && i < outcome->num_plan; i++) {
        len += (size_t)snprintf(s->plan + len, sizeof(s->plan) - len, "%s\n", outcome->plan[i]);
        if (len >= sizeof(s->plan)) {
            abort();
        }
    }
}

void script_note_outcome(struct script *s, struct replace *r)
{
    const struct replace_outcome *outcome = replace_outcome(r);
    struct replace_notice n;
    s->outcome = outcome->kind;
    s->server_lost = outcome->server_lost;
    (void)snprintf(s->tag, sizeof(s->tag), "%s", or_nothing(outcome->tag));
    (void)snprintf(s->stamp, sizeof(s->stamp), "%s", replace_id(r));
    (void)snprintf(s->view_name, sizeof(s->view_name), "%s", replace_view_name(r));
    if (outcome->kind == REPLACE_FAILED) {
        (void)snprintf(s->sqlstate, sizeof(s->sqlstate), "%s", outcome->error.sqlstate);
        (void)snprintf(s->error, SCRIPT_TEXT, "%s\n%s\n%s", outcome->error.message,
                       or_nothing(outcome->error.detail), or_nothing(outcome->error.hint));
    }
    if (outcome->kind == REPLACE_FAILED_BY_SERVER) {
        (void)snprintf(s->raw, SCRIPT_TEXT, "%.*s", (int)outcome->raw_len,
                       (const char *)outcome->raw);
    }
    note_lists(s, outcome);
    while (replace_next_notice(r, &n) && s->num_notices < SCRIPT_NOTICES) {
        (void)snprintf(s->notices[s->num_notices++], SCRIPT_TEXT, "%s\n%s\n%s\n%s", n.severity,
                       n.message, or_nothing(n.detail), or_nothing(n.hint));
    }
}

void script_note_moved(struct script *s, struct replace *r)
{
    const char *name = NULL;
    uint64_t moved_ms = 0;
    while (replace_next_moved(r, &name, &moved_ms)) {
        size_t len = strlen(s->moved);
        (void)snprintf(s->moved + len, SCRIPT_TEXT - len, "%s ", name);
        if (s->num_moved < 2) {
            s->moved_at[s->num_moved] = s->num_requests;
            s->moved_ms[s->num_moved] = moved_ms;
        }
        s->num_moved++;
    }
}

bool script_says(const struct script *s, const char *text)
{
    bool said = strstr(s->error, text) != NULL;
    for (size_t i = 0; i < s->num_notices; i++) {
        said = said || strstr(s->notices[i], text) != NULL;
    }
    return said;
}

size_t script_find_step(const struct script *s, const char *step, size_t num)
{
    for (size_t i = 0; i < s->num_requests; i++) {
        if (strcmp(s->steps[i], step) == 0 && num-- == 0) {
            return i;
        }
    }
    return SCRIPT_REQUESTS;
}

bool script_sent(const struct script *s, const char *beginning)
{
    bool sent = false;
    for (size_t i = 0; i < s->num_requests; i++) {
        sent = sent || strncmp(s->sql[i], beginning, strlen(beginning)) == 0;
    }
    return sent;
}
