#pragma once
#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
#include <errno.h>
#include <stddef.h>

/// fuse_session_loop_mt is a macro that picks the function of our FUSE_USE_VERSION; Swift sees no macros
/// with arguments.
static inline int coffer_fuse_session_loop_mt(struct fuse_session *session, struct fuse_loop_config *config) {
    return fuse_session_loop_mt(session, config);
}
