/*
 * follow: what it costs that prepared statements follow a swap, while none has moved: the CPU time
 * of a session for Bind, Execute, Sync and their answers, with `prepared` = follow and leave in
 * turn, in one run. No sockets: the difference would be lost in their noise. Only the ratios count.
 */
#include "message_text.h"
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9, TRANSACTIONS = 200000, NUM_COUNTS = 3 };
static const unsigned counts[NUM_COUNTS] = {1, 100, 2000};

static const struct moment now = {.mono_ms = 1000, .unix_us = 1000000};

static void say(struct buf *out, enum side from, const char *line)
{
    if (!message_parse(line, from, out)) {
        (void)fprintf(stderr, "follow: cannot say %s\n", line);
        exit(EXIT_FAILURE);
    }
}

static void feed(struct session *s, enum side from, const struct buf *bytes)
{
    struct action action;
    session_feed(s, from, buf_bytes(bytes), buf_len(bytes), now);
    while (session_next_action(s, &action)) {
        if (action.kind == ACTION_CONNECT) {
            session_event(s, &(struct session_event){.kind = EVENT_CONNECTED}, now);
        }
        if (action.kind == ACTION_CLOSE || action.kind == ACTION_ABORT) {
            (void)fputs("follow: the session has ended\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
    for (int side = 0; side < NUM_SIDES; side++) {
        struct output *o = session_output(s, (enum side)side);
        output_sent(o, output_pending(o));
    }
    session_settle(s);
}

static void feed_line(struct session *s, enum side from, const char *line)
{
    struct buf bytes = {0};
    say(&bytes, from, line);
    feed(s, from, &bytes);
    buf_cleanup(&bytes);
}

static struct session *begin(unsigned num, enum replace_prepared prepared)
{
    struct session_config config = {.nonce_seed = "sixteen of bytes"};
    config.settings.values[SETTING_PREPARED] = prepared;
    struct session *s = session_new(&config, now);
    if (s == NULL) {
        exit(EXIT_FAILURE);
    }
    feed_line(s, CLIENT, "StartupMessage \"user\" \"root\"");
    feed_line(s, SERVER, "Authentication 0");
    feed_line(s, SERVER, "ParameterStatus \"server_version\" \"13.14.0\"");
    feed_line(s, SERVER, "ReadyForQuery \"I\"");
    for (unsigned i = 0; i < num; i++) {
        char line[128];
        (void)snprintf(line, sizeof(line),
                       "Parse \"s%u\" \"SELECT a, b FROM orders WHERE id = $1\" \"\\x00\\x00\"", i);
        feed_line(s, CLIENT, line);
        feed_line(s, CLIENT, "Sync");
        feed_line(s, SERVER, "ParseComplete");
        feed_line(s, SERVER, "ReadyForQuery \"I\"");
    }
    return s;
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Nanoseconds of CPU time a transaction. */
static double measure(struct session *s, const struct buf *asked, const struct buf *answered)
{
    double began = cpu_seconds();
    for (unsigned i = 0; i < TRANSACTIONS; i++) {
        feed(s, CLIENT, asked);
        feed(s, SERVER, answered);
    }
    return (cpu_seconds() - began) * 1e9 / TRANSACTIONS;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *of)
{
    qsort(of, ROUNDS, sizeof(*of), ascending);
    return of[ROUNDS / 2];
}

int main(void)
{
    struct buf asked = {0};
    struct buf answered = {0};
    say(&asked, CLIENT, "Bind \"\" \"s0\" \"\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x017\\x00\\x00\"");
    say(&asked, CLIENT, "Execute \"\" 0");
    say(&asked, CLIENT, "Sync");
    say(&answered, SERVER, "BindComplete");
    say(&answered, SERVER, "DataRow \"1\" \"2\"");
    say(&answered, SERVER, "CommandComplete \"SELECT 1\"");
    say(&answered, SERVER, "ReadyForQuery \"I\"");
    (void)printf("CPU time of a session for Bind, Execute, Sync; median of %d rounds\n", ROUNDS);
    (void)printf("%22s %10s %10s %8s\n", "statements prepared", "leave", "follow", "ratio");
    for (int i = 0; i < NUM_COUNTS; i++) {
        double leave[ROUNDS];
        double follow[ROUNDS];
        struct session *without = begin(counts[i], REPLACE_PREPARED_LEAVE);
        struct session *with = begin(counts[i], REPLACE_PREPARED_FOLLOW);
        for (int round = 0; round < ROUNDS; round++) {
            leave[round] = measure(without, &asked, &answered);
            follow[round] = measure(with, &asked, &answered);
        }
        double off = median(leave);
        double on = median(follow);
        (void)printf("%22u %7.0f ns %7.0f ns %8.3f\n", counts[i], off, on, on / off);
        session_free(without);
        session_free(with);
    }
    buf_cleanup(&asked);
    buf_cleanup(&answered);
    return EXIT_SUCCESS;
}
