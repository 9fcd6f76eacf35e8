"""The merge of fields: two edits of one text. Document: Sync, "The merge of fields"."""


def fields(text):
    """The lines of a text with their names; nothing for what cannot be merged."""
    if b"\0" in text:
        return None
    found = {}
    for number, line in enumerate(lines(text)):
        name = b"" if number == 0 else line.split(b":", 1)[0]
        if name in found:
            return None
        found[name] = line
    return found if len(found) <= 1024 else None


def merge(base, left, right):
    """What both edits of `base` make together; nothing where they contradict each other."""
    origin, mine, theirs = fields(base), fields(left), fields(right)
    if origin is None or mine is None or theirs is None:
        return None
    merged = b""
    for name, line in mine.items():
        chosen = choose(origin.get(name), line, theirs.get(name))
        if chosen is None:
            return None
        merged += chosen
    for name, line in theirs.items():
        if name in mine:
            continue
        if name not in origin:
            if merged and not merged.endswith(b"\n"):
                merged += b"\n"
            merged += line
        elif line != origin[name]:
            return None
    return merged


def choose(old, mine, theirs):
    """The line of a name that the left side has."""
    if theirs is None:
        return mine if old is None else b"" if mine == old else None
    if mine == theirs or theirs == old:
        return mine
    return theirs if mine == old else None


def lines(text):
    """Each with its line feed; the last one may have none."""
    parts = text.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
