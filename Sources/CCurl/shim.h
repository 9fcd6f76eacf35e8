#pragma once
/* The checks of types are macros of GCC around the variadic functions, which Swift does not see. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

/// curl_easy_setopt(3), curl_easy_getinfo(3) and curl_multi_setopt(3) are variadic, which Swift cannot call: one
/// function for each type that an option may have.
static inline CURLcode coffer_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode coffer_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
/// libcurl copies the string.
static inline CURLcode coffer_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
/// libcurl keeps the pointer.
static inline CURLcode coffer_set_pointer(CURL *easy, CURLoption option, const void *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode coffer_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}
typedef size_t (*coffer_receiver)(char *bytes, size_t size, size_t count, void *context);
static inline CURLcode coffer_set_receiver(CURL *easy, CURLoption option, coffer_receiver value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode coffer_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode coffer_get_offset(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLMcode coffer_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
/// The result of a finished transfer is in a union, which Swift reads only unsafely.
static inline CURLcode coffer_result(const CURLMsg *message) { return message->data.result; }

/// CURL_GLOBAL_DEFAULT is an expression of macros, which Swift does not import.
static inline CURLcode coffer_curl_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }
/// Bits that are written as shifts of casts, which Swift does not import either.
static inline long coffer_auth_basic(void) { return (long)CURLAUTH_BASIC; }
static inline long coffer_auth_digest(void) { return (long)CURLAUTH_DIGEST; }
static inline long coffer_auth_bearer(void) { return (long)CURLAUTH_BEARER; }
static inline long coffer_auth_none(void) { return (long)CURLAUTH_NONE; }
