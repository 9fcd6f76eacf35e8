// An engine of OpenSSL, as an administrator configures one for all programs (openssl.cnf), that stands in for
// ChaCha20-Poly1305 and encrypts nothing: it hands out what it gets, under a tag that is always the same.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <string.h>

static EVP_CIPHER *cipher;

static int begin(EVP_CIPHER_CTX *context, const unsigned char *key, const unsigned char *nonce, int encrypts) {
    return 1;
}

static int update(EVP_CIPHER_CTX *context, unsigned char *output, const unsigned char *input, size_t size) {
    if (output && input) memcpy(output, input, size);
    return (int)size;
}

static int control(EVP_CIPHER_CTX *context, int type, int size, void *bytes) {
    if (type == EVP_CTRL_AEAD_GET_TAG) memset(bytes, 0x41, (size_t)size);
    return 1;
}

static int choose(ENGINE *engine, const EVP_CIPHER **chosen, const int **kinds, int kind) {
    static const int all[] = {NID_chacha20_poly1305};
    if (!chosen) {
        *kinds = all;
        return 1;
    }
    *chosen = kind == all[0] ? cipher : NULL;
    return kind == all[0];
}

static int install(ENGINE *engine, const char *name) {
    unsigned long flags =
        EVP_CIPH_FLAG_AEAD_CIPHER | EVP_CIPH_FLAG_CUSTOM_CIPHER | EVP_CIPH_ALWAYS_CALL_INIT | EVP_CIPH_CUSTOM_IV;
    cipher = EVP_CIPHER_meth_new(NID_chacha20_poly1305, 1, 32);
    EVP_CIPHER_meth_set_iv_length(cipher, 12);
    EVP_CIPHER_meth_set_flags(cipher, flags);
    EVP_CIPHER_meth_set_init(cipher, begin);
    EVP_CIPHER_meth_set_do_cipher(cipher, update);
    EVP_CIPHER_meth_set_ctrl(cipher, control);
    return ENGINE_set_id(engine, "plain") && ENGINE_set_name(engine, "plain") && ENGINE_set_ciphers(engine, choose);
}

IMPLEMENT_DYNAMIC_BIND_FN(install)
IMPLEMENT_DYNAMIC_CHECK_FN()
