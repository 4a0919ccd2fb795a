"""Replace large libraries that edgecam never calls by small stand-ins, so that their users still load.

OpenCV does not load without OpenBLAS, nor FFmpeg without x265: 39 and 21 MB on x86-64, for nineteen functions
and one. :func:`replace` writes a library of about 1 kB in their place, with the same name and the functions
that its users import. If one is called (by a plug-in, with matrices beyond some hundred rows, or to encode
HEVC), a message says what is missing, and the process ends by SIGABRT: a wrong result would be worse.
The ELF format is described in gabi 4.1, chapters 4 and 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

X86_64, AARCH64 = 62, 183
#: The end of each stand-in's message, by which a stand-in is recognised.
MARK = b"was left out of this edgecam to save space; `scripts/install --whole` brings it back\n"
#: FFmpeg calls x265 by bit depth when it lists its encoders (the answer is none), and by 0 to encode.
ASKED_BY_DEPTH = "x265_api_get_"
_SYMBOL = struct.Struct("<IBBHQQ")
_PAGE = 0x10000


def symbols(path: Path) -> tuple[set[str], set[str], set[str]]:
    """(undefined names, functions, data) of an ELF file (64 bit, little endian) with section headers."""
    data = path.read_bytes()
    wanted: set[str] = set()
    functions: set[str] = set()
    others: set[str] = set()
    if data[:6] != b"\x7fELF\x02\x01":
        return wanted, functions, others
    table, size, count = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
    for _, kind, _, _, place, length, link, *_rest in sections:
        if kind != 11:  # SHT_DYNSYM
            continue
        strings = sections[link][4]
        for at in range(place, place + length, _SYMBOL.size):
            name_at, info, _, section, *_rest = _SYMBOL.unpack_from(data, at)
            name = data[strings + name_at : data.index(b"\0", strings + name_at)].decode()
            if section == 0:
                wanted.add(name)
            elif info & 15 in (2, 10):  # STT_FUNC, STT_GNU_IFUNC
                functions.add(name)
            else:
                others.add(name)
    return wanted - {""}, functions, others


def replace(library: Path, users: Iterable[Path]) -> bool:
    """Put a stand-in in place of ``library`` if ``users`` import only functions from it; returns whether."""
    data = library.read_bytes()
    if MARK in data or data[:7] != b"\x7fELF\x02\x01\x01":
        return False
    (machine,) = struct.unpack_from("<H", data, 18)
    found = [symbols(user)[0] for user in users]
    _, functions, others = symbols(library)
    wanted = set().union(*found)
    if machine not in (X86_64, AARCH64) or not all(found) or not wanted & functions or wanted & others:
        return False
    beside = library.with_name(library.name + ".stand-in")
    beside.write_bytes(shared_library(machine, library.name, sorted(wanted & functions)))
    beside.chmod(library.stat().st_mode)
    beside.replace(library)
    return True


def shared_library(machine: int, name: str, functions: list[str]) -> bytes:
    """The library's bytes: one segment with symbols, code and message, one with the dynamic section."""
    message = f"{name} ".encode() + MARK
    strings, at = bytearray(b"\0"), {}
    for text in (name, *functions):
        at[text] = len(strings)
        strings += text.encode() + b"\0"
    # a hash table with one bucket: a chain through all symbols
    chain = [*range(2, len(functions) + 1), 0]
    table = struct.pack(f"<{4 + len(chain)}I", 1, len(chain) + 1, 1, 0, *chain)
    hash_at = 64 + 4 * 56
    symbols_at = _aligned(hash_at + len(table))
    strings_at = symbols_at + _SYMBOL.size * (len(functions) + 1)
    code_at = _aligned(strings_at + len(strings))
    code, abort = _code(machine, message)
    entries = bytearray(_SYMBOL.size)  # the first symbol is undefined by definition
    for function in functions:
        start = code_at + (0 if function.startswith(ASKED_BY_DEPTH) else abort)
        entries += _SYMBOL.pack(at[function], 0x12, 0, 1, start, 4)  # global function
    first = _placed({hash_at: table, symbols_at: entries, strings_at: strings, code_at: code})
    tags = {14: at[name], 4: hash_at, 5: strings_at, 6: symbols_at, 10: len(strings), 11: _SYMBOL.size, 0: 0}
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags.items())
    dynamic_at = _aligned(len(first))
    size = len(dynamic)
    segments = [  # kind, flags, offset, address, physical address, sizes in the file and in memory, alignment
        (1, 5, 0, 0, 0, len(first), len(first), _PAGE),  # loaded: read, execute
        (1, 6, dynamic_at, _PAGE + dynamic_at, _PAGE + dynamic_at, size, size, _PAGE),  # loaded: read, write
        (2, 6, dynamic_at, _PAGE + dynamic_at, _PAGE + dynamic_at, size, size, 8),  # dynamic section
        (0x6474E551, 6, 0, 0, 0, 0, 0, 16),  # a stack that is not executable
    ]
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    head += b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments)
    return _placed({0: head + first[len(head) :], dynamic_at: dynamic})


def _code(machine: int, message: bytes) -> tuple[bytes, int]:
    """The machine code: a call with a bit depth other than 0 returns NULL. At the returned offset follows:
    write(2, message), abort."""
    if machine == X86_64:
        by_depth = bytes.fromhex("85ff 7403 31c0 c3")  # test edi,edi; je behind; xor eax,eax; ret
        # syscall; mov eax,39 (getpid); syscall; mov edi,eax; mov esi,6; mov eax,62 (kill); syscall; ud2
        end = bytes.fromhex("0f05 b827000000 0f05 89c7 be06000000 b83e000000 0f05 0f0b")
        code = bytes.fromhex(
            "b801000000 bf02000000 488d35"
        )  # mov eax,1 (write); mov edi,2; lea rsi,[rip + …]
        code += struct.pack("<iBI", 5 + len(end), 0xBA, len(message)) + end  # mov edx,length
        return by_depth + code + message, len(by_depth)

    def move(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    service = 0xD4000001
    by_depth = struct.pack("<3I", 0x34000060, move(0, 0), 0xD65F03C0)  # cbz w0,behind; mov x0,0; ret
    words = [move(0, 2), 0x10000001, move(2, len(message)), move(8, 64), service]  # adr x1,… ; write
    words += [move(8, 172), service, move(1, 6), move(8, 129), service, 0xD4200000]  # getpid; kill; brk
    words[1] |= len(words) - 1 << 5  # the number of words from there to the message
    return by_depth + struct.pack(f"<{len(words)}I", *words) + message, len(by_depth)


def _aligned(place: int) -> int:
    return -(-place // 16) * 16


def _placed(pieces: dict[int, bytes | bytearray]) -> bytes:
    out = bytearray()
    for place, piece in sorted(pieces.items()):
        out += bytes(place - len(out)) + piece
    return bytes(out)
