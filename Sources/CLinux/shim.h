#pragma once
// mallopt(3) and malloc_trim(3), which Swift's Glibc does not have.
#include <malloc.h>
#include <sys/prctl.h>

/// prctl(2) is variadic, which Swift cannot call.
static inline int coffer_set_undumpable(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/// The calling process gets `signal` when the thread that started it ends; 0 for none (PR_SET_PDEATHSIG).
static inline int coffer_end_with_parent(int signal) {
    return prctl(PR_SET_PDEATHSIG, signal);
}

// Calls that glibc declares for _GNU_SOURCE only, by their own prototypes.
#include <stdint.h>
/// `mask` is a sigset_t; <signal.h> must not be included here.
int signalfd(int descriptor, const void *mask, int flags);
int pidfd_open(int process, unsigned int flags);
int fallocate64(int descriptor, int mode, int64_t offset, int64_t length);
int sync_file_range(int descriptor, int64_t offset, int64_t length, unsigned int flags);
int renameat2(int old_folder, const char *old_name, int new_folder, const char *new_name, unsigned int flags);
