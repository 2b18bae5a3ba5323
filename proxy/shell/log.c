/* log: see log.h. */
#include "log.h"

#include "buf.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error"};

enum { AT_ONCE = 512 /* _POSIX_PIPE_BUF */ };

static enum log_level lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
    lowest = level;
}

int log_level_named(const char *name)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(level_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

static void add_time(struct buf *line)
{
    struct timespec now;
    struct tm parts;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    buf_add_format(line, "time=%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", parts.tm_year + 1900,
                   parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                   now.tv_nsec / 1000000);
}

/* Control characters, or a terminal that shows the log would obey them. */
static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static bool needs_quotes(const char *value)
{
    bool needed = false;
    for (const char *at = value; *at != 0; at++) {
        needed = needed || is_control(*at) || strchr(" =\"\\", *at) != NULL;
    }
    return needed;
}

static void add_value(struct buf *line, const char *value)
{
    if (!needs_quotes(value)) {
        buf_add_text(line, value);
        return;
    }
    buf_add_byte(line, '"');
    for (const char *at = value; *at != 0; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\') {
            buf_add_byte(line, '\\');
            buf_add_byte(line, c);
        } else if (c == '\n') {
            buf_add_text(line, "\\n");
        } else if (is_control(*at)) {
            buf_add_format(line, "\\x%02x", c);
        } else {
            buf_add_byte(line, c);
        }
    }
    buf_add_byte(line, '"');
}

static unsigned long dropped; /* lines that nobody took */

/* Would a write wait? A collector that does not read must not stop the proxy. The descriptor may be
 * shared, so it is not made non-blocking; a pipe that is writable takes AT_ONCE
 * bytes whole. */
static bool is_writable(void)
{
    struct pollfd stderr_now = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&stderr_now, 1, 0) == 1 && (stderr_now.revents & POLLOUT) != 0;
}

static void write_line(const uint8_t *bytes, size_t len)
{
    while (len != 0) {
        size_t part = len < AT_ONCE ? len : AT_ONCE;
        ssize_t done = is_writable() ? write(STDERR_FILENO, bytes, part) : -1;
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            dropped++;
            return;
        }
        bytes += done;
        len -= (size_t)done;
    }
}

void log_line(enum log_level level, const char *event, ...)
{
    if (level < lowest) {
        return;
    }
    struct buf line = {0};
    add_time(&line);
    buf_add_format(&line, " level=%s event=%s", level_names[level], event);
    va_list args;
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key != NULL;
         key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        if (value != NULL && value[0] != 0) {
            buf_add_format(&line, " %s=", key);
            add_value(&line, value);
        }
    }
    va_end(args);
    if (dropped != 0 && is_writable()) {
        buf_add_format(&line, " lines_dropped_before=%lu", dropped);
        dropped = 0;
    }
    buf_add_byte(&line, '\n');
    write_line(buf_bytes(&line), buf_len(&line));
    if (buf_failed(&line)) {
        write_line((const uint8_t *)"\n", 1); /* cut short for want of memory */
    }
    buf_cleanup(&line);
}
