"""A radiologist's way through the product in a real browser, with real workers behind it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.steps import RADIOLOGIST, picture, portal_of, sign_in

pytestmark = [pytest.mark.journey, pytest.mark.stack]

READING_MS = 420_000  # seconds on an idle machine; minutes where others use its cores too


def upload(page: Any, base: str, files: list[Path]) -> None:
    """Send the files, say that they are all, and open the study."""
    page.goto(f"{base}/scans/upload/")
    page.locator("#files").set_input_files([str(file) for file in files])
    page.locator("#sum", has_text=re.compile("^Done$")).wait_for(timeout=READING_MS)
    assert f"{len(files)} of {len(files)} answered" in page.locator("#detail").inner_text()
    picture(page, "upload")
    page.get_by_role("button", name="Finished: read it now").click()
    page.get_by_text("it is being read").wait_for()
    page.get_by_role("link", name="Open the study").click()
    page.wait_for_url("**/studies/**")


def decide(page: Any) -> int:
    """Accept the first finding, reject one for a reason by keys, and the rest in one go; returns how many."""
    findings = page.locator("#findings .finding")
    count = findings.count()
    assert count > 0, "the phantom holds nodules, and none was found"
    page.locator("#stage").focus()
    page.keyboard.press("y")
    page.locator("#nodule-1[data-status=accepted]").wait_for()
    if count > 1:
        page.locator("#nodule-2[aria-current]").wait_for()
        page.keyboard.press("x")
        page.keyboard.press("1")
        page.locator("#nodule-2[data-status=rejected]").wait_for()
    if count > 3:
        page.get_by_text("Reject the rest…").click()
        page.locator("form[action$='reject-rest/'] button[value=other]").click()
    elif count > 2:
        page.locator("#nodule-3[aria-current]").wait_for()
        page.keyboard.press("y")
    page.get_by_text("✓ all decided").wait_for()
    return int(count)


def write_and_sign(page: Any, password: str) -> None:
    page.get_by_role("button", name="Write report").click()
    impression = page.get_by_label("Impression")
    impression.wait_for()
    impression.fill("Written by the journey through the browser.")
    page.locator("#saved", has_text=re.compile(r"saved \d\d:\d\d")).wait_for()
    picture(page, "report-draft")
    page.locator("#stage").focus()
    page.keyboard.press("Control+Enter")
    page.get_by_label("Your password").fill(password)
    page.keyboard.press("Enter")
    page.get_by_text("It cannot be changed.").wait_for()


def scroll_through(page: Any) -> list[float]:
    """Milliseconds between frames while the wheel turns through the whole series and back."""
    found: list[float] = page.evaluate(
        """async () => {
          const stage = document.getElementById("stage"), frames = [];
          const count = Number(document.getElementById("slider").max);
          await new Promise((done) => {
            let turn = 0, last = performance.now();
            const tick = (now) => {
              frames.push(now - last);
              last = now;
              if (turn++ >= 2 * count) return done();
              const deltaY = turn <= count ? 100 : -100;
              stage.dispatchEvent(new WheelEvent("wheel", { deltaY, cancelable: true }));
              requestAnimationFrame(tick);
            };
            requestAnimationFrame(tick);
          });
          return frames.slice(1).sort((a, b) => a - b);
        }"""
    )
    return found


def test_from_upload_to_a_signed_report(
    request: pytest.FixtureRequest, tab: Any, complaints: list[str], phantom_files: list[Path]
) -> None:
    base, accounts = portal_of(request)
    password = accounts[RADIOLOGIST]
    sign_in(tab, base, password)
    upload(tab, base, phantom_files)
    tab.locator("#machine .big").wait_for(timeout=READING_MS)
    tab.locator("#stage:not(.late)").wait_for()
    tab.locator("#marks path").first.wait_for(state="attached")
    picture(tab, "study")
    tab.locator("#loading", has_text=re.compile("^$")).wait_for(state="attached", timeout=READING_MS)
    frames = scroll_through(tab)
    print(f"frame times over {len(frames)} slices: p50 {frames[len(frames) // 2]:.1f} ms, "  # noqa: T201
          f"p95 {frames[int(len(frames) * 0.95)]:.1f} ms")  # fmt: skip
    assert frames[len(frames) // 2] < 50, "the images stutter"
    decide(tab)
    picture(tab, "study-decided")
    write_and_sign(tab, password)
    picture(tab, "study-signed")
    tab.locator("#report").get_by_role("link", name="Read").click()
    tab.wait_for_url("**/reports/**")
    picture(tab, "report")
    answer = tab.context.request.get(f"{tab.url}pdf/")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF-")
    tab.goto(f"{base}/?tab=final")
    tab.locator("#rows tr").first.wait_for()
    picture(tab, "worklist")
    tab.locator("details.menu summary").click()
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/accounts/login/**")
    tab.goto(base)
    assert "/accounts/login/" in tab.url
    assert complaints == []
