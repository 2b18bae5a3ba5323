/* state_file: see state_file.h. */
#include "state_file.h"

#include "limits.h"
#include "log.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct state_file {
    uv_loop_t *loop;
    uv_work_t work;
    char *path;
    char *temporary; /* beside it */
    char *directory;
    bool writing;
    bool waiting;       /* `next` is to be written, too */
    struct buf current; /* the thread's, while `writing` */
    struct buf next;
    const char *failed; /* what the thread could not do; NULL: all went well */
    int error;
};

enum state_file_result state_file_read(const char *path, struct buf *out_text, const char **out_why)
{
    char chunk[4096];
    FILE *file = fopen(path, "re");
    if (file == NULL && errno == ENOENT) {
        return STATE_FILE_MISSING;
    }
    if (file == NULL) {
        *out_why = strerror(errno);
        return STATE_FILE_FAILED;
    }
    size_t got = 0;
    while ((got = fread(chunk, 1, sizeof(chunk), file)) != 0 &&
           buf_len(out_text) <= LIMIT_STATE_FILE) {
        buf_add(out_text, chunk, got);
    }
    bool good = ferror(file) == 0;
    *out_why = strerror(errno);
    (void)fclose(file);
    if (good && buf_len(out_text) > LIMIT_STATE_FILE) {
        *out_why = "it is too long";
        good = false;
    } else if (good && buf_failed(out_text)) {
        *out_why = "out of memory";
        good = false;
    }
    return good ? STATE_FILE_READ : STATE_FILE_FAILED;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return mem_copy(".", 1);
    }
    return mem_copy(path, slash == path ? 1 : (size_t)(slash - path));
}

struct state_file *state_file_new(uv_loop_t *loop, const char *path)
{
    struct buf temporary = {0};
    struct state_file *f = mem_new(sizeof(*f));
    if (f == NULL) {
        return NULL;
    }
    buf_add_format(&temporary, "%s.tmp", path);
    f->loop = loop;
    f->work.data = f;
    f->path = mem_copy(path, strlen(path));
    f->directory = directory_of(path);
    f->temporary =
        buf_text(&temporary) != NULL ? mem_copy(buf_text(&temporary), buf_len(&temporary)) : NULL;
    buf_cleanup(&temporary);
    if (f->path == NULL || f->directory == NULL || f->temporary == NULL) {
        state_file_free(f);
        return NULL;
    }
    return f;
}

void state_file_free(struct state_file *f)
{
    if (f == NULL) {
        return;
    }
    mem_free(f->path);
    mem_free(f->directory);
    mem_free(f->temporary);
    buf_cleanup(&f->current);
    buf_cleanup(&f->next);
    mem_free(f);
}

/* In the thread, which allocates nothing: the tests' failing allocations are the loop's. */
static bool fail(struct state_file *f, const char *what)
{
    f->error = errno;
    f->failed = what;
    return false;
}

static bool write_all(int file, const uint8_t *bytes, size_t len)
{
    while (len != 0) {
        ssize_t num = write(file, bytes, len);
        if (num < 0 && errno != EINTR) {
            return false;
        }
        bytes += num > 0 ? num : 0;
        len -= num > 0 ? (size_t)num : 0;
    }
    return true;
}

/* On disk before its name is: a crash must not leave an empty file under the good name. */
static bool write_temporary(struct state_file *f)
{
    (void)unlink(f->temporary); /* of a crash, perhaps with another mode */
    int file =
        open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) {
        return fail(f, "cannot create the temporary file");
    }
    bool good = write_all(file, buf_bytes(&f->current), buf_len(&f->current)) && fsync(file) == 0;
    if (!good) {
        (void)fail(f, "cannot write");
        (void)close(file);
        return false;
    }
    return close(file) == 0 || fail(f, "cannot write");
}

static bool sync_directory(struct state_file *f)
{
    int directory = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return fail(f, "cannot open the directory");
    }
    /* EINVAL: a file system that has no such thing. */
    bool good = fsync(directory) == 0 || errno == EINVAL || fail(f, "cannot sync the directory");
    (void)close(directory);
    return good;
}

static void on_work(uv_work_t *work)
{
    struct state_file *f = work->data;
    f->failed = NULL;
    if (!write_temporary(f)) {
        (void)unlink(f->temporary);
        return;
    }
    if (rename(f->temporary, f->path) != 0) {
        (void)fail(f, "cannot rename");
        (void)unlink(f->temporary);
        return;
    }
    (void)sync_directory(f);
}

static void begin(struct state_file *f);

static void on_written(uv_work_t *work, int status)
{
    struct state_file *f = work->data;
    (void)status; /* it is never cancelled */
    f->writing = false;
    buf_cleanup(&f->current);
    if (f->failed != NULL) {
        log_line(LOG_WARNING, "state_file", "path", f->path, "detail", f->failed, "error",
                 strerror(f->error), NULL);
    }
    if (f->waiting) {
        f->waiting = false;
        buf_swap(&f->current, &f->next);
        begin(f);
    }
}

static void begin(struct state_file *f)
{
    f->writing = true;
    (void)uv_queue_work(f->loop, &f->work, on_work, on_written); /* fails without a function only */
}

void state_file_write(struct state_file *f, struct buf *text)
{
    if (buf_failed(text)) {
        log_line(LOG_WARNING, "state_file", "path", f->path, "detail", "out of memory", NULL);
    } else if (f->writing) {
        buf_swap(&f->next, text);
        f->waiting = true;
    } else {
        buf_swap(&f->current, text);
        begin(f);
    }
    buf_cleanup(text);
}
