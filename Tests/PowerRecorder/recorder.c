// Loaded into a program (LD_PRELOAD): writes down in which order it changes and syncs the files below a directory, for
// the test that takes the power away in between.
//
//   COFFER_RECORD_DIRECTORY   the files below it are recorded
//   COFFER_RECORD_LOG         where to; see recorder.h
//
// A call that changes a file and its record are made under one lock: other threads by a mutex, other processes and the
// test by flock(2) on the log. Who holds that lock and kills the program finds the files exactly as the log says.
// The calls go to the kernel by syscall(2), past whatever the C library would do beside it.
//
// Not seen: what the C library does itself (stdio), stores to mapped memory, and copy_file_range(2) and its like. The
// test compares the files with the log, so that a program that comes to use them fails it.
#define _GNU_SOURCE
#include "recorder.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int log_descriptor = -1;
static char directory[PATH_MAX];
static size_t directory_length;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint_fast64_t sync_number;

__attribute__((constructor)) static void start(void) {
    const char *below = getenv("COFFER_RECORD_DIRECTORY"), *log = getenv("COFFER_RECORD_LOG");
    if (!below || !log || strlen(below) >= sizeof directory) return;
    strcpy(directory, below);
    directory_length = strlen(below);
    int opened = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    // Out of the way of programs that count on small numbers.
    if (opened >= 0) log_descriptor = fcntl(opened, F_DUPFD_CLOEXEC, 400);
    if (opened >= 0) syscall(SYS_close, opened);
    // Numbers of two processes must not meet.
    sync_number = (uint64_t)getpid() << 32;
}

static void lock(void) {
    pthread_mutex_lock(&turn);
    while (flock(log_descriptor, LOCK_EX) != 0 && errno == EINTR) {}
}

static void unlock(void) {
    flock(log_descriptor, LOCK_UN);
    pthread_mutex_unlock(&turn);
}

static int is_below(const char *path) {
    return strncmp(path, directory, directory_length) == 0
        && (path[directory_length] == '/' || path[directory_length] == 0);
}

/// The absolute path of an open file, where it is one that is recorded.
static int recorded(int descriptor, char *path) {
    if (log_descriptor < 0 || descriptor < 0) return 0;
    char link[40];
    int error = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    errno = error;
    if (length <= 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/// The absolute path of a name, where it is recorded. Names that are relative to a descriptor are resolved.
static int recorded_name(int at, const char *name, char *path) {
    if (log_descriptor < 0) return 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return is_below(path);
    }
    char base[PATH_MAX];
    if (at == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else if (!recorded(at, base)) {
        return 0;
    }
    if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    return is_below(path);
}

static void append(
    uint32_t kind, uint64_t inode, const char *path, uint64_t offset, uint64_t length, const void *data, size_t count
) {
    int error = errno;
    struct coffer_record record = {kind, (uint32_t)strlen(path), inode, offset, length, count};
    struct iovec parts[3] = {
        {&record, sizeof record}, {(void *)path, record.path_length}, {(void *)data, count},
    };
    ssize_t written = syscall(SYS_writev, log_descriptor, parts, 3);
    // A log with a gap would make the test pass or fail for nothing.
    if (written != (ssize_t)(sizeof record + record.path_length + count)) abort();
    errno = error;
}

static uint64_t number_of(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

// open(2) and its relatives

static int open_recorded(int at, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || !recorded_name(at, name, path))
        return (int)syscall(SYS_openat, at, name, flags, mode);
    lock();
    int was_there = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    int descriptor = (int)syscall(SYS_openat, at, name, flags, mode);
    if (descriptor >= 0) {
        if (!was_there) append(COFFER_RECORD_CREATE, number_of(descriptor), path, 0, 0, 0, 0);
        else if (flags & O_TRUNC) append(COFFER_RECORD_TRUNCATE, number_of(descriptor), path, 0, 0, 0, 0);
    }
    unlock();
    return descriptor;
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
        return open_recorded(AT_FDCWD, name, flags, mode); \
    }
#define OPENAT(NAME) \
    int NAME(int at, const char *name, int flags, ...) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = mode_argument(flags, arguments); \
        va_end(arguments); \
        return open_recorded(at, name, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
// What a fortified open(2) without a mode becomes.
int __open_2(const char *name, int flags) { return open_recorded(AT_FDCWD, name, flags, 0); }
int __open64_2(const char *name, int flags) { return open_recorded(AT_FDCWD, name, flags, 0); }
int __openat_2(int at, const char *name, int flags) { return open_recorded(at, name, flags, 0); }
int __openat64_2(int at, const char *name, int flags) { return open_recorded(at, name, flags, 0); }
int creat(const char *name, mode_t mode) {
    return open_recorded(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

// Bytes

static void append_write(int descriptor, const char *path, off_t offset, const struct iovec *parts, ssize_t count) {
    char *bytes = malloc((size_t)count);
    if (!bytes) abort();
    size_t done = 0;
    for (int part = 0; done < (size_t)count; part++) {
        size_t rest = (size_t)count - done, length = parts[part].iov_len < rest ? parts[part].iov_len : rest;
        memcpy(bytes + done, parts[part].iov_base, length);
        done += length;
    }
    append(COFFER_RECORD_WRITE, number_of(descriptor), path, (uint64_t)offset, (uint64_t)count, bytes, (size_t)count);
    free(bytes);
}

static ssize_t write_recorded(int descriptor, const struct iovec *parts, int number, off_t offset) {
    char path[PATH_MAX];
    int is_recorded = recorded(descriptor, path);
    if (is_recorded) lock();
    ssize_t count = offset < 0 ? syscall(SYS_writev, descriptor, parts, number)
                               : syscall(SYS_pwritev, descriptor, parts, number, (long)offset, 0L);
    if (is_recorded && count > 0) {
        // After a write the position is behind what was written, with O_APPEND too.
        off_t start = offset >= 0 ? offset : lseek(descriptor, 0, SEEK_CUR) - count;
        append_write(descriptor, path, start, parts, count);
    }
    if (is_recorded) unlock();
    return count;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    struct iovec part = {(void *)bytes, count};
    return write_recorded(descriptor, &part, 1, -1);
}
ssize_t writev(int descriptor, const struct iovec *parts, int number) {
    return write_recorded(descriptor, parts, number, -1);
}
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    struct iovec part = {(void *)bytes, count};
    return write_recorded(descriptor, &part, 1, offset);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) {
    struct iovec part = {(void *)bytes, count};
    return write_recorded(descriptor, &part, 1, offset);
}
ssize_t pwritev(int descriptor, const struct iovec *parts, int number, off_t offset) {
    return write_recorded(descriptor, parts, number, offset);
}
ssize_t pwritev64(int descriptor, const struct iovec *parts, int number, off_t offset) {
    return write_recorded(descriptor, parts, number, offset);
}

// Lengths

static int truncate_recorded(int descriptor, off_t length) {
    char path[PATH_MAX];
    int is_recorded = recorded(descriptor, path);
    if (is_recorded) lock();
    int answer = (int)syscall(SYS_ftruncate, descriptor, length);
    if (is_recorded && answer == 0)
        append(COFFER_RECORD_TRUNCATE, number_of(descriptor), path, 0, (uint64_t)length, 0, 0);
    if (is_recorded) unlock();
    return answer;
}
int ftruncate(int descriptor, off_t length) { return truncate_recorded(descriptor, length); }
int ftruncate64(int descriptor, off_t length) { return truncate_recorded(descriptor, length); }

static int allocate_recorded(int descriptor, int mode, off_t offset, off_t length) {
    char path[PATH_MAX];
    int is_recorded = recorded(descriptor, path);
    if (is_recorded) lock();
    int answer = (int)syscall(SYS_fallocate, descriptor, mode, offset, length);
    if (is_recorded && answer == 0) {
        uint32_t kind = mode & FALLOC_FL_PUNCH_HOLE ? COFFER_RECORD_PUNCH : COFFER_RECORD_ALLOCATE;
        if (kind == COFFER_RECORD_PUNCH || !(mode & FALLOC_FL_KEEP_SIZE))
            append(kind, number_of(descriptor), path, (uint64_t)offset, (uint64_t)length, 0, 0);
    }
    if (is_recorded) unlock();
    return answer;
}
int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    return allocate_recorded(descriptor, mode, offset, length);
}
int fallocate64(int descriptor, int mode, off_t offset, off_t length) {
    return allocate_recorded(descriptor, mode, offset, length);
}
int posix_fallocate(int descriptor, off_t offset, off_t length) {
    return allocate_recorded(descriptor, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate64(int descriptor, off_t offset, off_t length) {
    return allocate_recorded(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

// Names

int unlinkat(int at, const char *name, int flags) {
    char path[PATH_MAX];
    int is_recorded = recorded_name(at, name, path);
    if (is_recorded) lock();
    int answer = (int)syscall(SYS_unlinkat, at, name, flags);
    if (is_recorded && answer == 0) append(COFFER_RECORD_UNLINK, 0, path, 0, 0, 0, 0);
    if (is_recorded) unlock();
    return answer;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

int renameat2(int old_at, const char *old, int new_at, const char *new, unsigned flags) {
    char from[PATH_MAX], to[PATH_MAX];
    int is_recorded = recorded_name(old_at, old, from) && recorded_name(new_at, new, to);
    if (is_recorded) lock();
    int answer = (int)syscall(SYS_renameat2, old_at, old, new_at, new, flags);
    if (is_recorded && answer == 0) append(COFFER_RECORD_RENAME, 0, from, 0, 0, to, strlen(to));
    if (is_recorded) unlock();
    return answer;
}
int renameat(int old_at, const char *old, int new_at, const char *new) {
    return renameat2(old_at, old, new_at, new, 0);
}
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

int linkat(int old_at, const char *old, int new_at, const char *new, int flags) {
    char from[PATH_MAX], to[PATH_MAX];
    int is_recorded = recorded_name(old_at, old, from) && recorded_name(new_at, new, to);
    if (is_recorded) lock();
    int answer = (int)syscall(SYS_linkat, old_at, old, new_at, new, flags);
    if (is_recorded && answer == 0) append(COFFER_RECORD_LINK, 0, from, 0, 0, to, strlen(to));
    if (is_recorded) unlock();
    return answer;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

// Syncs: what was written before the beginning is on the disk at the end. sync_file_range(2) promises nothing.

static int sync_recorded(int descriptor, long call) {
    char path[PATH_MAX];
    int is_recorded = recorded(descriptor, path);
    uint64_t number = 0, inode = 0;
    if (is_recorded) {
        number = atomic_fetch_add(&sync_number, 1);
        inode = number_of(descriptor);
        lock();
        append(COFFER_RECORD_SYNC_BEGIN, inode, path, number, 0, 0, 0);
        unlock();
    }
    int answer = (int)syscall(call, descriptor);
    if (is_recorded && answer == 0) {
        lock();
        append(COFFER_RECORD_SYNC_END, inode, path, number, 0, 0, 0);
        unlock();
    }
    return answer;
}
int fsync(int descriptor) { return sync_recorded(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return sync_recorded(descriptor, SYS_fdatasync); }
