/// Which versions of one entry go when there are too many: the older they are, the wider apart those stand that stay.
///
/// The one goes whose neighbours are closest together, in proportion to its age. What is left then has gaps that grow with
/// the age, as the daily, weekly and monthly generations of a backup program have, without steps between them.
enum Thinning {
    /// - Parameters:
    ///   - times: when each stopped being the present one, newest first, in any unit.
    ///   - now: in the same unit.
    ///   - kept: how many are to stay. More do where fewer may go.
    ///   - mayGo: whether one may go. The newest always stays.
    /// - Returns: the indices of those that go.
    static func excess(_ times: [Int64], now: Int64, keeping kept: Int, mayGo: (Int) -> Bool) -> Set<Int> {
        var rest = Array(times.indices)
        var gone = Set<Int>()
        while rest.count > max(1, kept) {
            var best: (place: Int, gap: Double)?
            // The oldest goes by its age alone.
            for place in 1..<max(1, rest.count - 1) where mayGo(rest[place]) {
                let between = Double(times[rest[place - 1]]) - Double(times[rest[place + 1]])
                let age = max(0, Double(now) - Double(times[rest[place]]))
                let gap = max(0, between) / (age + 1)
                // Of equals the oldest goes.
                if best.map({ gap <= $0.gap }) ?? true { best = (place, gap) }
            }
            if best == nil, mayGo(rest[rest.count - 1]) { best = (rest.count - 1, 0) }
            guard let best else { break }
            gone.insert(rest.remove(at: best.place))
        }
        return gone
    }
}
