import Testing

/// One idea a file, the main path on one screen.
@Suite struct SizeTests {
    @Test(arguments: SourceFile.all) func fileIsShort(_ file: SourceFile) {
        #expect(file.lineCount <= 400, "\(file): split it by idea")
    }

    @Test(arguments: SourceFile.all) func functionsAreShort(_ file: SourceFile) {
        for function in Function.all(in: file.code) where function.lines > 70 {
            Issue.record("\(file):\(function.line): \(function.name) has \(function.lines) lines, 70 are the limit")
        }
    }

    /// The rule is worth nothing when it finds no functions.
    @Test func functionsAreFound() {
        let code = """
            protocol P { func requirement() -> Int; init(a: Int) }
            struct S: P {
                init(a: Int) { self.init() }
                func one<T>(_ a: (T) -> Void = { _ in }) throws(E) -> Int where T: P {
                    func inner() {
                    }
                    return 1
                }
                deinit { }
            }
            """
        let functions = Function.all(in: Blanker.blank(code))
        #expect(functions.map(\.name) == ["init", "func one", "func inner", "deinit "])
        #expect(functions.map(\.lines) == [1, 5, 2, 1])
        #expect(SourceFile.all.count > 50)
    }
}
