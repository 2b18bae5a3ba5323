/*
 * temp_name: names of objects that live only during a replacement,
 * `{name}_{tmp|probe|old}_{YYYYMMDD_HHMMSS_uuuuuu}`, UTC, always six digits of microseconds.
 */
#ifndef MVSWAP_PARSER_TEMP_NAME_H
#define MVSWAP_PARSER_TEMP_NAME_H

#include "attributes.h"
#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEMP_STAMP_LEN = 22 /* YYYYMMDD_HHMMSS_uuuuuu */ };

enum temp_kind { TEMP_BUILD, TEMP_PROBE, TEMP_OLD };

/* temp_stamp writes the stamp of `unix_us` (microseconds since 1970, UTC; years 1970 to 9999, later
 * ones are cut to the last moment of 9999) and a NUL. */
void temp_stamp(uint64_t unix_us, char out_stamp[TEMP_STAMP_LEN + 1]);

/* temp_name appends the temporary name of `name`. */
void temp_name(struct buf *out, const char *name, enum temp_kind kind, const char *stamp);

/* temp_name_parse: is `name` exactly of that form, with a possible date and time in it? On true
 * `*out_base_len` is the length of the name in front of it (at least 1), `*out_kind` the kind. */
bool temp_name_parse(const char *name, size_t *out_base_len, enum temp_kind *out_kind);

/* temp_name_time: the stamp at the end of a name that temp_name_parse has accepted, in microseconds
 * since 1970. */
uint64_t temp_name_time(const char *name);

/*
 * temp_name_parse_dbt: is `name` exactly what dbt-risingwave gives to its own,
 * `{name}_dbt_zero_down_tmp_{YYYYMMDD}T{HHMMSS}[_uuuuuu]+0000` (UTC; without microseconds when they
 * are zero)? On true the length of the name in front, and its time.
 */
bool temp_name_parse_dbt(const char *name, size_t *out_base_len, uint64_t *out_unix_us);

#endif
