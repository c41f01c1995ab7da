"""Makes src/hookbox/_abi.py out of the C headers: make_abi.py INCLUDE_FOLDER TO_FILE.

cffi reads declarations, not the preprocessor's language: so what a preprocessor does is done here first,
as far as these headers need it. The result is read without a C parser at run time.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cffi import FFI

HEADERS = ("hookbox.h", "hookbox/sys.h")
# Only a library built for tests has these functions; to declare them costs nothing.
DEFINED = {"HOOKBOX_TESTING"}
NUMBER = re.compile(r"#define HOOKBOX_\w+ \d+$")
INLINE = re.compile(r"^static inline .*?^}\n", re.DOTALL | re.MULTILINE)


def declarations(header: str) -> str:
    """What a C compiler would see of a header of ours, and the constants that are plain numbers."""
    lines: list[str] = []
    taken = [True]
    for line in header.splitlines():
        word, _, rest = line.partition(" ")
        if word == "#if":
            taken.append(taken[-1] and rest.removeprefix("defined(").removesuffix(")") in DEFINED)
        elif word == "#ifdef":
            taken.append(taken[-1] and rest in DEFINED)
        elif word == "#ifndef":
            taken.append(taken[-1] and rest not in DEFINED)
        elif word == "#else":
            taken[-1] = taken[-2] and not taken[-1]
        elif word == "#endif":
            taken.pop()
        elif taken[-1] and (not line.startswith("#") or NUMBER.match(line)):
            lines.append(line)
    return INLINE.sub("", "\n".join(lines) + "\n")


def main(include: Path, to_file: Path) -> None:
    """Writes the module."""
    ffi = FFI()
    for header in HEADERS:
        ffi.cdef(declarations((include / header).read_text(encoding="utf-8")))
    ffi.set_source("hookbox._abi", None)
    ffi.compile(tmpdir=str(to_file.parent / "made"))
    (to_file.parent / "made" / "hookbox" / "_abi.py").replace(to_file)
    (to_file.parent / "made" / "hookbox").rmdir()
    (to_file.parent / "made").rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
