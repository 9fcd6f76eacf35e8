#pragma once
/// Reading and writing /dev/fuse in libfuse's place, through fuse_session_custom_io, for three things that
/// libfuse 3.14 does not do:
///
/// 1. The answer to FUSE_INIT. libfuse knows a part of the flags that the kernel offers; the set that is
///    agreed on is ours (Connection.swift says which and why).
/// 2. The kernel's word that a write or an open is to take the set-id bits (FUSE_HANDLE_KILLPRIV_V2, kernel
///    5.11). libfuse drops it; it moves into a bit of the open flags that open(2) does not have and libfuse
///    hands through.
/// 3. What a request carried is overwritten before the buffer is used again or freed: it is plaintext.
///
/// In C, because libfuse cancels its threads while they wait in read (pthread_cancel(3)), and unwinding a
/// thread must not meet frames of Swift.
#include <linux/fuse.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

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
};

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
    ssize_t count = read(descriptor, buffer, size);
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
    return count;
}

static inline ssize_t coffer_fuse_writev(int descriptor, struct iovec *parts, int count, void *data) {
    struct coffer_fuse_device *device = (struct coffer_fuse_device *)data;
    const struct fuse_out_header *header = (const struct fuse_out_header *)parts[0].iov_base;
    if (device->init != 0 && header->unique == device->init && header->error == 0 && count == 2
        && parts[1].iov_len >= sizeof(struct fuse_init_out)) {
        coffer_fuse_answer_init(device, (struct fuse_init_out *)parts[1].iov_base);
    }
    return writev(descriptor, parts, count);
}
