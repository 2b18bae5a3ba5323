/* address: see address.h. */
#include "address.h"

#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, const char **out_why)
{
    size_t len = strlen(text);
    if (len == 0 || len > ADDRESS_PORT_MAX || strspn(text, "0123456789") != len ||
        strtol(text, NULL, 10) > 65535) {
        *out_why = "the port is not a number from 0 to 65535";
        return false;
    }
    return true;
}

bool address_parse(const char *text, struct address *out_address, const char **out_why)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        *out_why = "expected HOST:PORT";
        return false;
    }
    const char *host = text;
    size_t host_len = (size_t)(colon - text);
    if (host[0] == '[') {
        if (host_len < 3 || host[host_len - 1] != ']') {
            *out_why = "the bracket is not closed in front of the port";
            return false;
        }
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len) != NULL) {
        *out_why = "an IPv6 address stands in brackets: [::1]:PORT";
        return false;
    }
    if (host_len == 0 || host_len > ADDRESS_HOST_MAX) {
        *out_why = "the host is missing or too long";
        return false;
    }
    if (!parse_port(colon + 1, out_why)) {
        return false;
    }
    struct address address = {{0}, {0}};
    memcpy(address.host, host, host_len);
    memcpy(address.port, colon + 1, strlen(colon + 1));
    *out_address = address;
    return true;
}
