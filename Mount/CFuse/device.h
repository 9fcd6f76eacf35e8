#pragma once
/// Reading and writing /dev/fuse in libfuse's place, through fuse_session_custom_io, for four things that
/// libfuse 3.14 does not do:
///
/// 1. The answer to FUSE_INIT. libfuse knows a part of the flags that the kernel offers; the set that is
///    agreed on is ours (Connection.swift says which and why).
/// 2. The kernel's word that a write or an open is to take the set-id bits (FUSE_HANDLE_KILLPRIV_V2, kernel
///    5.11). libfuse drops it; it moves into a bit of the open flags that open(2) does not have and libfuse
///    hands through.
/// 3. What a request carried is overwritten before the buffer is used again or freed: it is plaintext.
/// 4. One thread at a time has the *turn* to read. Most requests are answered from memory within microseconds:
///    it answers them itself and looks for the next one, for a moment without sleeping, because waking a thread
///    costs more than the answer. Before anything that may take long it passes the turn on, so that requests go
///    in parallel where that gains something (leader/followers, Schmidt et al. 2000). On which processor it runs
///    meanwhile is told in placement.h.
///
/// In C, because libfuse cancels its threads while they wait in read (pthread_cancel(3)), and unwinding a
/// thread must not meet frames of Swift.
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "placement.h"

// Flags newer than the oldest headers that we build with; the numbers never change (<linux/fuse.h>).
#define COFFER_FUSE_DIRECT_IO_ALLOW_MMAP (1ULL << 36)
#define COFFER_FUSE_NO_EXPORT_SUPPORT (1ULL << 38)

/// In the open flags of an open or a write: set-id bits go.
#define COFFER_FUSE_KILLS_SET_IDS (1 << 30)

/// The user data of a session.
struct coffer_fuse_device {
    /// What the callbacks call.
    void *file_system;
    /// To tell the kernel something from within a callback.
    struct fuse_session *session;
    /// FUSE_INIT's flags, the second word in the upper half: ours, the kernel's, and what both have.
    uint64_t wanted, offered, agreed;
    /// The number of the FUSE_INIT request until it is answered, then 0, which no request has.
    uint64_t init;
    /// A second descriptor of the connection, which never waits; -1 where there is none.
    int polled;
    /// 1 while no thread has the turn.
    sem_t turn;
    /// What each thread remembers: the two bits below.
    pthread_key_t memory;
    /// Where the thread that has the turn runs.
    struct coffer_fuse_placement placement;
};

/// The thread has the turn.
#define COFFER_FUSE_HAS_TURN 1
/// Its request came through the second descriptor, and the answer has to go there.
#define COFFER_FUSE_POLLED 2

/// For how long a thread looks for the next request before it sleeps, in nanoseconds: as long as a program that was
/// waiting for the last answer takes to wake up and ask on.
#define COFFER_FUSE_PATIENCE 40000

/// Requests that carry this many bytes are worth a thread of their own.
#define COFFER_FUSE_LARGE 32768

/// Makes ready for the first read.
static inline int coffer_fuse_begin(struct coffer_fuse_device *device, int descriptor) {
    uint32_t connection = (uint32_t)descriptor;
    if (sem_init(&device->turn, 0, 1) != 0 || sem_init(&device->placement.wake, 0, 0) != 0) return -1;
    if (pthread_key_create(&device->memory, NULL) != 0) return -1;
    device->polled = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (device->polled >= 0 && ioctl(device->polled, FUSE_DEV_IOC_CLONE, &connection) != 0) {
        close(device->polled);
        device->polled = -1;
    }
    return 0;
}

/// The calling thread's bits.
static inline uintptr_t coffer_fuse_mine(struct coffer_fuse_device *device) {
    return (uintptr_t)pthread_getspecific(device->memory);
}

/// Lets another thread read: the calling one is about to wait, or to work for long.
static inline void coffer_fuse_pass_turn(struct coffer_fuse_device *device) {
    uintptr_t mine = coffer_fuse_mine(device);
    if (!(mine & COFFER_FUSE_HAS_TURN)) return;
    coffer_fuse_leave_place(&device->placement);
    pthread_setspecific(device->memory, (void *)(mine & ~(uintptr_t)COFFER_FUSE_HAS_TURN));
    sem_post(&device->turn);
}

/// Whether a request is worth a thread of its own.
static inline int coffer_fuse_is_large(const struct fuse_in_header *request) {
    if (request->len >= COFFER_FUSE_LARGE) return 1;
    if (request->opcode != FUSE_READ || request->len < sizeof *request + sizeof(struct fuse_read_in)) return 0;
    return ((const struct fuse_read_in *)(request + 1))->size >= COFFER_FUSE_LARGE;
}

/// The next request, into `buffer`, once it is this thread's turn.
static inline ssize_t coffer_fuse_next(struct coffer_fuse_device *device, int descriptor, void *buffer, size_t size) {
    uintptr_t had = coffer_fuse_mine(device) & COFFER_FUSE_HAS_TURN;
    // A cancellation point, as read is (pthreads(7)).
    while (!had && sem_wait(&device->turn) != 0)
        if (errno != EINTR) return -1;
    pthread_setspecific(device->memory, (void *)(COFFER_FUSE_HAS_TURN | COFFER_FUSE_POLLED));
    if (had && device->polled >= 0) {
        int64_t start = coffer_fuse_now(), now = start;
        for (uint32_t looks = 1;; looks++) {
            ssize_t count = read(device->polled, buffer, size);
            if (count >= (ssize_t)sizeof(struct fuse_in_header))
                coffer_fuse_place(&device->placement, (const struct fuse_in_header *)buffer, looks);
            if (count >= 0) return count;
            if (errno != EAGAIN || now - start >= COFFER_FUSE_PATIENCE) break;
            // Whoever else wants this processor gets it, and may have asked for something when it comes back.
            sched_yield();
            now = coffer_fuse_now();
        }
    }
    coffer_fuse_leave_place(&device->placement);
    pthread_setspecific(device->memory, (void *)COFFER_FUSE_HAS_TURN);
    return read(descriptor, buffer, size);
}

/// Sends an answer, or a notice, which belongs to no request.
static inline ssize_t coffer_fuse_send(
    struct coffer_fuse_device *device, int descriptor, const struct iovec *parts, int count) {
    const struct fuse_out_header *header = (const struct fuse_out_header *)parts[0].iov_base;
    if (header->unique == 0 || device->polled < 0) return writev(descriptor, parts, count);
    int isPolled = (coffer_fuse_mine(device) & COFFER_FUSE_POLLED) != 0;
    ssize_t sent = writev(isPolled ? device->polled : descriptor, parts, count);
    // Another thread answers than the one that read it.
    if (sent < 0 && errno == ENOENT) sent = writev(isPolled ? descriptor : device->polled, parts, count);
    return sent;
}

/// The FUSE_INIT request: remembers what the kernel offers.
static inline void coffer_fuse_take_init(struct coffer_fuse_device *device, const struct fuse_in_header *request) {
    const struct fuse_init_in *init = (const struct fuse_init_in *)(request + 1);
    device->offered = init->flags;
    if (init->flags & FUSE_INIT_EXT) device->offered |= (uint64_t)init->flags2 << 32;
    device->init = request->unique;
}

/// The answer to FUSE_INIT: libfuse's flags give way to ours.
static inline void coffer_fuse_answer_init(struct coffer_fuse_device *device, struct fuse_init_out *answer) {
    device->agreed = device->wanted & device->offered;
    answer->flags = (uint32_t)device->agreed;
    answer->flags2 = (uint32_t)(device->agreed >> 32);
    device->init = 0;
}

/// Moves the kernel's word about set-id bits to where libfuse hands it through.
static inline void coffer_fuse_mark_set_ids(uint32_t *flags, uint32_t kills) {
    *flags = kills ? *flags | COFFER_FUSE_KILLS_SET_IDS : *flags & ~(uint32_t)COFFER_FUSE_KILLS_SET_IDS;
}

static inline ssize_t coffer_fuse_read(int descriptor, void *buffer, size_t size, void *data) {
    struct fuse_in_header *request = (struct fuse_in_header *)buffer;
    // A fresh buffer has any length here, which costs a wipe too many once.
    explicit_bzero(buffer, request->len < size ? request->len : size);
    ssize_t count = coffer_fuse_next((struct coffer_fuse_device *)data, descriptor, buffer, size);
    if (count < (ssize_t)sizeof *request) return count;
    size_t body = (size_t)count - sizeof *request;
    if (request->opcode == FUSE_WRITE && body >= sizeof(struct fuse_write_in)) {
        struct fuse_write_in *write = (struct fuse_write_in *)(request + 1);
        coffer_fuse_mark_set_ids(&write->flags, write->write_flags & FUSE_WRITE_KILL_SUIDGID);
    } else if (request->opcode == FUSE_OPEN && body >= sizeof(struct fuse_open_in)) {
        struct fuse_open_in *open = (struct fuse_open_in *)(request + 1);
        coffer_fuse_mark_set_ids(&open->flags, open->open_flags & FUSE_OPEN_KILL_SUIDGID);
    } else if (request->opcode == FUSE_INIT && body >= sizeof(struct fuse_init_in)) {
        coffer_fuse_take_init((struct coffer_fuse_device *)data, request);
    }
    if (coffer_fuse_is_large(request)) coffer_fuse_pass_turn((struct coffer_fuse_device *)data);
    return count;
}

static inline ssize_t coffer_fuse_writev(int descriptor, struct iovec *parts, int count, void *data) {
    struct coffer_fuse_device *device = (struct coffer_fuse_device *)data;
    const struct fuse_out_header *header = (const struct fuse_out_header *)parts[0].iov_base;
    if (device->init != 0 && header->unique == device->init && header->error == 0 && count == 2
        && parts[1].iov_len >= sizeof(struct fuse_init_out)) {
        coffer_fuse_answer_init(device, (struct fuse_init_out *)parts[1].iov_base);
    }
    return coffer_fuse_send(device, descriptor, parts, count);
}
