"""The programs of the README."""

from pathlib import Path
from typing import Any

README = Path(__file__).parents[1] / "README.md"


def defined(words: str) -> dict[str, Any]:
    """What the README's block of Python with these words defines, run as it stands."""
    blocks: list[str] = [part.split("```")[0] for part in README.read_text("utf-8").split("```python\n")[1:]]
    scope: dict[str, Any] = {}
    exec(compile(next(block for block in blocks if words in block), str(README), "exec"), scope)
    return scope
