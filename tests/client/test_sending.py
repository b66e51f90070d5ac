"""lungportal-send against the real portal: outcomes, resuming, and a bad line."""

from __future__ import annotations

import io
import json
import socket
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lungportal_send.bodies import Changed, instances
from lungportal_send.files import file_header, files_in, groups
from lungportal_send.main import main
from lungportal_send.portal import Away, Portal, Stop
from lungportal_send.progress import Progress
from lungportal_send.state import Outcome, State

from accounts.models import Person
from accounts.tokens import create_token
from scans.models import Instance
from tests.dicom_files import ct_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five images, one without its preamble, and what else lies about on a disk."""
    images = tmp_path / "images" / "DOE_JANE"
    images.mkdir(parents=True)
    for number in range(1, 5):
        (images / f"{number}").write_bytes(ct_image(number))
    (images / "5.dcm").write_bytes(ct_image(5)[128:])
    (images / ".DS_Store").write_bytes(b"litter")
    return tmp_path / "images"


@pytest.fixture
def send(live_server: Any, technician: Person, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run the program against the live portal; returns its exit status and its report."""
    token = create_token(technician)

    def run(
        *paths: Path, url: str = live_server.url, with_token: str = token, **more: str
    ) -> tuple[int, Any]:
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        options = [f"--{name.replace('_', '-')}={value}" for name, value in more.items()]
        status = main(
            [*map(str, paths), "--url", url, "--token", with_token, "--json", str(report),
             "--state", str(tmp_path / "state.jsonl"), *options]
        )  # fmt: skip
        return status, json.loads(report.read_text()) if report.exists() else {}

    return run


@pytest.mark.django_db(transaction=True)
def test_a_folder_is_stored_and_a_second_run_sends_nothing(
    folder: Path, send: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = send(folder)
    again, second = send(folder)

    assert (status, again) == (0, 0)
    assert (report["stored"], second["stored"]) == (5, 5)
    assert report["study_instance_uids"] == second["study_instance_uids"] == ["2.25.77001"]
    assert Instance.objects.count() == 5
    assert "5 files were confirmed before and are not sent again." in capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_each_file_has_its_own_outcome(folder: Path, send: Any) -> None:
    images = folder / "DOE_JANE"
    (images / "notes.txt").write_text("text")
    (images / "cut.dcm").write_bytes(ct_image(7)[:900])
    (images / "other.dcm").write_bytes(ct_image(1, hu=-300))
    with zipfile.ZipFile(folder / "cd.zip", "w") as archive:
        archive.writestr("8.dcm", ct_image(8))
        archive.writestr("9.dcm", ct_image(9))

    status, report = send(folder)

    found = {Path(row["path"]).name: (row["outcome"], row["code"]) for row in report["files"]}
    assert status == 1
    assert found.pop("notes.txt") == ("refused", "NOT_DICOM")
    assert found.pop("cut.dcm") == ("refused", "TRUNCATED")
    assert found.pop("other.dcm") == ("refused", "OTHER_BYTES")
    assert set(found.values()) == {("stored", "")}
    assert Instance.objects.count() == 7


@pytest.mark.django_db(transaction=True)
def test_a_wrong_token_is_said_before_anything_is_sent(
    folder: Path, send: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(folder, with_token="wrong")[0] == 2
    assert "Check the token and the site." in capsys.readouterr().err
    assert Instance.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_site_that_is_not_mine_stops_the_sending(
    folder: Path, send: Any, other_site: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = send(folder, site="south")

    assert status == 2
    assert report["failed"] == 5
    assert "You may not send images to this site." in capsys.readouterr().err


class Weather(ThreadingHTTPServer):
    """A portal behind a bad line: it answers as the script says, then 200 with everything stored."""

    def __init__(self, *script: int | str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.asked = list(script), 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Weather:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Weather

    def do_GET(self) -> None:
        self.server.asked += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        step = self.server.script.pop(0) if self.server.script else 200
        if step == "hang up":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(int(step))
        if step == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815 - the name that http.server asks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries take no time."""
    monkeypatch.setattr("lungportal_send.portal.random.uniform", lambda low, high: 0.001)


@pytest.mark.parametrize("step", [429, 502, 503, 504, "hang up"])
def test_what_passes_is_tried_again(no_rest: None, step: int | str) -> None:
    with Weather(step, step) as line:
        answer = Portal(line.url, "token", patience_s=30).get("/")

    assert (answer.status, line.asked) == (200, 3)


def test_patience_ends(no_rest: None) -> None:
    with Weather(*[503] * 1000) as line, pytest.raises(Away, match="status 503"):
        Portal(line.url, "token", patience_s=0.2).get("/")


def test_nobody_at_home_is_said_in_plain_words() -> None:
    with pytest.raises(Away, match="cannot be reached"):
        Portal("http://127.0.0.1:9", "token", patience_s=0).get("/")


@pytest.mark.parametrize("status", [401, 403, 507, 302])
def test_what_would_not_pass_ends_it(status: int) -> None:
    with Weather(status) as line, pytest.raises(Stop):
        Portal(line.url, "token", patience_s=30).get("/")


def test_a_token_comes_from_a_file_and_none_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LUNGPORTAL_TOKEN", raising=False)
    assert main([str(folder), "--url", "http://127.0.0.1:9"]) == 2
    assert "There is no token" in capsys.readouterr().err
    (tmp_path / "token").write_text("abc\n")
    command = [str(folder), "--url", "http://127.0.0.1:9", "--patience", "0"]
    assert main([*command, "--token-file", str(tmp_path / "token")]) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_a_file_that_shrinks_while_it_is_sent_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(ct_image(1))
    (local,) = files_in([tmp_path])
    body = instances([local])
    assert len(b"".join(body)) == body.length
    local.path.write_bytes(b"short")
    with pytest.raises(Changed):
        b"".join(body)


def test_the_file_header_names_the_instance_with_and_without_a_preamble() -> None:
    whole = ct_image(3)
    assert file_header(whole)[3] == file_header(whole[128:])[3] == "2.25.77002.3"
    assert file_header(b"just text" * 30) == {}
    assert file_header(whole[:140]).get(3, "") == ""


def test_beside_a_dicomdir_only_dicom_is_sent(folder: Path) -> None:
    (folder / "DICOMDIR").write_bytes(ct_image(1).replace(b"2.25.77002.1", b"2.25.77002.0"))
    (folder / "VIEWER.EXE").write_bytes(b"MZ")
    names = {one.path.name for one in files_in([folder])}
    assert "VIEWER.EXE" not in names
    assert {"1", "5.dcm"} <= names


def test_a_request_carries_25_files_or_15_megabytes(folder: Path) -> None:
    from dataclasses import replace

    (one, *_) = files_in([folder])
    sizes = [1000] * 60 + [20 << 20, 1000]
    found = [len(group) for group in groups(replace(one, size=size) for size in sizes)]
    assert found == [25, 25, 10, 1, 1]


def test_the_state_survives_a_cut_line_and_forgets_changed_files(folder: Path, tmp_path: Path) -> None:
    one, two, *_ = files_in([folder])
    file = tmp_path / "s" / "state.jsonl"
    State(file).add([(one, Outcome("stored", studies=("1.2",))), (two, Outcome("failed", "AWAY"))])
    with file.open("a") as cut:
        cut.write('{"path": "/half')
    state = State(file)
    State(file).add([(two, Outcome("stored"))])

    assert state.of(one) == Outcome("stored", studies=("1.2",))
    assert state.of(two) is None
    assert State(file).of(two) == Outcome("stored")
    one.path.write_bytes(ct_image(6))
    (changed, *_) = files_in([folder])
    assert state.of(changed) is None
    assert file.stat().st_mode & 0o077 == 0


def test_progress_says_speed_and_time_left() -> None:
    said, now = io.StringIO(), [0.0]
    progress = Progress(said, 10, 100_000_000, clock=lambda: now[0])
    now[0] = 20.0
    progress.add(5, 50_000_000)

    assert said.getvalue() == " 50%  5 of 10 files, 2.5 MB/s, 0:20 left\n"


def test_the_installed_program_says_what_it_wants() -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
