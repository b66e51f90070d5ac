"""TLS on both sides of a DICOM connection (PS3.15 B.9, BCP 195: TLS 1.2 or later)."""

from __future__ import annotations

import ssl

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def for_listener() -> ssl.SSLContext | None:
    """What the listener shows and asks for; None where no certificate is named.

    With LUNGPORTAL_DICOM_TLS_CA callers must show a certificate of that authority.

    Raises
    ------
    ImproperlyConfigured : a file cannot be read, or only one of certificate and key is named.
    """
    dicom = settings.ENVIRONMENT.dicom
    if not (dicom.tls_certificate or dicom.tls_key):
        return None
    if not (dicom.tls_certificate and dicom.tls_key):
        raise ImproperlyConfigured("Name both LUNGPORTAL_DICOM_TLS_CERT and LUNGPORTAL_DICOM_TLS_KEY.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load(context)
    if dicom.tls_authority:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def for_sending() -> ssl.SSLContext:
    """What we show to a peer, and which certificates of peers are trusted."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    _load(context)
    return context


def _load(context: ssl.SSLContext) -> None:
    dicom = settings.ENVIRONMENT.dicom
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if dicom.tls_certificate and dicom.tls_key:
            context.load_cert_chain(dicom.tls_certificate, dicom.tls_key)
        if dicom.tls_authority:
            context.load_verify_locations(cafile=dicom.tls_authority)
    except (OSError, ssl.SSLError) as error:
        raise ImproperlyConfigured(
            f"The files of LUNGPORTAL_DICOM_TLS_CERT, _KEY and _CA cannot be used: {error}."
        ) from error
