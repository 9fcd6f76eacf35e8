internal import CProcess
internal import Glibc

/// What a process gives up for good once it needs it no more, so that whoever gets it to run their code has little of the
/// system to go on with: a filter of its system calls (seccomp(2)), and no privileges by set-user-id programs (no_new_privs).
///
/// The filter names what is refused and lets all else pass: what the libraries of the next distribution call cannot be
/// known, and a vault that stops in the middle of a save would be the greater harm.
enum Confinement {
    /// Confines all threads, and all that come later.
    ///
    /// - Returns: false where the kernel has no such filter, or the processor's calls have other numbers than are known
    ///   here: nothing is confined then.
    static func enter() -> Bool {
        var program = program
        return unsafe program.withUnsafeMutableBufferPointer { instructions in
            unsafe coffer_confine(instructions.baseAddress, UInt16(instructions.count)) == 0
        }
    }

    /// Answered with EPERM: some library may try it, and goes on without.
    private static let refused: [Int32] = [
        // Running programs, in a child of this process either.
        SYS_execve, SYS_execveat,
        // The memory and descriptors of other processes.
        SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_kcmp,
        // Mounts and name spaces; the mount that is served is there already.
        SYS_mount, SYS_umount2, SYS_move_mount, SYS_open_tree, SYS_mount_setattr, SYS_fsopen, SYS_fsconfig, SYS_fsmount,
        SYS_fspick, SYS_chroot, SYS_unshare, SYS_setns, SYS_open_by_handle_at,
        // Parts of the kernel that are large, young, or both.
        SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
        // The kernel's own key rings, which are not ours; Kerberos looks there.
        SYS_keyctl, SYS_add_key, SYS_request_key,
    ]

    /// End the process (SIGSYS): they change the whole machine, and no library has a use for them. What the vault has taken
    /// is in its files, as after any other kill.
    private static let deadly: [Int32] = [
        SYS_kexec_load, SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot,
        SYS_swapon, SYS_swapoff, SYS_pivot_root, SYS_acct,
    ]

    /// Kinds of sockets that are left. The internet's are for the remote, netlink(7) for the names of its servers
    /// (getaddrinfo(3)), the machine's own for the log, the bus and caches of names.
    private static let sockets: [Int32] = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK]

    // MARK: The program (bpf(4), Linux's Documentation/userspace-api/seccomp_filter.rst)

    /// Offsets in struct seccomp_data; an argument's low half comes first.
    private enum Field {
        static let number: UInt32 = 0
        static let architecture: UInt32 = 4
        static let firstArgument: UInt32 = 16
    }

    /// Numbers from here on are those of another set, on x86-64 (x32).
    private static let otherNumbers: UInt32 = 0x4000_0000

    private static var program: [sock_filter] {
        let (kill, allow) = (answer(SECCOMP_RET_KILL_PROCESS), answer(SECCOMP_RET_ALLOW))
        var program = [load(Field.architecture), jump(BPF_JEQ, coffer_architecture, past: 1, else: 0), kill]
        program += [load(Field.number), jump(BPF_JGE, otherNumbers, past: 0, else: 1), kill]
        for call in refused { program += when(call, answer(SECCOMP_RET_ERRNO | UInt32(EPERM))) }
        for call in deadly { program += when(call, kill) }
        let kinds = sockets.flatMap { when($0, allow) }
        let refusal = answer(SECCOMP_RET_ERRNO | UInt32(EAFNOSUPPORT))
        program.append(jump(BPF_JEQ, UInt32(SYS_socket), past: 0, else: UInt8(kinds.count + 2)))
        program += [load(Field.firstArgument)] + kinds + [refusal]
        return program + [allow]
    }

    private static func when(_ value: Int32, _ answer: sock_filter) -> [sock_filter] {
        [jump(BPF_JEQ, UInt32(value), past: 0, else: 1), answer]
    }

    private static func load(_ offset: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_LD | BPF_W | BPF_ABS), jt: 0, jf: 0, k: offset)
    }

    /// Goes on so many instructions further, by how what was loaded compares with a value.
    private static func jump(_ comparison: Int32, _ value: UInt32, past: UInt8, else other: UInt8) -> sock_filter {
        sock_filter(code: UInt16(BPF_JMP | comparison | BPF_K), jt: past, jf: other, k: value)
    }

    private static func answer(_ value: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: value)
    }
}
