"""The account keys of other epochs, sealed. Document: Sealing, "The canary"."""

import seal
from cursor import Cursor
from keys import AccountKey


def behind_canary(data, vault, key, name):
    """The keys that a later key follows, which lie behind its canary."""
    plain = _open(data, vault, key.sub("ring"), seal.RING, name)
    keys = _keys(plain)
    plain.list(plain.u8(), plain.identifier)
    plain.end()
    return keys


def in_store(data, vault, first):
    """The later keys that a device has."""
    plain = _open(data, vault, first.sub("local"), seal.KEYS, bytes(16))
    keys = _keys(plain)
    plain.expect(b"\0")
    plain.end()
    return keys


def _open(data, vault, sub_key, kind, record):
    fields = Cursor(data)
    fields.expect(b"CFRA" + bytes([1, 0, 0, 0]))
    epoch, length = fields.u32(), fields.u32()
    sealed, ciphertext = fields.take(40), fields.take(length)
    fields.end()
    return Cursor(seal.open_sealed(sub_key, sealed, ciphertext, seal.associated(kind, epoch, vault, record)))


def _keys(plain):
    found = []
    for _ in range(plain.u16()):
        epoch = plain.u32()
        plain.take(16 + 8)
        plain.list(plain.u8(), plain.identifier)
        found.append(AccountKey(plain.take(32), epoch))
    return found
