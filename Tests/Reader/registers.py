"""What segments and snapshots come to: entries, attributes and versions of contents. Document: Sync, "Registers".

It reads and settles nothing: moves that close a circle, two entries of one name, and copies that somebody has dealt
with are for devices.
"""

from dataclasses import dataclass, field

import names
from cursor import Cursor
from objects import AttributesChange, EntryChange, RemovalChange
from records import NONE, order, stamp as read_stamp
from snapshot import EntryRegister


@dataclass
class Entry:
    placement: EntryChange
    before: tuple
    removals: list = field(default_factory=list)

    @property
    def asked(self):
        """The placement that somebody has asked for."""
        return self.before or self.placement.stamp

    def is_later(self, other):
        return self._order() > other._order()

    def _order(self):
        return order(self.asked), order(self.placement.stamp)


@dataclass
class Lineage:
    attributes: AttributesChange = None
    versions: dict = field(default_factory=dict)
    replaced: set = field(default_factory=set)

    def live(self):
        return [stamp for stamp in self.versions if stamp not in self.replaced]


class Registers:
    def __init__(self, top):
        self.top = top
        self.entries = {}
        self.lineages = {}

    def lineage(self, identifier):
        return self.lineages.setdefault(identifier, Lineage())

    # A snapshot

    def take(self, register):
        if isinstance(register, EntryRegister):
            removals = [(stamp, set(seen)) for stamp, seen in register.removals]
            self.entries[register.placement.entry] = Entry(register.placement, register.before, removals)
            return
        known = self.lineage(register.attributes.lineage)
        known.attributes = register.attributes
        for stamp in register.heads:
            known.versions[stamp] = register.content
        # Their contents are those of the copies that show them.
        for stamp in register.rivals:
            known.versions[stamp] = None

    # A segment

    def apply(self, author, seen, segment_notices, changes):
        def knows(stamp):
            return stamp[1] in (author, NONE) or (stamp[1] in seen and stamp[0] <= seen[stamp[1]].lamport)

        settled = settlements(segment_notices)
        for change in changes:
            if isinstance(change, EntryChange):
                self.place(Entry(change, settled.get((change.entry, change.stamp))))
            elif isinstance(change, RemovalChange):
                self.remove(change, knows)
            elif isinstance(change, AttributesChange):
                known = self.lineage(change.lineage)
                if known.attributes is None or order(change.stamp) > order(known.attributes.stamp):
                    known.attributes = change
            else:
                self.write(change)

    def place(self, placed):
        """The later placement counts; a removal counts on where only a merge has put the entry elsewhere."""
        old = self.entries.get(placed.placement.entry)
        if old is not None and not placed.is_later(old):
            return
        if old is not None and placed.asked == old.asked:
            placed.removals = old.removals
        self.entries[placed.placement.entry] = placed

    def remove(self, change, knows):
        """Nothing where its author did not know the placement; else it has seen the versions that its author knew."""
        entry = self.entries.get(change.entry)
        if entry is None or not knows(entry.asked):
            return
        known = {stamp for stamp in self.lineage(entry.placement.lineage).live() if knows(stamp)}
        entry.removals.append((change.stamp, set(change.seen) | known))

    def write(self, change):
        known = self.lineage(change.lineage)
        known.replaced.update(change.replaces)
        if change.stamp not in known.replaced:
            known.versions.setdefault(change.stamp, change)

    # What is shown

    def is_removed(self, entry):
        live = self.lineage(entry.placement.lineage).live()
        return any(all(stamp in seen for stamp in live) for _, seen in entry.removals)

    def shown(self):
        """Entries that are in the tree; directories as long as something in them is."""
        own = {i: e for i, e in self.entries.items() if e.placement.stamp[1] != NONE}
        shown = {i: e for i, e in own.items() if not self.is_removed(e)}
        by_lineage = {e.placement.lineage: (i, e) for i, e in own.items()}
        for entry in list(shown.values()):
            parent = entry.placement.parent
            while parent != self.top and parent in by_lineage:
                identifier, above = by_lineage[parent]
                shown[identifier] = above
                parent = above.placement.parent
        return shown

    def groups(self, lineage, plaintext):
        """Versions with the same bytes, the group with the latest version first."""
        found = {}
        for stamp in self.lineages[lineage].live():
            found.setdefault(plaintext(self.version(lineage, stamp)), []).append(stamp)
        groups = [(sorted(stamps, key=order), content) for content, stamps in found.items()]
        return sorted(groups, key=lambda group: order(group[0][-1]), reverse=True)

    def version(self, lineage, stamp):
        """A version's content: the lineage's own, or that of the copy which shows it."""
        content = self.lineages[lineage].versions[stamp]
        if content is None:
            _, copy = names.copy_identifiers(lineage, stamp)
            content = self.lineages[copy].versions[stamp]
        return content


def settlements(segment_notices):
    """The placements that stand for others, by entry and stamp."""
    found = {}
    for kind, data in segment_notices:
        if kind == 8:
            f = Cursor(data)
            for _ in range(f.u32()):
                entry, made, before = f.identifier(), read_stamp(f), read_stamp(f)
                found[(entry, made)] = before
    return found
