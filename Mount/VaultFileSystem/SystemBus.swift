internal import CSystemd
internal import Glibc

/// A connection to the system's message bus (sd-bus(3)). Used by one thread at a time.
@safe
struct SystemBus: ~Copyable {
    private let bus: OpaquePointer

    /// How long an answer may take, in microseconds.
    private static let patience: UInt64 = 5_000_000

    /// $DBUS_SYSTEM_BUS_ADDRESS or the usual socket; nil where there is none.
    init?() {
        var opened: OpaquePointer?
        guard unsafe sd_bus_open_system(&opened) >= 0, let opened = unsafe opened else { return nil }
        unsafe bus = unsafe opened
    }

    deinit { unsafe _ = sd_bus_close_unref(bus) }

    /// Becomes readable when there is something for ``next()``.
    var descriptor: Int32 { unsafe sd_bus_get_fd(bus) }

    /// Calls a method whose arguments are strings, and waits for its answer; nil is any failure. The service is
    /// not started for it.
    func call(
        _ member: String, of interface: String, at path: String, service: String, _ arguments: String...
    ) -> Message? {
        var made: OpaquePointer?
        guard unsafe sd_bus_message_new_method_call(bus, &made, service, path, interface, member) >= 0,
            let made = unsafe made
        else { return nil }
        defer { unsafe _ = sd_bus_message_unref(made) }
        unsafe sd_bus_message_set_auto_start(made, 0)
        for argument in arguments {
            guard unsafe sd_bus_message_append_basic(made, Message.string, argument) >= 0 else { return nil }
        }
        var answer: OpaquePointer?
        guard unsafe sd_bus_call(bus, made, SystemBus.patience, nil, &answer) >= 0, let answer = unsafe answer else {
            return nil
        }
        return unsafe Message(answer)
    }

    /// Has the bus send what fits the rule to this connection (D-Bus Specification, Match Rules).
    func addMatch(_ rule: String) {
        let service = "org.freedesktop.DBus"
        _ = call("AddMatch", of: service, at: "/org/freedesktop/DBus", service: service, rule)
    }

    enum Event: ~Copyable {
        case message(Message)
        /// Something for the library itself.
        case other
        /// Nothing more for now.
        case none
        /// The bus has gone away.
        case ended
    }

    /// What has come.
    func next() -> Event {
        var message: OpaquePointer?
        let result = unsafe sd_bus_process(bus, &message)
        if result < 0 { return .ended }
        if let message = unsafe message { return .message(unsafe Message(message)) }
        return result == 0 ? .none : .other
    }

    /// A message that came, read from its first value on.
    @safe
    struct Message: ~Copyable {
        private let message: OpaquePointer

        /// Letters of sd_bus_message_append_basic(3).
        fileprivate static let string = CChar(UInt8(ascii: "s"))
        private static let path = CChar(UInt8(ascii: "o"))
        private static let boolean = CChar(UInt8(ascii: "b"))
        private static let variant = CChar(UInt8(ascii: "v"))
        private static let descriptor = CChar(UInt8(ascii: "h"))

        fileprivate init(_ message: OpaquePointer) { unsafe self.message = unsafe message }

        deinit { unsafe _ = sd_bus_message_unref(message) }

        func isSignal(_ member: String, of interface: String) -> Bool {
            unsafe sd_bus_message_is_signal(message, interface, member) > 0
        }

        /// The object that a signal is of.
        var object: String {
            unsafe sd_bus_message_get_path(message).map { unsafe String(cString: $0) } ?? ""
        }

        func readBoolean() -> Bool? {
            var value: Int32 = 0
            return unsafe sd_bus_message_read_basic(message, Message.boolean, &value) > 0 ? value != 0 : nil
        }

        func readPath() -> String? { text(Message.path) }

        func readString() -> String? { text(Message.string) }

        private func text(_ type: CChar) -> String? {
            var value: UnsafePointer<CChar>?
            guard unsafe sd_bus_message_read_basic(message, type, &value) > 0 else { return nil }
            return unsafe value.map { unsafe String(cString: $0) }
        }

        func readVariantBoolean() -> Bool? {
            unsafe sd_bus_message_enter_container(message, Message.variant, "b") > 0 ? readBoolean() : nil
        }

        /// Takes a descriptor that stays open until the process ends; the message closes its own.
        func keepDescriptor() -> Bool {
            var value: Int32 = -1
            return unsafe sd_bus_message_read_basic(message, Message.descriptor, &value) > 0
                && fcntl(value, F_DUPFD_CLOEXEC, 0) >= 0
        }
    }
}
