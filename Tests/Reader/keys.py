"""The account key, its sub-keys, and what proves and wraps it. Document: Sealing."""

import hashlib
import hmac
import unicodedata

import nacl.pwhash.argon2id
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt

from cursor import Cursor, Malformed

LABELS = {
    "record": b"coffer.record.v1",
    "blob": b"coffer.blobck.v1",
    "local": b"coffer.local_.v1",
    "multiset": b"coffer.mltset.v1",
    "canary": b"coffer.canary.v1",
    "admin": b"coffer.admin_.v1",
    "journal": b"coffer.journl.v1",
    "segment": b"coffer.segmnt.v1",
    "snapshot": b"coffer.snapsh.v1",
    "outer": b"coffer.outer_.v1",
    "ring": b"coffer.ring__.v1",
    "nonce": b"coffer.nonce_.v1",
    "merge": b"coffer.merge_.v1",
    "names": b"coffer.names_.v1",
}

UNLOCK, KIT, ADMIN = 1, 2, 3

# Keys are derived with a thousandth of the memory: see Tests/QuickKDF.
is_quick = False


def blake(size, *parts, key=b""):
    """BLAKE2b with `size` bytes of output, under a key where there is one."""
    return hashlib.blake2b(b"".join(parts), digest_size=size, key=key).digest()


class AccountKey:
    """One epoch's key. It seals nothing itself."""

    def __init__(self, secret, epoch):
        self.secret = secret
        self.epoch = epoch

    def sub(self, use):
        return blake(32, LABELS[use], key=self.secret)


def normalized(password):
    """NFKC, where the bytes are text."""
    try:
        return unicodedata.normalize("NFKC", password.decode()).encode()
    except UnicodeDecodeError:
        return password


def unwrap(wrap, purpose, password, context=b""):
    """The key in a wrap, its epoch and its vault."""
    fields = Cursor(wrap)
    fields.expect(b"CFRW" + bytes([1, purpose, 0, 0]))
    passes, memory, epoch = fields.u32(), fields.u32(), fields.u32()
    vault, salt = fields.identifier(), fields.take(16)
    fields.expect(bytes(8))
    nonce, ciphertext, commitment = fields.take(24), fields.take(48), fields.take(32)
    fields.end()
    if not (1 <= passes <= 10 and 8 <= memory <= 4096):
        raise Malformed("cost of the key derivation out of bounds")
    memory <<= 10 if is_quick else 20
    derived = nacl.pwhash.argon2id.kdf(32, normalized(password), salt, passes, memory)
    bound = blake(32, b"coffer.wrap.bind", context, key=derived)
    committing = blake(32, b"coffer.wrap.comm", key=bound)
    if not hmac.compare_digest(commitment, blake(32, wrap[:132], key=committing)):
        raise Malformed("wrong password")
    encryption = blake(32, b"coffer.wrap.encr", key=bound)
    secret = crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, wrap[:60], nonce, encryption)
    return secret, epoch, vault


def admin_context(key):
    """What binds the admin key's wrap to the account key."""
    return blake(32, b"coffer.admin.ctx", key=key.sub("admin"))


def email_context(email):
    return email.strip().lower().encode()


def check_canary(canary, key, vault, genesis):
    """Fails where `key` is not the account key of this vault and epoch."""
    fields = Cursor(canary)
    fields.expect(b"CFRC" + bytes([1, 0, 0, 0]))
    epoch = fields.u32()
    fields.expect(bytes(4))
    text = b"The account key is the right one"
    proof = blake(32, canary[:32], blake(32, genesis), text, key=key.sub("canary"))
    if (epoch, fields.identifier()) != (key.epoch, vault) or not hmac.compare_digest(proof, canary[32:64]):
        raise Malformed("the canary does not match")


def key_name(canary):
    """What a key is called: the hash of its canary."""
    return blake(16, canary)


def merged(keys):
    """The key that several keys of one epoch make together, given in the order of their names."""
    made = keys[0].sub("merge")
    for key in keys[1:]:
        made = blake(32, key.sub("merge"), key=made)
    return AccountKey(made, keys[0].epoch + 1)
