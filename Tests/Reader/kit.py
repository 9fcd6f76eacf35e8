"""A kit, as text, and what its first step compares. Document: Sealing."""

import base64
import hmac
import re
from dataclasses import dataclass

from nacl.signing import VerifyKey

from cursor import Cursor, Malformed
from keys import KIT, AccountKey, blake, email_context, unwrap

CONSONANTS, VOWELS = "bdfghjklmnprstvz", "aiou"


@dataclass
class Kit:
    format: int
    identifier: bytes
    vault: bytes
    epoch: int
    genesis: bytes
    wrap: bytes
    address: str
    # What stands around the wrap.
    bound: bytes

    @classmethod
    def read(cls, text):
        letters = re.sub(r"\s", "", text).upper()
        if not letters.startswith("COFFER1:") or len(letters) > 4096:
            raise Malformed("no kit")
        letters = letters[len("COFFER1:"):]
        data = base64.b32decode(letters + "=" * (-len(letters) % 8))
        fields = Cursor(data)
        fields.expect(b"CFRK")
        version = fields.u8()
        if version not in (1, 2):
            raise Malformed("a kit of a newer program")
        if fields.take(3) != bytes(3) and version == 2:
            raise Malformed("no kit")
        kit = cls(
            version, fields.identifier(), fields.identifier(), fields.u32(), fields.take(32), fields.take(164),
            fields.take(fields.u16()).decode(), data[:76] + data[240:-4])
        if not hmac.compare_digest(fields.take(4), blake(32, data[:-4])[:4]):
            raise Malformed("a kit that was read wrong")
        fields.end()
        return kit

    def open(self, password, email):
        secret, epoch, vault = unwrap(
            self.wrap, KIT, password, (self.bound if self.format == 2 else b"") + email_context(email))
        if (epoch, vault) != (self.epoch, self.vault):
            raise Malformed("a kit around another wrap")
        return AccountKey(secret, epoch)


def fingerprint(genesis_hash):
    """Six proquints for the first 96 bits."""
    words = []
    for at in range(0, 12, 2):
        bits = int.from_bytes(genesis_hash[at : at + 2], "big")
        words.append(
            CONSONANTS[bits >> 12] + VOWELS[bits >> 10 & 3] + CONSONANTS[bits >> 6 & 15] + VOWELS[bits >> 4 & 3]
            + CONSONANTS[bits & 15])
    return " ".join(words)


@dataclass
class Genesis:
    vault: bytes
    admin: bytes
    device: bytes
    signing: bytes

    @classmethod
    def read(cls, record):
        fields = Cursor(record)
        fields.expect(b"CFRG" + bytes([1, 0, 0, 0]))
        genesis = cls(fields.identifier(), fields.take(32), fields.identifier(), fields.take(32))
        fields.take(32)
        for key in (genesis.admin, genesis.signing):
            VerifyKey(key).verify(record[:136], fields.take(64))
        fields.end()
        return genesis
