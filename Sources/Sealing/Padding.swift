/// Sizes that tell little: PADME of Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
/// Communication with PURBs" (2019): at most 12 % more, and only log log n bits told.
public enum Padding {
    /// `size` rounded up so that its lower bits are zero, at least `floor`.
    public static func padme(_ size: Int, floor: Int) -> Int {
        guard size > floor else { return floor }
        let exponent = Int.bitWidth - 1 - size.leadingZeroBitCount
        let significant = Int.bitWidth - exponent.leadingZeroBitCount
        let mask = (1 << max(0, exponent - significant)) - 1
        return (size + mask) & ~mask
    }
}
