/* nonce: words of ours that the server quotes in a syntax error, and names on the server. */
#include "session_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint64_t load_u64(const uint8_t *at)
{
    uint64_t value = 0;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* A counter through a keyed mixer (the finaliser of splitmix64). */
void make_nonce(struct session *s, char out_nonce[NONCE_LEN + 1])
{
    uint64_t x = load_u64(s->config.nonce_seed) + ++s->nonces * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    x ^= (x >> 31) ^ load_u64(s->config.nonce_seed + 8);
    (void)snprintf(out_nonce, NONCE_LEN + 1, "mvswap_%016" PRIx64, x);
}
