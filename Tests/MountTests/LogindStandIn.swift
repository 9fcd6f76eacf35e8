import CSystemd
import Foundation
import TestSupport

/// A message bus of its own with somebody on it who answers and speaks as logind does (org.freedesktop.login1(5)).
/// Works whenever the test waits for something of it, on the test's own thread.
@safe
final class LogindStandIn {
    /// What DBUS_SYSTEM_BUS_ADDRESS is to be.
    let address: String
    /// The session of all who ask.
    static let session = "/org/freedesktop/login1/session/_37"
    /// What the session's property LockedHint says.
    var isLockedHint = false
    /// How often somebody asked for that.
    private(set) var questions = 0
    /// The arguments of each call of Inhibit.
    private(set) var inhibitions: [[String]] = []
    /// The names of all others that have connected to the bus.
    private var guests: [String] = []

    private let home: TemporaryHome
    private let daemon: Pseudoterminal
    private let bus: OpaquePointer
    private var inhibitor: Posix.File?

    /// Starts the bus; `answers` says whether there is a logind on it.
    init(_ home: TemporaryHome, answers: Bool = true) throws {
        self.home = home
        // Escaped as the D-Bus Specification has it, Server Addresses.
        let path = home.file("run/bus").replacing(" ", with: "%20")
        let configuration = try home.write(
            """
            <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
             "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig>
              <listen>unix:path=\(path)</listen>
              <policy context="default">
                <allow send_destination="*"/> <allow receive_sender="*"/> <allow own="*"/>
              </policy>
            </busconfig>
            """, to: "bus.conf")
        let arguments = ["--config-file=\(configuration)", "--nofork", "--nopidfile", "--print-address"]
        daemon = try Pseudoterminal(home.command("dbus-daemon", arguments))
        // It says so when it listens.
        try daemon.expect("unix:path=")
        address = "unix:path=\(path)"
        unsafe bus = unsafe try Self.connect(address)
        let rule = "type='signal',member='NameOwnerChanged',arg1=''"
        try check(unsafe sd_bus_add_match(bus, nil, rule, nil, nil), "sd_bus_add_match")
        if answers { try check(unsafe sd_bus_request_name(bus, "org.freedesktop.login1", 0), "sd_bus_request_name") }
    }

    deinit { unsafe _ = sd_bus_close_unref(bus) }

    private static func connect(_ address: String) throws -> OpaquePointer {
        var made: OpaquePointer?
        guard unsafe sd_bus_new(&made) >= 0, let made = unsafe made else { throw TestFailure("sd_bus_new") }
        try check(unsafe sd_bus_set_address(made, address), "sd_bus_set_address")
        try check(unsafe sd_bus_set_bus_client(made, 1), "sd_bus_set_bus_client")
        try check(unsafe sd_bus_start(made), "sd_bus_start")
        return unsafe made
    }

    /// Ends the bus.
    func kill() throws {
        daemon.process.kill()
        try daemon.process.wait()
    }

    // MARK: What the test waits for

    /// Answers calls until `condition` holds.
    func work(_ what: String, until condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try !condition() {
            guard ContinuousClock.now < deadline else { throw TestFailure("waited in vain: \(what)") }
            var message: OpaquePointer?
            let result = unsafe sd_bus_process(bus, &message)
            try check(result, "sd_bus_process")
            if let message = unsafe message {
                defer { unsafe _ = sd_bus_message_unref(message) }
                unsafe try answer(message)
            }
            if result > 0 { continue }
            let inhibitor = self.inhibitor?.number ?? -1
            var descriptors = [
                pollfd(fd: unsafe sd_bus_get_fd(bus), events: Int16(POLLIN), revents: 0),
                // Only the end of it (POLLHUP) is of interest.
                pollfd(fd: inhibitor, events: 0, revents: 0),
            ]
            unsafe poll(&descriptors, 2, 30_000)
        }
    }

    /// Whether nobody has the inhibitor any more.
    func isReleased() throws -> Bool {
        var descriptors = [pollfd(fd: inhibitor?.number ?? -1, events: 0, revents: 0)]
        return unsafe poll(&descriptors, 1, 0) == 1 && descriptors[0].revents & Int16(POLLHUP) != 0
    }

    /// Returns when everything that was sent before has been looked at by the other side: it asks back.
    func waitUntilSignalsAreHandled() throws {
        let before = questions
        try emit("PropertiesChanged", of: "org.freedesktop.DBus.Properties", at: Self.session)
        try work("the question for LockedHint") { questions > before }
    }

    /// How many others have connected to the bus until now: before one who comes now.
    func countGuests() throws -> Int {
        let marker = unsafe try Self.connect(address)
        defer { unsafe _ = sd_bus_close_unref(marker) }
        var name: UnsafePointer<CChar>?
        try check(unsafe sd_bus_get_unique_name(marker, &name), "sd_bus_get_unique_name")
        let own = unsafe name.map { unsafe String(cString: $0) } ?? ""
        try work("a guest of its own") { guests.contains(own) }
        return guests.prefix { $0 != own }.count
    }

    // MARK: The manager's part

    private func answer(_ message: OpaquePointer) throws {
        let member = unsafe sd_bus_message_get_member(message).map { unsafe String(cString: $0) }
        switch member {
        case "NameOwnerChanged":
            if let name = unsafe string(message), name.hasPrefix(":") { guests.append(name) }
        case "Inhibit":
            inhibitions.append((0..<4).compactMap { _ in unsafe string(message) })
            unsafe try reply(message) { unsafe try appendInhibitor($0) }
        case "GetSession":
            unsafe try reply(message) {
                unsafe try check(sd_bus_message_append_basic($0, letter("o"), Self.session), "append")
            }
        case "Get":
            questions += 1
            var value: Int32 = isLockedHint ? 1 : 0
            unsafe try reply(message) {
                unsafe try check(sd_bus_message_open_container($0, letter("v"), "b"), "open")
                unsafe try check(sd_bus_message_append_basic($0, letter("b"), &value), "append")
                unsafe try check(sd_bus_message_close_container($0), "close")
            }
        default: break
        }
    }

    private func string(_ message: OpaquePointer) -> String? {
        var value: UnsafePointer<CChar>?
        guard unsafe sd_bus_message_read_basic(message, letter("s"), &value) > 0 else { return nil }
        return unsafe value.map { unsafe String(cString: $0) }
    }

    private func reply(_ call: OpaquePointer, _ fill: (OpaquePointer) throws -> Void) throws {
        var made: OpaquePointer?
        try check(unsafe sd_bus_message_new_method_return(call, &made), "sd_bus_message_new_method_return")
        unsafe try send(made, fill)
    }

    /// A named pipe of which the caller gets the only writing end, as from logind itself.
    private func appendInhibitor(_ message: OpaquePointer) throws {
        let path = home.file("run/inhibitor \(inhibitions.count)")
        try Posix.check(unsafe mkfifo(path, 0o600), "mkfifo")
        inhibitor = try Posix.File(path, O_RDONLY | O_NONBLOCK)
        let writer = try Posix.File(path, O_WRONLY)
        var number = writer.number
        try check(unsafe sd_bus_message_append_basic(message, letter("h"), &number), "append")
    }

    /// Sends a signal of an object, with a boolean, or with a session's name and path.
    func emit(
        _ member: String, of interface: String = "org.freedesktop.login1.Manager",
        at path: String = "/org/freedesktop/login1", boolean: Bool? = nil, session: String? = nil
    ) throws {
        var made: OpaquePointer?
        try check(unsafe sd_bus_message_new_signal(bus, &made, path, interface, member), "sd_bus_message_new_signal")
        unsafe try send(made) { message in
            if let boolean {
                var value: Int32 = boolean ? 1 : 0
                unsafe try check(sd_bus_message_append_basic(message, letter("b"), &value), "append")
            }
            if let session {
                unsafe try check(sd_bus_message_append_basic(message, letter("s"), "7"), "append")
                unsafe try check(sd_bus_message_append_basic(message, letter("o"), session), "append")
            }
        }
    }

    private func send(_ message: OpaquePointer?, _ fill: (OpaquePointer) throws -> Void) throws {
        guard let message = unsafe message else { throw TestFailure("no message") }
        defer { unsafe _ = sd_bus_message_unref(message) }
        unsafe try fill(message)
        try check(unsafe sd_bus_send(bus, message, nil), "sd_bus_send")
        try check(unsafe sd_bus_flush(bus), "sd_bus_flush")
    }
}

/// A type as sd_bus_message_append_basic(3) has it.
private func letter(_ scalar: Unicode.Scalar) -> CChar { CChar(UInt8(ascii: scalar)) }

private func check(_ result: Int32, _ call: String) throws {
    guard result >= 0 else { throw TestFailure("\(call): \(unsafe String(cString: strerror(-result)))") }
}
