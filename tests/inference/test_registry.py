"""Weights come into force only through the registry, and only if they are ours and unchanged."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.urls import reverse

from core.models import AuditEntry
from inference import registry
from inference.cnn.cards import headline, missing_sections, rendered
from inference.cnn.networks import WEIGHTS, checked, weights_hashes
from inference.cnn.vetting import WeightsRefusedError, prove, vet
from inference.models import Network
from inference.pipeline import current_pipeline
from scans.storage import content_name

CARD = "# ours\n\n## Data\nx\n\n## Figures\nx\n\n## Intended use\nx\n\n## Where it fails\nx\n"


@pytest.fixture(scope="module")
def new_weights(tmp_path_factory) -> Path:
    """The shipped reduction weights with one number changed, as a training would leave them."""
    path = tmp_path_factory.mktemp("weights") / "reduction.weights.h5"
    shutil.copyfile(WEIGHTS / "reduction.weights.h5", path)
    with h5py.File(path, "r+") as file:
        biases: list[h5py.Dataset] = []
        file.visititems(lambda name, one: biases.append(one) if getattr(one, "shape", ()) == (1,) else None)
        biases[0][...] += 0.25
    return path


@pytest.fixture
def card(tmp_path) -> Path:
    path = tmp_path / "card.md"
    path.write_text(CARD)
    return path


@pytest.fixture(autouse=True)
def _data_of_its_own(settings, tmp_path):
    settings.DATA = tmp_path / "data"


# What is no plain weights file


def write_keras(path: Path, *classes: dict, **members: bytes) -> Path:
    described = {"class_name": "Functional", "module": "keras.src.models.functional", "config": list(classes)}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(described))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def a_pickle(path: Path) -> Path:
    path.write_bytes(pickle.dumps({"weights": [1, 2]}))
    return path


def text(path: Path) -> Path:
    path.write_text("weights")
    return path


def with_link(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["passwords"] = h5py.ExternalLink("/etc/passwd", "/")
    return path


def with_array_elsewhere(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("w", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    return path


def with_objects(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data="print('hello')")
    return path


def layer(name: str, module: str = "keras.layers", **more) -> dict:
    return {"class_name": name, "module": module, "config": {}, **more}


@pytest.mark.parametrize(
    ("name", "make", "complaint"),
    [
        ("w.weights.h5", a_folder, "is a folder"),
        ("w.weights.h5", lambda path: path, "no file"),
        ("w.pkl", a_pickle, "not named like weights"),
        ("w.weights.h5", a_pickle, "Python pickle"),
        ("w.weights.h5", text, "not an HDF5 file"),
        ("w.weights.h5", with_link, "outside itself"),
        ("w.weights.h5", with_array_elsewhere, "from another file"),
        ("w.weights.h5", with_objects, "no number"),
        ("w.keras", text, "not a .keras archive"),
        ("w.keras", lambda path: write_keras(path, layer("Lambda")), "Lambda layer, which could run code"),
        ("w.keras", lambda path: write_keras(path, {"inner": [layer("TFSMLayer")]}), "could run code"),
        ("w.keras", lambda path: write_keras(path, layer("Thing", "evil")), "not Keras's own: evil.Thing"),
        ("w.keras", lambda path: write_keras(path, layer("Thing", registered_name="a>Thing")), "own"),
        ("w.keras", lambda path: write_keras(path, layer("function", "os", config="system")), "own: os"),
        ("w.keras", lambda path: write_keras(path, **{"../x.py": b"x"}), "exactly weights and a description"),
    ],
)
def test_what_is_no_plain_weights_file_is_refused(name, make, complaint, tmp_path):
    path = make(tmp_path / name)

    with pytest.raises(WeightsRefusedError, match=complaint):
        vet(path)


def test_another_hash_than_the_registered_one_is_refused(new_weights):
    with pytest.raises(WeightsRefusedError, match="changed or exchanged"):
        vet(new_weights, "0" * 64)


@pytest.mark.networks
def test_weights_of_another_architecture_are_refused():
    with pytest.raises(WeightsRefusedError, match="another architecture"):
        prove("reduction", WEIGHTS / "outline.weights.h5")


@pytest.mark.networks
def test_weights_that_are_not_finite_are_refused(new_weights, tmp_path):
    broken = tmp_path / "broken.weights.h5"
    shutil.copyfile(new_weights, broken)
    with h5py.File(broken, "r+") as file:
        found: list[h5py.Dataset] = []
        file.visititems(lambda name, one: found.append(one) if isinstance(one, h5py.Dataset) else None)
        found[0][...] = np.nan

    with pytest.raises(WeightsRefusedError, match="not finite"):
        prove("reduction", broken)


@pytest.mark.networks
@pytest.mark.parametrize("network", ["candidates", "reduction", "outline", "malignancy"])
def test_a_keras_file_of_our_own_is_taken(network, tmp_path):
    from inference.cnn import loading

    model = loading.build(network)
    model.load_weights(WEIGHTS / f"{network}.weights.h5")
    path = tmp_path / "ours.keras"
    model.save(path)

    vet(path)
    prove(network, path)


# In force


@pytest.fixture
def put_in_force(new_weights, card):
    def command(weights=new_weights, *more):
        call_command("register_model", "reducer", str(weights), f"--card={card}", "--version=2", *more)
        return Network.objects.get(state="active", task="reduction")

    return command


@pytest.mark.networks
@pytest.mark.django_db
def test_the_worker_loads_what_is_registered(put_in_force, new_weights):
    before = current_pipeline()

    network = put_in_force()

    loaded = registry.load_in_force()
    assert network.sha256 == vet(new_weights)
    assert loaded.networks == {**weights_hashes(), "reduction": network.sha256}
    assert loaded["reduction"].manifest["version"] == "2"
    assert current_pipeline() != before
    assert network in current_pipeline().networks.all()


@pytest.mark.networks
@pytest.mark.django_db
def test_the_shipped_weights_come_back_when_they_are_registered_again(put_in_force):
    before = current_pipeline()
    put_in_force()

    put_in_force(WEIGHTS / "reduction.weights.h5")

    assert registry.registered() == {}
    assert current_pipeline() == before


@pytest.mark.networks
@pytest.mark.django_db
def test_registering_twice_keeps_one_row_and_is_recorded(put_in_force):
    assert put_in_force().pk == put_in_force().pk
    entries = AuditEntry.objects.filter(target_type="inference.network", action="change")
    assert entries.count() == 2


@pytest.mark.networks
@pytest.mark.django_db
def test_weights_exchanged_in_the_storage_are_not_loaded(put_in_force):
    network = put_in_force()
    Path(default_storage.path(content_name(registry.FOLDER, network.sha256))).write_bytes(b"other")

    with pytest.raises(WeightsRefusedError, match="not those of its manifest"):
        checked("reduction", registry.local_copy(network))


@pytest.mark.networks
@pytest.mark.django_db
def test_a_local_copy_that_was_changed_is_fetched_again(put_in_force):
    network = put_in_force()
    folder = registry.local_copy(network)
    (folder / "reduction.weights.h5").write_bytes(b"other")
    told = json.loads((folder / "reduction.json").read_text())
    (folder / "reduction.json").write_text(json.dumps({**told, "threshold": 0.0}))

    assert checked("reduction", registry.local_copy(network))[1] == network.sha256
    assert json.loads((folder / "reduction.json").read_text()) == told


@pytest.mark.networks
@pytest.mark.django_db
def test_thresholds_come_with_the_weights_and_preprocessing_does_not(put_in_force, new_weights, tmp_path):
    told = tmp_path / "manifest.json"
    told.write_text(json.dumps({"threshold": 0.4, "step_mm": 9.0}))

    network = put_in_force(new_weights, f"--manifest={told}")

    described = network.metrics[registry.MANIFEST]
    assert (described["threshold"], described["step_mm"]) == (0.4, registry.shipped()["reduction"]["step_mm"])


@pytest.mark.django_db
def test_a_refusal_reaches_the_command_line_as_a_sentence(card, tmp_path):
    with pytest.raises(CommandError, match="is not an HDF5 file"):
        call_command("register_model", "malignancy", str(text(tmp_path / "w.weights.h5")), f"--card={card}")
    assert registry.registered() == {}


@pytest.mark.django_db
def test_a_card_without_its_sections_is_refused(tmp_path, new_weights):
    path = tmp_path / "thin.md"
    path.write_text("# ours\n\nWorks well.\n")

    with pytest.raises(CommandError, match="no section 'data'"):
        call_command("register_model", "reduction", str(new_weights), f"--card={path}")


@pytest.mark.django_db
def test_the_shipped_weights_of_one_task_do_not_serve_another(card):
    with pytest.raises(CommandError, match="another network"):
        call_command("register_model", "malignancy", str(WEIGHTS / "outline.weights.h5"), f"--card={card}")


@pytest.mark.django_db
def test_shipped_weights_of_an_earlier_version_are_retired():
    earlier = Network.objects.create(task="outline", version="0", sha256="0" * 64)

    rows = registry.shipped_rows()

    earlier.refresh_from_db()
    assert earlier.state == "retired"
    assert {row.state for row in rows} == {"active"}


@pytest.mark.django_db
def test_a_network_that_reads_no_scans_is_not_registered(card, new_weights):
    with pytest.raises(CommandError, match="loads 'slices' as shipped"):
        call_command("register_model", "slices", str(new_weights), f"--card={card}")


# Cards and pages


def test_a_card_is_text_whatever_it_holds():
    html = rendered(
        "# t\n\n<script>alert(1)</script> [x](javascript:alert(1))\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )

    assert "<script" not in html
    assert "href" not in html
    assert "<td>1</td>" in html


def test_sections_are_found_by_their_first_words():
    assert missing_sections(CARD) == []
    assert missing_sections("# ours\n## Data and splits\n## Figures") == ["intended use", "where it fails"]


def test_the_headline_carries_its_interval():
    assert headline("malignancy", {"auc": 0.91, "auc_ci95": [0.88, 0.94]}) == [("AUC", "0.910 (0.880–0.940)")]
    assert headline("malignancy", {"malignancy": {"auc": 0.9}}) == [("AUC", "0.900")]
    assert headline("outline", {}) == []


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["administrator", "radiologist", "technician", "referrer"])
def test_every_member_reads_the_cards(role, request, client_of):
    browser = client_of(request.getfixturevalue(role))
    answer = browser.get(reverse("networks"))

    assert answer.status_code == 200
    row = Network.objects.get(task="malignancy")
    page = browser.get(reverse("network", args=[row.pk])).content.decode()
    assert row.sha256 in page
    assert "in force" in page
    assert "<h2>" in page


@pytest.mark.django_db
def test_visitors_see_no_networks(client):
    assert client.get(reverse("networks")).status_code == 302


@pytest.mark.django_db
def test_programs_read_the_networks(api_of, radiologist):
    answer = api_of(radiologist).get("/api/v1/networks/", {"task": "outline"})

    (found,) = answer.json()["results"]
    assert found["sha256"] == weights_hashes()["outline"]
    assert found["state"] == "active"
    assert found["manifest"]["threshold"] == registry.shipped()["outline"]["threshold"]
    assert found["card"].startswith("# ")


@pytest.mark.django_db
@pytest.mark.parametrize("superuser", [True, False])
def test_only_a_superuser_is_told_that_weights_are_gone(superuser, administrator, client_of):
    administrator.is_staff, administrator.is_superuser = True, superuser
    administrator.save()
    gone = Network.objects.create(task="outline", version="0", sha256="0" * 64, state="retired")

    answer = client_of(administrator).post(
        reverse("admin:inference_network_changelist"),
        {"action": "activate", "_selected_action": [str(gone.pk)]},
        follow=True,
    )

    gone.refresh_from_db()
    assert gone.state == "retired"
    assert ("not there any more" in answer.content.decode()) is superuser
