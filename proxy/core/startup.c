/* startup: see startup.h. */
#include "startup.h"

#include "wire.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { VERSION_3_0 = 0x00030000, MAJOR_SHIFT = 16 };

static const char extension[] = "_pq_.";
static const char prefix[] = "mvswap.";

static bool is_extension(const char *name)
{
    return strncmp(name, extension, sizeof(extension) - 1) == 0;
}

static bool mentions_us(const char *options)
{
    for (size_t i = 0; options[i] != 0; i++) {
        if (strncasecmp(options + i, prefix, sizeof(prefix) - 1) == 0) {
            return true;
        }
    }
    return false;
}

/* Is there anything for us in it, as far as it can be read? Needs no memory: nearly all have not.
 */
static bool concerns_us(struct wire_reader parameters)
{
    while (!parameters.bad && parameters.left != 0) {
        const char *name = wire_read_text(&parameters);
        const char *value = wire_read_text(&parameters);
        if (is_extension(name) || (strcmp(name, "options") == 0 && mentions_us(value))) {
            return true;
        }
    }
    return false;
}

static bool is_blank(char c)
{
    return c != 0 && strchr(" \t\n\r\v\f", c) != NULL;
}

/* One argument of `options`, and where it stands in it. */
struct argument {
    const char *start;
    const char *end;
    struct buf text; /* without its backslashes */
};

/* The next argument from `at` on; false at the end. */
static bool next_argument(const char *at, struct argument *out)
{
    while (is_blank(*at)) {
        at++;
    }
    out->start = at;
    buf_cleanup(&out->text);
    for (; *at != 0 && !is_blank(*at); at++) {
        if (*at == '\\' && at[1] != 0) {
            at++;
        }
        buf_add_byte(&out->text, (uint8_t)*at);
    }
    out->end = at;
    return out->start != out->end;
}

/* "name=value" of one of our settings, behind -c or --; NULL when it is something else. */
static const char *our_assignment(const char *text)
{
    bool is_ours = strncasecmp(text, prefix, sizeof(prefix) - 1) == 0;
    return is_ours ? text + sizeof(prefix) - 1 : NULL;
}

/* False without a problem that is told: no memory. */
static bool assign(const char *assignment, struct replace_settings *settings,
                   struct settings_problem *out_problem, bool *out_no_memory)
{
    struct buf name = {0};
    enum setting setting = SETTING_COUNT;
    size_t len = strcspn(assignment, "=");
    const char *value = assignment[len] != 0 ? assignment + len + 1 : "";
    buf_add(&name, assignment, len);
    const char *text = buf_text(&name);
    *out_no_memory |= text == NULL;
    bool good = text != NULL && settings_find(text, &setting, out_problem) &&
                settings_set(settings, setting, value, SOURCE_STARTUP, out_problem);
    *out_no_memory |= text != NULL && !good && settings_lacked_memory(out_problem);
    buf_cleanup(&name);
    return good;
}

/* What becomes of `options`. */
struct split {
    bool ours; /* there were settings of ours */
    bool good; /* and all could be set */
    bool no_memory;
    struct buf rest;
};

/* Takes our settings out; the rest stays byte for byte. */
static void split_options(const char *options, struct replace_settings *settings, struct split *out,
                          struct settings_problem *out_problem)
{
    struct argument a = {.text = {0}};
    const char *at = options;
    out->good = true;
    while (out->good && next_argument(at, &a)) {
        const char *text = buf_text(&a.text);
        bool is_there = true;
        if (text != NULL && strcmp(text, "-c") == 0) {
            /* This argument's text is gone when the next is read, or is found missing. */
            is_there = next_argument(a.end, &a);
            text = is_there ? buf_text(&a.text) : NULL;
        } else if (text != NULL && (strncmp(text, "-c", 2) == 0 || strncmp(text, "--", 2) == 0)) {
            text += 2;
        }
        out->no_memory |= is_there && text == NULL;
        const char *assignment = text != NULL ? our_assignment(text) : NULL;
        if (assignment != NULL) {
            out->ours = true;
            out->good = assign(assignment, settings, out_problem, &out->no_memory);
        } else {
            buf_add(&out->rest, at, (size_t)(a.end - at));
        }
        at = a.end;
    }
    buf_add_text(&out->rest, at);
    out->no_memory |= buf_failed(&a.text) || buf_failed(&out->rest);
    buf_cleanup(&a.text);
}

static bool is_only_blank(const struct buf *text)
{
    const char *at = (const char *)buf_bytes(text);
    for (size_t i = 0; i < buf_len(text); i++) {
        if (!is_blank(at[i])) {
            return false;
        }
    }
    return true;
}

/* A packet that is being gone through. */
struct reading {
    struct wire_reader parameters;
    struct replace_settings *settings;
    struct settings_problem *problem;
    struct buf *packet; /* for the server */
    struct buf names;   /* of extensions */
    uint32_t num_names;
    bool ours;
    bool good_settings;
};

static void take_parameter(struct reading *r, const uint8_t *start, const char *name,
                           const char *value)
{
    struct split split = {.good = true};
    if (is_extension(name)) {
        wire_add_text(&r->names, name);
        r->num_names++;
        return;
    }
    if (strcmp(name, "options") == 0) {
        split_options(value, r->settings, &split, r->problem);
    }
    if (!split.ours) {
        buf_add(r->packet, start, (size_t)(r->parameters.at - start));
    } else if (!is_only_blank(&split.rest)) {
        wire_add_text(r->packet, name);
        buf_add(r->packet, buf_bytes(&split.rest), buf_len(&split.rest));
        buf_add_byte(r->packet, 0);
    } /* an empty last value makes some versions close without a word */
    r->ours |= split.ours;
    r->good_settings &= split.good;
    r->packet->failed |= split.no_memory;
    buf_cleanup(&split.rest);
}

/* False: malformed. */
static bool take_parameters(struct reading *r)
{
    for (;;) {
        const uint8_t *start = r->parameters.at;
        const char *name = wire_read_text(&r->parameters);
        if (r->parameters.bad) {
            return false;
        }
        if (name[0] == 0) {
            break;
        }
        const char *value = wire_read_text(&r->parameters);
        if (r->parameters.bad) {
            return false;
        }
        take_parameter(r, start, name, value);
    }
    buf_add_byte(r->packet, 0);
    return r->parameters.left == 0; /* the terminator is the last byte */
}

static void add_answer(struct buf *out_answer, const struct reading *r)
{
    size_t start = wire_begin_message(out_answer, SERVER_NEGOTIATE_PROTOCOL_VERSION);
    buf_add_u32(out_answer, VERSION_3_0);
    buf_add_u32(out_answer, r->num_names);
    buf_add(out_answer, buf_bytes(&r->names), buf_len(&r->names));
    wire_end_message(out_answer, start);
    out_answer->failed |= buf_failed(&r->names);
}

bool startup_is_protocol_3(const uint8_t *packet, size_t len)
{
    struct wire_reader r = wire_reader_over(packet, len);
    (void)wire_read_u32(&r);
    uint32_t version = wire_read_u32(&r);
    return !r.bad && version >> MAJOR_SHIFT == VERSION_3_0 >> MAJOR_SHIFT;
}

enum startup_result startup_read(const uint8_t *packet, size_t len,
                                 struct replace_settings *settings, struct buf *out_packet,
                                 struct buf *out_answer, struct settings_problem *out_problem)
{
    struct reading r = {.parameters = wire_reader_over(packet, len),
                        .settings = settings,
                        .problem = out_problem,
                        .packet = out_packet,
                        .good_settings = true};
    (void)wire_read_u32(&r.parameters);
    uint32_t version = wire_read_u32(&r.parameters);
    if (!startup_is_protocol_3(packet, len)) {
        return STARTUP_AS_IS;
    }
    if (version == VERSION_3_0 && !concerns_us(r.parameters)) {
        return STARTUP_AS_IS;
    }
    size_t start = buf_len(out_packet);
    buf_add_u32(out_packet, 0);
    buf_add_u32(out_packet, VERSION_3_0);
    bool readable = take_parameters(&r);
    buf_set_u32(out_packet, start, (uint32_t)(buf_len(out_packet) - start));
    bool negotiates = version != VERSION_3_0 || r.num_names != 0;
    if (negotiates) {
        add_answer(out_answer, &r);
    }
    bool failed = buf_failed(out_packet) || buf_failed(out_answer);
    buf_cleanup(&r.names);
    if (!negotiates && !r.ours && !failed) {
        buf_truncate(out_packet, start);
        return STARTUP_AS_IS;
    }
    if (!readable && !failed) {
        return STARTUP_MALFORMED;
    }
    if (failed) {
        return STARTUP_NO_MEMORY;
    }
    return r.good_settings ? STARTUP_REWRITTEN : STARTUP_BAD_SETTING;
}
