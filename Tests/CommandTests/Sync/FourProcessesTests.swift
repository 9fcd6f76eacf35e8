import Foundation
import TestSupport
import Testing

/// Four programs at random work on two mounts that synchronise by themselves, while a third device joins: in the end all
/// three show the same, `verify` is clean, and nothing is stuck.
///
/// `COFFER_SEED` repeats the programs' choices; what comes of them depends on when each device hears of what.
@Suite(.enabled(if: Program.long)) struct FourProcessesTests {
    /// Works in the folder $1 with the seed $2 for $3 seconds: what people and their programs do, at up to twenty calls a
    /// second each.
    private static let work = #"""
        cd "$1" || exit 1
        RANDOM=$2
        end=$((SECONDS + $3)) n=0 dirs=(. d e d/k) names=(a b c d e f g h)
        file() { echo "${dirs[RANDOM % 4]}/${names[RANDOM % 8]}"; }
        while [ "$SECONDS" -lt "$end" ]; do
          n=$((n + 1)) f=$(file) g=$(file) d=${dirs[RANDOM % 3 + 1]}
          case $((RANDOM % 18)) in
            0 | 1 | 2 | 3) echo "$2.$n" > "$f" ;;
            4) echo "$2.$n" >> "$f" ;;
            5) mv -T "$f" "$g" ;;
            6) rm -f "$f" ;;
            7) mkdir -p "$d" ;;
            8) [ $((RANDOM % 4)) -ne 0 ] || rm -rf "$d" ;;
            9) ln -sfn "$2.$n" "$f" ;;
            10) chmod $((RANDOM % 8))44 "$f" ;;
            11) echo "$2.$n" > "$f.tmp" && mv -fT "$f.tmp" "$f" ;;
            12) ln -f "$f" "$g" ;;
            13) mv -T "$d" "${dirs[RANDOM % 3 + 1]}" ;;
            14) sed -i "s/1/$n/" "$f" ;;
            15) mv -T "$f" "$f.bak" && echo "$2.$n" > "$f" && rm -f "$f.bak" ;;
            16) find . -name '* (conflict*' -print -quit | while read -r copy; do rm -rf "$copy"; done ;;
            17) truncate -s $((RANDOM % 9)) "$f" ;;
          esac
          sleep 0.0$((RANDOM % 10))
        done 2> /dev/null
        exit 0
        """#

    /// Paths with kinds, modes, links, targets and contents.
    private func tree(_ device: TestVault) throws -> [String] {
        let list = #"""
            cd "$1" && find . -path ./.coffer -prune -o -type d -printf '%P/ %m\n' -o -type l -printf '%P -> %l\n' \
              -o -type f -printf '%P %m %n ' -exec sh -c 'sha256sum < "$1"' _ {} \;
            """#
        return try device.home.command("bash", ["-c", list, "tree", device.directory]).run(expecting: 0).text
            .split(separator: "\n").map(String.init).sorted()
    }

    @Test func threeDevicesComeToTheSame() throws {
        let given = ProcessInfo.processInfo.environment["COFFER_SEED"].flatMap { Int($0) }
        let seed = given ?? Int.random(in: 0..<30_000)
        print("four processes: seed \(seed)")
        try TwoDevices.with { devices in
            try TestVault.with(initialized: false) { third in
                for device in [devices.a, devices.b] { try device.mount() }
                func work(seconds: Int) throws -> [ChildProcess] {
                    try [devices.a, devices.a, devices.b, devices.b].enumerated().map { number, device in
                        let arguments = [device.directory, "\(seed + number)", "\(seconds)"]
                        return try device.home.command("bash", ["-c", Self.work, "work"] + arguments).start()
                    }
                }
                for worker in try work(seconds: 150) { try worker.wait(timeout: .seconds(400)) }
                let workers = try work(seconds: 150)
                try third.coffer(
                    ["join", "--kit", devices.kit, "--email", TwoDevices.email, "--device-name", "gamma"]
                        + ["--password-file", third.passwordFile] + TwoDevices.cost + devices.a.fingerprint
                ).run(expecting: 0)
                try third.mount()
                for worker in workers { #expect(try worker.wait(timeout: .seconds(400)) == 0) }
                let all = [devices.a, devices.b, third]
                for _ in 0..<2 { for device in all { try device.coffer(["sync"]).run(expecting: 0) } }
                let trees = try all.map { try tree($0) }
                for tree in trees.dropFirst() {
                    let difference = tree.difference(from: trees[0])
                    #expect(difference.isEmpty, "seed \(seed)")
                }
                for device in all {
                    try device.coffer(["verify"]).run(expecting: 0)
                    let status = try device.coffer(["status"]).run(expecting: 0).text
                    for word in ["Trouble:", "Alarm:", "Set aside:", "Waiting:"] { #expect(!status.contains(word)) }
                    try device.lock()
                }
            }
        }
    }
}
