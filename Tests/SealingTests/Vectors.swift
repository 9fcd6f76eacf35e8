/// Vectors made by another program (libsodium's Python binding, hashlib, and for the two-key wrap Poly1305 over
/// GF(2^130 - 5) in plain Python), from the layouts in the documents alone.
enum Vectors {
    /// Spelled with combining marks and a ligature; the vectors hold the NFKC form.
    static let password = "Gru\u{308}\u{DF}e 1234 \u{FB01}sh"
    static let accountKey = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    static let vault: (UInt64, UInt64) = (0x0807_0605_0403_0201, 0x100F_0E0D_0C0B_0A09)
    static let unlockWrap =
        "43465257010100000300000040000000030000000102030405060708090a0b0c0d0e0f10a0a1a2a3a4a5a6a7a8a9aaabacad"
        + "aeaf0000000000000000b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7de3f859b8852d149f6ca9c0289a32759"
        + "da0dde44b363a20e6159450aa931bc554b0323c612adfb57147bff44ea600a58b197fb612eeec3a0fdc8cb82a82b4b435d40"
        + "79dd07d93904a2cf5541dd629541"
    static let kitWrap =
        "43465257010200000300000040000000030000000102030405060708090a0b0c0d0e0f10a0a1a2a3a4a5a6a7a8a9aaabacad"
        + "aeaf0000000000000000b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7cd80c685c7db48c163871e328746fb98"
        + "a82d9b232d11d8644eddd65c97121521f16a42661d5d8583d22ca8dc511ecf96cf0790a1c29721ee4ba41da9899e9f998994"
        + "f8a37b9750a1f3fe26dd981f5acf"
    static let canary =
        "434652430100000003000000000000000102030405060708090a0b0c0d0e0f108f7658a4e1b4bdde82618537d3e45b95f035"
        + "a722b6d3db28396504da15f29180"
    static let genesis =
        "43465247010000000102030405060708090a0b0c0d0e0f1003a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc"
        + "8664125531b87172737475767778797a7b7c7d7e7f8029acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc93"
        + "22966dd7f14b5173130a1b80687f273d49e8f4740a793a949b83b105837f2a61e8fee14fc4075d10758f36f28428656b3041"
        + "5ba11b5b9a45c60478c7f017d33c3ea82c32038e0300f7bda9d7e89063243eaab65cc22b613e6f8ee89c2662f9f3fad0d00a"
        + "1f77f19c17ffae3e668cd0ca24c5c7f10fdc0ed10884bf84076ac3718c631f248aaabba32a073721a22e6c3298668b2c07ef"
        + "189a37c6ee0b09a6799303cd7b03"
    static let sealedCipher =
        "4503b6162576065a810d77841a527bca9769b973ee27d546683178d8bf2aa6848e9e71acdce5"
    static let sealedTag =
        "2223bc0e840a7dee6576462ecc5a75c9"
    static let sealNonce =
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7"
    static let multisetSum =
        "7167a6a03d172bc82d9a30d63e8d20a2826aa88db8d01be5d1ed43a6a8db16672aad58b9853c51e85db9cf8b44770bdf1389"
        + "2d32f437f3cbf588afb70c993246"
    static let kit =
        "COFFER1:INDFESYBAAAAAMJSGM2DKNRXHA4TUOZ4HU7D6QABAIBQIBIGA4EASCQLBQGQ4DYQAMAAAACAIFBEGRCFIZDUQSKKJNGE"
        + "2TSPKBIVEU2UKVLFOWCZLJNVYXK6L5BUMUSXAEBAAAADAAAAAQAAAAAAGAAAAAAQEAYEAUDAOCAJBIFQYDIOB4IKBINCUOSKLJVH"
        + "VCU2VK5MVWXK6AAAAAAAAAAAACYLDMVTWS23NN5YXG5LXPF5X274BQOCYPCMLRWHZWAMNBOH3NEMCY4HDYZIORX3TCUC3GZDFUI5"
        + "QZCO3XLFZFYSCUQ7C2SCMYOV3BMD2IWKRXCRD3HZNTYHSCQ4FFZB5ZF2IHNJRGPJ7GMJST4KG64XKCQ7H7RG3WMB6WWPD4AGQ5DU"
        + "OBZTULZPMRQXMLTFPBQW24DMMUXG64THF5RW6ZTGMVZC77F77R2A"
    static let boundKitWrap =
        "43465257010200000300000040000000030000000102030405060708090a0b0c0d0e0f10a0a1a2a3a4a5a6a7a8a9aaabacad"
        + "aeaf0000000000000000b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c706b2e17572cdeb6f0bc98554141df323"
        + "f15091ef55d0f752303bf18a305e3e48d12b06426bcda617aa3b545955206fbd1f04f95292545abb8345d771929d5a2bceeb"
        + "b9f30e2eaece143175c4620274dc"
    /// Of format 2: the wrap is bound to all the rest.
    static let boundKit =
        "COFFER1:INDFESYCAAAAAMJSGM2DKNRXHA4TUOZ4HU7D6QABAIBQIBIGA4EASCQLBQGQ4DYQAMAAAACAIFBEGRCFIZDUQSKKJNGE"
        + "2TSPKBIVEU2UKVLFOWCZLJNVYXK6L5BUMUSXAEBAAAADAAAAAQAAAAAAGAAAAAAQEAYEAUDAOCAJBIFQYDIOB4IKBINCUOSKLJVH"
        + "VCU2VK5MVWXK6AAAAAAAAAAAACYLDMVTWS23NN5YXG5LXPF5X274BQOCYPCMLRWHA2ZOC5LSZXVW6C6JQVKBIHPTEPYVBEPPKXIP"
        + "OURQHPYYUMC6HZENCKYGIJV43JQXVI5VIWKVEBX32HYE7FJJEVC2XOBULV3RSKOVUK6O5O47GDROV3HBIMLVYRRAE5G4D4AGQ5DU"
        + "OBZTULZPMRQXMLTFPBQW24DMMUXG64THF5RW6ZTGMVZC7WXDHO7A"
    static let fingerprint = ["hinul", "jahid", "ralaz", "dolum", "gusap", "juzoh"]

    /// One ciphertext and tag that open under the keys of both passwords: XChaCha20-Poly1305 does not commit to
    /// its key (Len, Grubbs and Ristenpart 2021). The commitment is Alice's in the first, Mallory's in the second.
    static let passwordOfAlice = "the password of Alice"
    static let passwordOfMallory = "the password of Mallory"
    static let twoKeyWrapOfAlice =
        "43465257010100000300000040000000030000000102030405060708090a0b0c0d0e0f10a0a1a2a3a4a5a6a7a8a9aaabacad"
        + "aeaf000000000000000043d33656debe4c1ed79648e856e8f9a2f58c95f0ce4b39c15bffad5c2dfb8bb820b6119cba8ff887"
        + "6a24a179ba92615f4cac0fa1c1f4dfc51780802a9afe06cce06ec9f52925713ff3817206a4737afee961c7ad94fd255e28b6"
        + "3804eed8f35959218eae37c30bcc"
    static let twoKeyWrapOfMallory =
        "43465257010100000300000040000000030000000102030405060708090a0b0c0d0e0f10a0a1a2a3a4a5a6a7a8a9aaabacad"
        + "aeaf000000000000000043d33656debe4c1ed79648e856e8f9a2f58c95f0ce4b39c15bffad5c2dfb8bb820b6119cba8ff887"
        + "6a24a179ba92615f4cac0fa1c1f4dfc51780802a9afe06cce06ec9f52925713ffdd158e493f3c7c7b2569835423b62274b04"
        + "e1f7b2e37fe05d647c122fe347de"
    static let payloadOfAlice =
        "85dd243c393629bdeb33cf01d82b9ac0abef50ca363a71d65b713f73a0554a46"
    static let payloadOfMallory =
        "6ef876e4c9498967233465343e8374f9489f26794916334d64bcccb2f8fc2c73"

    /// The bytes of a vector in hexadecimal digits.
    static func bytes(_ text: String) -> [UInt8] {
        let digits = text.utf8.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
