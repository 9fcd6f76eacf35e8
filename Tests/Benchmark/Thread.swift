import Glibc

/// Threads of the system: the benchmark wants as many as it asks for, not as many as there are cores.
enum Thread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    static func start(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
        var handle = pthread_t()
        let argument = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
        let error = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument)
        guard error == 0 else { throw SystemError(description: "pthread_create: error \(error)") }
        return handle
    }

    static func join(_ handle: pthread_t) { _ = pthread_join(handle, nil) }
}
