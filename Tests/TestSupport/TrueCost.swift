public import Testing

/// Keys are derived at their true cost in a test, as wraps and kits are that came from elsewhere: see `Tests/QuickKDF`.
public struct TrueCost: SuiteTrait, TestTrait, TestScoping {
    @TaskLocal fileprivate static var isAsked = false

    /// For the tests of a suite, too.
    public let isRecursive = true

    /// Runs the test.
    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await Self.$isAsked.withValue(true) { try await function() }
    }
}

extension Trait where Self == TrueCost {
    /// See ``TrueCost``.
    public static var trueCost: Self { TrueCost() }
}

@_cdecl("coffer_derives_at_true_cost") func derivesAtTrueCost() -> Int32 { TrueCost.isAsked ? 1 : 0 }
