/// Where a listing of a directory goes on: readdir's offset.
///
/// What comes while a directory is read is behind its last child. A listing that went on to there would not end where a
/// program renames each name that it meets. So a listing knows the last child that there was when it began; POSIX leaves
/// open whether later ones are in it.
///
/// The last child is part of each offset, and not of the open directory: the kernel keeps listings for everybody who
/// reads the directory, and whoever goes on from the middle of one goes on to the end of that one.
public struct ListingPosition: Sendable {
    /// The child behind which it goes on; 0 at the beginning, 1 and 2 behind `.` and `..`.
    public var cookie: UInt64
    /// The last child; 0 in the offset 0, with which a listing begins.
    var last: UInt64

    /// The bits of a cookie beside which a last child has room.
    private static let width: UInt64 = 31
    /// Marks an offset without a last child. A directory that two thousand million names have come into, in one unlocking,
    /// is read to whatever end it has.
    private static let endless: UInt64 = 1 << 62

    init(cookie: UInt64, last: UInt64) { (self.cookie, self.last) = (cookie, last) }

    /// - Parameter offset: from readdir, which may come from anywhere (seekdir(3)).
    public init(offset: UInt64) {
        if offset & ListingPosition.endless != 0 {
            (cookie, last) = (offset & (ListingPosition.endless - 1), .max)
        } else {
            (cookie, last) = (offset & (1 << ListingPosition.width - 1), offset >> ListingPosition.width)
        }
    }

    /// For readdir; always positive as off_t.
    public var offset: UInt64 {
        last >> ListingPosition.width == 0
            ? last << ListingPosition.width | cookie : ListingPosition.endless | cookie
    }
}
