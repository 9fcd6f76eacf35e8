#pragma once
// What a process does with itself: lets go of what it has open, and gives up system calls.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

// By their own prototypes: <unistd.h> declares what Glibc's module has.
long syscall(long number, ...);

/// Closes all descriptors from a number on (close_range(2), Linux 5.9).
static inline int coffer_close_from(unsigned first) { return (int)syscall(SYS_close_range, first, ~0U, 0); }

/// Which calls the numbers of <sys/syscall.h> stand for; 0 where that is not known here.
#if defined(__x86_64__)
static const uint32_t coffer_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
static const uint32_t coffer_architecture = AUDIT_ARCH_AARCH64;
#else
static const uint32_t coffer_architecture = 0;
#endif

/// Filters the system calls of all threads, and keeps set-user-id programs from having more privileges.
static inline int coffer_confine(struct sock_filter *instructions, uint16_t count) {
    if (coffer_architecture == 0) return -1;
    struct sock_fprog program = {.len = count, .filter = instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0 ? 0 : -1;
}
