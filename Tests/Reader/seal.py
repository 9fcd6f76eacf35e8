"""Opening what is sealed. Document: Format, "Seals and padding"."""

import struct

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt

# Types in the associated data.
ENTRY, FILE, CHUNK, VERSION, OPERATION, CONTENT, CHUNK_LIST, ROOT, DEVICE_KEYS, SYNC = range(1, 11)
SEGMENT, SNAPSHOT, BLOB, RING, KEYS, RECEIPT = range(16, 22)


def associated(kind, epoch, vault, record, version=0, index=0, count=0):
    """The 80 bytes that name a piece."""
    return struct.pack("<BBBBI16s16sQII24x", 1, kind, 0, 0, epoch, vault, record, version, index, count)


def slot_record(slot):
    """The record of a row: its slot, then zeroes."""
    return struct.pack("<q8x", slot)


def open_sealed(key, seal, ciphertext, ad):
    """The plaintext under 40 seal bytes: the nonce, then the tag."""
    return crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext + seal[24:40], ad, seal[:24], key)
