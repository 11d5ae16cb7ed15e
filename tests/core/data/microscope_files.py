"""Writes files as microscopes do, from the descriptions of their formats."""

import importlib.util
import struct
from typing import ClassVar

import numpy as np
import pytest

IMAGES = np.random.default_rng(0).integers(0, 30_000, (4, 12, 10), dtype=np.int16)
needs_rosettasciio = pytest.mark.skipif(importlib.util.find_spec("rsciio") is None, reason="RosettaSciIO is optional")


class DigitalMicrograph:
    """Writes the tags of a DM3 or DM4 file: big-endian, with the values themselves little-endian."""

    TYPES: ClassVar = {"int16": (2, 1), "float32": (6, 2), "uint8": (10, 6), "uint16": (4, 10), "complex64": (5, 3)}

    def __init__(self, version):
        self.version = version
        self.word = ">q" if version == 4 else ">i"

    def number(self, *values):
        return b"".join(struct.pack(self.word, value) for value in values)

    def group(self, entries):
        return b"\0\0" + self.number(len(entries)) + b"".join(self.tag(name, entry) for name, entry in entries)

    def tag(self, name, entry):
        is_group = isinstance(entry, list)
        content = self.group(entry) if is_group else b"%%%%" + entry
        header = struct.pack(">bh", 20 if is_group else 21, len(name)) + name.encode()
        if self.version == 4:
            header += struct.pack(">q", len(content))
        return header + content

    def simple(self, kind, value):
        code, form = {"long": (5, "<I"), "float": (6, "<f"), "ulong": (5, "<I")}[kind]
        return self.number(1, code) + struct.pack(form, value)

    def array(self, values):
        return self.number(3, 20, self.TYPES[values.dtype.name][0], values.size) + values.tobytes()

    def text(self, value):
        return self.array(np.frombuffer(value.encode("utf-16-le"), np.uint16))

    def image(self, values, scale=0.25, units="nm", tags=()):
        dimension = [
            ("", [("Origin", self.simple("float", 0)), ("Scale", self.simple("float", s)), ("Units", self.text(u))])
            for s, u in [(scale, units), (2 * scale, units), (1, "")][: values.ndim]
        ]
        brightness = [("Origin", self.simple("float", 0)), ("Scale", self.simple("float", 1)), ("Units", self.text(""))]
        data = [
            ("Calibrations", [("Brightness", brightness), ("Dimension", dimension)]),
            ("Data", self.array(values)),
            ("DataType", self.simple("long", self.TYPES[values.dtype.name][1])),
            ("Dimensions", [("", self.simple("long", side)) for side in values.shape[::-1]]),
        ]
        return [("ImageData", data), ("ImageTags", list(tags)), ("Name", self.text("stack"))]

    def content(self, *images):
        root = self.group([("ImageList", [("", image) for image in images])])
        return struct.pack(">i", self.version) + self.number(len(root)) + struct.pack(">i", 1) + root + bytes(8)


def dm(path, *stacks, version=None, **options):
    writer = DigitalMicrograph(version or int(path.suffix[-1]))
    path.write_bytes(writer.content(*(writer.image(stack, **options) for stack in stacks)))
    return path


def mrc(path, values, pixel=2.5):
    modes = {"int16": 1, "float32": 2, "complex64": 4, "uint16": 6}
    header = bytearray(1024)
    n, height, width = values.shape
    struct.pack_into("<4i", header, 0, width, height, n, modes[values.dtype.name])
    struct.pack_into("<3i", header, 28, width, height, n)
    struct.pack_into("<3f", header, 40, width * pixel, height * pixel, n * pixel)
    header[208:212] = b"MAP "
    path.write_bytes(bytes(header) + values.tobytes())
    return path


def ser(path, values, step=2e-10):
    """Write a TIA series (version 0x210): header, one dimension, the images from below, and where each begins."""
    n, height, width = values.shape
    dimension = struct.pack("<IddiI", n, 0, 1, 0, 0) + struct.pack("<I", 0)
    beginning = 30 + len(dimension)
    blocks = []
    for image in values[:, ::-1]:
        block = struct.pack("<ddIddIHII", 0, step, 0, 0, step, 0, 5, width, height)
        blocks.append(block + image.tobytes() + struct.pack("<HHI", 0x4152, 0, 0))
    offsets = [beginning + sum(map(len, blocks[:at])) for at in range(n)]
    where = beginning + sum(map(len, blocks))
    header = struct.pack("<HHHIIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, n, n, where, 1)
    path.write_bytes(header + dimension + b"".join(blocks) + struct.pack(f"<{n}I", *offsets) + bytes(4 * n))
    return path


WRITERS = {".dm3": dm, ".dm4": dm, ".mrc": mrc, ".mrcs": mrc, ".ser": ser}
