"""Reading fixed-width little-endian fields, in their order, and never past the end."""

import struct


class Malformed(Exception):
    """Bytes that no writer of this format makes."""


class Cursor:
    def __init__(self, data):
        self.data = bytes(data)
        self.at = 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Malformed(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def _number(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def u8(self):
        return self._number("B")

    def u16(self):
        return self._number("H")

    def u32(self):
        return self._number("I")

    def u64(self):
        return self._number("Q")

    def i64(self):
        return self._number("q")

    def identifier(self):
        return self.take(16)

    def list(self, count, item):
        return [item() for _ in range(count)]

    def expect(self, wanted):
        found = self.take(len(wanted))
        if found != wanted:
            raise Malformed(f"{wanted.hex()} wanted, {found.hex()} found")

    def rest(self):
        return self.take(len(self.data) - self.at)

    def padding(self):
        """The end of a padded plaintext: zeroes only."""
        if any(self.rest()):
            raise Malformed("padding that is not zero")

    def end(self):
        if self.at != len(self.data):
            raise Malformed(f"{len(self.data) - self.at} bytes too many")
