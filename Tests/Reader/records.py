"""Records of rows, as they are once their seal is off. Document: Format, "Records"."""

import struct
from dataclasses import dataclass

from cursor import Cursor

NONE = bytes(16)


def stamp(fields):
    """A Lamport clock and a device."""
    return (fields.u64(), fields.identifier())


def order(stamp):
    """What orders stamps: the clock, then the device as two little-endian words."""
    return (stamp[0], *struct.unpack("<QQ", stamp[1]))


def stamps(fields):
    return fields.list(fields.u8(), lambda: stamp(fields))


def time(fields):
    return (fields.i64(), fields.u32())


@dataclass
class Content:
    """A content reference."""

    kind: int
    version: int
    size: int
    seal: bytes
    origin: bytes

    @classmethod
    def read(cls, fields):
        return cls(fields.u8(), fields.u64(), fields.u64(), fields.take(40), fields.identifier())


def attributes(fields):
    """Extended attributes."""
    pairs = {}
    for _ in range(fields.u16()):
        name, value = fields.u8(), fields.u32()
        key = fields.take(name)
        pairs[key] = fields.take(value)
    return pairs


@dataclass
class Entry:
    identifier: bytes
    parent: bytes
    file: bytes
    stamp: tuple
    made: int
    removed: int
    is_local: bool
    name: bytes
    settlement: tuple

    @classmethod
    def decode(cls, body):
        f = Cursor(body)
        head = (f.identifier(), f.identifier(), f.identifier(), stamp(f), f.u64(), f.i64())
        flags = f.u8()
        name = f.take(f.u8())
        settlement = (stamp(f), stamp(f)) if flags & 4 else None
        f.padding()
        return cls(*head, bool(flags & 1), name, settlement)


@dataclass
class File:
    identifier: bytes
    inode: int
    mode: int
    stamp: tuple
    modified: tuple
    content: Content
    history: int
    predecessor: int
    lineage: bytes
    heads: list
    replaced: list
    attributes: dict

    @classmethod
    def decode(cls, body):
        f = Cursor(body)
        identifier, inode, mode = f.identifier(), f.u64(), f.u32()
        f.take(8)
        flags = f.u8()
        f.take(4)
        _, modified, _ = time(f), time(f), time(f)
        written, content = stamp(f), Content.read(f)
        history, predecessor = f.i64(), f.i64()
        f.take(4 + 8 + 16 + 8)
        lineage, heads, replaced, extended = f.identifier(), stamps(f), stamps(f), attributes(f)
        if flags & 8:
            time(f)
        f.padding()
        return cls(
            identifier, inode, mode, written, modified, content, history, predecessor, lineage, heads, replaced,
            extended)


@dataclass
class Version:
    file: bytes
    previous: int
    predecessor: int
    content: Content
    stamp: tuple

    @classmethod
    def decode(cls, body):
        f = Cursor(body)
        file, previous, predecessor = f.identifier(), f.i64(), f.i64()
        f.take(12 + 12 + 4)
        content, written = Content.read(f), stamp(f)
        stamps(f)
        f.padding()
        return cls(file, previous, predecessor, content, written)


@dataclass
class Root:
    counter: int
    sum: int
    rows: int
    lamport: int
    device: bytes
    header: bytes
    segmented: int
    flags: int

    @classmethod
    def decode(cls, body):
        f = Cursor(body)
        counter, total, rows = f.u64(), int.from_bytes(f.take(64), "little"), f.u64()
        f.u64()
        lamport = f.u64()
        f.take(16)
        device, header, segmented = f.identifier(), f.take(32), f.u64()
        f.u64()
        flags = f.u8()
        f.padding()
        return cls(counter, total, rows, lamport, device, header, segmented, flags)


def operation(body):
    """The Lamport clock of an operation row, and (kind, subject) of each of its operations."""
    f = Cursor(body)
    clock, count = f.u64(), f.u16()
    found = []
    for _ in range(count):
        kind, subject = f.u8(), f.identifier()
        f.take(24)
        found.append((kind, subject))
    f.padding()
    return clock, found


def sync_row(body):
    """The kind of a row of `sync`, and the fields behind it."""
    f = Cursor(body)
    return f.u8(), f
