#pragma once
#include <stdint.h>

/// Which file a call is about, by how its name ends.
enum coffer_fault_file {
    COFFER_FAULT_STORE = 0,      // the vault's file
    COFFER_FAULT_LOG = 1,        // SQLite's log, -wal
    COFFER_FAULT_JOURNAL = 2,    // the redo journal, -redo
    COFFER_FAULT_CHUNKS = 3,     // whole chunks, -chunks
    COFFER_FAULT_COUNTER = 4,    // .counter
    COFFER_FAULT_DIRECTORY = 5,  // anything else: the directories
    COFFER_FAULT_FILES = 6,
};

enum coffer_fault_call {
    COFFER_FAULT_OPEN = 0,
    COFFER_FAULT_READ = 1,
    COFFER_FAULT_WRITE = 2,
    COFFER_FAULT_SYNC = 3,
    COFFER_FAULT_TRUNCATE = 4,
    COFFER_FAULT_ALLOCATE = 5,
    COFFER_FAULT_NAME = 6,  // unlink, rename, link
    COFFER_FAULT_CALLS = 7,
};

/// What fails, and what was done: a file that the program maps and the test writes. A call of the kinds that both
/// masks have is *chosen*, and numbered from 1.
struct coffer_faults {
    uint32_t files;    // a bit for each kind of file
    uint32_t calls;    // a bit for each kind of call
    uint64_t first;    // chosen calls from this one on fail, 0: none…
    uint64_t last;     // …up to this one
    uint64_t one_in;   // …each with this chance, by the seed
    uint64_t seed;
    int32_t error;     // the errno; 0: the call waits until the test opens the FIFO, and then succeeds
    uint32_t is_torn;  // half of what a failing call writes is written
    uint64_t chosen;   // counted since the test set it to 0
    uint64_t failed;
    uint64_t counts[COFFER_FAULT_FILES][COFFER_FAULT_CALLS];
};
