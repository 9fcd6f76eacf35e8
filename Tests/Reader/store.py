"""The rows of a vault: the database, and what the journal has on top of it. Document: Format."""

import os
import shutil
import sqlite3
import struct
import tempfile

from nacl.signing import SigningKey

import journal
import seal
from contents import Contents
from cursor import Malformed
from keys import ADMIN, UNLOCK, AccountKey, admin_context, blake, check_canary, unwrap
from kit import Genesis
from records import Root

ROOT, ENTRY, FILE, CHUNK, VERSION, OPERATION, SYNC, OUTBOX = range(8)
TABLES = ["root", "entry", "file", "chunk", "version", "operation", "sync", "outbox"]
HEADER = ["canary", "device", "genesis", "vault", "wrap.admin", "wrap.unlock"]


class Row:
    def __init__(self, seal, body, content=None, cell=None):
        self.seal, self.body, self.content, self.cell = seal, body, content, cell


class Store:
    """All rows in memory: `rows[table][slot]`."""

    def __init__(self, path, password):
        self.path = path
        self.header, self.rows = read_database(path)
        secret, epoch, self.vault = unwrap(self.header["wrap.unlock"], UNLOCK, password)
        self.key = AccountKey(secret, epoch)
        check_canary(self.header["canary"], self.key, self.vault, self.header["genesis"])
        if self.vault != self.header["vault"]:
            raise Malformed("a wrap of another vault")
        self.check_admin(password)
        self.session = session(self.header.get("session"))
        self.replayed = self.replay()
        self.root = self.open_root()
        self.check()

    def check_admin(self, password):
        """Where this device has the admin key, it is the one that has signed the genesis record."""
        if "wrap.admin" in self.header:
            seed, _, _ = unwrap(self.header["wrap.admin"], ADMIN, password, admin_context(self.key))
            if bytes(SigningKey(seed).verify_key) != Genesis.read(self.header["genesis"]).admin:
                raise Malformed("an admin key of another vault")

    def open_root(self):
        row = self.rows[ROOT][1]
        return Root.decode(self.open(row, seal.ROOT, "local", seal.slot_record(1)))

    def open(self, row, kind, use, record, version=0, index=0):
        ad = seal.associated(kind, 1, self.vault, record, version, index)
        return seal.open_sealed(self.key.sub(use), row.seal, row.body, ad)

    def open_row(self, table, kind, slot):
        return self.open(self.rows[table][slot], kind, "record", seal.slot_record(slot))

    def replay(self):
        """Puts what the journal has into the rows: each region that builds on the root. How many entries that were."""
        count = 0
        ours = (bytes(16), self.session[1] if self.session else bytes(16))
        regions = journal.regions(self.path + "-redo")
        left = [region for region in regions if region.vault == self.vault and region.session in ours]
        while True:
            counter = self.open_root().counter
            fitting = [region for region in left if region.base == counter]
            entries = list(fitting[0].entries(self.key)) if fitting else []
            if not entries:
                return count
            left.remove(fitting[0])
            before = {slot: row.content for slot, row in self.rows[FILE].items()}
            for change in (row for entry in entries for row in entry):
                self.apply(change, before)
            count += len(entries)

    def apply(self, change, before):
        """`before` has the content columns of files as they were before the region."""
        rows = self.rows[change.table]
        if change.kind == journal.PUT:
            rows[change.slot] = Row(change.seal, change.body, change.content)
        elif change.kind == journal.UPDATE:
            rows[change.slot].seal, rows[change.slot].body = change.seal, change.body
        elif change.kind == journal.DELETE:
            rows.pop(change.slot, None)
        elif change.kind == journal.CONTENT_ALONE:
            rows[change.slot].content = change.content
        elif change.kind == journal.COPY_CONTENT:
            rows[change.slot].content = before[struct.unpack("<q", change.body)[0]]
        else:
            raise Malformed(f"kind {change.kind} in the journal")

    def check(self):
        """Compares the header and the rows with what the root says of them."""
        parts = []
        for name in HEADER:
            value = self.header.get(name, b"")
            parts += [bytes([len(name)]), name.encode(), struct.pack("<I", len(value)), value]
        if blake(32, *parts) != self.root.header:
            raise Malformed("the header is not the root's")
        total, count, key = 0, 0, self.key.sub("multiset")
        for table in range(ENTRY, OUTBOX + 1):
            for slot, row in self.rows[table].items():
                term = blake(64, struct.pack("<Qq", table, slot), row.seal[24:40], key=key)
                total, count = total + int.from_bytes(term, "little"), count + 1
        if (total % (1 << 512), count) != (self.root.sum, self.root.rows):
            raise Malformed("the rows are not the root's")

    def plaintext(self, reference, column):
        """The bytes that a content reference and its column stand for."""
        return Contents(self.key, self.vault).plaintext(reference, column, self.chunk)

    def chunk(self, slot):
        """Seal and ciphertext, in the row or in a cell."""
        row = self.rows[CHUNK][slot]
        if row.cell is None:
            return row.seal, row.body
        with open(self.path + "-chunks", "rb") as file:
            file.seek(row.cell << 16)
            return row.seal, file.read(65536)


def read_database(path):
    """Header and rows, read from a copy: SQLite would put the log into the file."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "vault")
        for ending in ("", "-wal"):
            if os.path.exists(path + ending):
                shutil.copyfile(path + ending, copy + ending)
        database = sqlite3.connect(copy)
        try:
            if database.execute("PRAGMA application_id").fetchone()[0] != 0x436F6666:
                raise Malformed("no vault")
            if database.execute("PRAGMA user_version").fetchone()[0] != 1:
                raise Malformed("another version of the format")
            header = dict(database.execute("SELECT name, value FROM header"))
            return header, [dict(read_table(database, table)) for table in TABLES]
        finally:
            database.close()


def read_table(database, table):
    if table == "root":
        columns = "id, seal, body"
    elif table == "chunk":
        columns = "slot, seal, body, NULL, cell"
    elif table in ("file", "version"):
        columns = "slot, seal, body, content"
    else:
        columns = "slot, seal, body"
    for slot, *values in database.execute(f"SELECT {columns} FROM {table}"):
        yield slot, Row(*values)


def session(value):
    """Flags and identifier of the row `session`, where there is one that is whole."""
    if value is None or len(value) != 34 or blake(16, value[:18]) != value[18:]:
        return None
    return value[1], value[2:18]
