/* state_file: what is written can be read, whole or not at all; the last of several; failures. */
#define _POSIX_C_SOURCE 200809L

#include "state_file.h"

#include "limits.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uv_loop_t loop;
static char directory[64];
static char path[80];

static void set_up(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/mvswap-test-state-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(directory), NULL));
    (void)snprintf(path, sizeof(path), "%s/state", directory);
    cr_assert(eq(int, uv_loop_init(&loop), 0));
}

static void tear_down(void)
{
    char other[96];
    (void)snprintf(other, sizeof(other), "%s.tmp", path);
    (void)rmdir(path); /* one test makes it a directory */
    (void)unlink(path);
    cr_expect(eq(int, access(other, F_OK), -1), "the temporary file is left");
    cr_expect(eq(int, rmdir(directory), 0));
    cr_expect(eq(int, uv_loop_close(&loop), 0));
}

TestSuite(state_file, .init = set_up, .fini = tear_down);

static void put(struct state_file *f, const char *text)
{
    struct buf b = {0};
    buf_add_text(&b, text);
    state_file_write(f, &b);
    cr_expect(eq(sz, buf_len(&b), 0));
}

static void run(void)
{
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

static void expect(const char *wanted)
{
    struct buf text = {0};
    const char *why = "";
    cr_assert(eq(int, state_file_read(path, &text, &why), STATE_FILE_READ), "%s", why);
    cr_expect(eq(str, (char *)buf_text(&text), (char *)wanted));
    buf_cleanup(&text);
}

static struct state_file *of_path(const char *at)
{
    struct state_file *f = state_file_new(&loop, at);
    cr_assert(ne(ptr, f, NULL));
    return f;
}

Test(state_file, is_written_and_read)
{
    struct stat is;
    struct state_file *f = of_path(path);
    put(f, "one\n");
    run();
    expect("one\n");
    cr_assert(eq(int, stat(path, &is), 0));
    cr_expect(eq(uint, is.st_mode & 0777, 0600));
    put(f, "two\n");
    run();
    expect("two\n");
    state_file_free(f);
}

Test(state_file, of_those_that_come_meanwhile_the_last_is_written)
{
    struct state_file *f = of_path(path);
    put(f, "one\n");
    put(f, "two\n");
    put(f, "three\n");
    run();
    expect("three\n");
    put(f, "");
    run();
    expect("");
    state_file_free(f);
}

/* Whoever has it open goes on reading the old text: the file is another. */
Test(state_file, a_reader_sees_the_old_text_or_the_new)
{
    char got[16] = "";
    struct state_file *f = of_path(path);
    put(f, "one\n");
    run();
    FILE *open_before = fopen(path, "r");
    cr_assert(ne(ptr, open_before, NULL));
    put(f, "other\n");
    run();
    cr_expect(ne(ptr, fgets(got, sizeof(got), open_before), NULL));
    cr_expect(eq(str, got, "one\n"));
    (void)fclose(open_before);
    expect("other\n");
    state_file_free(f);
}

/* What a crash left is no obstacle, nor is it followed elsewhere. */
Test(state_file, a_temporary_file_that_is_there)
{
    char other[96];
    char victim[96];
    (void)snprintf(other, sizeof(other), "%s.tmp", path);
    (void)snprintf(victim, sizeof(victim), "%s/victim", directory);
    cr_assert(eq(int, symlink(victim, other), 0));
    struct state_file *f = of_path(path);
    put(f, "one\n");
    run();
    expect("one\n");
    cr_expect(eq(int, access(victim, F_OK), -1));
    state_file_free(f);
}

Test(state_file, a_write_that_fails_leaves_the_old_and_goes_on)
{
    char nowhere[96];
    (void)snprintf(nowhere, sizeof(nowhere), "%s/missing/state", directory);
    struct state_file *f = of_path(nowhere);
    put(f, "one\n");
    put(f, "two\n");
    run();
    cr_expect(eq(int, access(nowhere, F_OK), -1));
    state_file_free(f);
    /* The name is taken by a directory: the rename fails, the temporary file is gone. */
    cr_assert(eq(int, mkdir(path, 0700), 0));
    f = of_path(path);
    put(f, "one\n");
    run();
    (void)snprintf(nowhere, sizeof(nowhere), "%s.tmp", path);
    cr_expect(eq(int, access(nowhere, F_OK), -1));
    cr_assert(eq(int, rmdir(path), 0));
    put(f, "two\n");
    run();
    expect("two\n");
    state_file_free(f);
}

Test(state_file, a_text_without_memory_is_not_written)
{
    struct state_file *f = of_path(path);
    struct buf b = {0};
    put(f, "one\n");
    run();
    mem_fail_at(1);
    buf_add_text(&b, "half");
    mem_fail_at(0);
    state_file_write(f, &b);
    run();
    expect("one\n");
    state_file_free(f);
    for (size_t nth = 1; nth <= 4; nth++) {
        mem_fail_at(nth);
        f = state_file_new(&loop, path);
        mem_fail_at(0);
        cr_expect(eq(ptr, f, NULL), "%zu", nth);
    }
}

Test(state_file, reading_what_cannot_be_read)
{
    struct buf text = {0};
    const char *why = "";
    cr_expect(eq(int, state_file_read(path, &text, &why), STATE_FILE_MISSING));
    cr_expect(eq(int, state_file_read(directory, &text, &why), STATE_FILE_FAILED));
    cr_expect(eq(str, (char *)why, "Is a directory"));
    FILE *file = fopen(path, "w");
    cr_assert(ne(ptr, file, NULL));
    cr_assert(eq(int, ftruncate(fileno(file), LIMIT_STATE_FILE + 1), 0));
    (void)fclose(file);
    cr_expect(eq(int, state_file_read(path, &text, &why), STATE_FILE_FAILED));
    cr_expect(eq(str, (char *)why, "it is too long"));
    buf_cleanup(&text);
    mem_fail_at(1);
    cr_expect(eq(int, state_file_read(path, &text, &why), STATE_FILE_FAILED));
    mem_fail_at(0);
    cr_expect(eq(str, (char *)why, "out of memory"));
    buf_cleanup(&text);
}
