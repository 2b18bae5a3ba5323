/*
 * janitor: looks after one database from time to time, on a connection of its own: drops what is
 * left under temporary names and may go, and tells the sessions of views that others have replaced.
 * Off without janitor_dsn. Must not know: sessions; what may go (sweep.h says that).
 */
#ifndef MVSWAP_SHELL_JANITOR_H
#define MVSWAP_SHELL_JANITOR_H

#include "attributes.h"

struct janitor;
struct proxy;

/* janitor_new begins to look, if the proxy's options say so. NULL without memory, after a line in
 * the log: the proxy does without. */
MUST_CHECK struct janitor *janitor_new(struct proxy *proxy);
/* janitor_reload: the proxy's options were read again. */
void janitor_reload(struct janitor *j);
/* janitor_free ends its connection; the loop frees the memory. NULL is allowed. */
void janitor_free(struct janitor *j);

#endif
