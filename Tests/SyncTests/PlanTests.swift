import Sync
import Testing

/// When a mounted vault synchronises by itself.
@Suite struct PlanTests {
    private typealias Step = SyncPlan.Step

    /// A plan whose first run has ended well at second 0.
    func settled() -> SyncPlan {
        var plan = SyncPlan(start: .zero)
        #expect(plan.step(at: .zero) == .sync)
        plan.begin()
        plan.end(.done, at: .zero, jitter: 0)
        return plan
    }

    @Test func aChangeGoesOutAfterTwoSecondsOfQuiet() {
        var plan = settled()
        plan.noteChange(at: .seconds(5))
        #expect(plan.step(at: .seconds(5)) == .wait(until: .seconds(7)))
        plan.noteChange(at: .seconds(6))
        #expect(plan.step(at: .seconds(7)) == .wait(until: .seconds(8)))
        #expect(plan.step(at: .seconds(8)) == .push)
        plan.begin()
        plan.end(.done, at: .seconds(8), jitter: 0)
        #expect(!plan.hasChanges && plan.step(at: .seconds(9)) == .wait(until: .seconds(38)))
    }

    @Test func changesWithoutEndAreNotPutOffForever() {
        var plan = settled()
        var pushed: Int?
        for second in 1...20 where pushed == nil {
            plan.noteChange(at: .seconds(second))
            if plan.step(at: .seconds(second)) == .push { pushed = second }
        }
        #expect(pushed == 11)
    }

    @Test func theRemoteIsLookedAtWithEachPoll() {
        var plan = settled()
        #expect(plan.step(at: .seconds(29)) == .wait(until: .seconds(30)))
        #expect(plan.step(at: .seconds(30)) == .look)
        plan.end(.done, at: .seconds(30), jitter: 0, look: .seconds(1))
        #expect(plan.step(at: .seconds(30)) == .wait(until: .seconds(31)))
        #expect(plan.step(at: .seconds(31)) == .look)
    }

    @Test func anUnreachableRemoteIsTriedLessAndLess() {
        var plan = settled()
        var now = Duration.seconds(30)
        var pauses: [Double] = []
        for _ in 0..<12 {
            plan.end(.unreachable, at: now, jitter: 1)
            guard case .wait(let until) = plan.step(at: now) else { break }
            pauses.append((until - now) / .seconds(1))
            // What is changed meanwhile waits with the rest.
            plan.noteChange(at: now)
            #expect(plan.step(at: until - .milliseconds(1)) == .wait(until: until))
            #expect(plan.step(at: until) == .sync)
            now = until
        }
        #expect(pauses == [30, 60, 120, 240, 480, 900, 900, 900, 900, 900, 900, 900])
        plan.begin()
        plan.end(.done, at: now, jitter: 1)
        #expect(plan.isReachable && plan.step(at: now) == .wait(until: now + .seconds(30)))
    }

    @Test func devicesDoNotComeBackTogether() {
        var plan = settled()
        plan.end(.unreachable, at: .zero, jitter: 0)
        #expect(plan.step(at: .zero) == .wait(until: .seconds(15)))
    }

    @Test func anAlarmStopsEverythingUntilSomebodyDecides() {
        var plan = settled()
        plan.end(.stopped, at: .seconds(1), jitter: 0)
        plan.noteChange(at: .seconds(2))
        #expect(plan.step(at: .seconds(100)) == .rest && !plan.isReachable)
        plan.resume(at: .seconds(101))
        #expect(plan.step(at: .seconds(101)) == .sync)
    }

    @Test func whatWasCutShortIsOwed() {
        var plan = settled()
        plan.noteChange(at: .seconds(1))
        plan.begin()
        plan.end(.cancelled, at: .seconds(4), jitter: 0)
        #expect(plan.step(at: .seconds(4)) == .sync)
    }
}

extension PlanTests {
    /// Once nothing more has come for a poll; and at the latest after twenty.
    @Test func whatWasReadIsAcknowledgedOnceItIsQuiet() {
        var plan = settled()
        plan.noteReading(isOwed: true, isNew: true, at: .seconds(1))
        plan.end(.done, at: .seconds(20), jitter: 0)
        plan.noteReading(isOwed: true, isNew: true, at: .seconds(20))
        #expect(plan.step(at: .seconds(49)) == .wait(until: .seconds(50)))
        plan.end(.done, at: .seconds(45), jitter: 0)
        plan.noteReading(isOwed: true, isNew: false, at: .seconds(45))
        #expect(plan.step(at: .seconds(50)) == .acknowledge)
        plan.end(.done, at: .seconds(50), jitter: 0)
        plan.noteReading(isOwed: false, isNew: false, at: .seconds(50))
        #expect(plan.step(at: .seconds(51)) == .wait(until: .seconds(80)))
    }

    @Test func readingWithoutEndIsAcknowledgedNowAndThen() {
        var plan = settled()
        var acknowledged: [Int] = []
        for second in 1...1300 {
            plan.noteReading(isOwed: true, isNew: true, at: .seconds(second))
            switch plan.step(at: .seconds(second)) {
            case .look: plan.end(.done, at: .seconds(second), jitter: 0)
            case .acknowledge:
                acknowledged.append(second)
                plan.end(.done, at: .seconds(second), jitter: 0)
                plan.noteReading(isOwed: false, isNew: false, at: .seconds(second))
            default: break
            }
        }
        #expect(acknowledged == [601, 1202])
    }
}
