/*
 * address: "HOST:PORT" as people write it. IPv6 addresses stand in brackets: "[::1]:6432".
 */
#ifndef MVSWAP_SHELL_ADDRESS_H
#define MVSWAP_SHELL_ADDRESS_H

#include "attributes.h"

#include <stdbool.h>

enum {
    ADDRESS_HOST_MAX = 255, /* longest DNS name is 253 */
    ADDRESS_PORT_MAX = 5
};

/* Zero bytes are no address. The texts are what getaddrinfo takes. */
struct address {
    char host[ADDRESS_HOST_MAX + 1];
    char port[ADDRESS_PORT_MAX + 1];
};

/* address_parse: false with a static sentence in `*out_why` and `out_address` untouched. */
MUST_CHECK bool address_parse(const char *text, struct address *out_address, const char **out_why);

#endif
