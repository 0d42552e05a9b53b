"""What a shared library says of itself in its ELF headers, read without loading it.

Only little-endian 64-bit files are read (x86-64, aarch64). Source of the layout: elf(5) and the System V gABI.
"""

import struct
from pathlib import Path

from msgspec import Struct

MACHINES = {62: "x86_64", 183: "aarch64"}
"""e_machine of the architectures we know, as `platform.machine()` calls them."""

_PT_LOAD, _PT_DYNAMIC, _PT_GNU_STACK = 1, 2, 0x6474E551
_PF_X = 1
_DT_NEEDED, _DT_STRTAB, _DT_SONAME = 1, 5, 14
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")


class NotElf(ValueError):
    """The file is no little-endian 64-bit ELF file, or is cut off."""


class Elf(Struct, frozen=True):
    """A shared library: `align` is the least p_align (bytes) of its PT_LOAD segments."""

    machine: str
    """As `platform.machine()` says it; `machine <n>` where it is one we do not know."""
    executable_stack: bool
    """It asks for an executable stack (glibc 2.41 and later refuse to dlopen such a library)."""
    align: int
    soname: str
    needed: tuple[str, ...]


def read(path: Path) -> Elf:
    """Read the headers of `path`; raises NotElf or OSError."""
    data = path.read_bytes()
    try:
        return _parse(data)
    except (struct.error, IndexError, ValueError) as error:
        raise NotElf(f"{path} is no 64-bit little-endian ELF library ({error})") from error


def _parse(data: bytes) -> Elf:
    ident, _kind, machine, _v, _entry, phoff, _shoff, _f, _eh, phentsize, phnum, *_rest = _HEADER.unpack_from(data)
    if ident[:6] != b"\x7fELF\x02\x01":
        raise ValueError("wrong magic number, class or byte order")
    if phentsize < _SEGMENT.size:
        raise ValueError("program headers are too short")
    segments = [_SEGMENT.unpack_from(data, phoff + index * phentsize) for index in range(phnum)]
    loads = [
        (vaddr, offset, filesz, align) for kind, _, offset, vaddr, _, filesz, _, align in segments if kind == _PT_LOAD
    ]
    stacks = [flags for kind, flags, *_ in segments if kind == _PT_GNU_STACK]
    soname, needed = _names(data, segments, loads)
    return Elf(
        machine=MACHINES.get(machine, f"machine {machine}"),
        # Without the header the kernel's default holds, which is executable on x86-64 only.
        executable_stack=any(flags & _PF_X for flags in stacks) or (not stacks and machine == 62),
        align=min((align for *_, align in loads), default=1),
        soname=soname,
        needed=needed,
    )


def _names(
    data: bytes, segments: list[tuple[int, ...]], loads: list[tuple[int, int, int, int]]
) -> tuple[str, tuple[str, ...]]:
    """DT_SONAME ("" where there is none) and every DT_NEEDED, in order."""
    for kind, _, offset, _, _, filesz, *_ in segments:
        if kind == _PT_DYNAMIC:
            entries = [_DYNAMIC.unpack_from(data, at) for at in range(offset, offset + filesz, _DYNAMIC.size)]
            break
    else:
        return "", ()
    entries = entries[: next((index for index, (tag, _) in enumerate(entries) if tag == 0), len(entries))]
    tables = [value for tag, value in entries if tag == _DT_STRTAB]
    if not tables:
        return "", ()
    table = _file_offset(tables[0], loads)
    names = [(tag, _text(data, table + value)) for tag, value in entries if tag in (_DT_NEEDED, _DT_SONAME)]
    soname = next((name for tag, name in names if tag == _DT_SONAME), "")
    return soname, tuple(name for tag, name in names if tag == _DT_NEEDED)


def _file_offset(address: int, loads: list[tuple[int, int, int, int]]) -> int:
    for vaddr, offset, filesz, _ in loads:
        if vaddr <= address < vaddr + filesz:
            return address - vaddr + offset
    raise ValueError("the string table lies in no segment")


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "replace")
