#!/usr/bin/env python3
"""Reads what Coffer writes. Written from the documents alone, so that they are proved to be enough.

    reader.py vault FILE                     entries, contents, history and state of a vault, its journal included
    reader.py kit FILE                       what a kit says, from its text
    reader.py remote FOLDER KIT EMAIL        a remote, as a device sees it that joins
    reader.py vectors FILE                   computes what a file of test vectors asks for

The master password is the first line of standard input. Results are JSON. --quick derives keys with a thousandth of the
memory, as `Tests/QuickKDF` does. Needs PyNaCl (Debian: python3-nacl).
"""

import json
import sys
from base64 import b64encode

from nacl.exceptions import CryptoError

import keys
import names
import ring
import vectors
from cursor import Malformed
from history import History
from kit import Kit, fingerprint
from remote import Remote
from state import State
from tree import tree
from vault import Vault


def text(data):
    return data.decode("utf-8", "surrogateescape")


def base64(data):
    return None if data is None else b64encode(data).decode()


def entry(identifier, mode, content):
    return {"entry": identifier.hex(), "mode": mode, "content": base64(content)}


def show_vault(path, password):
    vault = Vault(path, password)
    root = vault.store.root
    shown = {
        "vault": vault.store.vault.hex(), "device": root.device.hex(), "counter": root.counter,
        "fingerprint": fingerprint(keys.blake(32, vault.store.header["genesis"])),
        "journal": vault.store.replayed, "rows": root.rows, "operations": len(vault.operations),
        "entries": {
            text(path): entry(found.identifier, vault.file(found.file).mode, vault.content(found))
            for path, found in vault.shown().items()},
        "versions": sorted(base64(content) for content in vault.earlier()),
        "epochs": [1],
    }
    for kind, fields in vault.sync_rows().values():
        if kind == 1:
            state = State(fields.take(fields.u32()))
            if vault.device_keys() != state.members[root.device].keys:
                raise Malformed("the device's keys are not those that the others know")
            shown["state"] = show_state(state)
        elif kind == 7:
            shown["settings"] = json.loads(fields.take(fields.u32()))
        elif kind == 9:
            later = ring.in_store(fields.take(fields.u32()), vault.store.vault, vault.store.key)
            shown["epochs"] += sorted(key.epoch for key in later)
    return shown


def show_state(state):
    return {
        "device": state.device.hex(),
        "published": state.published[0],
        "seen": {device.hex(): seen.sequence for device, seen in state.seen.items()},
        "members": {
            device.hex(): {"name": text(member.name), "isShutOut": member.revoked_after is not None}
            for device, member in state.members.items()},
        "snapshots": [f"{name[0].hex()}.{name[1]}" for name, _ in state.snapshots],
        "kits": [kit.hex() for kit in state.kits],
        "alarm": state.alarm and state.alarm.object,
    }


def show_kit(path):
    kit = read_kit(path)
    return {
        "kit": kit.identifier.hex(), "vault": kit.vault.hex(), "epoch": kit.epoch,
        "fingerprint": fingerprint(kit.genesis), "remote": kit.address}


def read_kit(path):
    with open(path, encoding="ascii") as file:
        return Kit.read(file.read())


def show_remote(folder, kit, email, password):
    remote = Remote(folder, read_kit(kit), password, email)
    history = History(remote)
    blobs = {remote.blob(*chunk)[1] for chunk in history.chunks()}
    shown = {
        "vault": remote.vault.hex(), "fingerprint": fingerprint(keys.blake(32, remote.folder.read("vault"))),
        "epochs": sorted(remote.keys), "snapshot": history.begun_with,
        "devices": {device: text(name) for device, name in history.names.items()},
        "segments": {device: sorted(log) for device, log in history.logs.items()},
        "segmentEpochs": sorted({found.epoch for log in history.logs.values() for found, _, _ in log.values()}),
        "entries": show_tree(history), "blobs": sorted(blobs),
        "copies": {text(path): item.lineage.hex() for path, item in tree(history).items() if item.is_copy},
        "merges": [{"written": base64(made), "computed": base64(both)} for made, both in history.merges()],
        "hints": show_hints(remote.folder),
    }
    # Where no segment is gone yet, they come to the same without the snapshot.
    if all(1 in log for log in history.logs.values()):
        shown["entriesOfLogs"] = show_tree(History(remote, uses_snapshot=False))
    return shown


def show_tree(history):
    return {text(path): entry(item.entry, item.mode, item.content) for path, item in tree(history).items()}


def show_hints(folder):
    hints = {name: names.hint(folder.read("head", name)) for name in folder.list("head") if len(name) == 32}
    return {name: f"{found[0]}.{found[1].hex()}" for name, found in hints.items() if found}


def main(arguments):
    keys.is_quick = "--quick" in arguments
    arguments = [argument for argument in arguments if argument != "--quick"]
    forms = {("vault", 1): show_vault, ("kit", 1): show_kit, ("remote", 3): show_remote, ("vectors", 1): vectors.show}
    form = forms.get((arguments[0] if arguments else "", len(arguments) - 1))
    if form is None:
        sys.exit(__doc__)
    if form in (show_vault, show_remote):
        arguments.append(sys.stdin.buffer.readline().rstrip(b"\n"))
    try:
        shown = form(*arguments[1:])
    except (CryptoError, Malformed, OSError) as error:
        sys.exit(f"reader.py: {error}")
    json.dump(shown, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
