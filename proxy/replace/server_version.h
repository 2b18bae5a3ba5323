/*
 * server_version: which RisingWave this is and what that version has.
 *
 * Columns and statements that a version lacks are asked for by version, never by trial on the
 * client's session. Sources: docs/risingwave.md (versions 2.2 to 3.x compared).
 */
#ifndef MVSWAP_REPLACE_SERVER_VERSION_H
#define MVSWAP_REPLACE_SERVER_VERSION_H

#include "attributes.h"

#include <stdbool.h>

/* Zero bytes: not RisingWave, or not known. */
struct server_version {
    unsigned major;
    unsigned minor;
};

/* server_version_parse reads the answer of version(), e.g.
 * "PostgreSQL 13.14.0-RisingWave-2.7.0-alpha (unknown)". False when it is not RisingWave's. */
MUST_CHECK bool server_version_parse(const char *text, struct server_version *out_version);

bool server_version_at_least(struct server_version v, unsigned major, unsigned minor);

/* ALTER ... SWAP WITH: 2.1 and later. */
bool server_has_swap(struct server_version v);
/* rw_catalog.rw_streaming_jobs: 2.6 and later. */
bool server_has_streaming_jobs(struct server_version v);
/* DROP MATERIALIZED VIEW of one that is being created cancels it: 2.7 and later. */
bool server_drops_creating(struct server_version v);
/* A swap writes names that need quotes with quotes into stored definitions: 2.5 and later. */
bool server_quotes_on_swap(struct server_version v);
/* ... and those that begin with a digit: 2.7 and later (missing in 2.6.0, there in 2.6.3). */
bool server_quotes_digits(struct server_version v);
/* ... and those that are keywords, too: 2.8 and later. */
bool server_quotes_keywords(struct server_version v);
/* rw_catalog.rw_streaming_job_config and SET CONFIG: 2.8 and later. */
bool server_has_job_config(struct server_version v);

#endif
