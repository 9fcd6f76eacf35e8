#pragma once
/// On which processor the thread runs that answers.
///
/// A program that asks and the thread that answers it take turns: one waits while the other works. On a machine with
/// two processors the scheduler gives each its own, because the other one is idle, and then every answer wakes an idle
/// processor by an interrupt. In a virtual machine that takes 25 µs, for a request that takes 3 (measured with two
/// virtual processors, Linux 6.18). On one processor it takes two switches, and the whole request 5 µs.
///
/// So while one thread of a program asks without a pause,
///
/// 1. the thread that answers goes to the program's processor. It knows which one that is by how often it looks for the
///    next request, giving the processor away after each look (sched_yield(2)): once or twice there, many times on the
///    other one. It is not held there: threads that it starts would inherit that (sched_setaffinity(2));
/// 2. the other processor is kept *occupied* by a thread of the lowest priority that gives it away again and again,
///    because the scheduler wakes a program on an idle processor if there is one (select_idle_sibling in Linux's
///    kernel/sched/fair.c).
///
/// With more than two processors another one is idle anyway, and none of this is done.
#include <linux/fuse.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// A set of processors, as the system calls take it: room for as many as Linux can have on x86.
struct coffer_fuse_processors {
    uint64_t words[128];
};

/// The first six are for the thread that has the turn; the others are shared with the one that occupies.
struct coffer_fuse_placement {
    /// The thread that asked last, how many requests it still has to send before it counts as asking alone, and how
    /// many requests in a row look as if they came from the other processor.
    uint32_t caller, missing, far;
    /// Whether the program waits for the answer to the last one.
    int32_t isAwaited;
    /// Whether the other processor is kept occupied, and since when it has been this one.
    int32_t isPlaced;
    int64_t since;
    /// The processor to occupy, and until when (CLOCK_MONOTONIC, nanoseconds).
    int32_t occupied;
    int64_t until;
    /// Whether the occupying thread is awake, and whether it is to end.
    int32_t isAwake, isOver;
    sem_t wake;
};

/// So many requests from one program without a pause are no coincidence; as many more each time that another one comes
/// between, up to so many.
#define COFFER_FUSE_STREAK 8
#define COFFER_FUSE_MIXED 64
/// A request that was found by a later look than this one came from the other processor.
#define COFFER_FUSE_NEAR_LOOKS 3
/// So many of them in a row, and the thread moves; but not again within the time that follows, since moving takes some
/// 30 µs. In nanoseconds, as all times here.
#define COFFER_FUSE_FAR 4
#define COFFER_FUSE_STAY 2000000
/// The other processor stays occupied for so long after a request.
#define COFFER_FUSE_OCCUPY 200000

static inline int64_t coffer_fuse_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/// Whether the calling thread may run on two processors and no more; gives them. Not inlined: a function of Swift's that
/// takes its place has no guard of the array.
__attribute__((noinline)) static inline int coffer_fuse_two_processors(int32_t found[2]) {
    struct coffer_fuse_processors set;
    long size = syscall(SYS_sched_getaffinity, 0, sizeof set, &set);
    int count = 0;
    for (long word = 0; word < size / (long)sizeof set.words[0]; word++) {
        for (uint64_t rest = set.words[word]; rest != 0; rest &= rest - 1) {
            if (count == 2) return 0;
            found[count++] = (int32_t)(word * 64 + __builtin_ctzll(rest));
        }
    }
    return count == 2;
}

/// Holds the calling thread on one processor or two. Where the administrator has taken them away meanwhile, nothing
/// changes.
static inline void coffer_fuse_hold(int32_t one, int32_t other) {
    struct coffer_fuse_processors set;
    memset(&set, 0, sizeof set);
    set.words[one / 64] |= 1ULL << (one % 64);
    set.words[other / 64] |= 1ULL << (other % 64);
    syscall(SYS_sched_setaffinity, 0, sizeof set, &set);
}

/// Nobody asks without a pause any more.
static inline void coffer_fuse_leave_place(struct coffer_fuse_placement *placement) {
    placement->missing = COFFER_FUSE_STREAK;
    if (!placement->isPlaced) return;
    placement->isPlaced = 0;
    __atomic_store_n(&placement->until, 0, __ATOMIC_RELAXED);
}

/// The calling thread goes to the program's processor, and the other one is occupied from now on.
///
/// - Returns: whether there are two.
static inline int coffer_fuse_take_place(struct coffer_fuse_placement *placement) {
    int32_t both[2];
    uint32_t current = 0;
    if (!coffer_fuse_two_processors(both) || syscall(SYS_getcpu, &current, NULL, NULL) != 0) return 0;
    int isFar = placement->far >= COFFER_FUSE_FAR, isFirst = (int32_t)current == both[0];
    int32_t other = both[isFirst];
    if (isFar) {
        coffer_fuse_hold(other, other);
        coffer_fuse_hold(both[0], both[1]);
    }
    placement->far = 0;
    placement->isPlaced = 1;
    __atomic_store_n(&placement->occupied, isFar ? (int32_t)current : other, __ATOMIC_RELAXED);
    return 1;
}

/// Notes who sent a request.
///
/// - Returns: whether that program asks alone, without a pause.
static inline int coffer_fuse_asks_alone(struct coffer_fuse_placement *placement, uint32_t caller) {
    if (caller != placement->caller) {
        uint32_t missing = placement->missing + COFFER_FUSE_STREAK;
        coffer_fuse_leave_place(placement);
        placement->missing = missing < COFFER_FUSE_MIXED ? missing : COFFER_FUSE_MIXED;
        placement->caller = caller;
    }
    if (placement->missing > 0) placement->missing--;
    return placement->missing == 0;
}

/// A request has come while the calling thread, which has the turn, looked for one.
static inline void coffer_fuse_place(
    struct coffer_fuse_placement *placement, const struct fuse_in_header *request, uint32_t looks) {
    // What comes after a request that nobody waited for tells nothing: the program went on meanwhile.
    if (placement->isAwaited) placement->far = looks > COFFER_FUSE_NEAR_LOOKS ? placement->far + 1 : 0;
    // What the kernel tells by itself, such as FUSE_RELEASE, has no program behind it that waits.
    placement->isAwaited = request->pid != 0;
    if (request->pid == 0 || !coffer_fuse_asks_alone(placement, request->pid)) return;
    int64_t now = coffer_fuse_now();
    int isAway = placement->far >= COFFER_FUSE_FAR && now - placement->since > COFFER_FUSE_STAY;
    if (!placement->isPlaced || isAway) {
        if (!coffer_fuse_take_place(placement)) return;
        placement->since = now;
    }
    __atomic_store_n(&placement->until, now + COFFER_FUSE_OCCUPY, __ATOMIC_RELAXED);
    if (!__atomic_exchange_n(&placement->isAwake, 1, __ATOMIC_ACQ_REL)) sem_post(&placement->wake);
}

/// Keeps a processor occupied whenever that is wanted, until `isOver`. All signals have to be blocked.
static inline void coffer_fuse_occupy(struct coffer_fuse_placement *placement) {
    int32_t occupied = -1;
    prctl(PR_SET_NAME, "occupant");
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
    while (!__atomic_load_n(&placement->isOver, __ATOMIC_ACQUIRE)) {
        while (coffer_fuse_now() < __atomic_load_n(&placement->until, __ATOMIC_RELAXED)) {
            int32_t wanted = __atomic_load_n(&placement->occupied, __ATOMIC_RELAXED);
            if (wanted != occupied) coffer_fuse_hold(wanted, wanted);
            occupied = wanted;
            sched_yield();
        }
        __atomic_store_n(&placement->isAwake, 0, __ATOMIC_RELEASE);
        while (sem_wait(&placement->wake) != 0) {}
    }
}

/// Ends the occupying thread.
static inline void coffer_fuse_end_occupying(struct coffer_fuse_placement *placement) {
    __atomic_store_n(&placement->until, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&placement->isOver, 1, __ATOMIC_RELEASE);
    sem_post(&placement->wake);
}
