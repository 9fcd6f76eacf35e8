"""Snapshots: a manifest, and parts with registers. Document: Sync, "Snapshots"."""

from dataclasses import dataclass

from cursor import Cursor
from objects import AttributesChange, ContentChange, EntryChange, notices, readable, vector
from records import Content, stamp, stamps


@dataclass
class Device:
    identifier: bytes
    enrolment: bytes
    revocation: bytes
    name: bytes
    seen: dict
    readable: list

    @classmethod
    def read(cls, f):
        return cls(
            f.identifier(), f.take(f.u16()), f.take(f.u16()), f.take(f.u8()), vector(f), readable(f))


@dataclass
class Manifest:
    lamport: int
    covers: dict
    devices: list
    kits: list
    notices: list
    parts: list

    @classmethod
    def decode(cls, record):
        f = Cursor(record)
        manifest = cls(
            f.u64(), vector(f), f.list(f.u16(), lambda: Device.read(f)), f.list(f.u32(), f.identifier), notices(f),
            f.list(f.u32(), lambda: f.take(16)))
        f.padding()
        return manifest


@dataclass
class Lineage:
    attributes: AttributesChange
    heads: list
    rivals: list
    reference: Content
    content: ContentChange

    @classmethod
    def read(cls, f):
        return cls(
            AttributesChange.read(f), stamps(f), stamps(f), Content.read(f),
            ContentChange.read(f) if f.u8() else None)


@dataclass
class EntryRegister:
    placement: EntryChange
    is_shown: bool
    before: tuple
    removals: list

    @classmethod
    def read(cls, f):
        placement, flags = EntryChange.read(f), f.u8()
        before = stamp(f) if flags & 2 else None
        return cls(placement, bool(flags & 1), before, f.list(f.u8(), lambda: (stamp(f), stamps(f))))


REGISTERS = {1: Lineage, 2: EntryRegister}


def registers(record):
    """What a part holds that is no manifest."""
    f = Cursor(record)
    found = f.list(f.u32(), lambda: REGISTERS[f.u8()].read(f))
    f.padding()
    return found
