#pragma once
#include <stdint.h>

/// What one record of the log is about; numbers are the file's, in the order of the machine.
enum coffer_record_kind {
    COFFER_RECORD_CREATE = 1,      // a new file of this name
    COFFER_RECORD_WRITE = 2,       // the data stand behind the path
    COFFER_RECORD_TRUNCATE = 3,    // to `length`
    COFFER_RECORD_PUNCH = 4,       // a hole at `offset`, of `length`
    COFFER_RECORD_ALLOCATE = 5,    // the file is at least `offset` + `length` long
    COFFER_RECORD_UNLINK = 6,
    COFFER_RECORD_RENAME = 7,      // the data are the new name
    COFFER_RECORD_LINK = 8,        // the data are the new name
    COFFER_RECORD_SYNC_BEGIN = 9,  // `offset` is the number of the sync
    COFFER_RECORD_SYNC_END = 10,   // it returned 0
    COFFER_RECORD_MARK = 11,       // written by the test itself
};

/// Each record: this, `path_length` bytes of path, `data_length` bytes of data. One write(2) with O_APPEND each, so
/// that the order in the log is the order of the calls.
struct coffer_record {
    uint32_t kind;
    uint32_t path_length;
    uint64_t inode;
    uint64_t offset;
    uint64_t length;
    uint64_t data_length;
};
