internal import Sync

extension WebDAVRemote {
    /// Does something for each input, as many at a time as there are connections, and gives the results in the order
    /// of the inputs. The first error stops the others.
    func inParallel<Input: Sendable, Output: Sendable>(
        _ inputs: [Input], _ body: @escaping @Sendable (Input) async throws(RemoteError) -> Output
    ) async throws(RemoteError) -> [Output] {
        typealias Numbered = (index: Int, result: Result<Output, RemoteError>)
        @Sendable func one(_ index: Int) async -> Numbered {
            do throws(RemoteError) {
                let output = try await body(inputs[index])
                return (index, .success(output))
            } catch {
                return (index, .failure(error))
            }
        }
        let width = min(max(1, options.parallelTransfers), 64)
        var outputs = [Output?](repeating: nil, count: inputs.count)
        var failure: RemoteError?
        await withTaskGroup(of: Numbered.self) { group in
            var started = 0
            while started < min(width, inputs.count) {
                let index = started
                group.addTask { await one(index) }
                started += 1
            }
            while let (index, result) = await group.next() {
                switch result {
                case .success(let output):
                    outputs[index] = output
                    guard failure == nil, started < inputs.count else { continue }
                    let next = started
                    group.addTask { await one(next) }
                    started += 1
                case .failure(let error):
                    failure = failure ?? error
                    group.cancelAll()
                }
            }
        }
        if let failure { throw failure }
        return outputs.compactMap { $0 }
    }
}
