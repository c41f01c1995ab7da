"""The README's code is the example's own text, and what it lists is there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import hookbox

ROOT = Path(__file__).parents[3]
README = (ROOT / "bindings" / "python" / "README.md").read_text(encoding="utf-8")


def test_readme_snippets_are_the_examples() -> None:
    example = (ROOT / "examples" / "python" / "outbox.py").read_text(encoding="utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len(snippets) == 6
    for snippet in snippets:
        assert any(textwrap.indent(snippet, " " * depth) in example for depth in (4, 8)), snippet


def test_readme_names_every_method() -> None:
    table = README[README.index("## What there is") : README.index("Listings (")]
    named = set(re.findall(r"`(?:hookbox\.)?(\w+)`", table))
    methods = {name for name in dir(hookbox.Box) if not name.startswith("_")}
    assert methods - named == {
        *("app_page", "webhook_page", "event_page", "batch_page", "attempt_page", "api_key_page"),
        *("close", "closed"),
    }
    for name in named - methods:
        assert hasattr(hookbox, name), name


def test_every_function_of_the_header_is_used() -> None:
    package = Path(hookbox.__file__).parent
    code = "".join(
        path.read_text(encoding="utf-8") for path in package.glob("*.py") if path.name != "_abi.py"
    )
    headers = (package / "include" / "hookbox.h", package / "include" / "hookbox" / "sys.h")
    # A declaration may go on over several lines; its name stands before the first parenthesis.
    declared = {
        name
        for header in headers
        for name in re.findall(
            r"^[a-z].*?\b(hookbox_\w+)\(", header.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    kinds = set(re.findall(r'"(hookbox_\w+)"', code))
    used = set(re.findall(r"\blib\.(hookbox_\w+)", code)) | {f"{kind}_free" for kind in kinds}
    assert len(declared) > 100
    # emit_many and version() say the same; the others are for C, and for tests of stores.
    assert declared - used == {
        *("hookbox_emit", "hookbox_emit_event", "hookbox_version_number"),
        *("hookbox_cstr", "hookbox_id_str", "hookbox_testing_kv_conformance"),
    }
