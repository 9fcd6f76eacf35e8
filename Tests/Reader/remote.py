"""A remote's folder, as a device reads it that joins with a kit. Document: Sync, "Joining"."""

import os

import names
import ring
import seal
from cursor import Cursor, Malformed
from keys import blake, check_canary, key_name
from kit import Genesis


class Folder:
    """Objects by their paths below `v1`."""

    def __init__(self, path):
        self.path = os.path.join(path, "v1")

    def read(self, *parts):
        with open(os.path.join(self.path, *parts), "rb") as file:
            return file.read()

    def list(self, *parts):
        try:
            return sorted(os.listdir(os.path.join(self.path, *parts)))
        except FileNotFoundError:
            return []

    def hashed(self, *parts):
        """An object whose name ends with its hash."""
        data = self.read(*parts)
        if blake(16, data).hex() != parts[-1].split(".")[-1]:
            raise Malformed("an object that arrived in part: " + "/".join(parts))
        return data


class Remote:
    """The foundations: the genesis record, and the account keys that the kit's leads to."""

    def __init__(self, path, kit, password, email):
        self.folder = Folder(path)
        record = self.folder.read("vault")
        if blake(32, record) != kit.genesis:
            raise Malformed("the kit leads to another vault")
        self.genesis = Genesis.read(record)
        self.vault = self.genesis.vault
        self.keys = {}
        self._learn(kit.open(password, email), record)

    def _learn(self, key, genesis):
        """The kit's key, and all those that it follows."""
        for name in self.folder.list("canary"):
            data = self.folder.read("canary", name)
            try:
                check_canary(data[:64], key, self.vault, genesis)
            except Malformed:
                continue
            self.keys[key.epoch] = key
            earlier = ring.behind_canary(data[64:], self.vault, key, key_name(data[:64])) if len(data) > 64 else []
            self.keys.update({other.epoch: other for other in earlier})
            return
        raise Malformed("no canary of the kit's key")

    def open(self, found, kind, use):
        return found.open(kind, use, self.vault, self.keys[found.epoch])

    def blob(self, slot, chunk_hash):
        """A chunk as the store has sealed it, and the path of the object that holds it."""
        for parts in names.blob_paths(self.keys[1], slot, chunk_hash):
            if parts[-1] in self.folder.list(*parts[:-1]):
                return self._open_blob(slot, chunk_hash, self.folder.read(*parts)), "/".join(parts)
        raise Malformed("a blob that is not there")

    def _open_blob(self, slot, chunk_hash, data):
        fields = Cursor(data)
        fields.expect(b"CFRB" + bytes([1, 0, 0, 0]))
        epoch = fields.u32()
        fields.expect(bytes(4))
        sealed = fields.take(40)
        ad = seal.associated(seal.BLOB, epoch, self.vault, seal.slot_record(slot))
        chunk = seal.open_sealed(self.keys[epoch].sub("outer"), sealed, fields.rest(), ad)
        if blake(16, chunk) != chunk_hash:
            raise Malformed("another chunk in a blob")
        return chunk
