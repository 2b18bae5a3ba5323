/* server_version: see server_version.h. */
#include "server_version.h"

#include <string.h>

/* Reads decimal digits at *at (at most six, so that it cannot overflow) and steps over them. */
static bool read_number(const char **at, unsigned *out_number)
{
    unsigned number = 0;
    int digits = 0;
    while (**at >= '0' && **at <= '9' && digits < 6) {
        number = number * 10 + (unsigned)(**at - '0');
        (*at)++;
        digits++;
    }
    *out_number = number;
    return digits > 0;
}

bool server_version_parse(const char *text, struct server_version *out_version)
{
    static const char mark[] = "-RisingWave-";
    const char *at = strstr(text, mark);
    if (at == NULL) {
        return false;
    }
    at += sizeof(mark) - 1;
    struct server_version v = {0};
    if (!read_number(&at, &v.major) || *at != '.') {
        return false;
    }
    at++;
    if (!read_number(&at, &v.minor)) {
        return false;
    }
    *out_version = v;
    return true;
}

bool server_version_at_least(struct server_version v, unsigned major, unsigned minor)
{
    return v.major > major || (v.major == major && v.minor >= minor);
}

bool server_has_swap(struct server_version v)
{
    return server_version_at_least(v, 2, 1);
}

bool server_has_streaming_jobs(struct server_version v)
{
    return server_version_at_least(v, 2, 6);
}

bool server_drops_creating(struct server_version v)
{
    return server_version_at_least(v, 2, 7);
}

bool server_quotes_digits(struct server_version v)
{
    return server_version_at_least(v, 2, 7);
}

bool server_quotes_keywords(struct server_version v)
{
    return server_version_at_least(v, 2, 8);
}

bool server_has_job_config(struct server_version v)
{
    return server_version_at_least(v, 2, 8);
}

bool server_quotes_on_swap(struct server_version v)
{
    return server_version_at_least(v, 2, 5);
}
