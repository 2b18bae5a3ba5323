/*
 * transcript: see transcript.h. Events:
 *
 *     connected | connect-failed REASON | turned-away | eof SIDE | broken SIDE
 *     locked [SCHEMA NAME ID UNTIL]...   with what is remembered, four words for each object
 *     slot | slot-refused
 *     cancel | cancel-done | drain | shutdown
 *     readers NUM    so many others are in READ ONLY transactions
 *     moved NAME     ... means another object now; without a name: some name does
 *     pressed        the process keeps too much (session_set_pressed)
 *     wait MS        the clock goes on; the session's deadline must not have passed
 *     deadline MS    likewise, and it must have passed: it is told so
 *
 * Input is fed from allocations of exactly its size, freed before the next, as a shell might do.
 */
#define _POSIX_C_SOURCE 200809L

#include "transcript.h"

#include "message_text.h"
#include "pattern.h"
#include "session.h"
#include "transcript_actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 1024, MAX_DEPTH = 8, MAX_LEFT = 5 };

struct line {
    char *text;
    char *where; /* file:number */
};
struct transcript {
    struct line lines[MAX_LINES];
    size_t num_lines;
    size_t longest;
};

struct play {
    const struct transcript *t;
    struct cutting cutting;
    struct session *s;
    struct moment now;
    struct pattern_names names;
    struct message_stream streams[NUM_SIDES]; /* indexed by the side that reads it */
    struct buf out[NUM_SIDES];
    struct buf actions;                 /* one line each */
    struct replace_left left[MAX_LEFT]; /* of the event */
    struct buf left_names;
    uint64_t moved_ms; /* of the last "moved" */
    struct buf chunk;
    enum side chunk_from;
    size_t longest;
};

static bool add_line(struct transcript *t, const char *text, const char *file, size_t number)
{
    struct buf where = {0};
    if (t->num_lines == MAX_LINES) {
        (void)fprintf(stderr, "%s: too many lines\n", file);
        return false;
    }
    buf_add_format(&where, "%s:%zu", file, number);
    t->lines[t->num_lines++] =
        (struct line){.text = strdup(text), .where = strdup(buf_text(&where))};
    buf_cleanup(&where);
    return true;
}

static bool load_file(struct transcript *t, const char *directory, const char *file, int depth)
{
    char text[8192];
    struct buf path = {0};
    buf_add_format(&path, "%s/%s", directory, file);
    FILE *in = depth < MAX_DEPTH ? fopen(buf_text(&path), "r") : NULL;
    bool ok = in != NULL;
    if (!ok) {
        (void)fprintf(stderr, "cannot read %s\n", buf_text(&path));
    }
    buf_cleanup(&path);
    if (!ok) {
        return false;
    }
    for (size_t number = 1; ok && fgets(text, sizeof(text), in) != NULL; number++) {
        text[strcspn(text, "\n")] = 0;
        if (strncmp(text, "@include ", 9) == 0) {
            ok = load_file(t, directory, text + 9, depth + 1);
        } else if (text[0] != 0 && text[0] != '#') {
            ok = add_line(t, text, file, number);
        }
    }
    (void)fclose(in);
    return ok;
}

struct transcript *transcript_load(const char *directory, const char *file)
{
    struct transcript *t = calloc(1, sizeof(*t));
    if (t != NULL && !load_file(t, directory, file, 0)) {
        transcript_free(t);
        return NULL;
    }
    return t;
}

void transcript_free(struct transcript *t)
{
    for (size_t i = 0; t != NULL && i < t->num_lines; i++) {
        free(t->lines[i].text);
        free(t->lines[i].where);
    }
    free(t);
}

size_t transcript_longest(const struct transcript *t)
{
    return t->longest;
}

static void take_output(struct play *p)
{
    for (int side = 0; side < NUM_SIDES; side++) {
        struct output *o = session_output(p->s, (enum side)side);
        buf_add(&p->out[side], buf_bytes(&o->kept), buf_len(&o->kept));
        buf_add(&p->out[side], o->span, o->span_len);
        output_sent(o, output_pending(o));
    }
}

static void pump(struct play *p)
{
    struct action action;
    while (session_next_action(p->s, &action)) {
        transcript_note_action(&action, &p->actions);
    }
    if (!p->cutting.late) {
        take_output(p);
    }
    session_settle(p->s);
}

static void feed_chunk(struct play *p)
{
    size_t len = buf_len(&p->chunk);
    size_t at = 0;
    p->longest = len > p->longest ? len : p->longest;
    while (at < len) {
        size_t size = at == 0 ? p->cutting.first : p->cutting.rest;
        size_t part = size != 0 && size < len - at ? size : len - at;
        uint8_t *piece = malloc(part);
        memcpy(piece, buf_bytes(&p->chunk) + at, part);
        session_feed(p->s, p->chunk_from, piece, part, p->now);
        pump(p);
        free(piece);
        at += part;
    }
    buf_truncate(&p->chunk, 0);
}

static const char *complain(const struct line *line, const char *what, const char *got)
{
    (void)fprintf(stderr, "%s: %s\n    written: %s\n    got:     %s\n", line->where, what,
                  line->text, got);
    return NULL;
}

/* The next thing that came out there, as a line, or NULL. */
static const char *next_out(struct play *p, char kind, struct buf *shown)
{
    buf_cleanup(shown);
    if (kind == ' ') {
        const char *all = buf_text(&p->actions);
        size_t len = strcspn(all, "\n");
        if (buf_len(&p->actions) == 0) {
            return NULL;
        }
        buf_add(shown, all, len);
        buf_consume(&p->actions, len + 1);
        return buf_text(shown);
    }
    enum side to = kind == 'C' ? CLIENT : SERVER;
    return message_show(&p->streams[to], &p->out[to], true, shown) ? buf_text(shown) : NULL;
}

static bool nothing_left(struct play *p, const struct line *line)
{
    struct buf shown = {0};
    bool ok = true;
    for (const char *kind = "CS "; *kind != 0; kind++) {
        const char *got = next_out(p, *kind, &shown);
        if (got != NULL) {
            char what[40];
            (void)snprintf(what, sizeof(what), "before it came, to '%c'", *kind);
            (void)complain(line, what, got);
            ok = false;
        }
    }
    buf_cleanup(&shown);
    return ok;
}

static bool check_out(struct play *p, const struct line *line)
{
    struct buf shown = {0};
    char kind = line->text[1];
    const char *pattern = line->text + (kind == ' ' ? 2 : 3);
    if (p->cutting.late) {
        take_output(p);
    }
    const char *got = next_out(p, kind, &shown);
    bool ok = got != NULL && pattern_match(pattern, got, &p->names);
    if (!ok) {
        (void)complain(line, "something else came out", got != NULL ? got : "nothing");
    }
    buf_cleanup(&shown);
    return ok;
}

static void advance(struct play *p, const char *ms)
{
    uint64_t by = strtoull(ms, NULL, 10);
    p->now.mono_ms += by;
    p->now.unix_us += by * 1000;
}

/* "NAME ID UNTIL NAME ID ...": what comes with a lock. */
static bool read_left(struct play *p, const char *text, struct session_event *out_event)
{
    size_t num = 0;
    buf_truncate(&p->left_names, 0);
    buf_add_text(&p->left_names, text);
    char *word = strtok((char *)(uintptr_t)buf_text(&p->left_names), " ");
    for (; word != NULL && num < MAX_LEFT; num++, word = strtok(NULL, " ")) {
        const char *name = strtok(NULL, " ");
        const char *id = strtok(NULL, " ");
        const char *until = strtok(NULL, " ");
        if (name == NULL || id == NULL || until == NULL) {
            return false;
        }
        p->left[num] = (struct replace_left){.schema = word,
                                             .name = name,
                                             .id = strtoull(id, NULL, 10),
                                             .until_us = strtoull(until, NULL, 10)};
    }
    out_event->left = p->left;
    out_event->num_left = num;
    return word == NULL;
}

static bool make_event(struct play *p, const struct line *line, struct session_event *out_event)
{
    static const struct {
        const char *name;
        enum session_event_kind kind;
    } names[] = {{"connected", EVENT_CONNECTED},
                 {"connect-failed ", EVENT_CONNECT_FAILED},
                 {"turned-away", EVENT_TURNED_AWAY},
                 {"cancel-done", EVENT_CANCEL_DONE},
                 {"cancel", EVENT_CANCEL},
                 {"eof ", EVENT_EOF},
                 {"broken ", EVENT_BROKEN},
                 {"locked", EVENT_LOCKED},
                 {"slot-refused", EVENT_SLOT_REFUSED},
                 {"slot", EVENT_SLOT},
                 {"deadline ", EVENT_DEADLINE},
                 {"readers ", EVENT_READERS},
                 {"moved-again", EVENT_MOVED},
                 {"moved", EVENT_MOVED},
                 {"drain", EVENT_DRAIN},
                 {"shutdown", EVENT_SHUTDOWN}};
    const char *text = line->text + 2;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i].name);
        if (strncmp(text, names[i].name, len) != 0) {
            continue;
        }
        const char *rest = text + len;
        *out_event = (struct session_event){.kind = names[i].kind, .reason = rest};
        out_event->side = strcmp(rest, "server") == 0 ? SERVER : CLIENT;
        if (names[i].kind == EVENT_READERS) {
            out_event->num_readers = strtoul(rest, NULL, 10);
        }
        if (names[i].kind == EVENT_MOVED) {
            bool again = strncmp(text, "moved-again", 11) == 0;
            p->moved_ms = again ? p->moved_ms : p->now.mono_ms;
            out_event->moved_ms = p->moved_ms;
        }
        if (names[i].kind == EVENT_MOVED && rest[0] == ' ') {
            out_event->moved = rest + 1;
            out_event->moved_len = strlen(rest);
        }
        if (names[i].kind == EVENT_DEADLINE) {
            advance(p, rest);
            return session_deadline(p->s) <= p->now.mono_ms;
        }
        return names[i].kind != EVENT_LOCKED || read_left(p, rest, out_event);
    }
    return false;
}

static bool do_event(struct play *p, const struct line *line)
{
    struct session_event event = {.side = CLIENT};
    if (strncmp(line->text, "! wait ", 7) == 0) {
        advance(p, line->text + 7);
        bool early = session_deadline(p->s) > p->now.mono_ms;
        return early || complain(line, "the deadline has passed", "") != NULL;
    }
    if (strcmp(line->text, "! pressed") == 0) {
        session_set_pressed(p->s, true);
        return true;
    }
    if (!make_event(p, line, &event)) {
        return complain(line, "no event, or not due", "") != NULL;
    }
    session_event(p->s, &event, p->now);
    pump(p);
    return true;
}

static bool gather(struct play *p, const struct line *line)
{
    struct buf filled = {0};
    p->chunk_from = line->text[0] == 'C' ? CLIENT : SERVER;
    bool ok = pattern_fill(line->text + 3, &p->names, &filled) &&
              message_parse(buf_text(&filled), p->chunk_from, &p->chunk);
    buf_cleanup(&filled);
    return ok || complain(line, "cannot be read", "") != NULL;
}

static bool is_input(const struct line *line)
{
    return strncmp(line->text, "C> ", 3) == 0 || strncmp(line->text, "S> ", 3) == 0;
}

static bool do_line(struct play *p, size_t i)
{
    const struct line *line = &p->t->lines[i];
    bool more = i + 1 < p->t->num_lines && is_input(line + 1) && line[1].text[0] == line->text[0];
    if (line->text[0] == '>') {
        return check_out(p, line);
    }
    if (line->text[0] == '@') {
        return true;
    }
    if (p->cutting.late) {
        take_output(p);
    }
    if (buf_len(&p->chunk) == 0 && !nothing_left(p, line)) {
        return false;
    }
    if (line->text[0] == '!') {
        return do_event(p, line);
    }
    if (!is_input(line)) {
        return complain(line, "no such line", "") != NULL;
    }
    bool ok = gather(p, line);
    if (ok && !more) {
        feed_chunk(p);
    }
    return ok;
}

/* "@config NAME VALUE" */
static bool configure(struct replace_settings *settings, const struct line *line)
{
    struct settings_problem problem;
    enum setting setting = SETTING_COUNT;
    char name[64] = "";
    const char *rest = line->text + strlen("@config ");
    size_t len = strcspn(rest, " ");
    memcpy(name, rest, len < sizeof(name) ? len : 0);
    const char *value = rest + len + strspn(rest + len, " ");
    return (settings_find(name, &setting, &problem) &&
            settings_set(settings, setting, value, SOURCE_FILE, &problem)) ||
           complain(line, problem.message, "") != NULL;
}

static bool config_of(const struct transcript *t, struct session_config *out_config)
{
    bool ok = true;
    *out_config = (struct session_config){.nonce_seed = "sixteen of bytes",
                                          .cancel_key = {{0, 0, 3, 0xe8, 0, 0, 7, 0xd0}}};
    settings_init(&out_config->settings);
    for (size_t i = 0; i < t->num_lines; i++) {
        if (strncmp(t->lines[i].text, "@config ", 8) == 0) {
            ok = configure(&out_config->settings, &t->lines[i]) && ok;
        }
    }
    return ok;
}

bool transcript_play(struct transcript *t, struct cutting cutting)
{
    /* 2024-02-29 12:34:56.000123 UTC: the stamp in temporary names. */
    struct play p = {.t = t,
                     .cutting = cutting,
                     .now = {.mono_ms = 1000000, .unix_us = UINT64_C(1709210096000123)},
                     .streams = {{.from = SERVER}, {.from = CLIENT}}};
    struct session_config config;
    bool ok = config_of(t, &config);
    p.s = session_new(&config, p.now);
    settings_cleanup(&config.settings);
    ok = ok && p.s != NULL;
    for (size_t i = 0; ok && i < t->num_lines; i++) {
        ok = do_line(&p, i);
    }
    if (ok && t->num_lines != 0) {
        if (cutting.late) {
            take_output(&p);
        }
        ok = nothing_left(&p, &t->lines[t->num_lines - 1]);
    }
    t->longest = p.longest;
    session_free(p.s);
    buf_cleanup(&p.out[CLIENT]);
    buf_cleanup(&p.out[SERVER]);
    buf_cleanup(&p.actions);
    buf_cleanup(&p.chunk);
    buf_cleanup(&p.left_names);
    return ok;
}
