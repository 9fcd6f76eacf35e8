internal import Dispatch
internal import Fuse
internal import Vault

/// Tells the kernel what synchronisation has changed: it keeps names, attributes and pages for long, since we are the
/// only writer otherwise.
///
/// From one queue that holds no lock: the kernel waits in a message for locks that it holds while it asks us something.
final class Invalidations: Sendable {
    private let queue = DispatchQueue(label: "coffer.invalidate")

    func follow(_ vault: Vault, _ session: Session) {
        vault.onReplicated { [queue, session] effects in
            queue.async { for effect in effects { Invalidations.tell(session, effect) } }
        }
    }

    /// Returns when nothing is under way.
    func finish() { queue.sync {} }

    private static func tell(_ session: Session, _ effect: ReplicationEffect) {
        switch effect {
        case .name(let name, let parent):
            session.invalidate(name, in: NodeID(parent.rawValue))
            // Where the kernel does not know the name, it does not look at the directory's list either.
            session.invalidate(NodeID(parent.rawValue))
        case .removed(let name, let parent, let node):
            session.announceRemoval(of: name, in: NodeID(parent.rawValue), node: NodeID(node.rawValue))
            session.invalidate(NodeID(parent.rawValue))
        case .attributes(let node):
            // Its pages stay: a file's content changes by another file in its place.
            session.invalidate(NodeID(node.rawValue), offset: -1)
        }
    }
}
