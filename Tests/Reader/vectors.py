"""Computes what `vectors.json` asks for, in the form in which it stands there."""

import json

import merge
import names
from keys import AccountKey
from snapshot import EntryRegister, registers
from state import State


def show(path):
    with open(path, encoding="utf-8") as file:
        asked = json.load(file)
    key = AccountKey(bytes.fromhex(asked["accountKey"]), 1)
    return {
        "accountKey": asked["accountKey"],
        "blobs": [blob(key, vector["slot"]) for vector in asked["blobs"]],
        "copies": [copied(**vector) for vector in asked["copies"]],
        "kept": [kept(vector["entry"], vector["lineage"]) for vector in asked["kept"]],
        "hints": [hint(vector["text"]) for vector in asked["hints"]],
        "merges": [merged(vector["base"], vector["left"], vector["right"]) for vector in asked["merges"]],
        "states": [state(vector["bytes"]) for vector in asked["states"]],
        "parts": [part(vector["bytes"]) for vector in asked["parts"]],
    }


def blob(key, slot):
    return {"slot": slot, "name": names.blob_name(key, slot).hex(), "oldName": names.old_blob_name(key, slot).hex()}


def copied(lineage, clock, device, name, seconds, deviceName=None, **_):
    writer = bytes.fromhex(device)
    entry, copy = names.copy_identifiers(bytes.fromhex(lineage), (clock, writer))
    called = names.copy_name(name.encode(), entry, writer, deviceName and deviceName.encode(), (seconds, 0))
    asked = {"lineage": lineage, "clock": clock, "device": device, "name": name, "seconds": seconds}
    if deviceName is not None:
        asked["deviceName"] = deviceName
    return asked | {"entry": entry.hex(), "copy": copy.hex(), "copyName": called.decode()}


def kept(entry, lineage):
    found = names.kept_identifier(bytes.fromhex(entry), bytes.fromhex(lineage))
    return {"entry": entry, "lineage": lineage, "kept": found.hex()}


def hint(text):
    found = names.hint(text.encode())
    return {"text": text} | ({"sequence": found[0], "hash": found[1].hex()} if found else {})


def merged(base, left, right):
    both = merge.merge(base.encode(), left.encode(), right.encode())
    found = {"base": base, "left": left, "right": right}
    return found if both is None else found | {"merged": both.decode()}


def state(encoded):
    found = State(bytes.fromhex(encoded))
    return {
        "bytes": encoded, "version": found.version, "device": found.device.hex(),
        "seen": {device.hex(): seen.sequence for device, seen in found.seen.items()},
        "members": {device.hex(): member.name.decode() for device, member in found.members.items()},
        "volume": found.volume, "overdue": {device.hex(): looks for device, looks in found.overdue.items()},
        "alarm": found.alarm and found.alarm.object, "owesSnapshot": found.owes_snapshot,
        "receipts": {
            device.hex(): {other.hex(): read for other, read in receipt.items()}
            for device, receipt in found.receipts.items()},
    }


def part(encoded):
    return {"bytes": encoded, "registers": [register(found) for found in registers(bytes.fromhex(encoded))]}


def register(found):
    if isinstance(found, EntryRegister):
        return {"entry": found.placement.entry.hex(), "name": found.placement.name.decode(), "shown": found.is_shown}
    return {"lineage": found.attributes.lineage.hex(), "heads": len(found.heads), "rivals": len(found.rivals)}
