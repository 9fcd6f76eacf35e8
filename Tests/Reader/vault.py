"""What a vault shows: its tree with names and contents. Documents: Format and Vault."""

import stat

from nacl.public import PrivateKey
from nacl.signing import SigningKey

import records
import seal
import store


class Vault:
    def __init__(self, path, password):
        self.store = store.Store(path, password)
        self.entries = self.decode(store.ENTRY, seal.ENTRY, records.Entry)
        self.files = self.decode(store.FILE, seal.FILE, records.File)
        self.versions = self.decode(store.VERSION, seal.VERSION, records.Version)
        self.operations = [
            records.operation(self.store.open_row(store.OPERATION, seal.OPERATION, slot))
            for slot in sorted(self.store.rows[store.OPERATION])]
        self.slots = {file.identifier: slot for slot, file in self.files.items()}

    def decode(self, table, kind, record):
        rows = self.store.rows[table]
        return {slot: record.decode(self.store.open_row(table, kind, slot)) for slot in rows}

    def file(self, identifier):
        return self.files[self.slots[identifier]]

    def path(self, entry):
        """From the top, whose file has the identifier of the vault."""
        parts = [entry.name]
        directory = entry.parent
        above = {e.file: e for e in self.entries.values() if not e.removed}
        while directory != self.store.vault:
            parts.append(above[directory].name)
            directory = above[directory].parent
        return b"/".join(reversed(parts))

    def content(self, entry):
        """Bytes of a file, the target of a link, nothing for anything else."""
        slot = self.slots[entry.file]
        file = self.files[slot]
        if not (stat.S_ISREG(file.mode) or stat.S_ISLNK(file.mode)):
            return None
        return self.store.plaintext(file.content, self.store.rows[store.FILE][slot].content)

    def shown(self):
        """Entries that are there, by path."""
        return {self.path(e): e for e in self.entries.values() if not e.removed}

    def earlier(self):
        """Contents of all versions that are kept."""
        rows = self.store.rows[store.VERSION]
        return [self.store.plaintext(version.content, rows[slot].content) for slot, version in self.versions.items()]

    def device_keys(self):
        """This device's public keys, made of the seeds that its vault has."""
        sealed, device = self.store.header["device"], self.store.root.device
        row = store.Row(sealed[:40], sealed[40:])
        seeds = self.store.open(row, seal.DEVICE_KEYS, "local", device)
        return bytes(SigningKey(seeds[:32]).verify_key) + bytes(PrivateKey.from_seed(seeds[32:]).public_key)

    def sync_rows(self):
        """Kind and fields of each row of `sync`, by slot."""
        return {slot: records.sync_row(self.store.open_row(store.SYNC, seal.SYNC, slot))
                for slot in sorted(self.store.rows[store.SYNC])}
