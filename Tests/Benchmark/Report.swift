import Glibc

/// Writes tables, for a terminal or as Markdown. The first column of every table is the system that all others
/// are compared with.
final class Report {
    private let markdown: Bool
    private var header: [String] = []
    private var rows: [[String]] = []
    private var systems: [String] = []

    init(_ options: Options) { markdown = options.markdown }

    /// One line that says where the figures come from.
    func machine(scratch: String) {
        let processor = Shell.output("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1")
        let cores = Shell.output("nproc")
        let memory = Shell.output("awk '/MemTotal/ {printf \"%.0f GiB\", $2 / 1048576}' /proc/meminfo")
        let system = Shell.output(". /etc/os-release && echo \"$PRETTY_NAME\"")
        let disk = Shell.output("stat -f -c %T \"$1\"", scratch)
        print("Machine: \(processor), \(cores) cores, \(memory), \(system), Linux \(Shell.output("uname -r")), \(disk)")
    }

    /// Starts a table with p50 and p99 of each system and the ratio of the first to each other.
    func begin(_ title: String, columns: [String]) {
        let note = columns.count > 1 ? "; then \(columns[0])'s p50 as a multiple of each other's" : ""
        begin("\(title): p50 / p99\(note)", header: [""] + columns + ratioHeader(columns))
    }

    /// Starts a table with one figure for each system.
    func beginFigures(_ title: String, columns: [String]) {
        begin(title, header: [""] + columns + ratioHeader(columns))
    }

    private func ratioHeader(_ columns: [String]) -> [String] { columns.dropFirst().map { "/\($0)" } }

    func begin(_ title: String, header: [String]) {
        print(markdown ? "\n### \(title)\n" : "\n\(title)")
        self.header = header
        rows = []
    }

    func row(_ result: Result) {
        progress(result.name)
        let middle = result.samples.map { $0.percentile(0.5) }
        let cells = result.samples.map { "\(text($0.percentile(0.5))) / \(text($0.percentile(0.99)))" }
        rows.append([result.name] + cells + ratios(middle))
    }

    /// A row of single figures with their ratios; nil is shown as a dash.
    func figures(_ name: String, _ values: [Double?]) {
        progress(name)
        rows.append([name] + values.map(text) + ratios(values))
    }

    /// A line of text below a table.
    func note(_ text: String) { print(markdown ? "\n\(text)" : text) }

    func cells(_ cells: [String]) { rows.append(cells) }

    func end() {
        let table = [header] + rows
        let widths = header.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        for (number, row) in table.enumerated() {
            print(line(row, widths))
            if number == 0 { print(rule(widths)) }
        }
        _ = fflush(nil)
    }

    /// Tells somebody who waits how far it is; nothing of it gets into a file of results.
    func progress(_ text: String) {
        if isatty(2) == 1 { Report.say("  \(text)") }
    }

    /// A line on standard error.
    static func say(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe write(2, bytes, bytes.count)
    }

    private func line(_ row: [String], _ widths: [Int]) -> String {
        let cells = row.indices.map { column in
            let padding = String(repeating: " ", count: widths[column] - row[column].count)
            return column == 0 ? row[column] + padding : padding + row[column]
        }
        return markdown ? "| \(cells.joined(separator: " | ")) |" : cells.joined(separator: "  ")
    }

    private func rule(_ widths: [Int]) -> String {
        guard markdown else { return widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ") }
        let bars = widths.enumerated().map { String(repeating: "-", count: max($1, 2) - ($0 == 0 ? 0 : 1)) }
        return "| " + bars.enumerated().map { $0 == 0 ? $1 : $1 + ":" }.joined(separator: " | ") + " |"
    }

    private func ratios(_ values: [Double?]) -> [String] {
        values.dropFirst().map { other in
            guard let own = values[0], let other, other > 0 else { return "-" }
            return Report.decimal(own / other, places: 2)
        }
    }

    private func text(_ value: Double?) -> String {
        guard let value else { return "-" }
        return Report.decimal(value, places: value < 10 ? 2 : value < 100 ? 1 : 0)
    }

    static func decimal(_ value: Double, places: Int) -> String {
        let scale = [1.0, 10, 100][places]
        let rounded = Int((value * scale).rounded())
        guard places > 0 else { return "\(rounded)" }
        let fraction = String(rounded % Int(scale))
        return "\(rounded / Int(scale))." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}
