"""QIDO-RS: what is found, what each hit says, and how much it costs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from patients.models import Patient
from scans.dicomweb.rows import person_name
from scans.models import Study
from tests.factories import (
    InstanceFactory,
    MembershipFactory,
    PatientFactory,
    SeriesFactory,
    StudyFactory,
)

pytestmark = pytest.mark.django_db

JSON = "application/dicom+json"


@pytest.fixture
def ask(api_of, radiologist):
    """What a radiologist finds; nothing found is an empty list."""
    client = api_of(radiologist)

    def search(path: str, status: int = 200, **query: Any) -> list[dict[str, Any]]:
        answer = client.get(f"/dicomweb/{path}", query)
        assert answer.status_code in {status, 204 if status == 200 else status}, answer.content
        return answer.json() if answer.content else []

    search.client = client
    return search


def value(hit: dict[str, Any], tag: str) -> Any:
    return hit[tag].get("Value", [None])[0]


def uids(hits: list[dict[str, Any]]) -> set[str]:
    return {value(hit, "0020000D") for hit in hits}


@pytest.fixture
def jane(site):
    """A study of Jane Doe, 12 March 2026 at 8:30, with two series of 200 and 2 images."""
    patient = PatientFactory(
        site=site, name="Doe^Jane", medical_record_number="N-1", birth_date=dt.date(1958, 4, 2)
    )
    study = StudyFactory(
        site=site, patient=patient, accession_number="ACC-77", referring_physician_name="Roe^Richard"
    )
    SeriesFactory(study=study)
    SeriesFactory(study=study, modality="SR", series_number=9, instance_count=2)
    return study


@pytest.fixture
def others(site):
    patient = PatientFactory(site=site, name="Roe^John", medical_record_number="N-2")
    moment = dt.datetime(2025, 7, 1, 16, 5, tzinfo=dt.UTC)
    return StudyFactory.create_batch(2, site=site, patient=patient, started_at=moment)


def test_a_study_says_what_the_standard_asks_for(ask, jane):
    (hit,) = ask("studies")
    said = {tag: value(hit, tag) for tag in hit}
    assert said == {
        "00080020": "20260312",
        "00080030": "083000",
        "00080050": "ACC-77",
        "00080056": "ONLINE",
        "00080061": "CT",
        "00080090": {"Alphabetic": "Roe^Richard"},
        "00081030": "CT chest",
        "00081190": f"http://testserver/dicomweb/studies/{jane.study_instance_uid}",
        "00100010": {"Alphabetic": "Doe^Jane"},
        "00100020": "N-1",
        "00100030": "19580402",
        "00100040": "F",
        "0020000D": jane.study_instance_uid,
        "00200010": None,
        "00201206": 2,
        "00201208": 202,
    }
    assert hit["00080061"]["Value"] == ["CT", "SR"]


@pytest.mark.parametrize(
    "query",
    [
        {"PatientName": "doe^jane"},
        {"PatientName": "DOE*"},
        {"00100010": "*jane*"},
        {"PatientName": "D?e^J*"},
        {"PatientID": "N-1"},
        {"PatientID": "N-*1"},
        {"00080050": "ACC-77"},
        {"AccessionNumber": "ACC*"},
        {"StudyDate": "20260312"},
        {"StudyDate": "20260101-20260331"},
        {"StudyDate": "20260312-"},
        {"StudyDate": "20260312", "StudyTime": "0830-0900"},
        {"StudyTime": "083000"},
        {"StudyTime": "08"},
        {"PatientBirthDate": "19580402"},
        {"ReferringPhysicianName": "roe*"},
        {"ModalitiesInStudy": "SR"},
        {"ModalitiesInStudy": "MR\\SR"},
    ],
)
def test_one_study_is_found_among_others(ask, jane, others, query):
    assert uids(ask("studies", **query)) == {jane.study_instance_uid}


@pytest.mark.parametrize(
    "query",
    [
        {"PatientName": "doe"},
        {"PatientName": "d.e^jane"},
        {"PatientID": "n-1"},
        {"AccessionNumber": "ACC"},
        {"StudyDate": "-20240101"},
        {"StudyTime": "0831-1500"},
        {"ModalitiesInStudy": "MR"},
        {"StudyInstanceUID": "1.2.3"},
    ],
)
def test_what_does_not_match_is_not_found(ask, jane, others, query):
    answer = ask.client.get("/dicomweb/studies", query)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_list_of_uids_finds_each(ask, jane, others):
    both = [jane.study_instance_uid, others[0].study_instance_uid]
    assert uids(ask("studies", StudyInstanceUID=",".join(both))) == set(both)
    assert uids(ask("studies", StudyInstanceUID="\\".join(both))) == set(both)


def test_an_empty_value_and_a_star_match_everything(ask, jane, others):
    assert len(ask("studies", PatientName="", PatientID="*")) == 3


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田*"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "*たろう"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("Люкceмбypг", "люкc*"),
        ("Διονυσιος", "διονυσιος"),
        ("Äneas^Rüdiger", "äNEAS^rÜDIGER"),
        ("قباني^لنزار", "قباني*"),
    ],
)
def test_names_of_every_script_are_found_in_any_case(ask, site, stored, asked):
    StudyFactory(site=site, patient=PatientFactory(site=site, name=stored))
    (hit,) = ask("studies", PatientName=asked)
    groups = stored.split("=")
    assert list(value(hit, "00100010").values()) == groups


def test_a_number_that_we_gave_is_not_shown_as_the_patients(ask, site):
    patient = PatientFactory(site=site, issuer="no number", medical_record_number="2.25.1")
    StudyFactory(site=site, patient=patient)
    (hit,) = ask("studies")
    assert hit["00100020"] == {"vr": "LO"}


@pytest.mark.parametrize(
    ("path", "query", "word"),
    [
        ("studies", {"NoSuchThing": "1"}, "NoSuchThing"),
        ("studies", {"Modality": "CT"}, "ModalitiesInStudy"),
        ("studies", {"SeriesInstanceUID": "1"}, "SeriesInstanceUID"),
        ("studies", {"FFFFFFFF": "1"}, "FFFFFFFF"),
        ("studies", {"NumberOfStudyRelatedSeries": "1"}, "NumberOfStudyRelatedSeries"),
        ("studies", {"StudyDate": "yesterday"}, "YYYYMMDD"),
        ("studies", {"StudyDate": "20260230"}, "YYYYMMDD"),
        ("studies", {"StudyTime": "25"}, "HHMMSS"),
        ("studies", {"limit": "-1"}, "limit"),
        ("studies", {"offset": "x"}, "offset"),
        ("series", {"SeriesNumber": "three"}, "whole number"),
        ("series", {"SOPInstanceUID": "1"}, "SOPInstanceUID"),
    ],
)
def test_what_cannot_be_searched_by_is_told_in_a_sentence(ask, path, query, word):
    answer = ask.client.get(f"/dicomweb/{path}", query)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


def test_a_page_says_how_many_more_there_are(ask, jane, others):
    answer = ask.client.get("/dicomweb/studies", {"limit": 1, "offset": 1})
    assert uids(answer.json()) <= {study.study_instance_uid for study in others}
    assert answer["Warning"].startswith('299 testserver "There are 1 additional results')
    last = ask.client.get("/dicomweb/studies", {"limit": 1, "offset": 2})
    assert len(last.json()) == 1
    assert "Warning" not in last


def test_pages_hold_each_study_once(ask, site):
    patient = PatientFactory(site=site)
    Study.objects.bulk_create(
        Study(site=site, patient=patient, study_instance_uid=f"2.25.{n}") for n in range(25)
    )
    pages = [uids(ask("studies", limit=10, offset=start)) for start in (0, 10, 20)]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert len(set.union(*pages)) == 25


def test_fuzzy_matching_is_said_to_be_missing(ask, jane):
    answer = ask.client.get("/dicomweb/studies", {"fuzzymatching": "true", "PatientName": "doe*"})
    assert answer.status_code == 200
    assert "fuzzymatching" in answer["Warning"]


def test_fields_are_included_by_keyword_tag_or_all(ask, jane):
    Study.objects.filter(pk=jane.pk).update(institution_name="North Clinic")
    for wanted in ("InstitutionName", "00080080", "00081030,00080080", "all"):
        (hit,) = ask("studies", includefield=wanted)
        assert value(hit, "00080080") == "North Clinic"
    (hit,) = ask("studies", includefield="00080060,NoSuchThing")
    assert "00080080" not in hit


def test_series_of_a_study(ask, jane, others):
    hits = ask(f"studies/{jane.study_instance_uid}/series")
    assert [value(hit, "00080060") for hit in hits] == ["CT", "SR"]
    assert [value(hit, "00200011") for hit in hits] == [3, 9]
    assert [value(hit, "00201209") for hit in hits] == [200, 2]
    assert "00100010" not in hits[0]
    assert value(hits[0], "00081190").endswith(f"/series/{value(hits[0], '0020000E')}")


def test_series_of_all_studies_say_whose_they_are(ask, jane):
    (hit,) = ask("series", Modality="SR", PatientName="doe*")
    assert value(hit, "00100020") == "N-1"
    assert value(hit, "00201206") == 2


def test_series_are_found_by_what_only_the_headers_know(ask, jane):
    series = jane.series.get(modality="CT")
    request = {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["STEP-1"]}}]}
    header = {
        "00400244": {"vr": "DA", "Value": ["20260312"]},
        "00400275": request,
        "00180015": {"vr": "CS", "Value": ["CHEST"]},
    }
    InstanceFactory(series=series, header={"dicom_json": header})
    for query in (
        {"PerformedProcedureStepStartDate": "20260301-20260331"},
        {"00400275.00400009": "STEP-1"},
        {"RequestAttributesSequence.ScheduledProcedureStepID": "STEP*"},
    ):
        (hit,) = ask("series", **query)
        assert value(hit, "0020000E") == series.series_instance_uid
        assert hit["00400275"] == request
    (hit,) = ask("series", BodyPartExamined="CHEST", includefield="BodyPartExamined")
    assert value(hit, "00180015") == "CHEST"
    assert ask("series", PerformedProcedureStepStartDate="20250101") == []


def test_instances_of_a_series(ask, jane):
    series = jane.series.get(modality="CT")
    model = {"00280010": {"vr": "US", "Value": [512]}, "00080008": {"vr": "CS", "Value": ["ORIGINAL"]}}
    InstanceFactory(series=series, instance_number=2, header={"dicom_json": model})
    InstanceFactory(series=series, instance_number=1, header={"dicom_json": model})
    path = f"studies/{jane.study_instance_uid}/series/{series.series_instance_uid}/instances"
    hits = ask(path)
    assert [value(hit, "00200013") for hit in hits] == [1, 2]
    assert value(hits[0], "00280010") == 512
    assert "00080008" not in hits[0]
    (hit,) = ask(path, InstanceNumber=2, includefield="ImageType")
    assert value(hit, "00080008") == "ORIGINAL"
    assert len(ask(f"studies/{jane.study_instance_uid}/instances")) == 2
    (hit,) = ask("instances", SOPInstanceUID=value(hit, "00080018"), includefield="all")
    assert value(hit, "00100010") == {"Alphabetic": "Doe^Jane"}


def test_a_study_of_another_site_is_not_there(ask, other_site):
    theirs = StudyFactory(site=other_site)
    SeriesFactory(study=theirs)
    for path in ("studies", "series", "instances"):
        assert ask(path) == []
    assert ask.client.get(f"/dicomweb/studies/{theirs.study_instance_uid}/series").status_code == 404
    assert ask.client.get("/dicomweb/studies/1%002/series").status_code == 404


def test_of_two_sites_one_can_be_named(ask, radiologist, site, other_site):
    MembershipFactory(person=radiologist, site=other_site)
    for place, text in ((site, "ours"), (other_site, "theirs")):
        study = StudyFactory(site=place, study_instance_uid="2.25.5", description=text)
        SeriesFactory(study=study, description=text)
    assert [value(hit, "00081030") for hit in ask("studies", site="north")] == ["ours"]
    (newest,) = ask("studies/2.25.5/series")
    assert value(newest, "0008103E") == "theirs"
    (named,) = ask("studies/2.25.5/series", site="north")
    assert value(named, "0008103E") == "ours"


def test_a_referrer_finds_what_has_a_final_report(api_of, referrer, jane, others):
    Study.objects.filter(pk=jane.pk).update(review="final")
    hits = api_of(referrer).get("/dicomweb/studies").json()
    assert uids(hits) == {jane.study_instance_uid}


def test_nobody_finds_anything(db):
    assert Client().get("/dicomweb/studies").status_code == 401


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("*/*", 200, JSON),
        (JSON, 200, JSON),
        ("application/json", 200, "application/json"),
        ("application/json;q=0.5, application/dicom+json", 200, JSON),
        ('multipart/related; type="application/dicom+xml"', 406, "application/problem+json"),
        ("text/html", 406, "application/problem+json"),
    ],
)
def test_the_answer_is_json_or_says_so(ask, jane, accept, status, kind):
    answer = ask.client.get("/dicomweb/studies", HTTP_ACCEPT=accept)
    assert answer.status_code == status
    assert answer["Content-Type"].startswith(kind)


@pytest.mark.parametrize("path", ["studies", "series", "instances"])
def test_the_number_of_queries_does_not_grow(ask, site, path, django_assert_max_num_queries):
    def fill(count: int) -> None:
        for series in SeriesFactory.create_batch(count, study__site=site):
            InstanceFactory.create_batch(2, series=series)

    fill(2)
    with django_assert_max_num_queries(9) as few:
        ask(path)
    fill(8)
    with django_assert_max_num_queries(len(few)):
        assert len(ask(path)) >= 10


def test_a_search_is_recorded_without_what_was_searched(ask, jane):
    from core.models import AuditEntry

    ask("studies", PatientName="doe*")
    entry = AuditEntry.objects.latest("created_at")
    assert entry.route == "GET dicomweb/studies"
    assert "doe" not in str(entry.__dict__).lower()
    assert Patient.objects.count() == 1


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "asked", "shown"),
    [
        ("arabic", "قباني*", ["قباني^لنزار"]),
        ("chinese-gb18030", "*小东", ["Wang^XiaoDong", "王^小东"]),
        ("chinese-gb2312-ir58", "张^小东", ["Zhang^XiaoDong", "张^小东"]),
        ("chinese-utf8", "wang^xiaodong", ["Wang^XiaoDong", "王^小東"]),
        ("cyrillic", "ЛЮК*", ["Люкceмбypг"]),
        ("french-latin1", "buc^jérôme", ["Buc^Jérôme"]),
        ("greek", "Διον*", ["Διονυσιος"]),
        ("japanese-ir87", "やまだ^たろう", ["Yamada^Tarou", "山田^太郎", "やまだ^たろう"]),
        ("korean-ir149", "*길동", ["Hong^Gildong", "洪^吉洞", "홍^길동"]),
        ("polish-latin2-sr", "testowy*", ["Testowy^Teste"]),
    ],
)
def test_names_in_real_files_show_and_are_found_as_written(ask, site, shared, file, asked, shown):
    from scans.dicom.headers import read_header

    header = read_header((shared / f"data/dicom/variety/charsets/{file}.dcm").read_bytes())
    patient = PatientFactory(site=site, name=header.patient_name)
    series = SeriesFactory(study=StudyFactory(site=site, patient=patient))
    InstanceFactory(series=series, header=header.to_json())
    (hit,) = ask("studies", PatientName=asked)
    written = person_name("=".join(shown))
    assert value(hit, "00100010") == written
    path = f"studies/{series.study.study_instance_uid}/series/{series.series_instance_uid}/metadata"
    (instance,) = ask(path)
    assert value(instance, "00100010") == written
