import Testing

/// Histories that went wrong once, and have been mended since.
struct KnownHistory: Sendable, CustomTestStringConvertible {
    var name: String
    var writers: Int
    var history: History
    /// Texts that stand nowhere at the end: whoever has removed them had seen all that was saved there.
    var gone: Set<String>
    /// How the names of files begin in which texts stand at the end.
    var shown: [String: String]
    var testDescription: String { name }

    init(
        _ name: String, writers: Int, gone: Set<String> = [], shown: [String: String] = [:],
        _ rounds: [(moves: [(Int, HistoryStep)], sync: Int)]
    ) {
        (self.name, self.writers, self.gone, self.shown) = (name, writers, gone, shown)
        history = History(rounds)
    }

    private static let file: [(moves: [(Int, HistoryStep)], sync: Int)] = [([(0, .save("f", "w1"))], 0), ([], 1)]

    private static let folder: [(moves: [(Int, HistoryStep)], sync: Int)] = [
        ([(0, .makeDirectory("d")), (0, .save("d/f", "w1")), (0, .save("d/g", "w2"))], 0), ([], 1),
    ]

    static let all = [
        KnownHistory(
            "a folder is removed and made again", writers: 1,
            folder + [([(0, .remake("d", "f", "w3"))], 0), ([], 1), ([], 0)]),
        KnownHistory(
            "a folder becomes a file", writers: 1,
            folder + [([(0, .removeTree("d")), (0, .save("d", "w3"))], 0), ([], 1), ([], 0)]),
        KnownHistory(
            "a folder becomes a link", writers: 1,
            folder + [([(0, .removeTree("d")), (0, .symbolicLink("d", "t"))], 0), ([], 1), ([], 0)]),
        KnownHistory(
            "a folder within one that is made again becomes a file", writers: 1,
            [
                ([(0, .makeDirectory("d")), (0, .makeDirectory("d/e"))], 0), ([], 1),
                ([(0, .remake("d", "e", "w1"))], 0), ([], 1),
            ]),
        KnownHistory(
            "what is moved out of a folder that is made again", writers: 1,
            folder + [([(0, .rename("d/f", "a")), (0, .remake("d", "f", "w3"))], 0), ([], 1)]),
        KnownHistory(
            "a name of an editor is a folder there", writers: 2,
            [
                ([(1, .makeDirectory("e"))], 1), ([], 0),
                (
                    [
                        (1, .replace("d/e", by: ".goutputstream-X1", "w1")),
                        (0, .rewrite("e", away: ".goutputstream-X1", "w2")),
                    ], 1
                ),
            ]),
        KnownHistory(
            "a file is edited that was moved over another one", writers: 2,
            [
                ([(0, .save("c", "w1")), (0, .save("b", "w2"))], 0), ([], 1),
                ([(0, .rename("c", "b")), (1, .replace("c", by: "t", "w3"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "an empty file is edited that was removed", writers: 2,
            [
                ([(0, .create("x"))], 0), ([], 1), ([(0, .save("x", "w1")), (1, .unlink("x"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "an empty file is moved that was removed", writers: 2,
            [
                ([(0, .create("x"))], 0), ([], 1), ([(0, .rename("x", "y")), (1, .unlink("x"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "another name is made of a file that was moved over another one", writers: 2,
            [
                ([(1, .save("b", "w1")), (0, .save("d", "w3"))], 1), ([], 0), ([(0, .link("b", "l"))], 1),
                ([(1, .rename("b", "d"))], 1),
            ]),
        KnownHistory(
            "a file is edited whose name leads to another one", writers: 2,
            [
                ([(0, .save("a", "w1")), (0, .save("c", "w2"))], 0), ([], 1),
                ([(0, .linkOver("a", "c")), (1, .append("c", "w3"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a file is removed that stood beside a folder of its name", writers: 2, gone: ["w1"],
            [([(1, .save("d", "w1"))], 1), ([(0, .makeDirectory("d")), (1, .unlink("d"))], 1)]),
        KnownHistory(
            "a file is removed that has to leave its name twice", writers: 2, gone: ["w2"],
            [
                ([(1, .save("e", "w1")), (1, .makeDirectory("d"))], 1), ([(1, .save("d/f", "w2"))], 0),
                ([(0, .linkOver("e", "d/f"))], 1), ([(1, .remake("d", "e", "w3"))], 0),
            ]),
        KnownHistory(
            "a file moves on that a folder has taken the name of", writers: 2,
            [
                ([(1, .save("a", "w1"))], 1),
                ([(1, .create("e")), (1, .exchange("e", "a")), (0, .makeDirectory("a"))], 1),
            ]),
        KnownHistory(
            "a copy is as old as what it shows", writers: 2,
            [
                ([(1, .save("d", "w1"))], 1), ([], 0),
                ([(1, .replace("d", by: "b.bak", "w2")), (0, .save("d", "w3"))], 1),
            ]),
        KnownHistory(
            "a copy is as old as what it shows, though that was given another time", writers: 2,
            [
                ([(1, .save("d", "w1"))], 1), ([], 0), ([(0, .save("d", "w2"))], 0),
                ([(0, .times("d", 1_000_000_000)), (1, .save("d", "w3"))], 1), ([], 0),
            ]),
        KnownHistory(
            "a copy has the mode of what it stands beside", writers: 2,
            [
                ([(1, .save("d", "w1"))], 1), ([], 0), ([(0, .save("d", "w2")), (1, .save("d", "w3"))], 0), ([], 1),
                ([(0, .mode("d", 0o640)), (0, .attribute("d", "v"))], 0),
            ]),
        KnownHistory(
            "a link is made anew in a folder that was removed", writers: 2,
            [
                ([(0, .makeDirectory("d"))], 0), ([], 1),
                ([(0, .removeTree("d")), (1, .symbolicLink("d/f", "1"))], 0), ([], 1), ([], 0), ([], 1), ([], 0),
                ([(1, .symbolicLink("d/g", "2")), (1, .rename("d/g", "d/f"))], 1), ([], 0),
            ]),
        KnownHistory(
            "a file is removed that another one has given a further name", writers: 2,
            [
                ([(1, .save("a", "w1"))], 1), ([], 0),
                ([(1, .linkOver("a", "e")), (0, .save("a", "w6")), (0, .unlink("a"))], 1),
            ]),
        KnownHistory(
            "a name leads to another file, and the one before is moved, which has a copy", writers: 2,
            shown: ["w3": "f"],
            file + [
                ([(0, .save("g", "w4")), (0, .save("f", "w2")), (1, .save("f", "w3"))], 0), ([], 1), ([], 0),
                ([(0, .rename("f", "f1")), (1, .linkOver("g", "f"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a name leads to another file, and the one before is saved, which has a copy", writers: 2,
            shown: ["w5": "f"],
            file + [
                ([(0, .save("g", "w4")), (0, .save("f", "w2")), (1, .save("f", "w3"))], 0), ([], 1), ([], 0),
                ([(0, .save("f", "w5")), (1, .linkOver("g", "f"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "one of two names is written anew, the other one is removed", writers: 2, shown: ["w2": "b", "w3": "a"],
            [
                ([(0, .save("a", "w1")), (0, .link("a", "b"))], 0), ([], 1),
                ([(1, .replace("b", by: "b.bak", "w2")), (1, .unlink("a"))], 1),
                (
                    (4..<16).map { (0, .append("c", "w\($0)")) } + [(0, .rewrite("a", away: "a~", "w3"))], 0
                ),
            ]),
        KnownHistory(
            "a file gets another name and loses the one that it had", writers: 2, shown: ["w1": "g"],
            file + [([(1, .link("f", "g")), (0, .unlink("f"))], 0), ([], 1), ([], 0)]),
        KnownHistory(
            "an entry that is new changes places with one that is written anew", writers: 2,
            shown: ["w3": "e", "w4": "c"],
            [
                ([(0, .save("d", "w1")), (0, .save("e", "w2"))], 0), ([], 1), ([(0, .save("c", "w3"))], 0),
                (
                    [
                        (1, .makeDirectory("k")), (0, .exchange("e", "c")),
                        (1, .replace("e", by: "k/f.new", "w4")),
                    ], 0
                ),
            ]),
        KnownHistory(
            "a file comes back that two have removed, and is edited", writers: 2, shown: ["w4": "d/f"],
            folder + [
                ([(1, .save("d/f", "w3")), (0, .unlink("d/f"))], 1), ([(1, .unlink("d/f"))], 0),
                ([(0, .save("d/f", "w4"))], 0), ([], 1),
            ]),
        KnownHistory(
            "a file is moved over one that was removed, in a folder that was removed", writers: 2,
            shown: ["w3": "d/e"],
            [
                ([(1, .makeDirectory("d"))], 1), ([], 0), ([(1, .save("d/e", "w1"))], 1),
                (
                    [
                        (0, .save("b", "w3")), (1, .unlink("d/e")), (0, .removeTree("d")), (0, .rename("b", "a")),
                    ], 0
                ),
                ([(0, .rename("a", "d/e"))], 1), ([], 0), ([], 1),
            ]),
        KnownHistory(
            "a file comes back beside one with its content, which is written anew", writers: 2, shown: ["w37": "b"],
            [
                ([(0, .save("b", "w28")), (0, .save("d", "w37"))], 0), ([], 1),
                ([(1, .rename("d", "b")), (0, .linkOver("d", "b"))], 0),
                ([(1, .save("d", "w60")), (0, .unlink("d"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a name is removed of a file that is written under another one, and told again", writers: 2,
            shown: ["w3": "e"],
            [
                ([(1, .save("e", "w1"))], 1), ([], 0), ([(0, .unlink("e")), (1, .link("e", "d"))], 0),
                ([(1, .save("d", "w3"))], 1), ([], 0), ([], 1),
            ]),
        KnownHistory(
            "a copy is removed, and the file beside it", writers: 2,
            file + [
                ([(1, .save("f", "w2")), (0, .save("f", "w3"))], 1), ([], 0),
                ([(1, .unlink("f")), (0, .removeCopy(0))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a file is written with the bytes of the copy beside it", writers: 2,
            file + [
                ([(1, .save("f", "w2")), (0, .save("f", "w3"))], 1), ([], 0), ([], 1),
                ([(0, .save("f", "w2")), (1, .save("f", "w3"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a file is removed, and made again later", writers: 1,
            file + [([(0, .unlink("f"))], 0), ([(0, .save("f", "w2"))], 0), ([], 1)]),
        KnownHistory(
            "a file gets another name, and loses both", writers: 1, gone: ["w1"],
            file + [([(0, .link("f", "g")), (0, .unlink("f")), (0, .unlink("g"))], 0), ([], 1)]),
        KnownHistory(
            "each of two devices removes one of two names", writers: 2, shown: ["w1": ""],
            [
                ([(0, .save("f", "w1")), (0, .link("f", "g"))], 0), ([], 1),
                ([(0, .unlink("f")), (1, .unlink("g"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "each of two devices removes one of two names, of which a merge has moved one", writers: 2,
            shown: ["w1": ""],
            [
                ([(1, .makeDirectory("d")), (1, .save("b", "w1"))], 1), ([], 0),
                ([(0, .remake("d", "g", "w3")), (1, .linkOver("b", "d/f"))], 1), ([], 0),
                ([(0, .unlink("b")), (1, .unlink("d/f"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a file is edited that was removed in a folder which nobody has heard of", writers: 2,
            shown: ["w54": "d/g"],
            [
                ([(0, .save("a", "w28"))], 0), ([], 1),
                (
                    [
                        (0, .makeDirectory("d")), (0, .rename("a", "d/g")), (0, .remake("d", "g", "w48")),
                        (1, .save("a", "w54")),
                    ], 0
                ), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a name is removed, and the file is written twice under another one", writers: 2,
            [
                ([(1, .save("f", "w1"))], 1), ([], 0), ([(1, .link("f", "a"))], 1), ([], 0),
                ([(1, .append("a", "w2")), (1, .unlink("a")), (1, .save("f", "w3"))], 1), ([], 0),
            ]),
        KnownHistory(
            "a copy stands beside the first name, and that is removed", writers: 2,
            file + [
                ([(0, .link("f", "g")), (0, .link("f", "h"))], 0), ([], 1),
                ([(0, .save("f", "w2")), (1, .save("g", "w3"))], 0), ([], 1), ([], 0),
                ([(0, .unlink("f"))], 0), ([], 1), ([(0, .unlink("g"))], 0), ([], 1),
            ]),
        KnownHistory(
            "a program writes on through a descriptor from before an edit", writers: 2,
            shown: ["w2": "f", "w3": "f"],
            file + [([(1, .open("f")), (0, .append("f", "w2"))], 0), ([], 1), ([(1, .write("w3"))], 1), ([], 0)]),
        KnownHistory(
            "a program writes on through a descriptor from before a removal", writers: 2, shown: ["w3": "f"],
            file + [([(1, .open("f")), (0, .unlink("f"))], 0), ([], 1), ([(1, .write("w3"))], 1), ([], 0)]),
        KnownHistory(
            "a program writes on in a folder that is gone", writers: 2, shown: ["w3": "f"],
            folder + [([(1, .open("d/f")), (0, .removeTree("d"))], 0), ([], 1), ([(1, .write("w3"))], 1), ([], 0)]),
        KnownHistory(
            "a program moves a file away to write it anew", writers: 2, shown: ["w2": "f", "w3": "f"],
            file + [([(0, .rewrite("f", away: "x.bak", "w2")), (1, .save("f", "w3"))], 0), ([], 1), ([], 0)]),
        KnownHistory(
            "a program moves a file away, and another one to its name", writers: 2,
            shown: ["w2": "f", "w3": "f"],
            file + [
                (
                    [
                        (0, .save("t", "w2")), (0, .rename("f", "x")), (0, .rename("t", "f")), (0, .unlink("x")),
                        (1, .save("f", "w3")),
                    ], 0
                ), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a program makes a link to a file that it writes anew", writers: 2,
            shown: ["w2": "f", "w3": "f"],
            file + [
                (
                    [
                        (0, .link("f", "x")), (0, .replace("f", by: "t", "w2")), (0, .unlink("x")),
                        (1, .save("f", "w3")),
                    ], 0
                ),
                ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a program exchanges a file with one that it has written", writers: 2,
            shown: ["w2": "f", "w3": "f"],
            file + [
                ([(0, .save("t", "w2")), (0, .exchange("t", "f")), (0, .unlink("t")), (1, .save("f", "w3"))], 0),
                ([], 1), ([], 0),
            ]),
        KnownHistory(
            "a program moves a file away for longer than a synchronisation", writers: 2,
            shown: ["w2": "f", "w3": "f"],
            file + [
                ([(0, .rename("f", "x")), (0, .save("f", "w2")), (1, .save("f", "w3"))], 0),
                ([(0, .unlink("x"))], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "something is written in a folder that was removed and is there for what is in it", writers: 2,
            shown: ["w2": "d/g"],
            folder + [
                ([(1, .removeTree("d")), (0, .create("d/x"))], 1), ([(1, .makeDirectory("d"))], 0),
                ([(0, .replace("d/g", by: "t", "w2"))], 1), ([], 0), ([], 1), ([], 0),
            ]),
        KnownHistory(
            "something is moved into a folder that was removed, and back", writers: 2, shown: ["w5": "d/e"],
            [
                ([(0, .save("b", "w3")), (1, .makeDirectory("d"))], 1), ([], 0),
                ([(0, .rename("b", "d/f")), (1, .removeTree("d"))], 1), ([], 0),
                ([(1, .rewrite("b", away: "t", "w4"))], 1), ([(0, .save("d/e", "w5"))], 0), ([], 1),
            ]),
        KnownHistory(
            "something is written anew in a folder that was removed and made again", writers: 2,
            shown: ["w5": "d/g"],
            [
                ([(0, .makeDirectory("d"))], 0), ([], 1),
                ([(0, .removeTree("d")), (1, .save("d/f", "w2")), (0, .save("d", "w3"))], 0),
                ([(0, .remake("d", "g", "w4"))], 1), ([(1, .replace("d/g", by: "t", "w5"))], 0),
            ]),
        KnownHistory(
            "two files change places, and one is removed whose text the other has, beside an edit", writers: 2,
            shown: ["w2": "b"],
            [
                ([(1, .save("b", "s1")), (1, .save("d", "s1"))], 1), ([], 0),
                (
                    [
                        (1, .save("d", "s1")), (1, .replace("b", by: "t", "w2")), (0, .exchange("b", "d")),
                        (0, .unlink("d")),
                    ], 0
                ),
            ]),
        KnownHistory(
            "a program writes on into a file that was removed and somebody else has brought back", writers: 2,
            [
                ([(0, .save("d", "w1"))], 0), ([(0, .open("d")), (1, .save("d", "w2"))], 1), ([], 0),
                ([(0, .renameCopy(0, "c")), (1, .editCopy(0, "w3"))], 0), ([(0, .unlink("c"))], 1),
                ([(1, .save("c", "w4"))], 1), ([(0, .write("w5"))], 0), ([], 1), ([], 0), ([], 1),
                ([(1, .editCopy(0, "w6"))], 0),
            ]),
    ]
}
