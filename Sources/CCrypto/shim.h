#pragma once
/* OpenSSL's libcrypto: one cipher for long pieces. No shims: its functions are called as they are. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
