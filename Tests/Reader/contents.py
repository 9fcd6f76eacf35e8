"""Contents, as the store seals them with the first account key, wherever they are. Document: Format, "Contents"."""

import seal
from cursor import Cursor

CHUNK = 65536


class Contents:
    def __init__(self, key, vault):
        self.key, self.vault = key, vault

    def open(self, use, kind, record, version, index, sealed, ciphertext):
        ad = seal.associated(kind, 1, self.vault, record, version, index)
        return seal.open_sealed(self.key.sub(use), sealed, ciphertext, ad)

    def plaintext(self, reference, column, chunk):
        """What a reference and its column stand for; `chunk` gives seal and ciphertext of a slot."""
        if reference.kind == 0:
            return bytes(reference.size)
        kind = seal.CONTENT if reference.kind == 1 else seal.CHUNK_LIST
        plain = self.open("record", kind, reference.origin, reference.version, 0, reference.seal, column)
        if reference.kind == 1:
            return plain[: reference.size]
        fields = Cursor(plain)
        slots = fields.list((reference.size + CHUNK - 1) // CHUNK, fields.i64)
        fields.padding()
        parts = []
        for index, slot in enumerate(slots):
            part = b""
            if slot:
                part = self.open("blob", seal.CHUNK, reference.origin, slot, index, *chunk(slot))
            parts.append(part.ljust(CHUNK, b"\0"))
        return b"".join(parts)[: reference.size]
