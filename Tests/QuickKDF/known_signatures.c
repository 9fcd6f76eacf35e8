// Takes the place of libsodium's crypto_sign_verify_detached: the same function, which remembers what it has found right.
// In the simulation of synchronisation each device checks what the others have checked, and again whenever it begins anew:
// that was a third of its time.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef int verification(
    const unsigned char *signature, const unsigned char *message, unsigned long long length, const unsigned char *key);
typedef int hashing(
    unsigned char *out, size_t out_length, const unsigned char *in, unsigned long long length, const unsigned char *key,
    size_t key_length);

enum { hash_size = 32, key_size = 32, signature_size = 64, places = 1 << 14 };

static verification *verify;
static hashing *hash;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// By the first bytes of the hash: another one takes the place.
static unsigned char known[places][hash_size];

static void find(void) {
    verify = (verification *)dlsym(RTLD_NEXT, "crypto_sign_verify_detached");
    hash = (hashing *)dlsym(RTLD_NEXT, "crypto_generichash");
    if (!verify || !hash) abort();
}

int crypto_sign_verify_detached(
    const unsigned char *signature, const unsigned char *message, unsigned long long length, const unsigned char *key) {
    unsigned char parts[hash_size + signature_size], name[hash_size];
    pthread_once(&once, find);
    hash(parts, hash_size, message, length, key, key_size);
    memcpy(parts + hash_size, signature, signature_size);
    hash(name, hash_size, parts, sizeof parts, NULL, 0);
    unsigned char *place = known[(name[0] | name[1] << 8) % places];
    pthread_mutex_lock(&lock);
    int is_known = memcmp(place, name, hash_size) == 0;
    pthread_mutex_unlock(&lock);
    if (is_known) return 0;
    int result = verify(signature, message, length, key);
    if (result != 0) return result;
    pthread_mutex_lock(&lock);
    memcpy(place, name, hash_size);
    pthread_mutex_unlock(&lock);
    return 0;
}
