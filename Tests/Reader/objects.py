"""Objects that devices write to the remote: sealed and signed. Document: Sync."""

from dataclasses import dataclass

from nacl.signing import VerifyKey

import seal
from cursor import Cursor
from records import Content, attributes, stamp, stamps, time


@dataclass
class SignedObject:
    epoch: int
    device: bytes
    sequence: int
    index: int
    count: int
    seal: bytes
    ciphertext: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, magic, data):
        fields = Cursor(data)
        fields.expect(magic + bytes([1, 0, 0, 0]))
        epoch, length = fields.u32(), fields.u32()
        head = (epoch, fields.identifier(), fields.u64(), fields.u32(), fields.u32(), fields.take(40))
        found = cls(*head, fields.take(length), data[:-64], fields.take(64))
        fields.end()
        return found

    def open(self, kind, use, vault, key):
        """The record inside; fails where `key` did not seal it for this place."""
        ad = seal.associated(kind, self.epoch, vault, self.device, self.sequence, self.index, self.count)
        return seal.open_sealed(key.sub(use), self.seal, self.ciphertext, ad)

    def verify(self, signing):
        """Fails where it was not signed with this key."""
        VerifyKey(signing).verify(self.signed, self.signature)


@dataclass
class Seen:
    """How far somebody has read a device's log: an element of a version vector."""

    sequence: int
    hash: bytes
    lamport: int


def vector(fields):
    found = {}
    for _ in range(fields.u16()):
        device = fields.identifier()
        found[device] = Seen(fields.u64(), fields.take(16), fields.u64())
    return found


def readable(fields):
    return fields.list(fields.u16(), lambda: (fields.identifier(), fields.u64()))


def notices(fields):
    return fields.list(fields.u16(), lambda: (fields.u8(), fields.take(fields.u32())))


@dataclass
class Segment:
    previous: bytes
    lamport: int
    continues: bool
    seen: dict
    readable: list
    notices: list
    changes: list

    @classmethod
    def decode(cls, record):
        f = Cursor(record)
        segment = cls(
            f.take(16), f.u64(), bool(f.u8()), vector(f), readable(f), notices(f), f.list(f.u32(), lambda: change(f)))
        f.padding()
        return segment


@dataclass
class EntryChange:
    entry: bytes
    parent: bytes
    lineage: bytes
    stamp: tuple
    name: bytes

    @classmethod
    def read(cls, f):
        return cls(f.identifier(), f.identifier(), f.identifier(), stamp(f), f.take(f.u8()))


@dataclass
class RemovalChange:
    entry: bytes
    stamp: tuple
    seen: list

    @classmethod
    def read(cls, f):
        return cls(f.identifier(), stamp(f), stamps(f))


@dataclass
class AttributesChange:
    lineage: bytes
    stamp: tuple
    mode: int
    owner: int
    group: int
    flags: int
    device: int
    times: list
    extended: dict

    @classmethod
    def read(cls, f):
        return cls(
            f.identifier(), stamp(f), f.u32(), f.u32(), f.u32(), f.u8(), f.u32(), f.list(3, lambda: time(f)),
            attributes(f))


@dataclass
class Chunk:
    slot: int
    hash: bytes
    embedded: bytes

    @classmethod
    def read(cls, f):
        return cls(f.i64(), f.take(16), f.take(f.u32()))


@dataclass
class ContentChange:
    lineage: bytes
    stamp: tuple
    replaces: list
    saved: tuple
    reference: Content
    column: bytes
    chunks: list

    @classmethod
    def read(cls, f):
        return cls(
            f.identifier(), stamp(f), stamps(f), time(f), Content.read(f), f.take(f.u32()),
            f.list(f.u32(), lambda: Chunk.read(f)))


CHANGES = {1: EntryChange, 2: RemovalChange, 3: AttributesChange, 4: ContentChange}


def change(fields):
    return CHANGES[fields.u8()].read(fields)
