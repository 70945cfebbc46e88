# SPDX-License-Identifier: MIT
"""The pages for callers ask again in the same way, in each language: after what may pass, and after nothing else."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.docs.blocks import COMMANDS, Block, blocks
from tests.docs.places import WORLDS
from tests.docs.tables import TOP
from tests.support.raw_client import connect

REPLIES = {
    "broken": b"{",
    "refused": b'{"success": false, "error": "user not found"}',
    "late": b'{"success": false, "error": "request timed out"}',
    "overloaded": b'{"success": false, "error": "service is overloaded, try again later"}',
    "silent": None,
    "found": b"auth0|ada",
}
ASKED = {"broken": 1, "refused": 1, "late": 3, "overloaded": 3, "silent": 3, "found": 1}

PYTHON = """\
import asyncio, os, sys
import nats
from again import ask_again

async def main():
    connection = await nats.connect(os.environ["NATS_URL"])
    for name in sys.argv[1:]:
        try:
            await ask_again(connection, name, "ada")
        except Exception as error:
            print(name, error)
    await connection.close()

asyncio.run(main())
"""
NODE = """\
import { connect } from "@nats-io/transport-node";
import { askAgain } from "./ask.mjs";

const connection = await connect({ servers: process.env.NATS_URL });
for (const name of process.argv.slice(2)) await askAgain(connection, name, "ada").catch((error) => console.log(error));
await connection.close();
"""
GO = """\
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
)

func main() {
	nc, err := nats.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		panic(err)
	}
	for _, name := range os.Args[1:] {
		var text string
		fmt.Println(AskAgain(context.Background(), nc, "lfx.auth-service."+name, "ada", &text))
	}
}
"""
PROGRAMS = {
    "python.md": ("drive.py", PYTHON, "python drive.py", "PATIENCE = 12", "PATIENCE = 2"),
    "node.md": ("drive.mjs", NODE, "node drive.mjs", "12_000", "2_000"),
    "go.md": ("main.go", GO, "go run .", "12 * time.Second", "2 * time.Second"),
}
"""Of each page: a program that asks with the page's own function, its command, and a shorter patience."""


@pytest.mark.parametrize("page", PROGRAMS)
async def test_a_page_asks_again_after_what_may_pass_and_after_nothing_else(page, tmp_path):
    name, program, command, patience, shorter = PROGRAMS[page]
    asked = Counter()
    with WORLDS["nats"](tmp_path) as place:
        for block in blocks(TOP / "docs/callers" / page):
            if block.key == "file":
                place.keep(block.value, block.text.replace(patience, shorter))
            elif block.is_run and block.text.startswith(("npm install", "go mod init")):
                await asyncio.to_thread(place.run, block)
        place.keep(name, program)

        async def answer(message):
            subject = message.subject.rpartition(".")[2]
            asked[subject] += 1
            if REPLIES[subject] is not None:
                await message.respond(REPLIES[subject])

        connection = await connect(place.environment["NATS_URL"])
        await connection.subscribe("lfx.auth-service.*", cb=answer)
        await connection.flush()
        await asyncio.to_thread(place.run, Block(page, COMMANDS, f"{command} {' '.join(REPLIES)}"))
        await connection.close()
    assert asked == ASKED
