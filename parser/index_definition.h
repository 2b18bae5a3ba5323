/*
 * index_definition: CREATE INDEX as the catalog stores it, `CREATE INDEX name ON table(...) ...`,
 * with other names. Must not know: servers.
 */
#ifndef MVSWAP_PARSER_INDEX_DEFINITION_H
#define MVSWAP_PARSER_INDEX_DEFINITION_H

#include "attributes.h"
#include "buf.h"

#include <stdbool.h>

/*
 * index_definition_renamed appends `definition` as an index of the name `index` on
 * `schema`.`table`; everything behind the table's name stays byte for byte. The table in a stored
 * definition may be stale (docs/risingwave.md 13): it is not looked at. False, with nothing
 * appended, when the text is no such definition or there is no memory to read it.
 */
MUST_CHECK bool index_definition_renamed(const char *definition, const char *index,
                                         const char *schema, const char *table, struct buf *out);

#endif
