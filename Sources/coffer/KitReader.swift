internal import Foundation
internal import KitImage
internal import Sealing
internal import SystemPackage

/// Reads a kit from a file that anybody may have made: a photograph, a picture or its text.
enum KitReader {
    static func read(_ file: String) throws -> Kit {
        let bytes = try contents(of: file)
        let text: [UInt8]
        do throws(KitImageError) {
            text = try KitImage.read(bytes, where: isWhole)
        } catch {
            throw failure(error, file)
        }
        return try kit(text, file)
    }

    /// Of whatever format: one that is not known is told as such, and not as damage.
    private static func isWhole(_ text: [UInt8]) -> Bool {
        do throws(KitError) {
            _ = try Kit(reading: text)
            return true
        } catch {
            return error != .incomplete
        }
    }

    private static func kit(_ text: [UInt8], _ file: String) throws -> Kit {
        do throws(KitError) { return try Kit(reading: text) } catch {
            switch error {
            case .newerFormat(let format): throw Failure(newerKit: format, in: file)
            case .incomplete: throw failure(.noKitInText, file)
            }
        }
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
        let forms = "Take a PNG or JPEG photograph of the kit's page, or a file with its text."
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
                hint: "It begins with COFFER1: and ends with a checksum; compare each letter with the kit's.")
        case .unknownFormat: return Failure(.notUnderstood, "\(file) is no PNG, no JPEG and no text.", hint: forms)
        default: return Failure(.otherError, "The kit cannot be read from \(file): \(error).")
        }
    }
}
