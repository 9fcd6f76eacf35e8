// Takes the place of libsodium's crypto_pwhash: the same function with a thousandth of the memory. Keys differ with
// passwords, salts and parameters as they do elsewhere, and nothing else of a program changes. Deriving keys at their true
// cost was a third of the time of all tests; those of passwords and keys still do.
//
// Linked into the tests, and loaded into the program (LD_PRELOAD).
#define _GNU_SOURCE
#include "quick_kdf.h"
#include <dlfcn.h>
#include <stdlib.h>

typedef int derivation(
    unsigned char *out, unsigned long long length, const char *password, unsigned long long password_length,
    const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);

int crypto_pwhash(
    unsigned char *out, unsigned long long length, const char *password, unsigned long long password_length,
    const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm) {
    derivation *derive = (derivation *)dlsym(RTLD_NEXT, "crypto_pwhash");
    if (!derive) abort();
    if (!coffer_derives_at_true_cost || !coffer_derives_at_true_cost()) memory >>= 10;
    return derive(out, length, password, password_length, salt, passes, memory, algorithm);
}
