internal import Foundation
internal import KitImage
internal import Sealing
internal import SystemPackage

/// Reads a kit from a file that anybody may have made: a photograph, a picture or its text.
enum KitReader {
    static func read(_ file: String) throws -> Kit {
        let bytes = try contents(of: file)
        do {
            let text = try KitImage.read(bytes) { Kit(text: $0) != nil || Kit.newerFormat(text: $0) != nil }
            if let format = Kit.newerFormat(text: text) { throw newer(format, file) }
            guard let kit = Kit(text: text) else { throw KitImageError.noKitInText }
            return kit
        } catch let error as KitImageError {
            throw failure(error, file)
        }
    }

    private static func newer(_ format: Int, _ file: String) -> Failure {
        Failure(
            .otherError, "The kit in \(file) was made by a newer coffer (format \(format)).",
            hint: "Update coffer on this machine; the kit is whole.")
    }

    /// No more than is taken for a picture: the file may be a device, or a pipe that never ends.
    private static func contents(of file: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        do {
            let descriptor = try FileDescriptor.open(FilePath(file), .readOnly, options: .closeOnExec)
            try descriptor.closeAfter {
                while bytes.count <= KitImage.maximumFileSize {
                    let count = try unsafe piece.withUnsafeMutableBytes { unsafe try descriptor.read(into: $0) }
                    guard count > 0 else { return }
                    bytes += piece[..<count]
                }
            }
        } catch {
            throw Failure(.otherError, "The kit cannot be read from \(file): \(error).")
        }
        return bytes
    }

    private static func failure(_ error: KitImageError, _ file: String) -> Failure {
        let forms = "Take a PNG or JPEG photograph of the kit's picture, or a file with its text."
        switch error {
        case .fileTooLarge(let limit):
            return Failure(.notUnderstood, "\(file) is larger than \(limit >> 20) MiB, and was not read.", hint: forms)
        case .tooManyPixels(let width, let height):
            return Failure(
                .notUnderstood, "\(file) has \(width) x \(height) pixels, and was not unpacked.",
                hint: "Take a photograph of at most \(KitImage.maximumPixelCount >> 20) megapixels.")
        case .damagedPicture:
            return Failure(.notUnderstood, "The picture \(file) is damaged.", hint: forms)
        case .noKitInPicture:
            return Failure(
                .notUnderstood, "No kit can be read in the picture \(file).",
                hint:
                    "Take the photograph straight from above and in focus, let the QR code with its white margin fill "
                    + "the frame, or use the kit's text.")
        case .noKitInText:
            return Failure(
                .notUnderstood, "The text in \(file) is no kit, or not all of it.",
                hint: "It begins with COFFER1: and ends with a checksum; compare it with the kit.")
        case .unknownFormat: return Failure(.notUnderstood, "\(file) is no PNG, no JPEG and no text.", hint: forms)
        default: return Failure(.otherError, "The kit cannot be read from \(file): \(error).")
        }
    }
}
