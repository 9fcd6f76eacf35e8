"""The redo journal: operations that the database does not have yet. Document: Format, "The redo journal"."""

import hmac
import struct
from dataclasses import dataclass

from cursor import Cursor
from keys import blake

REGION = 2 << 20
PUT, UPDATE, DELETE, COPY_CONTENT, CONTENT_ALONE = 1, 2, 3, 4, 5
NULL = 0xFFFFFFFF


@dataclass
class Row:
    kind: int
    table: int
    slot: int
    seal: bytes
    body: bytes
    content: bytes


@dataclass
class Region:
    vault: bytes
    base: int
    session: bytes
    data: bytes

    @classmethod
    def read(cls, data):
        """Nothing where no region was begun."""
        fields = Cursor(data)
        if fields.take(8) != b"CFRJ" + bytes([1, 0, 0, 0]):
            return None
        return cls(fields.identifier(), fields.u64(), fields.identifier(), data)

    def entries(self, key):
        """The rows of each entry, up to the first one that is not of this region."""
        at, number = 64, 0
        while at + 24 <= len(self.data):
            length, tag = struct.unpack_from("<I4x16s", self.data, at)
            rows = self.data[at + 24 : at + 24 + length]
            if length == 0 or len(rows) < length:
                return
            wanted = blake(16, struct.pack("<QQ", self.base, number), rows, key=key.sub("journal"))
            if not hmac.compare_digest(tag, wanted):
                return
            yield list(parse(rows))
            at, number = at + 24 + length, number + 1


def parse(rows):
    fields = Cursor(rows)
    while fields.at < len(rows):
        kind, table = fields.u8(), fields.u8()
        fields.expect(bytes(2))
        seal, body, content, slot = fields.u32(), fields.u32(), fields.u32(), fields.i64()
        yield Row(
            kind, table, slot, fields.take(seal), fields.take(body), None if content == NULL else fields.take(content))


def regions(path):
    """Both regions of a journal, or none where there is no file."""
    try:
        with open(path, "rb") as file:
            data = file.read(2 * REGION)
    except FileNotFoundError:
        return []
    found = (Region.read(data[at : at + REGION]) for at in (0, REGION) if len(data) >= at + 64)
    return [region for region in found if region]
