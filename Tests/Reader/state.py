"""What synchronisation remembers: the row `sync` of kind 1. Document: Sync, "The state"."""

from dataclasses import dataclass

from cursor import Cursor, Malformed
from objects import notices, readable, vector


@dataclass
class Member:
    keys: bytes
    enrolment: bytes
    revocation: bytes
    name: bytes
    revoked_after: int
    seen: dict
    snapshots: list

    @classmethod
    def read(cls, f):
        keys, enrolment, revocation, name = f.take(64), f.take(f.u16()), f.take(f.u16()), f.take(f.u16())
        last = f.u64()
        return cls(keys, enrolment, revocation, name, None if last == (1 << 64) - 1 else last, vector(f), readable(f))


@dataclass
class Alarm:
    kind: int
    device: bytes
    sequence: int
    object: str


class State:
    def __init__(self, data):
        f = Cursor(data)
        self.version = f.u8()
        if not 1 <= self.version <= 3:
            raise Malformed("a state of a newer program")
        self.device = f.identifier()
        self.seen = vector(f)
        self.published = (f.u64(), f.take(16), f.u64())
        self.removed = f.u64()
        self.members = {f.identifier(): Member.read(f) for _ in range(f.u16())}
        self.snapshots = [((f.identifier(), f.u64()), vector(f)) for _ in range(f.u16())]
        self.kits = f.list(f.u16(), f.identifier)
        self.standing, self.pending = notices(f), notices(f)
        self.canary, self.retired = f.take(16), f.take(16)
        self.volume = f.list(7, f.u64)
        self.overdue = {f.identifier(): f.u8() for _ in range(f.u16())}
        alarm = Alarm(f.u8(), f.identifier(), f.u64(), f.take(f.u16()).decode())
        self.alarm = alarm if alarm.kind else None
        self.read_later(f)

    def read_later(self, f):
        """What later versions have put behind the rest."""
        self.forgotten, self.owes_snapshot = {}, False
        self.receipts, self.kit_authors, self.notice_authors = {}, [], []
        if self.version > 1:
            self.forgotten, self.owes_snapshot = vector(f), bool(f.u8())
        if f.at < len(f.data):
            self.receipts = {
                f.identifier(): {f.identifier(): f.u64() for _ in range(f.u16())} for _ in range(f.u16())}
        if f.at < len(f.data):
            self.kit_authors = f.list(f.u16(), f.identifier)
            self.notice_authors = f.list(f.u16(), f.identifier)
        self.trails, self.taken_back = {}, {}
        if f.at < len(f.data):
            self.trails = {
                f.identifier(): f.list(f.u16(), lambda: (f.u64(), f.take(16), f.u64())) for _ in range(f.u16())}
            self.taken_back = {f.identifier(): f.u64() for _ in range(f.u16())}
