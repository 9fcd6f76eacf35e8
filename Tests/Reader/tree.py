"""The tree that registers show, with the copies beside what they compete with. Document: Sync, "Registers"."""

import stat
from dataclasses import dataclass

import names
from records import order


@dataclass
class Item:
    entry: bytes
    lineage: bytes
    name: bytes
    parent: bytes
    mode: int
    content: bytes = None
    is_copy: bool = False


def tree(history):
    """Items by their paths."""
    registers = history.registers
    items, shown = [], registers.shown()
    for identifier, entry in shown.items():
        place = entry.placement
        mode = registers.lineages[place.lineage].attributes.mode
        items.append(Item(identifier, place.lineage, place.name, place.parent, mode))
    for lineage in {item.lineage for item in items if stat.S_ISREG(item.mode) or stat.S_ISLNK(item.mode)}:
        beside = min((item for item in items if item.lineage == lineage), key=lambda item: order((0, item.entry)))
        groups = registers.groups(lineage, history.plaintext)
        content = groups[0][1] if groups else b""
        for item in items:
            if item.lineage == lineage:
                item.content = content
        items += [copy(history, beside, stamps, content) for stamps, content in groups[1:]]
    above = {item.lineage: item for item in items if stat.S_ISDIR(item.mode)}
    return {path(item, above, registers.top): item for item in items}


def copy(history, beside, stamps, content):
    """What versions are shown as that have lost, called after the earliest."""
    entry, lineage = names.copy_identifiers(beside.lineage, stamps[0])
    saved = min(history.registers.version(beside.lineage, stamp).saved for stamp in stamps)
    device = stamps[0][1]
    name = names.copy_name(beside.name, entry, device, history.names.get(device.hex()), saved)
    return Item(entry, lineage, name, beside.parent, beside.mode, content, True)


def path(item, above, top):
    parts = [item.name]
    while item.parent != top:
        item = above[item.parent]
        parts.append(item.name)
    return b"/".join(reversed(parts))
