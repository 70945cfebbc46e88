# SPDX-License-Identifier: MIT
"""The generated types are those of `asyncapi.yaml`; they compile, and take every example of the document as it is."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml

from tests.clients.__main__ import DOCUMENT, HERE, TOP, generated, go, node
from tests.clients.schema import KINDS, title

MODULE = "github.com/linuxfoundation/lfx-v2-auth-service/clients/go"
GO_MAIN = """\
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	authservice "%s"
)

func read[T any](text string) {
	var value T
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		fmt.Fprintf(os.Stderr, "%%T: %%s: %%v\\n", value, text, err)
		os.Exit(1)
	}
	encoded, _ := json.Marshal(value)
	fmt.Println(string(encoded))
}

func main() {
%s
}
"""


def examples():
    """Each example of a message that is an object: the name of its type, and its value."""
    messages = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))["components"]["messages"]
    for name, message in messages.items():
        subject, _, kind = name.rpartition(".")
        type_name = "Failure" if kind == "failure" else title(subject) + KINDS[kind]
        for example in message["examples"]:
            if isinstance(example["payload"], dict):
                yield type_name, example["payload"]


def compiled(folder, source):
    """What the TypeScript compiler says of a source beside the types; empty when nothing is wrong."""
    tsc = [*node(), str(HERE / "node_modules" / "typescript" / "bin" / "tsc")]
    (folder / "auth-service.ts").write_text((TOP / "clients/typescript/auth-service.ts").read_text(encoding="utf-8"))
    (folder / "used.ts").write_text(source, encoding="utf-8")
    options = ["--strict", "--noEmit", "--target", "es2022", "used.ts"]
    return subprocess.run([*tsc, *options], cwd=folder, capture_output=True, text=True, check=False).stdout


def run_in_go(folder, found):
    """What a program does that reads these examples strictly, and writes them again."""
    lines = "\n".join(f"\tread[authservice.{name}](`{json.dumps(value)}`)" for name, value in found)
    (folder / "main.go").write_text(GO_MAIN % (MODULE, lines), encoding="utf-8")
    (folder / "go.mod").write_text(
        f"module example.org/used\n\ngo 1.21\n\nrequire {MODULE} v0.0.0\n\nreplace {MODULE} => {TOP}/clients/go\n"
    )
    return subprocess.run([*go(), "run", "."], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made():
    return generated()


def test_the_files_are_what_the_document_says_now(made):
    for name, text in made.items():
        assert (TOP / "clients" / name).read_text(encoding="utf-8") == text, f"{name}: make clients ARGS=--write"


def test_there_is_a_type_for_each_request_reply_and_event(made):
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    names = [name.rpartition(".") for name in document["components"]["messages"]]
    wanted = {title(subject) + KINDS[kind] for subject, _, kind in names if kind in KINDS}
    assert len(wanted) == 33
    in_go = made["go/types.go"] + made["go/names.go"]
    declared = re.findall(r"^(?:type |\t)(\w+) +(?:= string$|struct)", in_go, re.MULTILINE)
    assert wanted <= set(declared)
    assert len(re.findall(r"^\tSubject", made["go/names.go"], re.MULTILINE)) == 16
    assert made["typescript/auth-service.ts"].count("request: ") == 16


def test_every_example_is_of_its_type_in_typescript(tmp_path):
    found = list(examples())
    names = ", ".join(sorted({name for name, _ in found}))
    values = "\n".join(f"export const v{n}: {name} = {json.dumps(value)};" for n, (name, value) in enumerate(found))
    assert len(found) > 40
    assert compiled(tmp_path, f'import type {{ {names} }} from "./auth-service";\n{values}\n') == ""


@pytest.mark.parametrize(
    "wrong",
    [
        "export const a: UserEmailsReadRequest = { user: { auth_token: 5 } };",
        'export const a: UserEmailsReadRequest = { user: { auth_tokn: "ada" } };',
        "export const a: UserEmailsReadRequest = {};",
        'export const a: Subjects["email_to_sub"]["request"] = { email: "ada@example.org" };',
    ],
)
def test_what_is_of_another_type_does_not_compile_in_typescript(tmp_path, wrong):
    said = compiled(tmp_path, f'import type {{ Subjects, UserEmailsReadRequest }} from "./auth-service";\n{wrong}\n')
    assert "error TS2" in said


def test_every_example_is_of_its_type_in_go(tmp_path):
    found = list(examples())
    done = run_in_go(tmp_path, found)
    assert done.stderr == ""
    assert [json.loads(line) for line in done.stdout.splitlines()] == [value for _, value in found]


def test_what_is_of_another_type_is_refused_in_go(tmp_path):
    done = run_in_go(tmp_path, [("UserEmailsReadRequest", {"user": {"auth_tokn": "ada"}})])
    assert done.returncode == 1
    assert "unknown field" in done.stderr


def test_the_go_module_has_nothing_that_a_careful_compiler_minds():
    done = subprocess.run(
        [*go(), "vet", "./..."], cwd=TOP / "clients" / "go", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
