"""What blobs, hints and copies of conflicts are called. Document: Sync."""

import re
import struct
import time

from keys import blake


def blob_name(first, slot):
    """Of a chunk, under the account key of epoch 1 whatever the present epoch is."""
    return blake(16, struct.pack("<qQ", slot, 0), key=first.sub("names"))


def old_blob_name(first, slot):
    """The same, as programs from before the sub-key *names* made it."""
    return blake(16, struct.pack("<qQ", slot, 0), key=first.sub("snapshot"))


def blob_paths(first, slot, chunk_hash):
    """Where a chunk is at the remote, and where it may be instead."""
    for folder, name in (("chunk", blob_name(first, slot)), ("blob", old_blob_name(first, slot))):
        yield folder, name.hex()[:2], f"{name.hex()}.{chunk_hash.hex()}"


def hint(text):
    """Sequence and hash; nothing for what is no hint."""
    match = re.fullmatch(rb"([1-9][0-9]{0,19})\.([0-9a-f]{32})\n", text)
    if not match or int(match[1]) >= 1 << 64:
        return None
    return int(match[1]), bytes.fromhex(match[2].decode())


def copy_identifiers(lineage, stamp):
    """Entry and lineage of the copy that shows a version of a lineage."""
    version = lineage + struct.pack("<QQ", stamp[0], 0) + stamp[1]
    return blake(16, b"name", version), blake(16, b"copy", version)


def kept_identifier(entry, lineage):
    """Entry under which a content stays whose entry leads to another lineage now."""
    return blake(16, b"kept", entry, lineage)


def copy_name(name, copy, device, device_name, saved):
    """What a copy is called that stands beside an entry of that name."""
    label = device.hex()[:8].encode()
    if device_name is not None:
        label = bytes(byte for byte in device_name if byte >= 0x20 and byte != 0x2F)[:40]
    day = time.strftime("%Y-%m-%d", time.gmtime(min(max(saved[0], 0), 253402300799))).encode()
    ending = b" (conflict, " + label + b", " + day + b" " + copy.hex()[:4].encode() + b")"
    return name[: 255 - len(ending)] + ending
