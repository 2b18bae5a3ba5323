/* duration: see duration.h. */
#include "duration.h"

#include <stdio.h>
#include <string.h>

enum {
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    HOUR_MS = 60 * MINUTE_MS,
    DAY_MS = 24 * HOUR_MS
};
#define MOST_MS (UINT32_C(40) * DAY_MS)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The length of a unit in milliseconds; 0: no unit. */
static uint32_t unit_of(const char *text)
{
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = {{"ms", 1},      {"s", SECOND_MS}, {"min", MINUTE_MS},
                 {"h", HOUR_MS}, {"d", DAY_MS},    {"", SECOND_MS}};
    text += strspn(text, " ");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].name) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

/* "10s", "0.5", "2 min": digits with at most one point, then a unit. */
bool duration_parse(const char *text, uint32_t *out_ms)
{
    enum { MOST_DIGITS = 12 };
    uint64_t number = 0; /* without its point */
    uint64_t scale = 1;
    unsigned digits = 0;
    bool point = false;
    text += strspn(text, " ");
    for (; is_digit(*text) || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        if (++digits > MOST_DIGITS) {
            return false;
        }
        number = number * 10 + (uint64_t)(*text - '0');
        scale *= point ? 10 : 1;
    }
    uint32_t unit = unit_of(text);
    if (digits == 0 || unit == 0 || number * unit / scale > MOST_MS) {
        return false;
    }
    *out_ms = (uint32_t)(number * unit / scale);
    return true;
}

void duration_text(uint32_t ms, char out_text[DURATION_TEXT_LEN])
{
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = {{"d", DAY_MS}, {"h", HOUR_MS}, {"min", MINUTE_MS}, {"s", SECOND_MS}, {"ms", 1}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms != 0 && ms % units[i].ms == 0) {
            (void)snprintf(out_text, DURATION_TEXT_LEN, "%u%s", ms / units[i].ms, units[i].name);
            return;
        }
    }
    (void)snprintf(out_text, DURATION_TEXT_LEN, "0");
}
