internal import Glibc

/// Memory as the limits of the process have it (getrlimit(2), RLIMIT_DATA and RLIMIT_AS). Swift ends a program that gets
/// none, so it is asked for before it is needed.
public enum Memory {
    /// Whether that many bytes could be had now. Nothing is used for that: pages count only once they are touched, unless
    /// the machine keeps its promises strictly (proc_sys_vm(5), overcommit_memory), and then the answer is as right.
    public static func has(_ bytes: UInt64) -> Bool {
        let length = Int(clamping: bytes)
        let flags = MAP_PRIVATE | Int32(MAP_ANONYMOUS)
        let place = unsafe mmap(nil, length, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard unsafe place != MAP_FAILED else { return false }
        unsafe munmap(place, length)
        return true
    }
}
