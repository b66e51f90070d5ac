"""Single images over REST and on the page: taken, answered, seen by their sender alone, forgotten."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from core.models import AuditEntry, OutboxMessage
from inference.cnn.slices.outlining import PictureOutline
from inference.cnn.slices.plausibility import Remark
from inference.cnn.slices.read import PictureReading
from inference.single import actions
from inference.single.models import SingleImage
from tests.factories import MembershipFactory, PersonFactory
from tests.inference.cnn.slices.pictures import chest_slice, dicom, photograph, png

pytestmark = pytest.mark.django_db

API = "/api/v1/images/"
SAID = PictureReading(
    label="malignant",
    probability=0.72,
    probabilities={"normal": 0.1, "benign": 0.18, "malignant": 0.72},
    confidence="medium",
    worth="Balanced accuracy 0.67 on patients that it had not seen.",
    remarks=(Remark("UNFAMILIAR", "Its grey levels are unlike the others."),),
    outlines=(PictureOutline(((90.0, 160.0), (100.0, 160.0), (95.0, 172.5)), 0.91, 12.5),),
    outline_note="Outlined from one slice alone.",
    networks={"slices": "ab" * 32},
    timings_s={"class": 0.1, "outline": 0.9},
)


def upload(content: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile("DOE_JANE.dcm", dicom(chest_slice()) if content is None else content)


@pytest.fixture
def api(technician, api_of):
    return api_of(technician)


@pytest.fixture
def browser(technician, client_of):
    return client_of(technician)


@pytest.fixture
def image(technician, site):
    return actions.take(technician, site, upload())


@pytest.fixture
def answered(image, monkeypatch):
    monkeypatch.setattr(actions, "_read", lambda row: answer_of(SAID))
    actions.answer(image.pk)
    image.refresh_from_db()
    return image


def answer_of(reading):
    from dataclasses import asdict

    return asdict(reading)


def test_an_image_is_taken_and_answered_later(api):
    answer = api.post(API, {"file": upload()}, format="multipart")
    assert answer.status_code == 202
    told = answer.json()
    assert answer["Location"] == told["url"]
    assert (told["state"], told["answer"], told["in_hounsfield"]) == ("waiting", None, True)
    assert api.get(told["url"]).json()["id"] == told["id"]


def test_the_message_to_the_worker_carries_the_key_alone(image):
    message = OutboxMessage.objects.get(task=actions.TASK)
    assert message.arguments == {"image_id": str(image.pk)}


def test_an_answer_holds_class_worth_and_outlines(api, answered):
    told = api.get(f"{API}{answered.pk}/").json()["answer"]
    assert (told["label"], told["probability"], told["confidence"]) == ("malignant", 0.72, "medium")
    assert "Balanced accuracy" in told["worth"]
    assert told["remarks"][0]["code"] == "UNFAMILIAR"
    assert told["outlines"][0]["points"][0] == [90.0, 160.0]
    assert told["outlines"][0]["diameter_mm"] == 12.5


@pytest.mark.parametrize("how", [{"QUERY_STRING": "wait=5"}, {"HTTP_PREFER": "respond-async, wait=5"}])
def test_who_waits_gets_the_answer_at_once(how, api, monkeypatch):
    monkeypatch.setattr(actions, "_read", lambda row: answer_of(SAID))
    monkeypatch.setattr(
        "inference.single.api.time.sleep", lambda s: actions.answer(SingleImage.objects.get().pk)
    )
    answer = api.post(API, {"file": upload()}, format="multipart", **how)
    assert answer.status_code == 201
    assert answer.json()["answer"]["label"] == "malignant"


@pytest.mark.parametrize(
    ("asked", "seconds"), [("", 0), ("3", 3), ("60", 5), ("-1", 0), ("9999999999", 0), ("x", 0)]
)
def test_nobody_holds_a_thread_for_long(asked, seconds, rf):
    from rest_framework.request import Request

    from inference.single.api import _patience_s

    assert _patience_s(Request(rf.post("/", QUERY_STRING=f"wait={asked}"))) == seconds


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "not_a_picture"),
        (b"hello" * 50, "not_a_picture"),
        (png(np.zeros((9, 9), np.uint8)), "too_small"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(content, kind, api):
    answer = api.post(API, {"file": upload(content)}, format="multipart")
    assert (answer.status_code, answer.json()["type"]) == (400, f"urn:lungportal:problem:{kind}")
    assert SingleImage.objects.count() == 0


def test_a_request_without_file_says_what_is_missing(api):
    answer = api.post(API, {}, format="multipart")
    assert answer.json()["type"] == "urn:lungportal:problem:no_file"


def test_a_file_beyond_the_limit_is_refused(api, monkeypatch):
    monkeypatch.setattr(actions, "LARGEST_MIB", 0)
    assert api.post(API, {"file": upload()}, format="multipart").json()["type"].endswith("too_large")


def test_neither_name_nor_header_of_the_file_is_kept(image):
    with default_storage.open(image.stored) as file:
        stored = file.read()
    assert b"DOE" not in stored
    assert "DOE" not in str(SingleImage.objects.values().get())


def test_the_picture_comes_as_png_in_both_windows(api, image):
    lung, soft = (
        api.get(f"{API}{image.pk}/picture/", {"window": window}) for window in ("lung", "mediastinum")
    )
    assert lung["Content-Type"] == "image/png"
    assert lung.content.startswith(b"\x89PNG")
    assert lung.content != soft.content


@pytest.mark.parametrize("role", ["radiologist", "administrator"])
def test_colleagues_of_the_same_site_do_not_see_it(role, image, request, api_of, client_of):
    person = request.getfixturevalue(role)
    assert api_of(person).get(f"{API}{image.pk}/").status_code == 404
    assert api_of(person).delete(f"{API}{image.pk}/").status_code == 404
    for page in ("image", "image-progress", "image-forget"):
        address = reverse(page, args=[image.pk])
        browser = client_of(person)
        answer = browser.post(address) if page == "image-forget" else browser.get(address)
        assert answer.status_code == 404
    assert api_of(person).get(API).json()["results"] == []


def test_who_leaves_the_site_sees_it_no_more(image, technician, api_of):
    technician.memberships.all().delete()
    MembershipFactory(person=technician, role="technician")
    assert api_of(technician).get(f"{API}{image.pk}/").status_code == 404


def test_a_referrer_may_not_send(referrer, api_of):
    answer = api_of(referrer).post(API, {"file": upload()}, format="multipart")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:lungportal:problem:may_not_send")


def test_nobody_sends_for_another_site(api, other_site):
    answer = api.post(API, {"file": upload(), "site": other_site.code}, format="multipart")
    assert answer.status_code == 403


def test_taking_and_forgetting_are_in_the_audit_trail(image, technician):
    key = str(image.pk)
    actions.forget(image)
    kinds = AuditEntry.objects.filter(target_type="inference.singleimage", target_id=key)
    assert set(kinds.values_list("action", flat=True)) == {"create", "delete"}


def test_forgetting_removes_the_file(api, image, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"{API}{image.pk}/").status_code == 204
    assert not default_storage.exists(image.stored)
    assert api.get(f"{API}{image.pk}/").status_code == 404


def test_the_same_picture_sent_twice_is_two_files(technician, site):
    first, second = (actions.take(technician, site, upload()) for _ in range(2))
    assert first.stored != second.stored


def test_after_a_day_images_are_forgotten(image, technician, site, django_capture_on_commit_callbacks):
    young = actions.take(technician, site, upload())
    SingleImage.objects.filter(pk=image.pk).update(created_at=timezone.now() - timedelta(hours=24, minutes=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert actions.forget_old() == 1
    assert list(SingleImage.objects.values_list("pk", flat=True)) == [young.pk]
    assert not default_storage.exists(image.stored)
    assert default_storage.exists(young.stored)


def test_an_answer_is_written_once(answered, monkeypatch):
    monkeypatch.setattr(actions, "_read", lambda row: pytest.fail("read a second time"))
    before = answered.ended_at
    actions.answer(answered.pk)
    answered.refresh_from_db()
    assert answered.ended_at == before


def test_a_message_for_a_forgotten_image_does_nothing():
    actions.answer("01990000-0000-7000-8000-000000000000")


def test_a_lost_message_is_sent_again_and_after_three_attempts_it_fails(image, monkeypatch):
    monkeypatch.setattr(actions, "_read", lambda row: 1 / 0)
    long_ago = timezone.now() - timedelta(minutes=5)
    for _ in range(2):
        actions.answer(image.pk)
        SingleImage.objects.filter(pk=image.pk).update(asked_at=long_ago)
        assert actions.ask_again() == 1
    image.refresh_from_db()
    assert image.state == "waiting"
    actions.answer(image.pk)
    image.refresh_from_db()
    assert (image.state, image.reason) == ("failed", actions.UNEXPECTED)
    assert OutboxMessage.objects.filter(task=actions.TASK).count() == 3


def test_an_image_that_is_being_read_is_not_asked_for_again(image):
    assert actions.ask_again() == 0


def test_a_photograph_is_answered_without_any_network(technician, site):
    image = actions.take(technician, site, upload(photograph()))
    actions.answer(image.pk)
    image.refresh_from_db()
    assert image.state == "done"
    assert image.answer["label"] is None
    assert image.answer["remarks"][0]["code"] == "NOT_A_CHEST_CT"


def test_sending_on_the_page_leads_to_the_answer(browser):
    answer = browser.post(reverse("image-send"), {"file": upload()})
    assert answer.status_code == 302
    page = browser.get(answer["Location"]).content.decode()
    assert "Looking at the image" in page
    assert 'hx-trigger="every 300ms"' in page


def test_the_page_says_what_is_wrong_with_a_file(browser):
    answer = browser.post(reverse("image-send"), {"file": upload(b"no picture" * 30)})
    assert answer.status_code == 422
    assert "The file is no picture." in answer.content.decode()


def test_the_poll_is_silent_until_the_answer_is_there(browser, image, monkeypatch):
    address = reverse("image-progress", args=[image.pk])
    assert browser.get(address).status_code == 204
    monkeypatch.setattr(actions, "_read", lambda row: answer_of(SAID))
    actions.answer(image.pk)
    assert browser.get(address)["HX-Redirect"] == reverse("image", args=[image.pk])


def test_the_answered_page_shows_class_worth_outline_and_doubt(browser, answered):
    page = browser.get(reverse("image", args=[answered.pk])).content.decode()
    for words in (
        "Malignant",
        "72 %",
        "Balanced accuracy 0.67",
        "12.5 mm",
        "Its grey levels are unlike",
        "Remove now",
    ):
        assert words in page
    assert 'd="M90.0 160.0L100.0 160.0L95.0 172.5Z"' in page
    assert "hx-get" not in page.split('id="main"')[1]


@pytest.mark.parametrize(("chance", "said"), [(0.9996, "&gt; 99 %"), (0.0004, "&lt; 1 %"), (0.5, "50 %")])
def test_nothing_is_said_to_be_certain(chance, said, browser, answered):
    told = {**answered.answer, "probabilities": {"malignant": chance}}
    SingleImage.objects.filter(pk=answered.pk).update(answer=told)
    assert said in browser.get(reverse("image", args=[answered.pk])).content.decode()


def test_a_class_without_confidence_is_only_perhaps_one(browser, answered):
    SingleImage.objects.filter(pk=answered.pk).update(answer={**answered.answer, "confidence": "low"})
    page = browser.get(reverse("image", args=[answered.pk])).content.decode()
    assert "Perhaps malignant" in page
    assert "fill high" not in page


def test_a_failed_image_says_so(browser, image):
    SingleImage.objects.filter(pk=image.pk).update(state="failed", reason=actions.UNEXPECTED)
    assert "unexpected error" in browser.get(reverse("image", args=[image.pk])).content.decode()


def test_the_list_of_own_images_costs_few_queries(
    browser, answered, technician, site, django_assert_max_num_queries
):
    for _ in range(4):
        actions.take(technician, site, upload())
    with django_assert_max_num_queries(16):
        page = browser.get(reverse("image-send")).content.decode()
    assert page.count("picture/lung/") == 5


def test_removing_leads_back_to_the_start(browser, image):
    answer = browser.post(reverse("image-forget", args=[image.pk]))
    assert answer["Location"] == reverse("image-send")
    assert not SingleImage.objects.exists()


def test_two_sites_can_be_chosen_between(technician, other_site, client_of):
    MembershipFactory(person=technician, site=other_site, role="technician")
    page = client_of(technician).get(reverse("image-send")).content.decode()
    assert "South Clinic" in page


def test_somebody_else_with_the_same_site_lists_nothing(site, image, client_of):
    other = PersonFactory(role="technician", site=site)
    assert "picture/lung/" not in client_of(other).get(reverse("image-send")).content.decode()
