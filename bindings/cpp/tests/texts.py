"""What a compiler cannot see: the README's snippets are the example's own text, the headers offer every function of
the C library, and no file has more than 500 lines."""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[3]
cpp = root / "bindings/cpp"


def squeezed(text):
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def check(so, complaint):
    if not so:
        sys.exit(f"bindings/cpp/tests/texts.py: {complaint}")


snippets = re.findall(r"```cpp\n(.*?)```", (cpp / "README.md").read_text(), re.DOTALL)
check(snippets, "bindings/cpp/README.md has no snippet at all")
example = squeezed((root / "examples/cpp/outbox.cpp").read_text())
for snippet in snippets:
    check(squeezed(snippet) in example, f"this is not in examples/cpp/outbox.cpp:\n{snippet}")

declared = set()
for header in ["include/hookbox.h", "include/hookbox/sys.h"]:
    code = re.sub(r"^\s*//.*$", "", (root / header).read_text(), flags=re.MULTILINE)
    declared |= set(re.findall(r"^(?!typedef|static|#)\w[\w ]*?[ *]+(hookbox_\w+)\(", code, re.MULTILINE))
declared = {name for name in declared if not name.startswith("hookbox_testing_")}
check(len(declared) > 100, f"found no more than {len(declared)} functions in the C headers")
headers = "".join(path.read_text() for path in (cpp / "include").rglob("*.hpp"))
unused = sorted(declared - set(re.findall(r"hookbox_\w+", headers)))
check(not unused, f"the C++ headers do not offer {', '.join(unused)}")

for path in [*cpp.rglob("*.*pp"), *(root / "examples/cpp").glob("*.*pp")]:
    check(len(path.read_text().splitlines()) <= 500, f"{path} has more than 500 lines")
