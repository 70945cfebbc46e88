# SPDX-License-Identifier: MIT
"""What is read of files that people write: the texts that stand there, each key once, and not without end."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import yaml_files
from providers.yaml_files.nodes import BadYaml, TwiceTheSame

STRANGE = [
    "007", "0x1F", "0o17", "0b11", "1_000", "12:30:45", "1.10", "1001", "1e5", "-0", "+1", ".5", ".nan", "-.inf",
    "true", "True", "FALSE", "yes", "No", "on", "OFF", "y", "N", "null", "Null", "NULL",
    "2024-01-01", "2001-12-14t21:59:43.10-05:00", "=", "1_0.5_0", "190:20:30.15",
]  # fmt: skip
"""Plain scalars that YAML 1.1 or 1.2 takes for something else than the text."""


def _data(text, *, alone=True):
    return yaml_files.data(yaml_files.read(text, alone=alone))


@pytest.mark.parametrize("text", STRANGE)
def test_a_plain_scalar_is_the_text_that_it_is_as_key_and_as_value(text):
    assert _data(f"{text}: {text}\n") == {text: text}
    assert _data(f"- {text}\n") == [text]
    assert _data(f"{{{text}: [{text}]}}") == {text: [text]}


@pytest.mark.parametrize("text", ["a:\n", "a: ~\n", "{a: , b: x}", "a: &x\nb: *x\n"])
def test_a_field_without_a_value_is_left_out(text):
    assert "a" not in _data(text)


def test_quotes_make_a_text_of_anything():
    assert _data("a: ''\nb: \"~\"\nc: 'null'\n") == {"a": "", "b": "~", "c": "null"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("\ufeffa: b\n", {"a": "b"}),
        ("a:\r\n  - b # c\r\n  - 'd\r\n    e'\r\n", {"a": ["b", "d e"]}),
        ("{\t'a':\t[\tb\t,\tc\t]\t}\t# d", {"a": ["b", "c"]}),
        ("a: b\n# the end", {"a": "b"}),
        ("a: b\n...\n", {"a": "b"}),
        ("a: b\n---\n", {"a": "b"}),
        ("a: b\n---\n# nothing\n...\n---\n", {"a": "b"}),
        ("%YAML 1.1\n---\na: b\n", {"a": "b"}),
        ("a: &x 7\nb: *x\n", {"a": "7", "b": "7"}),
        ("a: &x {c: 1, d: 2}\nb: {<<: *x, d: 3}\n", {"a": {"c": "1", "d": "2"}, "b": {"d": "3", "c": "1"}}),
        ("a: {<<: [{c: 1}, {c: 2, d: 2}], e: 3}\n", {"a": {"c": "1", "d": "2", "e": "3"}}),
        ("a: !!str 7\nb: !!int 7\n", {"a": "7", "b": "7"}),
    ],
)
def test_what_people_write(text, meant):
    assert _data(text) == meant


@pytest.mark.parametrize(
    ("text", "key", "line", "first"),
    [
        ("a: 1\nb: 2\na: 3\n", "a", 3, 1),
        ("a: 1\n'a': 2\n", "a", 2, 1),
        ('1: x\n\n"1": y\n', "1", 3, 1),
        ("x: {a: 1,\n  a: 2}\n", "a", 2, 1),
        ("- x:\n    a: 1\n    a: 2\n", "a", 3, 2),
        ("&k a: 1\n*k : 2\n", "a", 2, 1),
        ("x: &x {}\ny: {<<: *x, <<: *x}\n", "<<", 2, 2),
        ("a:\r\n  b: 1\r\n  b: 2\r\n", "b", 3, 2),
    ],
)
def test_a_key_that_stands_twice_is_named_with_both_lines(text, key, line, first):
    with pytest.raises(TwiceTheSame) as caught:
        _data(text)
    assert (caught.value.key, str(caught.value)) == (key, f"line {line}: a key that stands in line {first} already")


BAD = {
    "a second document": ("a: b\n---\nc: d\n", "line 3: another document"),
    "a second text": ("a: b\n--- c\n", "line 2: another document"),
    "a key that is a list": ("a: b\n? [c]\n: d\n", "line 2: a key that is no text"),
    "a merge of a text": ("a: b\n<<: c\n", "line 2: a merge key that names no mapping"),
    "an alias of nothing": ("a: b\nc: *d\n", "line 2: an alias of an anchor that does not come before it"),
    "an anchor in itself": ("a: &a\n  b: *a\n", "line 2: an anchor that contains itself"),
    "a tag": ("a: b\nc: !!binary QQ==\n", "line 2: a tag that is not understood"),
    "an object of Python": ("a: !!python/object/apply:os.system [x]\n", "line 1: a tag that is not understood"),
    "a NUL": ("a: b\nc: \x00\n", "line 2: a character that YAML does not allow"),
    "half a character": ("a: \ud800\n", "line 1: a character that YAML does not allow"),
    "UTF-16": ("a: b\n".encode("utf-16-le").decode(), "line 1: a character that YAML does not allow"),
    "a tab that indents": ("a:\n\tb: c\n", "line 2: found character that cannot start any token"),
    "no end": ("a: [b,\n", "line 1: did not find expected node content"),
    "an alias and no end": ('a: "b', "line 1: found unexpected end of stream"),
}


@pytest.mark.parametrize("title", BAD)
def test_what_cannot_be_read_is_said_with_its_line(title):
    text, problem = BAD[title]
    with pytest.raises(BadYaml) as caught:
        _data(text)
    assert str(caught.value) == problem


MEGABYTE = 1 << 20
BOMBS = {
    "lists in lists": "[" * MEGABYTE,
    "mappings in mappings": "{a: " * (MEGABYTE // 4),
    "lists of blocks": "- " * (MEGABYTE // 2),
    "keys of keys": "? " * (MEGABYTE // 2),
    "items": "[" + "a," * (MEGABYTE // 2),
    "laughs": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 60)),
    "a chain": "- &a0 [x]\n" + "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(1, 50_000)),
    "a chain of merges": "- &a0 {x: 1}\n" + "".join(f"- &a{n} {{<<: *a{n - 1}, k{n}: 1}}\n" for n in range(1, 30_000)),
    "merges": "- &a {" + ",".join(f"k{n}: 1" for n in range(20_000)) + "}\n" + "- {<<: *a}\n" * 50_000,
    "directives": "".join(f"%TAG !e{n}! tag:x\n" for n in range(MEGABYTE // 20)) + "---\na",
    "directives by other line ends": "".join(f"%TAG !e{n}! tag:x\r" for n in range(MEGABYTE // 20)) + "---\na",
    "length": "a" * (4 * MEGABYTE + 1),
}


@pytest.mark.parametrize("title", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(title):
    before = time.process_time()
    with pytest.raises(BadYaml):
        _data(BOMBS[title])
    # Unbounded, each of them takes minutes or all of the memory.
    assert time.process_time() - before < 15


TREES = st.recursive(
    st.text(st.sampled_from("a1:é\n \"'#-~&*!{}[],\t\\"), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab1", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("ab1", max_size=3), TREES, min_size=1), st.booleans())
def test_what_another_library_writes_is_read(tree, flow):
    import yaml  # noqa: PLC0415 - the other library

    class Quoting(yaml.SafeDumper):
        pass

    Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    assert _data(yaml.dump(tree, Dumper=Quoting, default_flow_style=flow, allow_unicode=True)) == tree


@given(st.text(st.sampled_from("a1:-?&*!|>%@`{}[],#'\"~<\t \r\n\x85\u2028\ufeff\x00\\\ud800."), max_size=40))
def test_whatever_it_is_it_is_read_or_refused(text):
    try:
        _data(text)
    except BadYaml:
        pass
    except AttributeError:
        assert yaml_files.read(text, alone=True) is None
