"""Damaged and malicious uploads, made from good files by seeded chance."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence

from tests.dicom_files import ct_image, report

EXPLICIT_SEQUENCE = (
    b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff"  # Referenced Image Sequence, undefined length
)
ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
LENGTHS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFF)
DEFLATED = b"1.2.840.10008.1.2.1.99"

Mutation = Callable[[random.Random, bytes], bytes]


def flipped(chance: random.Random, file: bytes) -> bytes:
    """Some bits of the header or anywhere are turned over."""
    damaged = bytearray(file)
    reach = chance.choice((len(file), min(len(file), 1200)))
    for _ in range(chance.randint(1, 12)):
        damaged[chance.randrange(reach)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut(chance: random.Random, file: bytes) -> bytes:
    return file[: chance.randrange(len(file))]


def wrong_length(chance: random.Random, file: bytes) -> bytes:
    """Four bytes somewhere in the header become a length that lies."""
    at = chance.randrange(132, min(len(file) - 4, 1200))
    return file[:at] + struct.pack("<L", chance.choice(LENGTHS)) + file[at + 4 :]


def huge_matrix(chance: random.Random, file: bytes) -> bytes:
    """Rows and columns that would overflow, frames without end."""
    sizes = {"Rows": chance.choice((0, 1, 65535)), "Columns": chance.choice((0, 1, 65535))}
    return ct_image(chance.randrange(9), NumberOfFrames=chance.choice((1, 2**31 - 1)), **sizes)


def repeated(chance: random.Random, file: bytes) -> bytes:
    """A piece of the file comes many times."""
    at = chance.randrange(132, len(file))
    return file[:at] + file[at : at + 64] * chance.randrange(2, 200) + file[at:]


def nested(depth: int = 10_000) -> bytes:
    """A sequence in a sequence in a sequence."""
    file = ct_image()
    at = file.index(b"\x10\x00\x10\x00PN")
    return file[:at] + (EXPLICIT_SEQUENCE + ITEM) * depth + file[at:]


def deflate_bomb(unpacked: int = 1 << 30) -> bytes:
    """A deflated data set of a few hundred kB that unpacks to a gigabyte of one element."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = b"\x08\x00\x08\x00UN\x00\x00" + struct.pack("<L", unpacked)
    body = [packer.compress(head)] + [packer.compress(bytes(1 << 20)) for _ in range(unpacked >> 20)]
    value = DEFLATED + b"\0" * (len(DEFLATED) % 2)
    syntax = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(value)) + value
    length = b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<L", len(syntax))
    return bytes(128) + b"DICM" + length + syntax + b"".join(body) + packer.flush()


def zip_bomb(unpacked: int = 1 << 30) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.dcm", "w") as member:
        for _ in range(unpacked >> 20):
            member.write(bytes(1 << 20))
    return file.getvalue()


def forged_zip(declared: int = 100) -> bytes:
    """A member of 64 MB that claims to have a hundred bytes."""
    whole = zip_bomb(64 << 20)
    true, forged = struct.pack("<L", 64 << 20), struct.pack("<L", declared)
    return whole.replace(true, forged)


MUTATIONS: Sequence[Mutation] = (
    flipped,
    flipped,
    flipped,
    cut,
    wrong_length,
    wrong_length,
    huge_matrix,
    repeated,
)


def mutants(count: int, seed: int = 1086) -> Iterator[bytes]:
    """So many damaged files; the same seed makes the same ones."""
    chance = random.Random(seed)
    for number in range(count):
        good = (
            report(number=number) if number % 10 == 0 else ct_image(number, series=f"2.25.{number % 7 + 1}")
        )
        yield chance.choice(MUTATIONS)(chance, good)
