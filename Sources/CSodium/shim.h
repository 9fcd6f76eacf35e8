#pragma once
#include <sodium.h>

/// Keyed BLAKE2b over two pieces, cut to 16 bytes: the state of crypto_generichash is aligned to 64 bytes, which
/// Swift does not import.
static inline void coffer_tag(unsigned char *tag, const unsigned char *key, const unsigned char *context,
                              unsigned long long context_size, const unsigned char *bytes, unsigned long long size) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, 32, 16);
    crypto_generichash_update(&state, context, context_size);
    crypto_generichash_update(&state, bytes, size);
    crypto_generichash_final(&state, tag, 16);
    sodium_memzero(&state, sizeof state);
}
