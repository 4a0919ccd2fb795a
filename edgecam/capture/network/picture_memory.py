"""Memory in which a decoder process leaves its pictures, where the owner looks at them without a copy.

The owner makes it (memfd_create(2)) and seals its size: a process that shrank it would end the owner by
SIGBUS. It begins with a byte for each slot: 0 is free, which the owner writes; 1 is full, which the process
writes. So neither has to wake the other for it. Nothing read from it is believed: a process that lies spoils
its own pictures.
"""

from __future__ import annotations

import fcntl
import mmap
import os

import numpy as np

from edgecam.core.types import Image

#: Pictures in it, and how many of them are lent out before the owner takes copies: a picture is looked at for
#: as long as anybody needs it, and one has to be free for the next.
SLOTS, MOST_LENT = 8, 5
#: Before the slots: their states, and whether the owner wants to be asked before a picture is decoded.
HEADER_BYTES, ASK_AT = 4096, 64
# linux/fcntl.h; the fcntl module has them only where they were compiled in
_F_ADD_SEALS, _SEAL_SHRINK, _SEAL_GROW = 1033, 2, 4


class OwnedMemory:
    """The owner's end: slots of ``slot_bytes``. ``fd`` is to be sent over, then closed. Thread-safe."""

    def __init__(self, slot_bytes: int) -> None:
        self.slot_bytes = slot_bytes
        size = HEADER_BYTES + SLOTS * slot_bytes
        self.fd = os.memfd_create("edgecam-pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.fd, size)
            fcntl.fcntl(self.fd, _F_ADD_SEALS, _SEAL_SHRINK | _SEAL_GROW)
            self._memory = mmap.mmap(self.fd, size)
        except BaseException:
            os.close(self.fd)
            raise
        self._address: int = np.frombuffer(self._memory, np.uint8).__array_interface__["data"][0]
        self._lent: set[int] = set()

    def picture(self, slot: int, width: int, height: int) -> Image:
        """The picture in a slot, which is free again when nobody looks at it. ValueError if it is none."""
        size = width * height * 3
        if not (0 <= slot < SLOTS and width > 0 < height and size <= self.slot_bytes) or slot in self._lent:
            raise ValueError(f"no picture in slot {slot}")
        self._lent.add(slot)
        at = self._address + HEADER_BYTES + slot * self.slot_bytes
        image: Image = np.asarray(_Lent(self, slot, (height, width, 3), at))
        return image if len(self._lent) <= MOST_LENT else image.copy()

    def free(self, slot: int) -> None:
        """The slot may be written to again."""
        self._lent.discard(slot)
        self._memory[slot] = 0

    def ask(self, wanted: bool) -> None:
        """Whether the process shall ask before it decodes a picture."""
        self._memory[ASK_AT] = wanted


class _Lent:
    """One slot, for as long as an array or a view of it is alive: it is their base."""

    def __init__(self, memory: OwnedMemory, slot: int, shape: tuple[int, int, int], address: int) -> None:
        self._memory, self._slot = memory, slot
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": "|u1",
            "data": (address, False),
        }

    def __del__(self) -> None:
        self._memory.free(self._slot)


class SharedMemory:
    """The process's end, from what the owner sent. One thread."""

    def __init__(self, fd: int, slot_bytes: int) -> None:
        self.slot_bytes = slot_bytes
        try:
            self._memory = mmap.mmap(fd, HEADER_BYTES + SLOTS * slot_bytes)
        finally:
            os.close(fd)

    @property
    def asks(self) -> bool:
        """See :meth:`OwnedMemory.ask`."""
        return bool(self._memory[ASK_AT])

    def free_slot(self) -> int | None:
        """The first that nobody looks at, so that no more of the memory is used than is needed."""
        slot = self._memory.find(b"\0", 0, SLOTS)
        return None if slot < 0 else slot

    def place(self, slot: int, height: int, width: int) -> Image:
        """The slot's first bytes, as a picture."""
        at = HEADER_BYTES + slot * self.slot_bytes
        return np.frombuffer(self._memory, np.uint8, height * width * 3, at).reshape(height, width, 3)

    def fill(self, slot: int) -> None:
        """The slot is full and now the owner's."""
        self._memory[slot] = 1
