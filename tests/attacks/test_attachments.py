"""No file gets out that does not lie in the folder that the operator allows, however its name changes meanwhile."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from attacks.test_limits_of_keys import said
from chatwoot_mcp.web.grants import Grant
from chatwoot_sandbox import Sandbox
from chatwoot_tools import Policy
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.writing import attachments
from chatwoot_tools.writing.attachments import read_attachments
from support import Bench

CALLS: Final = 300
"""While a file flips: the check and the read of old were fooled by one in a few."""
SECRET: Final = b"canary"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="what is attacked here is not there")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With one plain file, beside a folder with a secret of the same name."""
    folder, secrets = tmp_path.resolve() / "allowed", tmp_path.resolve() / "secrets"
    for each, content in ((folder / "in", b"invoice"), (secrets, SECRET)):
        each.mkdir(parents=True)
        (each / "a.txt").write_bytes(content)
    return folder


async def refused(folder: Path, *names: str) -> str:
    """The code."""
    with pytest.raises(ToolFailure) as caught:
        await read_attachments(list(names), Policy(attachments_dir=folder))
    assert caught.value.field == "attachments"
    assert caught.value.text.startswith("Nothing was sent: ")
    return caught.value.code


@contextmanager
def flipping(steps: Iterator[None]) -> Generator[None]:
    """Another thread that takes these steps again and again."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            next(steps)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def file_and_link(folder: Path) -> Iterator[None]:
    plain, link, name = folder / "plain", folder / "link", folder / "in" / "a.txt"
    while True:
        plain.write_bytes(b"invoice")
        plain.replace(name)
        yield
        link.symlink_to(folder.parent / "secrets" / "a.txt")
        link.replace(name)
        yield


def folder_and_link(folder: Path) -> Iterator[None]:
    inner, aside = folder / "in", folder / "aside"
    while True:
        inner.rename(aside)
        inner.symlink_to(folder.parent / "secrets")
        yield
        inner.unlink()
        aside.rename(inner)
        yield


def file_and_hard_link(folder: Path) -> Iterator[None]:
    name = folder / "in" / "a.txt"
    while True:
        name.unlink()
        os.link(folder.parent / "secrets" / "a.txt", name)
        yield
        name.unlink()
        name.write_bytes(b"invoice")
        yield


@pytest.mark.parametrize("flip", [file_and_link, folder_and_link, file_and_hard_link])
async def test_a_name_that_flips_between_a_file_and_a_way_out_never_sends_what_is_there(
    folder: Path, flip: Any
) -> None:
    read: set[bytes] = set()
    with flipping(flip(folder)):
        for _ in range(CALLS):
            try:
                [file] = await read_attachments(["in/a.txt"], Policy(attachments_dir=folder))
            except ToolFailure:
                continue
            read.add(file.content)
    assert read <= {b"invoice", b""}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("link", "not_allowed"),
        ("dangling", "not_allowed"),
        ("linked/a.txt", "not_found"),
        ("hard", "not_allowed"),
        ("pipe", "not_allowed"),
        ("device", "not_allowed"),
        (".hidden", "not_allowed"),
        (".git/a.txt", "not_allowed"),
        ("in/../in/a.txt", "not_allowed"),
        ("../secrets/a.txt", "not_allowed"),
        ("/etc/hostname", "not_allowed"),
        (".", "not_found"),
        ("in", "not_found"),
        ("in/a.txt/x", "not_found"),
        ("nosuch", "not_found"),
        ("a\0b", "not_found"),
        ("x" * 5_000, "not_found"),
    ],
)
async def test_only_a_plain_file_with_no_other_name_is_sent(folder: Path, name: str, code: str) -> None:
    secret = folder.parent / "secrets" / "a.txt"
    (folder / "link").symlink_to(secret)
    (folder / "dangling").symlink_to("nowhere")
    (folder / "linked").symlink_to(secret.parent)
    os.link(secret, folder / "hard")
    os.mkfifo(folder / "pipe")
    (folder / ".hidden").write_bytes(SECRET)
    (folder / ".git").mkdir()
    (folder / ".git" / "a.txt").write_bytes(SECRET)
    if name == "device":
        try:
            os.mknod(folder / "device", 0o20600, os.makedev(1, 5))  # one that never ends
        except PermissionError:
            pytest.skip("only root makes devices")
    assert await refused(folder, name) == code


async def test_an_absolute_name_inside_the_folder_is_a_name_too(folder: Path) -> None:
    [file] = await read_attachments([str(folder / "in" / "a.txt")], Policy(attachments_dir=folder))
    assert (file.name, file.content) == ("a.txt", b"invoice")


async def test_an_allowed_folder_that_became_a_link_is_none(folder: Path) -> None:
    allowed = folder / "in"
    next(folder_and_link(folder))
    assert await refused(allowed, "a.txt") == "not_found"


async def test_a_file_that_grows_while_it_is_read_is_not_sent_in_part(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.fstat

    def grown(file: int) -> os.stat_result:
        seen = look(file)
        with (folder / "in" / "a.txt").open("ab") as other:
            other.truncate(10**9)
        return seen

    monkeypatch.setattr(attachments.os, "fstat", grown)
    assert await refused(folder, "in/a.txt") == "invalid_arguments"


async def test_all_files_together_have_one_bound_which_is_looked_at_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MAX_BYTES", 10)
    assert len(await read_attachments(["in/a.txt"], Policy(attachments_dir=folder))) == 1
    assert await refused(folder, "in/a.txt", "in/a.txt") == "invalid_arguments"


async def test_where_no_folder_can_be_walked_links_are_followed_before_and_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments.os, "supports_dir_fd", set[object]())
    (folder / "linked").symlink_to(folder.parent / "secrets")
    (folder / "hard").hardlink_to(folder.parent / "secrets" / "a.txt")
    [file] = await read_attachments(["in/a.txt"], Policy(attachments_dir=folder))
    assert (file.name, file.content) == ("a.txt", b"invoice")
    assert [await refused(folder, name) for name in ("linked/a.txt", "hard")] == ["not_allowed"] * 2


async def test_a_link_is_not_sent_by_the_tool(sandbox: Sandbox, folder: Path) -> None:
    (folder / "link").symlink_to(folder / "in" / "a.txt")
    bench = Bench(sandbox, policy=Policy(attachments_dir=folder))
    failure = await bench.refused("reply_to_conversation", conversation_id=4, content="x", attachments=["link"])
    assert failure.code == "not_allowed"
    assert {method for method, _ in bench.requests} == {"GET"}


async def test_a_key_may_be_forbidden_files(sandbox: Sandbox, tmp_path: Path, folder: Path) -> None:
    call = ("reply_to_conversation", {"conversation_id": 4, "content": "x", "attachments": ["in/a.txt"]})
    text = await said(sandbox, tmp_path, call, Grant(name="helpdesk", attachments=False), attachments_dir=str(folder))
    assert "the limit `attachments` of the caller's key or subject" in text
    assert "CHATWOOT_MCP_" not in text
