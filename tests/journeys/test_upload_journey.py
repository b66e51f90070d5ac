"""A folder of many files through the upload page: paused, without a network, after a reload."""

from __future__ import annotations

import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.dicom_files import ct_image
from tests.journeys.steps import RADIOLOGIST, picture, portal_of, sign_in

pytestmark = [pytest.mark.journey, pytest.mark.stack]

SLOW_MS = 180_000
FILES = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small images and a text."""
    place = tmp_path_factory.mktemp("many")
    study = f"2.25.{uuid.uuid4().int}"
    for number in range(1, FILES):
        image = ct_image(number, series=f"{study}.1", study=study)
        (place / f"{number:04}.dcm").write_bytes(image)
    (place / "notes.txt").write_text("no image")
    return place


def answered(page: Any) -> int:
    found = re.match(r"(\d+) of", page.locator("#detail").inner_text())
    return int(found[1]) if found else 0


def wait_for(page: Any, count: int) -> None:
    """Until so many files are answered; in steps, because the page's policy forbids code made of text."""
    until = time.monotonic() + SLOW_MS / 1000
    while answered(page) < count:
        assert time.monotonic() < until, page.locator("#detail").inner_text()
        page.wait_for_timeout(50)


def weather(network: Any, *, offline: bool = False) -> None:
    """A slow line, on which all of it takes ten seconds, so that there is time to pause; or none."""
    line = {"offline": offline, "latency": 150, "downloadThroughput": -1, "uploadThroughput": 90_000}
    network.send("Network.emulateNetworkConditions", line)


def see_the_refused_one(tab: Any) -> None:
    """Alone in the list, and with its reason legible on a telephone."""
    tab.get_by_text("with a problem").click()
    row = tab.locator("#files-scroll tbody:nth-of-type(2) tr")
    row.nth(1).wait_for(state="detached")
    assert "notes.txt" in row.inner_text()
    assert "This is not a DICOM file." in row.inner_text()
    picture(tab, "upload-done")
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.locator("#detail").scroll_into_view_if_needed()
    picture(tab, "upload-390")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_folder_survives_a_pause_a_lost_network_and_a_reload(
    request: pytest.FixtureRequest, tab: Any, folder: Path
) -> None:
    base, accounts = portal_of(request)
    sign_in(tab, base, accounts[RADIOLOGIST])
    tab.goto(f"{base}/scans/upload/")
    network = tab.context.new_cdp_session(tab)
    network.send("Network.enable")
    weather(network)
    tab.locator("#folder").set_input_files(str(folder))
    wait_for(tab, 1)
    tab.keyboard.press("p")
    tab.locator("#sum", has_text=re.compile("^Paused$")).wait_for()
    picture(tab, "upload-paused")
    at_pause = answered(tab)
    tab.wait_for_timeout(1500)
    assert answered(tab) == at_pause < FILES

    weather(network, offline=True)
    tab.get_by_role("button", name="Go on").click()
    tab.locator("#trouble", has_text="Trying again in").wait_for(timeout=SLOW_MS)
    picture(tab, "upload-offline")
    weather(network)
    wait_for(tab, at_pause + 1)
    tab.locator("#trouble").wait_for(state="hidden")
    before_reload = answered(tab)
    assert before_reload < FILES
    asked: list[str] = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    tab.reload()
    assert asked == ["beforeunload"]
    tab.locator("#earlier", has_text="An upload was broken off").wait_for()
    picture(tab, "upload-after-reload")

    network.detach()
    tab.locator("#folder").set_input_files(str(folder))
    tab.locator("#sum", has_text=re.compile("^Done$")).wait_for(timeout=SLOW_MS)
    said = tab.locator("#detail").inner_text()
    there = int(re.search(r"(\d+) already there", said)[1])  # type: ignore[index]
    assert said.startswith(f"{FILES} of {FILES} answered")
    assert said.endswith("1 refused")
    assert before_reload - 1 <= there < FILES
    see_the_refused_one(tab)
