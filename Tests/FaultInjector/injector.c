// Loaded into a program (LD_PRELOAD): system calls on the files below a directory fail as the test wants it.
//
//   COFFER_FAULT_DIRECTORY   the files below it
//   COFFER_FAULT_CONTROL     what fails; see injector.h
//   COFFER_FAULT_FIFO        on which a call waits that is to take long
//
// A file system without hard links, for all files:
//
//   COFFER_LINK_ERROR        the errno of link and linkat
//   COFFER_RENAME_ERROR      the errno of a renameat2 that is to keep what is there
//   COFFER_KILL_AT_RENAME    a rename to a name that has this in it kills the program before it happens
//
// Elsewhere:
//
//   COFFER_KILL_AT_REMOVAL   the removal (unlinkat) of this name kills the program before it happens
//
// A sync that fails syncs nothing, and the next one succeeds if it may: so Linux behaves, which drops the pages that
// it could not write. Not seen is what the C library does by itself (stdio).
#define _GNU_SOURCE
#include "injector.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct coffer_faults *control;
static char directory[PATH_MAX];
static size_t directory_length;

__attribute__((constructor)) static void start(void) {
    const char *below = getenv("COFFER_FAULT_DIRECTORY"), *path = getenv("COFFER_FAULT_CONTROL");
    if (!below || !path || strlen(below) >= sizeof directory) return;
    int opened = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (opened < 0) abort();
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    if (mapped == MAP_FAILED) abort();
    syscall(SYS_close, opened);
    strcpy(directory, below);
    directory_length = strlen(below);
    control = mapped;
}

/// The kind of file that an absolute path names; -1 for those that are none of ours.
static int kind(const char *path) {
    if (strncmp(path, directory, directory_length) != 0) return -1;
    if (path[directory_length] != '/' && path[directory_length] != 0) return -1;
    static const char *const ends[] = {".coffer", "-wal", "-redo", "-chunks", ".counter"};
    size_t length = strlen(path);
    for (int file = 0; file < 5; file++) {
        size_t count = strlen(ends[file]);
        if (length >= count && strcmp(path + length - count, ends[file]) == 0) return file;
    }
    return COFFER_FAULT_DIRECTORY;
}

static int kind_of_descriptor(int descriptor) {
    if (!control || descriptor < 0) return -1;
    char link[40], path[PATH_MAX];
    int error = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = error;
    if (length <= 0) return -1;
    path[length] = 0;
    return kind(path);
}

/// Names that are relative to a descriptor are none of ours.
static int kind_of_name(const char *name) {
    if (!control || !name || name[0] != '/') return -1;
    return kind(name);
}

/// SplitMix64 (Steele, Lea and Flood 2014).
static uint64_t mixed(uint64_t z) {
    z += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

/// Waits until somebody opens the FIFO for writing (fifo(7)).
static void wait_for_fifo(void) {
    const char *path = getenv("COFFER_FAULT_FIFO");
    long opened = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (opened < 0) abort();
    syscall(SYS_close, opened);
}

/// Counts a call, and says whether it fails; errno is set then.
static int fails(int file, enum coffer_fault_call call) {
    if (file < 0) return 0;
    __atomic_fetch_add(&control->counts[file][call], 1, __ATOMIC_RELAXED);
    if (!(control->files >> file & 1) || !(control->calls >> call & 1)) return 0;
    uint64_t number = __atomic_add_fetch(&control->chosen, 1, __ATOMIC_RELAXED);
    if (control->first == 0 || number < control->first || number > control->last) return 0;
    if (control->one_in > 1 && mixed(control->seed + number) % control->one_in != 0) return 0;
    __atomic_fetch_add(&control->failed, 1, __ATOMIC_RELAXED);
    if (control->error == 0) wait_for_fifo();
    errno = control->error;
    return control->error != 0;
}

// open(2) and its relatives

static int open_checked(int at, const char *name, int flags, mode_t mode) {
    if (fails(kind_of_name(name), COFFER_FAULT_OPEN)) return -1;
    return (int)syscall(SYS_openat, at, name, flags, mode);
}

static mode_t mode_argument(int flags, va_list arguments) {
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(NAME) \
    int NAME(const char *name, int flags, ...) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = mode_argument(flags, arguments); \
        va_end(arguments); \
        return open_checked(AT_FDCWD, name, flags, mode); \
    }
#define OPENAT(NAME) \
    int NAME(int at, const char *name, int flags, ...) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = mode_argument(flags, arguments); \
        va_end(arguments); \
        return open_checked(at, name, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
// What a fortified open(2) without a mode becomes.
int __open_2(const char *name, int flags) { return open_checked(AT_FDCWD, name, flags, 0); }
int __open64_2(const char *name, int flags) { return open_checked(AT_FDCWD, name, flags, 0); }

// Bytes; an offset below 0 is the file's position

static ssize_t read_checked(int descriptor, void *bytes, size_t count, off_t offset) {
    if (fails(kind_of_descriptor(descriptor), COFFER_FAULT_READ)) return -1;
    return offset < 0 ? syscall(SYS_read, descriptor, bytes, count)
                      : syscall(SYS_pread64, descriptor, bytes, count, offset);
}
// A cancellation point, as the C library's (pthreads(7)): libfuse ends its threads by cancelling them in here. Without
// that, a mount whose client still has a control file open never ended.
ssize_t read(int descriptor, void *bytes, size_t count) {
    int type;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    ssize_t done = read_checked(descriptor, bytes, count, -1);
    pthread_setcanceltype(type, NULL);
    return done;
}
ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) {
    return read_checked(descriptor, bytes, count, offset);
}
ssize_t pread64(int descriptor, void *bytes, size_t count, off_t offset) {
    return read_checked(descriptor, bytes, count, offset);
}

static ssize_t write_checked(int descriptor, const void *bytes, size_t count, off_t offset) {
    int has_failed = fails(kind_of_descriptor(descriptor), COFFER_FAULT_WRITE);
    if (has_failed && !control->is_torn) return -1;
    int error = errno;
    size_t length = has_failed ? count / 2 : count;
    ssize_t done = offset < 0 ? syscall(SYS_write, descriptor, bytes, length)
                              : syscall(SYS_pwrite64, descriptor, bytes, length, offset);
    if (has_failed) errno = error;
    return has_failed ? -1 : done;
}
ssize_t write(int descriptor, const void *bytes, size_t count) { return write_checked(descriptor, bytes, count, -1); }
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return write_checked(descriptor, bytes, count, offset);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) {
    return write_checked(descriptor, bytes, count, offset);
}

// Lengths

static int truncate_checked(int descriptor, off_t length) {
    if (fails(kind_of_descriptor(descriptor), COFFER_FAULT_TRUNCATE)) return -1;
    return (int)syscall(SYS_ftruncate, descriptor, length);
}
int ftruncate(int descriptor, off_t length) { return truncate_checked(descriptor, length); }
int ftruncate64(int descriptor, off_t length) { return truncate_checked(descriptor, length); }

static int allocate_checked(int descriptor, int mode, off_t offset, off_t length) {
    if (fails(kind_of_descriptor(descriptor), COFFER_FAULT_ALLOCATE)) return -1;
    return (int)syscall(SYS_fallocate, descriptor, mode, offset, length);
}
int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    return allocate_checked(descriptor, mode, offset, length);
}
int fallocate64(int descriptor, int mode, off_t offset, off_t length) {
    return allocate_checked(descriptor, mode, offset, length);
}

// Names

int unlink(const char *name) {
    if (fails(kind_of_name(name), COFFER_FAULT_NAME)) return -1;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}
int unlinkat(int at, const char *name, int flags) {
    const char *last = getenv("COFFER_KILL_AT_REMOVAL");
    if (last && strcmp(name, last) == 0) raise(SIGKILL);
    return (int)syscall(SYS_unlinkat, at, name, flags);
}

/// The errno that a variable of the environment has; 0 for none.
static int error_of(const char *variable) {
    const char *text = getenv(variable);
    return text ? atoi(text) : 0;
}
int renameat2(int old_at, const char *old, int new_at, const char *new, unsigned flags) {
    if (flags == 0 && fails(kind_of_name(old), COFFER_FAULT_NAME)) return -1;
    if (flags != 0 && (errno = error_of("COFFER_RENAME_ERROR")) != 0) return -1;
    const char *part = getenv("COFFER_KILL_AT_RENAME");
    if (part && strstr(new, part)) raise(SIGKILL);
    return (int)syscall(SYS_renameat2, old_at, old, new_at, new, flags);
}
int renameat(int old_at, const char *old, int new_at, const char *new) {
    return renameat2(old_at, old, new_at, new, 0);
}
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int old_at, const char *old, int new_at, const char *new, int flags) {
    if (fails(kind_of_name(old), COFFER_FAULT_NAME)) return -1;
    if ((errno = error_of("COFFER_LINK_ERROR")) != 0) return -1;
    return (int)syscall(SYS_linkat, old_at, old, new_at, new, flags);
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

// Syncs

static int sync_checked(int descriptor, long call) {
    if (fails(kind_of_descriptor(descriptor), COFFER_FAULT_SYNC)) return -1;
    return (int)syscall(call, descriptor);
}
int fsync(int descriptor) { return sync_checked(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return sync_checked(descriptor, SYS_fdatasync); }
