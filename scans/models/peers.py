"""Other DICOM nodes: who may send to us, who gets the results, who knocked and is not known."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from accounts.models import Site
from core.models import Row
from scans.models.studies import Instance, Study
from scans.querysets import DeliveryQuerySet, PeerQuerySet

AE_TITLE = RegexValidator(
    r"^[ -\[\]-~]{1,16}\Z",
    "An AE title has 1 to 16 printable ASCII characters without backslash (DICOM PS3.5, VR AE).",
)
WEB_ADDRESS = RegexValidator(
    r"^https?://[^\s?#]+\Z", "Write the address of the DICOMweb service, such as https://pacs/dicom-web."
)


class Peer(Row):
    """A DICOM node that a site works with.

    An incoming association belongs to the peer whose AE title and address it comes from. Where several sites
    know a node of the same title, the address, then the title that it calls us by, tell them apart.
    """

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="peers")
    name = models.CharField(max_length=120)
    ae_title = models.CharField("AE title", max_length=16, validators=[AE_TITLE])
    host = models.CharField(
        "address",
        max_length=255,
        blank=True,
        help_text="Host name or IP address; empty: calls from anywhere.",
    )
    port = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
        help_text="Where it listens; needed to send to it by C-STORE.",
    )
    called_ae_title = models.CharField(
        "our AE title",
        max_length=16,
        blank=True,
        validators=[AE_TITLE],
        help_text="The title that it calls us by; empty: any.",
    )
    tls = models.BooleanField("TLS when we send", default=False)
    stow_url = models.CharField(
        "DICOMweb address",
        max_length=300,
        blank=True,
        validators=[WEB_ADDRESS],
        help_text="Results go there by STOW-RS instead of C-STORE.",
    )
    stow_authorization = models.CharField(max_length=2000, blank=True, editable=False)
    may_send = models.BooleanField("may send to us", default=True)
    receives_results = models.BooleanField(default=False)
    active = models.BooleanField(default=True)

    objects = PeerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "ae_title", "host", "called_ae_title"],
                name="peer_once_per_site",
                violation_error_message="This site knows a node of this AE title and address already.",
            ),
            models.CheckConstraint(
                condition=Q(receives_results=False) | ~Q(stow_url="") | (~Q(host="") & Q(port__isnull=False)),
                name="peer_can_be_reached",
                violation_error_message="To receive results it needs an address and a port, or a DICOMweb "
                "address.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title})"


class UnknownCaller(Row):
    """A node that called and was rejected. It belongs to no site until somebody registers it."""

    ae_title = models.CharField("AE title", max_length=16)
    address = models.GenericIPAddressField()
    called_ae_title = models.CharField("called us", max_length=16, blank=True)
    count = models.PositiveIntegerField(default=1)
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ae_title", "address", "called_ae_title"], name="unknown_caller_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.address}"


class Delivery(Row):
    """One object on its way to one peer: the outbox of results and its log."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SENT = "sent", "sent"
        GIVEN_UP = "given_up", "given up"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="deliveries")
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, related_name="deliveries")
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    last_error = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["peer", "instance"], name="delivery_once")]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="delivery_due", condition=Q(state="waiting"))
        ]

    def __str__(self) -> str:
        return f"{self.instance} to {self.peer}: {self.get_state_display()}"
