/*
 * dsn: what a connection string of libpq must look like, so that no part of a password in it ends
 * up in a message: libpq quotes what it cannot read, and names that cannot be resolved. Must not
 * know: what it is for.
 */
#ifndef MVSWAP_DIRECT_DSN_H
#define MVSWAP_DIRECT_DSN_H

/* What is wrong with it, a static text without any part of it; NULL: nothing. */
const char *dsn_problem(const char *dsn);

#endif
