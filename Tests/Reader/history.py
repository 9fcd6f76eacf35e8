"""The logs and snapshots of a remote, read to their end. Document: Sync."""

import members
import seal
from contents import Contents
from cursor import Malformed
from merge import merge
from objects import ContentChange, Segment, SignedObject
from records import order
from registers import Registers
from snapshot import Manifest, registers


class History:
    def __init__(self, remote, uses_snapshot=True):
        self.remote = remote
        self.signing = {remote.genesis.device: remote.genesis.signing}
        self.names = {}
        self.cuts = {}
        self.logs = {device: self._log(device) for device in remote.folder.list("log")}
        found = (self._snapshot(folder) for folder in remote.folder.list("snap"))
        self.snapshots = [snapshot for snapshot in found if snapshot]
        self._verify()
        self.registers = Registers(remote.vault)
        self.applied = {}
        self.begun_with = self._begin() if uses_snapshot else None
        self._apply()

    # Reading: what an account key opens, before anybody's signature is known

    def _log(self, device):
        segments = {}
        for name in self.remote.folder.list("log", device):
            found = SignedObject.read(b"CFRS", self.remote.folder.hashed("log", device, name))
            if (found.device.hex(), str(found.sequence)) != (device, name.split(".")[0]):
                raise Malformed("a segment under another's name")
            record = self.remote.open(found, seal.SEGMENT, "segment")
            segments[found.sequence] = (found, bytes.fromhex(name.split(".")[1]), Segment.decode(record))
        for _, _, segment in segments.values():
            self._take_notices(device, segment)
        return segments

    def _take_notices(self, device, segment):
        genesis = self.remote.genesis
        for kind, record in segment.notices:
            if kind == members.ENROLMENT:
                self.signing.update([members.enrolment(record, genesis)])
            elif kind == members.REVOCATION:
                self._cut(*members.revocation(record, genesis))
            elif kind == members.NAME:
                self.names[device] = record
            elif kind == members.ROTATION:
                _, _, staying = members.rotation(record, genesis)
                for other, seen in segment.seen.items():
                    if other not in staying:
                        self._cut(other, seen.sequence)

    def _cut(self, device, last):
        self.cuts[device] = min(last, self.cuts.get(device, last))

    def _snapshot(self, folder):
        """Nothing where there is no manifest."""
        parts = {}
        for name in self.remote.folder.list("snap", folder):
            found = SignedObject.read(b"CFRN", self.remote.folder.hashed("snap", folder, name))
            parts[bytes.fromhex(name.split(".")[1])] = (found, self.remote.open(found, seal.SNAPSHOT, "snapshot"))
        manifests = [part for part in parts.values() if part[0].index == 1]
        if not manifests:
            return None
        found, record = manifests[0]
        manifest = Manifest.decode(record)
        for device in manifest.devices:
            self.names.setdefault(device.identifier.hex(), device.name)
            if device.enrolment:
                self.signing.update([members.enrolment(device.enrolment, self.remote.genesis)])
            if device.revocation:
                self._cut(*members.revocation(device.revocation, self.remote.genesis))
        return found, manifest, [parts[name] for name in manifest.parts]

    def _verify(self):
        """Everything that counts was signed by a member."""
        for segments in self.logs.values():
            for found, _, _ in segments.values():
                found.verify(self.signing[found.device])
        for found, _, parts in self.snapshots:
            for part in [found] + [part for part, _ in parts]:
                part.verify(self.signing[part.device])

    # Applying

    def _begin(self):
        """Takes the snapshot that covers most, of those that somebody could start from."""
        said = {name for segments in self.logs.values() for _, _, s in segments.values() for name in s.readable}
        fitting = [s for s in self.snapshots if (s[0].device, s[0].sequence) in said and s[0].device not in self.cuts]
        if not fitting:
            return None
        newest = max(found.epoch for found, _, _ in fitting)
        found, manifest, parts = max(
            (s for s in fitting if s[0].epoch == newest), key=lambda s: sum(p.sequence for p in s[1].covers.values()))
        for _, record in parts:
            for register in registers(record):
                self.registers.take(register)
        self.applied = {device: seen.sequence for device, seen in manifest.covers.items()}
        return f"{found.device.hex()}.{found.sequence}"

    def _apply(self):
        """Each segment after what its writer had seen."""
        waiting = True
        while waiting:
            waiting = False
            for name in self.logs:
                device = bytes.fromhex(name)
                while self._apply_next(device, self.logs[name]):
                    waiting = True

    def _apply_next(self, device, log):
        number = self.applied.get(device, 0) + 1
        if number not in log or number > self.cuts.get(device, number):
            return False
        _, _, segment = log[number]
        if number > 1 and number - 1 in log and log[number - 1][1] != segment.previous:
            raise Malformed("a broken chain")
        if any(seen.sequence > self.applied.get(other, 0) for other, seen in segment.seen.items()):
            return False
        self.registers.apply(device, segment.seen, segment.notices, segment.changes)
        self.applied[device] = number
        return True

    # Contents

    def plaintext(self, content):
        chunks = {chunk.slot: chunk for chunk in content.chunks}

        def chunk(slot):
            stored = chunks[slot].embedded or self.remote.blob(slot, chunks[slot].hash)[0]
            return stored[:40], stored[40:]

        store = Contents(self.remote.keys[1], self.remote.vault)
        return store.plaintext(content.reference, content.column, chunk)

    def merges(self):
        """Each content that replaces two others, and what the merge of fields makes of these."""
        contents = {}
        for log in self.logs.values():
            for _, _, segment in log.values():
                for change in segment.changes:
                    if isinstance(change, ContentChange):
                        contents.setdefault((change.lineage, change.stamp), change)
        for change in contents.values():
            replaced = sorted(change.replaces, key=order, reverse=True)
            sides = [contents.get((change.lineage, stamp)) for stamp in replaced]
            if len(sides) == 2 and all(sides):
                base = max(set(sides[0].replaces) & set(sides[1].replaces), key=order)
                texts = (self.plaintext(side) for side in (contents[(change.lineage, base)], *sides))
                yield self.plaintext(change), merge(*texts)

    def chunks(self):
        """Slot and hash of every chunk that is an object of its own."""
        changes = [c for log in self.logs.values() for _, _, s in log.values() for c in s.changes]
        for _, _, parts in self.snapshots:
            for _, record in parts:
                changes += [getattr(register, "content", None) for register in registers(record)]
        return {(k.slot, k.hash) for c in changes for k in getattr(c, "chunks", []) if not k.embedded}
