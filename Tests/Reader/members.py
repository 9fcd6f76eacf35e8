"""Who belongs to a vault: what the admin key has signed. Document: Sealing, "Enrolment, revocation, rotation"."""

from nacl.signing import VerifyKey

from cursor import Cursor, Malformed

ENROLMENT, REVOCATION, ADMIN_WRAP, KIT, ROTATION, NAME, MERGE, SETTLEMENTS = range(1, 9)


def _begin(magic, vault, record):
    fields = Cursor(record)
    fields.expect(magic + bytes([1, 0, 0, 0]) + vault)
    return fields


def enrolment(record, genesis):
    """Device and signing key."""
    fields = _begin(b"CFRE", genesis.vault, record)
    device, signing = fields.identifier(), fields.take(32)
    fields.take(32 + 16 + 4 + 4 + 8 + 24)
    VerifyKey(genesis.admin).verify(record[:160], fields.take(64))
    VerifyKey(signing).verify(record[:160], fields.take(64))
    fields.end()
    return device, signing


def revocation(record, genesis):
    """Device, and the last of its segments that counts."""
    fields = _begin(b"CFRX", genesis.vault, record)
    device, last = fields.identifier(), fields.u64()
    fields.take(8 + 8)
    VerifyKey(genesis.admin).verify(record[:64], fields.take(64))
    fields.end()
    return device, last


def rotation(record, genesis):
    """The new key's name and epoch, and the devices that get it."""
    fields = _begin(b"CFRR", genesis.vault, record)
    name, epoch, parents, boxes = fields.identifier(), fields.u32(), fields.u32(), fields.u32()
    if parents > 16 or boxes > 1024:
        raise Malformed("a rotation of too much")
    fields.take(4 + 8 + 16 * parents)
    devices = []
    for _ in range(boxes):
        devices.append(fields.identifier())
        fields.take(80)
    VerifyKey(genesis.admin).verify(record[: fields.at], fields.take(64))
    fields.end()
    return name, epoch, devices


def issued_kit(record):
    """The identifier of a kit; nothing for the account's address, which is longer."""
    return record if len(record) == 16 else None
