internal import ArgumentParser
internal import Vault

struct Settings: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what the vault keeps of earlier contents and of what was removed, and change it.",
        discussion: VerbHelp.text(
            """
            They are this device's, and are kept sealed in the vault:

            \(Setting.allCases.map { "\($0.rawValue): \($0.meaning)." }.joined(separator: "\n\n"))

            Above its bounds, what is large and old goes first; what is smaller than 32 KiB goes last. On a full disk all of \
            it gives way before a write fails. Of what another device's edits took the place of, a quarter stays for 30 days, \
            whatever comes. Each entry keeps at most 64 versions, which stand the wider apart the older they are.
            """,
            examples: ["coffer settings", "coffer settings keep-floor 256M", "coffer settings trash-age --reset"],
            codes: .opening))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Argument(help: "The setting: \(Setting.allCases.map(\.rawValue).joined(separator: ", ")).")
    var name: String?

    @Argument(help: "Its new value.")
    var value: String?

    @Flag(name: .long, help: "Set it, or all, to what it was in a new vault.")
    var reset = false

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private var setting: Setting? { name.flatMap { Setting(rawValue: $0) } }

    func validate() throws {
        if let name, setting == nil {
            throw ValidationError(
                "There is no setting \(name). There are: \(Setting.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        if value != nil, reset { throw ValidationError("--reset takes no value.") }
        if let setting, let value, setting.set(value, in: KeepingSettings()) == nil {
            throw ValidationError("\(setting.rawValue) takes \(setting.values).")
        }
    }

    func run() throws {
        let change = value != nil || reset ? KeepingChange(setting: name, value: value) : nil
        guard let settings = try vault.synchronise(.keeping(change), password).keeping else {
            throw Failure(.otherError, "The mounted vault gave no answer.")
        }
        if json { return Console.json(settings) }
        if change != nil { return }
        if let setting { return Console.result(setting.text(settings)) }
        for setting in Setting.allCases {
            let name = setting.rawValue.padding(to: 12)
            Console.result("\(name)  \(setting.text(settings).padding(to: 8))  \(setting.meaning)")
        }
    }
}

extension String {
    fileprivate func padding(to count: Int) -> String {
        self + String(repeating: " ", count: max(0, count - self.count))
    }
}

/// What is kept, as it stands in the vault's settings and in `coffer settings --json`.
struct KeepingSettings: Codable, Equatable, Sendable {
    /// In percent of the live contents.
    var keepShare = Keeping().share
    /// In bytes.
    var keepFloor = Keeping().floor
    /// In days.
    var versionAge = Keeping().versionDays
    var trashAge = Keeping().trashDays

    /// Within its bounds, whatever stands in the vault.
    var value: Keeping {
        var keeping = Keeping()
        keeping.share = min(max(keepShare, Keeping.shares.lowerBound), Keeping.shares.upperBound)
        keeping.floor = min(keepFloor, Keeping.floors.upperBound)
        keeping.versionDays = min(max(versionAge, Keeping.days.lowerBound), Keeping.days.upperBound)
        keeping.trashDays = min(max(trashAge, Keeping.days.lowerBound), Keeping.days.upperBound)
        return keeping
    }
}

/// One setting, or all of them, gets a value, or what it is in a new vault.
struct KeepingChange: Codable, Sendable {
    var setting: String?
    var value: String?

    /// nil for what is no change that this version knows.
    func applied(to old: KeepingSettings) -> KeepingSettings? {
        guard let setting else { return KeepingSettings() }
        guard let known = Setting(rawValue: setting) else { return nil }
        return value.map { known.set($0, in: old) } ?? known.reset(old)
    }
}

enum Setting: String, CaseIterable {
    case share = "keep-share"
    case floor = "keep-floor"
    case versions = "version-age"
    case trash = "trash-age"

    var meaning: String {
        switch self {
        case .share: "history and trash may take so much of the disk, in percent of the live contents"
        case .floor: "and so much in any case, or a quarter of the disk where that is less"
        case .versions: "earlier versions go after so long"
        case .trash: "removed entries go after so long"
        }
    }

    var values: String {
        switch self {
        case .share: "0% to 10000%"
        case .floor: "a size such as 64M or 2G"
        case .versions, .trash: "a number of days such as 30d, 1d to 36500d"
        }
    }

    func text(_ settings: KeepingSettings) -> String {
        switch self {
        case .share: "\(settings.keepShare)%"
        case .floor: ByteCount.text(settings.keepFloor)
        case .versions: "\(settings.versionAge)d"
        case .trash: "\(settings.trashAge)d"
        }
    }

    /// nil for what it does not take.
    func set(_ text: String, in settings: KeepingSettings) -> KeepingSettings? {
        var settings = settings
        switch self {
        case .share:
            guard let share = Setting.number(text, "%"), Keeping.shares.contains(share) else { return nil }
            settings.keepShare = share
        case .floor:
            guard let floor = ByteCount.parse(text), Keeping.floors.contains(floor) else { return nil }
            settings.keepFloor = floor
        case .versions, .trash:
            guard let days = Setting.number(text, "d"), Keeping.days.contains(days) else { return nil }
            if self == .versions { settings.versionAge = days } else { settings.trashAge = days }
        }
        return settings
    }

    func reset(_ settings: KeepingSettings) -> KeepingSettings {
        var settings = settings
        let new = KeepingSettings()
        switch self {
        case .share: settings.keepShare = new.keepShare
        case .floor: settings.keepFloor = new.keepFloor
        case .versions: settings.versionAge = new.versionAge
        case .trash: settings.trashAge = new.trashAge
        }
        return settings
    }

    /// With its unit or without.
    private static func number(_ text: String, _ unit: Character) -> Int? {
        let digits = text.last == unit ? text.dropLast() : Substring(text)
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return Int(digits)
    }
}
