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

// The folder below a mount is reached through its descriptor only, for which Swift's Glibc lacks these. No header may be
// included that declares what Glibc's module has, such as struct stat with <fcntl.h>: whether Swift then takes it for this
// module's depends on which file of a batch is compiled first (MemberImportVisibility).
#include <errno.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

int fcntl(int descriptor, int command, ...);
long syscall(long number, ...);

ssize_t fgetxattr(int descriptor, const char *name, void *value, size_t size);
int fsetxattr(int descriptor, const char *name, const void *value, size_t size, int flags);
int fremovexattr(int descriptor, const char *name);
ssize_t flistxattr(int descriptor, char *names, size_t size);

/// FS_IOC_GETFLAGS and FS_IOC_SETFLAGS (ioctl_iflags(2)); <linux/fs.h> does not go together with <sys/mount.h>.
static inline int coffer_inode_flags(int descriptor, int *flags) {
    return ioctl(descriptor, _IOR('f', 1, long), flags);
}
static inline int coffer_set_inode_flags(int descriptor, const int *flags) {
    return ioctl(descriptor, _IOW('f', 2, long), flags);
}
/// FS_IMMUTABLE_FL: nobody, root neither, changes anything of it.
static const int coffer_immutable = 0x10;

/// openat2(2), which has no wrapper: a name in a folder, through no link and onto no other file system.
static inline int coffer_open_beneath(int folder, const char *name, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    return (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
}

/// Whether some program has the file open for writing: there is no lease for reading then (fcntl(2), F_SETLEASE). Where
/// leases are not to be had, 0.
static inline int coffer_has_writers(int descriptor) {
    const int set_lease = 1024, read_lock = 0, unlock = 2;
    if (fcntl(descriptor, set_lease, read_lock) != 0) return errno == EAGAIN;
    fcntl(descriptor, set_lease, unlock);
    return 0;
}

/// Which file a name leads to, or a descriptor where the name is empty: its device and its inode. By statx(2) and for these
/// alone: stat(2) asks for the times, too, after which each write has to give the file new ones that differ (multigrain
/// timestamps, Linux 6.13), and a write with an fdatasync(2) took 50 us longer (measured).
///
/// Not inlined: a function of Swift's that takes its place has no guard of the array.
__attribute__((noinline)) static inline int coffer_identify(int folder, const char *name, uint64_t *device, uint64_t *inode) {
    const int empty_path = 0x1000, wants_inode = 0x100;
    // struct statx, whose header declares what Glibc's module may have.
    unsigned char found[256] = {0};
    if (syscall(SYS_statx, folder, name, *name ? 0 : empty_path, wants_inode, found) != 0) return -1;
    uint32_t numbers[2];
    __builtin_memcpy(inode, found + 32, sizeof *inode);
    __builtin_memcpy(numbers, found + 136, sizeof numbers);
    *device = (uint64_t)numbers[0] << 32 | numbers[1];
    return 0;
}
