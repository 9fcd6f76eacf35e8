/// A bug that a file system could have, planted into the steps of a ``ModelFolder``: the model test has to find it.
enum ModelFault: CaseIterable, Sendable {
    case appendsAtTheStart, forgetsLastByte, truncatesTooFar, writesAtTheEndOfPages, losesSetIDs, roundsTimes
    case replacesWithoutAsking, keepsRemovedAttributes, shortensAttributes, shortensLinks, ignoresExchange
    case savesNothing, ignoresMode

    /// The step that is made instead.
    func change(_ operation: ModelOperation) -> ModelOperation {
        switch (self, operation) {
        case (.appendsAtTheStart, .append(let name, let count, let seed)):
            .write(name, offset: 0, count: count, seed: seed)
        case (.forgetsLastByte, .write(let name, let offset, let count, let seed)) where count > 65536:
            .write(name, offset: offset, count: count - 1, seed: seed)
        case (.truncatesTooFar, .truncate(let name, let size)) where size % 16 == 0: .truncate(name, size: size / 2)
        case (.writesAtTheEndOfPages, .write(let name, let offset, let count, let seed)) where offset > 4096:
            .write(name, offset: offset & ~4095, count: count, seed: seed)
        case (.losesSetIDs, .chmod(let name, let mode)): .chmod(name, mode: mode & 0o777)
        case (.roundsTimes, .times(let name, let seconds, let nanoseconds)):
            .times(name, seconds: seconds, nanoseconds: nanoseconds / 1000 * 1000)
        case (.replacesWithoutAsking, .rename(let old, let new, 1)): .rename(old, new, flags: 0)
        case (.keepsRemovedAttributes, .removeAttribute(let name, _)): .list(name)
        case (.shortensAttributes, .setAttribute(let name, let attribute, let count, let flags)) where count > 200:
            .setAttribute(name, attribute, count: 200, flags: flags)
        case (.shortensLinks, .symbolicLink(let target, let name)) where target.count > 20:
            .symbolicLink(target: String(target.prefix(20)), name)
        case (.ignoresExchange, .rename(let old, let new, 2)): .rename(old, new, flags: 0)
        case (.savesNothing, .save(let name, _, let seed)) where seed % 8 == 0: .save(name, count: 0, seed: seed)
        case (.ignoresMode, .create(let name, _)): .create(name, mode: 0o644)
        default: operation
        }
    }
}
