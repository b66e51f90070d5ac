"""The DICOM listener: C-ECHO and C-STORE for the peers of all sites (PS3.4 annexes A and B)."""

from __future__ import annotations

import logging
import ssl
import time
from contextlib import suppress
from typing import Any, cast

from django.db import connections
from pydicom import Dataset
from pynetdicom import AE, _config, evt

from scans.dimse.callers import note_unknown, peer_calling
from scans.dimse.contexts import supported
from scans.dimse.guarded import Call, DataSet, GuardedServer
from scans.dimse.limits import Limits
from scans.dimse.storing import SUCCESS, Command, Reception, answer
from scans.ingest.reasons import PROCESSING_FAILURE

logger = logging.getLogger(__name__)

NOT_AUTHORISED = 0x0124
# Result, source and reason of a rejection (PS3.8 table 9-21).
CALLER_NOT_RECOGNISED = (0x01, 0x01, 0x03)
TEMPORARY_CONGESTION = (0x02, 0x03, 0x01)
LAST_WORDS_S = 5.0
"""How long `stop` waits for calls to record what they brought."""


class Listener:
    """Serves calls in threads until `stop`. Whoever is not registered is rejected, also for C-ECHO."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        ae_title: str = "LUNGPORTAL",
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        _config.LOG_HANDLER_LEVEL = "none"  # no handlers of pynetdicom that describe each message for a log
        self.limits = limits or Limits()
        self._receptions: dict[Call, Reception] = {}
        self._server = self._entity(ae_title).make_server(
            address,
            ae_title=ae_title,
            ssl_context=tls,
            server_class=GuardedServer,
            limits=self.limits,
            ended=self._ended,
            evt_handlers=[
                (evt.EVT_REQUESTED, self._requested),
                (evt.EVT_ACCEPTED, self._accepted),
                (evt.EVT_C_ECHO, self._echo),
                (evt.EVT_C_STORE, self._store),
            ],
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def serve(self) -> None:
        """Serve until another thread, or a signal, calls `stop`."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """Take no more calls, abort those that run; what was acknowledged is on disk already.

        Returns when each call has recorded its outcomes, or after LAST_WORDS_S.
        """
        self._server.shutdown()
        calls = list(self._receptions)
        for call in self._server.active_associations:
            with suppress(Exception):
                call.abort()
        until = time.monotonic() + LAST_WORDS_S
        for call in calls:
            call.join(max(until - time.monotonic(), 0))

    def _entity(self, ae_title: str) -> AE:
        entity = AE(ae_title)
        entity.maximum_associations = self.limits.associations
        entity.maximum_pdu_size = self.limits.pdu_bytes
        entity.acse_timeout = self.limits.greeting_s
        entity.network_timeout = self.limits.silence_s
        entity.dimse_timeout = self.limits.silence_s
        entity.supported_contexts = supported()
        return entity

    def _requested(self, event: evt.Event) -> None:
        """Reject before anything is negotiated; pynetdicom swallows errors here, so they reject too."""
        call = cast(Call, event.assoc)
        try:
            if not self._admit(call):
                call.acse.send_reject(*CALLER_NOT_RECOGNISED)
                call.kill()
        except Exception:
            logger.exception("a call could not be judged and is rejected")
            call.acse.send_reject(*TEMPORARY_CONGESTION)
            call.kill()

    def _admit(self, call: Call) -> bool:
        request: Any = call.requestor.primitive
        title, called = request.calling_ae_title.strip(), request.called_ae_title.strip()
        address = str(call.requestor.address)
        peer = peer_calling(title, called, address)
        if peer is None:
            logger.warning("a call of %s from %s is rejected: nobody registered it", title, address)
            note_unknown(title, called, address)
            return False
        self._receptions[call] = Reception(peer)
        return True

    def _accepted(self, event: evt.Event) -> None:
        """Past the greeting a line may be silent for longer."""
        carrier = event.assoc.dul.socket
        if carrier is not None and carrier.socket is not None:
            carrier.socket.settimeout(self.limits.silence_s)

    def _echo(self, event: evt.Event) -> int:
        return SUCCESS if cast(Call, event.assoc) in self._receptions else NOT_AUTHORISED

    def _store(self, event: evt.Event) -> Dataset:
        reception = self._receptions.get(cast(Call, event.assoc))
        if reception is None:
            return answer(NOT_AUTHORISED)
        request: Any = event.request
        data: DataSet = request.DataSet
        command = Command(
            str(request.AffectedSOPClassUID),
            str(request.AffectedSOPInstanceUID),
            str(event.context.transfer_syntax),
        )
        try:
            return reception.store(command, data)
        except Exception:
            logger.exception("an object could not be kept")
            return answer(PROCESSING_FAILURE, "An unexpected error. Tell the administrator; send again.")
        finally:
            data.close()

    def _ended(self, call: Call) -> None:
        """In the thread of the association, whatever ended it."""
        reception = self._receptions.get(call)
        try:
            if reception is not None:
                reception.finish()
                counts = ", ".join(f"{n} {outcome}" for outcome, n in reception.counts.items() if n)
                logger.info("call of peer %s ended: %s", reception.peer.pk, counts or "no objects")
        except Exception:
            logger.exception("the outcomes of a call could not be recorded")
        finally:
            self._receptions.pop(call, None)
            connections.close_all()
