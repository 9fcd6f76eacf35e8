/// Runs batches round robin over the systems.
struct Runner {
    let systems: [System]
    /// How long one operation may take on all systems together; at least three batches are run anyway.
    let seconds: Double

    func measure(_ operation: Operation) throws -> Result {
        var samples = systems.map { _ in Samples() }
        let end = now() + UInt64(seconds * 1e9)
        var batch = 0
        while batch < 3 || (batch < 200 && now() < end) {
            for position in systems.indices {
                // Each round begins with the next system: none always follows the same one.
                let index = (position + batch) % systems.count
                samples[index].append(try operation.batch(systems[index], batch))
            }
            batch += 1
        }
        return Result(name: operation.name, samples: samples)
    }
}
