"""The program for one computer: opening, tables, files, the command line; the window itself under Xvfb."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from inference.cnn.desktop import rows
from inference.cnn.desktop.__main__ import main
from inference.cnn.desktop.drawing import outlines_of, slice_picture, true_size
from inference.cnn.desktop.reading import Failed, Finished, Opened, Progress, Reader
from inference.cnn.desktop.saving import write
from inference.cnn.desktop.source import Scan, Single, open_source
from inference.cnn.reading import Character, FoundNodule, VolumeReading
from inference.cnn.slices.outlining import PictureOutline
from inference.cnn.slices.read import PictureReading
from scans.dicom.geometry import Geometry
from scans.dicom.refusal import Refused
from scans.dicom.window import OUTLINE_COLOUR
from tests.dicom_files import chest
from tests.inference.cnn.slices.pictures import chest_slice, dicom, photograph, png, shown

REPOSITORY = Path(__file__).resolve().parents[4]


def nodule(number: int = 0) -> FoundNodule:
    return FoundNodule(
        center_mm=(-59.0, 10.0, -100.25), slice_index=4 + number, start=(3 + number, 20, 20),
        mask=np.ones((3, 6, 6), bool), long_axis_mm=13.0, short_axis_mm=9.4, mean_diameter_mm=11.2,
        volume_mm3=601.4, type="part_solid", side="right", p_nodule=0.91, malignancy=0.62, malignancy_low=0.5,
        malignancy_high=0.7, character=Character(third="upper"),
    )  # fmt: skip


@pytest.fixture
def scan() -> Scan:
    hu = np.full((12, 64, 64), -850, np.int16)
    return Scan("study", hu, Geometry((12, 64, 64), (2.0, 0.8, 0.8), (0.0, 0.0, 0.0)))


@pytest.fixture
def reading() -> VolumeReading:
    return VolumeReading(
        (nodule(), nodule(1)), 0.58, "medium", 4200.0, {"lungs": 1.5}, {"outline": "ab" * 32}
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    for number, content in enumerate(chest()):
        (tmp_path / f"IM{number:04d}").write_bytes(content)
    return tmp_path


def test_a_folder_of_dicom_opens_as_a_scan(folder):
    source = open_source(folder)
    assert isinstance(source, Scan)
    assert source.hu.shape == (64, 64, 64)


@pytest.mark.parametrize("name", ["slice.png", "slice.dcm", "IM0001"])
def test_a_picture_opens_as_one(name, tmp_path):
    hu = chest_slice()
    (tmp_path / name).write_bytes(png(shown(hu)) if name.endswith("png") else dicom(hu))
    assert isinstance(open_source(tmp_path / name), Single)


def test_what_cannot_be_opened_says_what_can(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(Refused, match="folder of DICOM"):
        open_source(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "gone")


def test_rows_say_place_size_and_suspicion(reading):
    first = rows.shown_rows(reading)[0]
    assert first.cells[:5] == ("1", "5", "right upper", "part-solid", "13.0 × 9.4")
    assert first.cells[-1] == "0.62 (0.50–0.70)"
    assert first.slice_index == 4
    assert rows.summary(reading).startswith("2 nodules found. Scan probability 0.58")


def test_the_csv_holds_a_line_for_each_finding(reading):
    lines = list(csv.DictReader(io.StringIO(rows.as_csv(reading))))
    assert len(lines) == 2
    assert (lines[0]["x_mm"], lines[0]["mean_diameter_mm"], lines[0]["volume_mm3"]) == (
        "-59.0",
        "11.2",
        "601",
    )
    assert lines[0]["third"] == "upper"


def test_the_csv_of_a_picture_gives_pixels():
    outline = PictureOutline(((10.0, 20.0), (20.0, 20.0), (15.0, 30.0)), 0.93, None)
    said = PictureReading("normal", 0.6, {"normal": 0.6}, "low", "", (), (outline,), "One slice.")
    (line,) = csv.DictReader(io.StringIO(rows.as_csv(said)))
    assert (line["x_px"], line["mean_diameter_mm"]) == ("15.0", "")
    assert rows.summary(said) == "Normal 60%, confidence low. One slice."


def test_outlines_are_drawn_on_the_slices_that_they_cross(scan, reading):
    assert [number for number, _ in outlines_of(reading, 4)] == [1, 2]
    assert [number for number, _ in outlines_of(reading, 3)] == [1]
    assert outlines_of(reading, 9) == []
    picture = slice_picture(scan, 4, "lung", (300, 260), outlines_of(reading, 4))
    assert picture.size == (260, 260)
    assert OUTLINE_COLOUR in {colour for _, colour in picture.getcolors(100_000)}


def test_oblong_pixels_are_shown_in_true_proportions(scan):
    long = Scan("s", scan.hu, Geometry((12, 64, 64), (2.0, 1.6, 0.8), (0.0, 0.0, 0.0)))
    assert true_size(long) == (1.0, 2.0)
    assert slice_picture(long, 0, "lung", (200, 200), []).size == (100, 200)


def test_the_findings_are_saved_as_pdf_and_csv(scan, reading, tmp_path):
    for name in ("findings.pdf", "findings.csv"):
        write(scan, reading, tmp_path / name)
    assert (tmp_path / "findings.pdf").read_bytes().startswith(b"%PDF-")
    assert "part_solid" in (tmp_path / "findings.csv").read_text()


def test_a_scan_without_findings_is_saved_too(scan, tmp_path):
    write(scan, VolumeReading((), 0.02, "high", 5000.0), tmp_path / "none.pdf")
    assert (tmp_path / "none.pdf").stat().st_size > 1000


def events_of(path: Path, seconds: float = 60) -> list[object]:
    reader = Reader()
    reader.start(path)
    found: list[object] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found.append(reader.events.get(timeout=seconds))
        if isinstance(found[-1], Finished | Failed):
            return found
    raise AssertionError("no end")


def test_a_reading_tells_its_course_and_ends(tmp_path):
    (tmp_path / "holiday.png").write_bytes(photograph())
    events = events_of(tmp_path / "holiday.png")
    assert isinstance(events[0], Progress)
    assert any(isinstance(e, Opened) for e in events)
    assert isinstance(events[-1], Finished)
    assert rows.summary(events[-1].reading).startswith("This does not look like a chest CT")


def test_a_failure_is_told_in_words(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture" * 30)
    last = events_of(tmp_path / "broken.png")[-1]
    assert isinstance(last, Failed)
    assert last.sentence.startswith("The file is no picture.")


def test_the_command_line_reads_without_a_window(tmp_path, capsys):
    (tmp_path / "holiday.png").write_bytes(photograph())
    assert main(["--read", str(tmp_path / "holiday.png"), "--csv", str(tmp_path / "out.csv")]) == 0
    assert "does not look like" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text().startswith("number,")


def test_the_command_line_says_what_is_wrong(tmp_path, capsys):
    assert main(["--read", str(tmp_path / "gone")]) == 1
    assert "There is no file or folder" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("lungportal ")


def test_without_tkinter_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([]) == 1
    assert "apt-get install python3-tk" in capsys.readouterr().err


WALK = """
import sys, tkinter, time
from pathlib import Path
from inference.cnn.desktop.window import MainWindow
root = tkinter.Tk()
window = MainWindow(root)
window.open(Path(sys.argv[1]))
end = time.monotonic() + 60
while window.reading is None and time.monotonic() < end:
    root.update()
    time.sleep(0.02)
root.update()
print(window.summary.cget("text"))
print(window.save_csv.instate(["!disabled"]), len(window.canvas.find_all()))
window._close()
"""


def test_the_window_opens_reads_and_shows(tmp_path):
    if not shutil.which("xvfb-run"):
        pytest.skip("there is no xvfb-run; apt-get install xvfb")
    (tmp_path / "holiday.png").write_bytes(photograph())
    done = subprocess.run(
        ["xvfb-run", "-a", sys.executable, "-c", WALK, str(tmp_path / "holiday.png")],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said, state = done.stdout.splitlines()
    assert said.startswith("This does not look like a chest CT")
    assert state == "True 1"


@pytest.mark.networks
def test_a_folder_is_read_from_end_to_end(folder, tmp_path, capsys):
    out = tmp_path / "findings.csv"
    assert main(["--read", str(folder), "--csv", str(out)]) == 0
    assert out.read_text().startswith("number,slice,x_mm")
    assert "Scan probability" in capsys.readouterr().err
