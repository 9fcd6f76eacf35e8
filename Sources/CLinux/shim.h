#pragma once
#include <sys/prctl.h>

/// prctl(2) is variadic, which Swift cannot call.
static inline int coffer_set_undumpable(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
