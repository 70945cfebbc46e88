# SPDX-License-Identifier: MIT
"""YAML that people write, read as texts: every value is the text in the file.

`1001`, `007`, `true`, `1.10` and `2024-01-01` are those very characters, as keys and as values. Only who knows that a
field is a boolean, or wants to know whether there is anything at all, looks further. Events come from libyaml, of
which Authelia's reader (go-yaml) is a translation; the nodes made of them (YAML 1.2, section 3.1: the representation
graph) know where in the text they stand. A key that stands twice is an error everywhere.

Everything is bounded: the text, how deep it goes and how much it is, both counted as if every alias were written out.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from providers.yaml_files.composer import Composer, Contents
from providers.yaml_files.nodes import BadYaml, Mapping, Node, Scalar, Sequence

MAX_TEXT: Final = 4 * 1024 * 1024
"""Characters of a file."""
_DIRECTIVE: Final = re.compile("^%|[\r\n\x85\u2028\u2029]%")
_MAX_DIRECTIVES: Final = 20
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOTHING: Final = frozenset({"", "~"})
_BOM: Final = "\ufeff"
_UNREADABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""YAML 1.2, section 5.1, the printable characters."""
_KINDS: Final = ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
_TAGS: Final = frozenset({"", "!", *(f"tag:yaml.org,2002:{kind}" for kind in _KINDS)})


def read(text: str, contents: Contents | None = None, *, alone: bool = False) -> Node | None:
    """Return the first document; None when there is none. Raises BadYaml, also for another document when `alone`.

    Places count from the text without its byte order mark: `without_mark`. Nodes that were read with the same
    `contents` can be compared by their `content`.
    """
    if len(text) > MAX_TEXT:
        raise BadYaml(f"more than {MAX_TEXT} characters", 1)
    _, text = without_mark(text)
    if unreadable := _UNREADABLE.search(text):
        raise BadYaml("a character that YAML does not allow", text.count("\n", 0, unreadable.start()) + 1)
    if len(_DIRECTIVE.findall(text)) > _MAX_DIRECTIVES:  # which libyaml compares each with each
        raise BadYaml("too many directives", 1)
    events: Any = yaml.parse(text, Loader=_LOADER)
    try:
        return Composer(events, {} if contents is None else contents).document(alone=alone)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = str(getattr(error, "problem", None) or type(error).__name__)
        # At its end libyaml is a line further than the text.
        raise BadYaml(problem, min(mark.line if mark else 0, text.rstrip("\n").count("\n")) + 1) from None
    finally:
        events.close()


def without_mark(text: str) -> tuple[str, str]:
    """Return the byte order mark, if there is one, and the rest."""
    return (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)


def data(node: Node) -> object:
    """Return dicts, lists and texts; a field without a value (nothing, or `~`) is left out. Raises BadYaml."""
    node = node.meant
    if node.tag not in _TAGS:
        raise BadYaml("a tag that is not understood", node.line)
    if isinstance(node, Mapping):
        values = ((name, data(value)) for name, value in node.fields.items())
        return {name: value for name, value in values if value is not None}
    if isinstance(node, Sequence):
        return [data(item) for item in node.items]
    return node.value if isinstance(node, Scalar) and not (node.is_null and node.value in _NOTHING) else None
