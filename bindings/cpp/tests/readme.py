"""Every C++ snippet of bindings/cpp/README.md is the example's own text."""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[3]
readme = (root / "bindings/cpp/README.md").read_text()
example = (root / "examples/cpp/outbox.cpp").read_text()


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


snippets = re.findall(r"```cpp\n(.*?)```", readme, re.DOTALL)
if not snippets:
    sys.exit("bindings/cpp/README.md: no snippet at all")
have = "\n".join(lines(example))
for snippet in snippets:
    if "\n".join(lines(snippet)) not in have:
        sys.exit(f"bindings/cpp/README.md: this is not in examples/cpp/outbox.cpp:\n{snippet}")
