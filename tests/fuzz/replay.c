/*
 * replay: runs a fuzz target over every file of the directories named on the command line, so that
 * each build, with any compiler, checks what the fuzzer once found. Fails when there is no file.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads a whole file into an allocation of exactly its size. Returns NULL when that fails. */
static uint8_t *read_file(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    if (file == NULL) {
        return NULL;
    }
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        data = malloc(size != 0 ? (size_t)size : 1);
        if (data != NULL && fread(data, 1, (size_t)size, file) != (size_t)size) {
            free(data);
            data = NULL;
        }
    }
    (void)fclose(file);
    *out_size = (size_t)size;
    return data;
}

static size_t replay_directory(const char *directory)
{
    DIR *dir = opendir(directory);
    size_t num = 0;
    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[4096];
        int len = snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (entry->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof(path)) {
            continue;
        }
        size_t size = 0;
        uint8_t *data = read_file(path, &size);
        if (data == NULL) {
            (void)fprintf(stderr, "cannot read %s\n", path);
            exit(1);
        }
        (void)LLVMFuzzerTestOneInput(data, size);
        free(data);
        num++;
    }
    (void)closedir(dir);
    return num;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t num = replay_directory(argv[i]);
        (void)printf("%zu files in %s\n", num, argv[i]);
        if (num == 0) {
            return 1;
        }
    }
    return argc > 1 ? 0 : 1;
}
