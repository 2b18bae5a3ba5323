/*
 * remembered: see remembered.h. Families are found one after the other: they are asked for once in
 * a replacement. The text:
 *
 *     mvswap state 2
 *     FAMILY ID UNTIL SCHEMA NAME
 *     %end NUMBER-OF-OBJECTS
 *
 * with %XX for what is not printable ASCII, for blanks and for `%` in names: so no name is `%end`.
 */
#include "remembered.h"

#include "limits.h"
#include "mem.h"

#include <inttypes.h>
#include <string.h>

static const char header[] = "mvswap state 2";
static const char trailer[] = "%end ";

struct family {
    struct family *next;
    char *name;
    struct replace_left *left; /* their texts are owned */
    size_t num;
};

struct remembered {
    struct family *families; /* those that were told last are last */
    size_t num;              /* objects */
    size_t bytes;            /* of names, a family's once for each object */
};

struct remembered *remembered_new(void)
{
    return mem_new(sizeof(struct remembered));
}

static void left_cleanup(struct replace_left *left)
{
    mem_free((char *)left->schema);
    mem_free((char *)left->name);
}

static void family_free(struct family *f)
{
    for (size_t i = 0; f != NULL && i < f->num; i++) {
        left_cleanup(&f->left[i]);
    }
    if (f != NULL) {
        mem_free(f->left);
        mem_free(f->name);
        mem_free(f);
    }
}

void remembered_free(struct remembered *m)
{
    while (m != NULL && m->families != NULL) {
        struct family *next = m->families->next;
        family_free(m->families);
        m->families = next;
    }
    mem_free(m);
}

/* NULL without memory. */
static struct family *family_new(const char *name)
{
    struct family *f = mem_new(sizeof(*f));
    if (f != NULL && (f->name = mem_copy(name, strlen(name))) == NULL) {
        mem_free(f);
        return NULL;
    }
    return f;
}

static bool family_add(struct family *f, const struct replace_left *left)
{
    struct replace_left *more = mem_resize(f->left, (f->num + 1) * sizeof(*more));
    if (more == NULL) {
        return false;
    }
    f->left = more;
    struct replace_left copy = *left;
    copy.schema = mem_copy(left->schema, strlen(left->schema));
    copy.name = mem_copy(left->name, strlen(left->name));
    if (copy.schema == NULL || copy.name == NULL) {
        left_cleanup(&copy);
        return false;
    }
    f->left[f->num++] = copy;
    return true;
}

static size_t bytes_of(const struct family *f, size_t index)
{
    return strlen(f->name) + strlen(f->left[index].schema) + strlen(f->left[index].name);
}

/* Where the family hangs, or where it would. */
static struct family **find(struct family **at, const char *name)
{
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

const struct replace_left *remembered_find(const struct remembered *m, const char *family,
                                           size_t *out_num)
{
    struct family *first = m->families;
    const struct family *f = *find(&first, family);
    *out_num = f != NULL ? f->num : 0;
    return f != NULL ? f->left : NULL;
}

static void take_out(struct remembered *m, struct family **at)
{
    struct family *f = *at;
    *at = f->next;
    for (size_t i = 0; i < f->num; i++) {
        m->bytes -= bytes_of(f, i);
    }
    m->num -= f->num;
    family_free(f);
}

static void forget(struct remembered *m, struct family **at, size_t index)
{
    struct family *f = *at;
    if (f->num == 1) {
        take_out(m, at);
        return;
    }
    m->bytes -= bytes_of(f, index);
    m->num--;
    f->num--;
    left_cleanup(&f->left[index]);
    memmove(f->left + index, f->left + index + 1, (f->num - index) * sizeof(f->left[0]));
}

static void forget_oldest(struct remembered *m)
{
    forget(m, &m->families, 0);
}

bool remembered_drop(struct remembered *m, uint64_t id)
{
    for (struct family **at = &m->families; *at != NULL; at = &(*at)->next) {
        for (size_t i = 0; i < (*at)->num; i++) {
            if ((*at)->left[i].id == id) {
                forget(m, at, i);
                return true;
            }
        }
    }
    return false;
}

size_t remembered_num(const struct remembered *m)
{
    return m->num;
}

void remembered_each(const struct remembered *m,
                     void (*visit)(void *context, const struct replace_left *left), void *context)
{
    for (const struct family *f = m->families; f != NULL; f = f->next) {
        for (size_t i = 0; i < f->num; i++) {
            visit(context, &f->left[i]);
        }
    }
}

/* How many had to go. */
static size_t fit(struct remembered *m)
{
    size_t forgotten = 0;
    while (m->num > LIMIT_REMEMBERED || m->bytes > LIMIT_REMEMBERED_BYTES) {
        forget_oldest(m);
        forgotten++;
    }
    return forgotten;
}

static bool is_same(const struct family *f, const struct replace_left *left, size_t num)
{
    bool same = num == (f != NULL ? f->num : 0);
    for (size_t i = 0; same && i < num; i++) {
        same = f->left[i].id == left[i].id && f->left[i].until_us == left[i].until_us &&
               strcmp(f->left[i].schema, left[i].schema) == 0 &&
               strcmp(f->left[i].name, left[i].name) == 0;
    }
    return same;
}

enum remembered_result remembered_set(struct remembered *m, const char *family,
                                      const struct replace_left *left, size_t num,
                                      size_t *out_forgotten)
{
    *out_forgotten = 0;
    struct family **was = find(&m->families, family);
    if (is_same(*was, left, num)) {
        return REMEMBERED_SAME;
    }
    size_t skipped = num > LIMIT_REMEMBERED ? num - LIMIT_REMEMBERED : 0;
    struct family *is = family_new(family);
    bool good = is != NULL;
    for (size_t i = skipped; good && i < num; i++) {
        good = family_add(is, &left[i]);
    }
    if (!good) {
        family_free(is);
        return REMEMBERED_NO_MEMORY;
    }
    if (*was != NULL) {
        take_out(m, was);
    }
    if (num == 0) {
        family_free(is);
        return REMEMBERED_CHANGED;
    }
    *find(&m->families, family) = is;
    m->num += is->num;
    for (size_t i = 0; i < is->num; i++) {
        m->bytes += bytes_of(is, i);
    }
    *out_forgotten = skipped + fit(m);
    return REMEMBERED_CHANGED;
}

static void write_name(struct buf *out, const char *name)
{
    for (; *name != 0; name++) {
        unsigned char c = (unsigned char)*name;
        if (c > ' ' && c < 0x7f && c != '%') {
            buf_add_byte(out, c);
        } else {
            buf_add_format(out, "%%%02X", c);
        }
    }
}

void remembered_write(const struct remembered *m, struct buf *out)
{
    buf_add_format(out, "%s\n", header);
    for (const struct family *f = m->families; f != NULL; f = f->next) {
        for (size_t i = 0; i < f->num; i++) {
            write_name(out, f->name);
            buf_add_format(out, " %" PRIu64 " %" PRIu64 " ", f->left[i].id, f->left[i].until_us);
            write_name(out, f->left[i].schema);
            buf_add_byte(out, ' ');
            write_name(out, f->left[i].name);
            buf_add_byte(out, '\n');
        }
    }
    buf_add_format(out, "%s%zu\n", trailer, m->num);
}

/* One line that is being read. */
struct reading {
    const char *at;
    const char *end; /* where the line ends */
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to a blank or the end. */
static bool take_name(struct reading *r, struct buf *out)
{
    for (; r->at < r->end && *r->at != ' '; r->at++) {
        unsigned char c = (unsigned char)*r->at;
        if (c == '%') {
            int high = r->end - r->at > 2 ? hex_value(r->at[1]) : -1;
            int low = high >= 0 ? hex_value(r->at[2]) : -1;
            if (low < 0 || high + low == 0) {
                return false;
            }
            c = (unsigned char)(high * 16 + low);
            r->at += 2;
        } else if (c < ' ' || c >= 0x7f) {
            return false;
        }
        buf_add_byte(out, c);
    }
    return true;
}

static bool take_blank(struct reading *r)
{
    bool is_there = r->at < r->end && *r->at == ' ';
    r->at += is_there ? 1 : 0;
    return is_there;
}

static bool take_number(struct reading *r, uint64_t *out_number)
{
    const char *start = r->at;
    uint64_t number = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        uint64_t digit = (uint64_t)(*r->at - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *out_number = number;
    return r->at != start;
}

/* NULL, or what is wrong. */
static const char *keep_object(struct remembered *m, const char *family,
                               const struct replace_left *left)
{
    if (family == NULL || left->schema == NULL || left->name == NULL) {
        return "out of memory";
    }
    struct family **at = find(&m->families, family);
    if (*at == NULL) {
        *at = family_new(family);
    }
    if (*at == NULL || !family_add(*at, left)) {
        return "out of memory";
    }
    m->num++;
    m->bytes += bytes_of(*at, (*at)->num - 1);
    return NULL;
}

static const char *read_object(struct remembered *m, struct reading *r)
{
    struct buf family = {0};
    struct buf schema = {0};
    struct buf name = {0};
    struct replace_left left = {.id = 0};
    bool good = take_name(r, &family) && take_blank(r) && take_number(r, &left.id) &&
                take_blank(r) && take_number(r, &left.until_us) && take_blank(r) &&
                take_name(r, &schema) && take_blank(r) && take_name(r, &name) && r->at == r->end;
    left.schema = good ? buf_text(&schema) : NULL;
    left.name = good ? buf_text(&name) : NULL;
    const char *why = good ? keep_object(m, buf_text(&family), &left)
                           : "expected a family, two numbers, a schema and a name";
    buf_cleanup(&family);
    buf_cleanup(&schema);
    buf_cleanup(&name);
    return why;
}

static const char *read_end(struct reading *r, uint64_t num)
{
    uint64_t number = 0;
    r->at += sizeof(trailer) - 1;
    bool good = take_number(r, &number) && r->at == r->end;
    return good && number == num ? NULL : "the number of lines is another";
}

static bool is_text(const struct reading *r, const char *text, bool whole)
{
    size_t len = strlen(text);
    size_t left = (size_t)(r->end - r->at);
    return (whole ? left == len : left >= len) && memcmp(r->at, text, len) == 0;
}

bool remembered_read(struct remembered *m, const char *text, size_t len,
                     struct remembered_damage *out_damage)
{
    const char *end = text + len;
    const char *why = NULL;
    uint64_t num = 0;
    size_t line = 0;
    bool ended = false;
    while (why == NULL && text < end && !ended) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        struct reading r = {.at = text, .end = line_end};
        line++;
        if (line_end == NULL) {
            why = "the line does not end";
        } else if (line == 1) {
            why = is_text(&r, header, true) ? NULL : "not a state file of this version";
        } else if (is_text(&r, trailer, false)) {
            why = read_end(&r, num);
            ended = true;
        } else {
            why = read_object(m, &r);
            num++;
        }
        text = line_end != NULL ? line_end + 1 : end;
    }
    if (why == NULL && (!ended || text < end)) {
        line++;
        why = ended ? "nothing may stand behind the end" : "the end is missing";
    }
    if (why != NULL) {
        *out_damage = (struct remembered_damage){.line = line, .why = why};
        return false;
    }
    (void)fit(m);
    return true;
}
