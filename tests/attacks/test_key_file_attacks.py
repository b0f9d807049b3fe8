"""The file of keys, while several change it, behind links, and where others own it."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from pathlib import Path

import pytest

from chatwoot_mcp.web import grants
from chatwoot_mcp.web.grants import Grant, GrantsError, GrantsFile


def about(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def test_owner_and_mode_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "callers.json"
    keys = GrantsFile(file)
    keys.add(Grant(name="one"))
    assert about(file)[2] == 0o600
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 10001, 10002)
    before = about(file)
    keys.add(Grant(name="other"))
    keys.revoke("one")
    assert about(file) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_new_file_is_for_the_server_whose_folder_it_is_in(tmp_path: Path) -> None:
    folder = tmp_path / "callers"
    folder.mkdir()
    os.chown(folder, 10001, 10001)
    GrantsFile(folder / "callers.json").add(Grant(name="one"))
    assert about(folder / "callers.json") == (10001, 10001, 0o600)


def test_where_the_owner_cannot_be_kept_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "callers.json"
    keys = GrantsFile(file)
    key = keys.add(Grant(name="one"))

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(GrantsError, match="run this as its owner"):
        keys.revoke("one")
    assert keys.grant_of_key(key) is not None
    assert [each.name for each in tmp_path.iterdir()] == ["callers.json"]


def test_through_a_link_the_file_behind_it_is_changed(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "callers.json", tmp_path / "link.json"
    keys = GrantsFile(link)
    link.symlink_to(real)
    key = keys.add(Grant(name="one"))
    assert GrantsFile(real).grant_of_key(key) is not None
    keys.revoke("one")
    assert link.is_symlink()
    assert GrantsFile(real).grant_of_key(key) is None


def test_two_at_a_time_lose_no_key_and_bring_none_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both would meet between reading and writing, if they could; the wait of the first ends when they cannot."""
    file = tmp_path / "callers.json"
    revoked = GrantsFile(file).add(Grant(name="revoked"))
    meeting = threading.Barrier(2, timeout=0.5)
    write = grants._write  # pyright: ignore[reportPrivateUsage]

    def meet(where: Path, what: grants.Grants) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait()
        write(where, what)

    monkeypatch.setattr(grants, "_write", meet)
    made: list[str] = []
    adding = threading.Thread(target=lambda: made.append(GrantsFile(file).add(Grant(name="added"))))
    revoking = threading.Thread(target=lambda: GrantsFile(file).revoke("revoked"))
    for thread in (adding, revoking):
        thread.start()
    for thread in (adding, revoking):
        thread.join()
    assert GrantsFile(file).grant_of_key(made[0]) is not None
    assert GrantsFile(file).grant_of_key(revoked) is None
