"""Steps that the journeys share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"
RADIOLOGIST = "radiologist@demo.local"


def portal_of(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """Address and accounts of the portal under test: one that runs already, else one of our own."""
    address = os.environ.get("LUNGPORTAL_TEST_URL")
    if address:
        return address.rstrip("/"), {RADIOLOGIST: os.environ["LUNGPORTAL_TEST_PASSWORD"]}
    running = request.getfixturevalue("running_stack")
    return running.base_url, running.accounts


def picture(page: Any, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", timeout=20_000)


def sign_in(page: Any, base: str, password: str) -> None:
    page.goto(f"{base}/accounts/login/")
    picture(page, "sign-in")
    page.get_by_label("Email").fill(RADIOLOGIST)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{base}/")
