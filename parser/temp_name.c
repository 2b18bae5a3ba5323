/*
 * temp_name: see temp_name.h. Dates are worked out here, since the time functions of the C library
 * look at the environment.
 */
#include "temp_name.h"

#include <string.h>

#define SECONDS_A_DAY UINT64_C(86400)
#define LAST_MICROSECOND UINT64_C(253402300799999999) /* 9999-12-31 23:59:59.999999 */

static const char *const kind_words[] = {
    [TEMP_BUILD] = "_tmp_", [TEMP_PROBE] = "_probe_", [TEMP_OLD] = "_old_"};

enum {
    PART_YEAR,
    PART_MONTH,
    PART_DAY,
    PART_HOUR,
    PART_MINUTE,
    PART_SECOND,
    PART_MICROSECOND,
    NUM_PARTS
};

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Writes `value` with leading zeros into exactly `width` characters. */
static void put_digits(char *out, size_t width, uint64_t value)
{
    for (size_t i = width; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

void temp_stamp(uint64_t unix_us, char out_stamp[TEMP_STAMP_LEN + 1])
{
    uint64_t us = unix_us < LAST_MICROSECOND ? unix_us : LAST_MICROSECOND;
    uint64_t seconds = us / 1000000;
    uint64_t second_of_day = seconds % SECONDS_A_DAY;
    uint64_t days = seconds / SECONDS_A_DAY;
    unsigned year = 1970;
    unsigned month = 1;
    while (days >= (is_leap(year) ? 366U : 365U)) {
        days -= is_leap(year) ? 366U : 365U;
        year++;
    }
    while (days >= days_in(year, month)) {
        days -= days_in(year, month);
        month++;
    }
    put_digits(out_stamp, 4, year);
    put_digits(out_stamp + 4, 2, month);
    put_digits(out_stamp + 6, 2, days + 1);
    out_stamp[8] = '_';
    put_digits(out_stamp + 9, 2, second_of_day / 3600);
    put_digits(out_stamp + 11, 2, second_of_day / 60 % 60);
    put_digits(out_stamp + 13, 2, second_of_day % 60);
    out_stamp[15] = '_';
    put_digits(out_stamp + 16, 6, us % 1000000);
    out_stamp[TEMP_STAMP_LEN] = '\0';
}

void temp_name(struct buf *out, const char *name, enum temp_kind kind, const char *stamp)
{
    buf_add_text(out, name);
    buf_add_text(out, kind_words[kind]);
    buf_add_text(out, stamp);
}

/* Reads `width` digits into `*out`. */
static bool get_digits(const char *text, size_t width, unsigned *out)
{
    unsigned value = 0;
    for (size_t i = 0; i < width; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *out = value;
    return true;
}

/* Microseconds since 1970 of `year`-`month`-... */
static uint64_t unix_us(const unsigned parts[NUM_PARTS])
{
    uint64_t days = parts[PART_DAY] - 1;
    for (unsigned year = 1970; year < parts[PART_YEAR]; year++) {
        days += is_leap(year) ? 366 : 365;
    }
    for (unsigned month = 1; month < parts[PART_MONTH]; month++) {
        days += days_in(parts[PART_YEAR], month);
    }
    uint64_t seconds = days * SECONDS_A_DAY + parts[PART_HOUR] * 3600ULL +
                       parts[PART_MINUTE] * 60ULL + parts[PART_SECOND];
    return seconds * 1000000 + parts[PART_MICROSECOND];
}

/* `between` stands between date and time. */
static bool read_date_and_time(const char *text, char between, unsigned parts[NUM_PARTS])
{
    return get_digits(text, 4, &parts[PART_YEAR]) && get_digits(text + 4, 2, &parts[PART_MONTH]) &&
           get_digits(text + 6, 2, &parts[PART_DAY]) && text[8] == between &&
           get_digits(text + 9, 2, &parts[PART_HOUR]) &&
           get_digits(text + 11, 2, &parts[PART_MINUTE]) &&
           get_digits(text + 13, 2, &parts[PART_SECOND]) && parts[PART_YEAR] >= 1970 &&
           parts[PART_MONTH] >= 1 && parts[PART_MONTH] <= 12 && parts[PART_DAY] >= 1 &&
           parts[PART_DAY] <= days_in(parts[PART_YEAR], parts[PART_MONTH]) &&
           parts[PART_HOUR] < 24 && parts[PART_MINUTE] < 60 && parts[PART_SECOND] < 60;
}

static bool read_stamp(const char *text, unsigned parts[NUM_PARTS])
{
    return read_date_and_time(text, '_', parts) && text[15] == '_' &&
           get_digits(text + 16, 6, &parts[PART_MICROSECOND]);
}

uint64_t temp_name_time(const char *name)
{
    unsigned parts[NUM_PARTS] = {0};
    return read_stamp(name + strlen(name) - TEMP_STAMP_LEN, parts) ? unix_us(parts) : 0;
}

bool temp_name_parse_dbt(const char *name, size_t *out_base_len, uint64_t *out_unix_us)
{
    static const char word[] = "_dbt_zero_down_tmp_";
    static const char zone[] = "+0000";
    enum { TIME_LEN = 15, MICROSECONDS_LEN = 7, ZONE_LEN = 5, WORD_LEN = sizeof(word) - 1 };
    size_t len = strlen(name);
    for (size_t more = 0; more <= MICROSECONDS_LEN; more += MICROSECONDS_LEN) {
        unsigned parts[NUM_PARTS] = {0};
        size_t behind = WORD_LEN + TIME_LEN + more + ZONE_LEN;
        if (len <= behind) {
            break;
        }
        const char *at = name + len - behind;
        const char *time = at + WORD_LEN;
        if (memcmp(at, word, WORD_LEN) == 0 && read_date_and_time(time, 'T', parts) &&
            (more == 0 || (time[TIME_LEN] == '_' &&
                           get_digits(time + TIME_LEN + 1, 6, &parts[PART_MICROSECOND]) &&
                           parts[PART_MICROSECOND] != 0)) &&
            memcmp(name + len - ZONE_LEN, zone, ZONE_LEN) == 0) {
            *out_base_len = len - behind;
            *out_unix_us = unix_us(parts);
            return true;
        }
    }
    return false;
}

bool temp_name_parse(const char *name, size_t *out_base_len, enum temp_kind *out_kind)
{
    unsigned parts[NUM_PARTS] = {0};
    size_t len = strlen(name);
    if (len < TEMP_STAMP_LEN || !read_stamp(name + len - TEMP_STAMP_LEN, parts)) {
        return false;
    }
    size_t front = len - TEMP_STAMP_LEN;
    for (size_t i = 0; i < sizeof(kind_words) / sizeof(kind_words[0]); i++) {
        size_t word_len = strlen(kind_words[i]);
        if (front > word_len && memcmp(name + front - word_len, kind_words[i], word_len) == 0) {
            *out_base_len = front - word_len;
            *out_kind = (enum temp_kind)i;
            return true;
        }
    }
    return false;
}
