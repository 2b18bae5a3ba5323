/*
 * Plays every transcript of the directory: whole, byte by byte, at every cut of every chunk, and
 * with outputs that are taken late. Each way must give the same outputs.
 */
#define _POSIX_C_SOURCE 200809L

#include "transcript.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <string.h>

static bool is_transcript(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".txt") == 0;
}

/* Calls `play` for each transcript; returns how many there were. */
static size_t for_each(void (*play)(struct transcript *t, const char *name))
{
    DIR *dir = opendir(TRANSCRIPTS);
    size_t num = 0;
    cr_assert(dir != NULL);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (!is_transcript(entry->d_name)) {
            continue;
        }
        struct transcript *t = transcript_load(TRANSCRIPTS, entry->d_name);
        cr_assert(t != NULL, "%s cannot be read", entry->d_name);
        play(t, entry->d_name);
        transcript_free(t);
        num++;
    }
    (void)closedir(dir);
    return num;
}

static void play_whole(struct transcript *t, const char *name)
{
    cr_expect(transcript_play(t, (struct cutting){.first = 0}), "%s", name);
    cr_expect(transcript_play(t, (struct cutting){.late = true}), "%s, taken late", name);
}

static void play_byte_by_byte(struct transcript *t, const char *name)
{
    for (size_t size = 1; size <= 7; size += 2) {
        struct cutting cutting = {.first = size, .rest = size};
        cr_expect(transcript_play(t, cutting), "%s in pieces of %zu", name, size);
        cutting.late = true;
        cr_expect(transcript_play(t, cutting), "%s in pieces of %zu, taken late", name, size);
    }
}

static void play_every_cut(struct transcript *t, const char *name)
{
    bool same = transcript_play(t, (struct cutting){.first = 0});
    size_t longest = transcript_longest(t);
    for (size_t cut = 1; same && cut < longest; cut++) {
        same = transcript_play(t, (struct cutting){.first = cut, .late = cut % 2 != 0});
        cr_expect(same, "%s with each chunk cut at %zu", name, cut);
    }
}

Test(transcripts, give_what_is_written_when_whole)
{
    cr_expect(gt(sz, for_each(play_whole), 80));
}

Test(transcripts, give_the_same_byte_by_byte)
{
    (void)for_each(play_byte_by_byte);
}

Test(transcripts, give_the_same_at_every_cut)
{
    (void)for_each(play_every_cut);
}
