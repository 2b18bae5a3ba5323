/*
 * sql_format: the only way in which names and values get into SQL of ours. Nothing is pasted.
 */
#ifndef MVSWAP_PARSER_SQL_FORMAT_H
#define MVSWAP_PARSER_SQL_FORMAT_H

#include "buf.h"

/*
 * sql_format appends `format` with
 *     %I  const char *  an identifier, always quoted
 *     %L  const char *  a string literal
 *     %u  uint64_t      a decimal number
 *     %%                a percent sign
 * and nothing else: any other conversion marks `out` failed. Session settings do not change what
 * the produced text means.
 */
void sql_format(struct buf *out, const char *format, ...);

#endif
