"""pynetdicom's listener with bounds on all that a caller decides (its issue 1086).

pynetdicom reads as many bytes as a PDU announces, waits for them without end, keeps whole messages in memory,
queues messages without end and shakes hands for TLS in the thread that accepts. Each is bounded here.
Nothing that a caller sends ever becomes a file name: data sets lie in nameless temporary files.
"""

from __future__ import annotations

import io
import logging
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy
from socketserver import BaseServer
from typing import Any

from django.conf import settings
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from scans.dimse.limits import Limits

logger = logging.getLogger(__name__)

INVALID_PDU = "Evt19"  # PS3.8 table 9-10: answered with an A-ABORT
CHUNK = 1 << 20


class Abuse(Exception):
    """A caller went beyond a bound; the text goes to the log and names no patient."""


class DataSet(io.BytesIO):
    """The data set of a message as it arrives: counted, and on disk where it is long.

    It is a BytesIO by name only, because pynetdicom asks for one. What is too long, or does not fit on the
    disk, is thrown away, so that the message can be answered with its reason.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed with this object
            max_size=limits.in_memory_bytes, dir=settings.FILE_UPLOAD_TEMP_DIR or None
        )
        self.size = 0
        self.no_room = False

    @property
    def too_long(self) -> bool:
        return self.size > self._limits.instance_bytes

    def write(self, data: Any, /) -> int:
        self.size += len(data)
        if self.size > 2 * self._limits.instance_bytes:
            raise Abuse("a data set without end")
        if self.too_long or self.no_room:
            self._file.truncate(0)
            return len(data)
        try:
            self._file.write(data)
        except OSError:
            self.no_room = True
        return len(data)

    def chunks(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(CHUNK):
            yield chunk

    def close(self) -> None:
        self._file.close()
        super().close()


class GuardedSocket(AssociationSocket):
    """Reads no more than a PDU may have, in no more time than it may take."""

    def __init__(self, call: Call, client: socket.socket, limits: Limits) -> None:
        super().__init__(call, client_socket=client)
        self._limits = limits

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly so many bytes, or what came before the connection ended.

        Raises
        ------
        OSError : more is announced than is allowed, or it comes too slowly.
        """
        if nr_bytes > self._limits.longest_pdu_bytes:
            raise OSError(f"a PDU of {nr_bytes} bytes was announced")
        client = self.socket
        if client is None:
            raise OSError("the connection is closed")
        received, read = bytearray(nr_bytes), 0
        deadline = time.monotonic() + self._limits.pdu_s
        with memoryview(received) as view:
            while read < nr_bytes:
                if (count := client.recv_into(view[read:])) == 0:
                    break
                read += count
                if time.monotonic() > deadline:
                    raise TimeoutError("a PDU came too slowly")
        del received[read:]
        return received


class GuardedMessages(DIMSEServiceProvider):
    """Puts messages together within bounds; only C-ECHO and C-STORE requests are served."""

    def __init__(self, call: Call, limits: Limits) -> None:
        super().__init__(call)
        self._limits = limits
        self._began = 0.0
        self._aborted = False
        self._data: DataSet | None = None

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take one P-DATA; an abuse, or what cannot be decoded, ends the association."""
        try:
            self._take(primitive)
        except Exception as error:
            reason = str(error) if isinstance(error, Abuse) else type(error).__name__
            logger.warning("an association is aborted: %s", reason)
            self.message = self._data = None
            self._aborted = True
            self.dul.event_queue.put(INVALID_PDU)

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Send an answer, unless the association was aborted meanwhile."""
        if not self._aborted:
            super().send_msg(primitive, context_id)

    def _take(self, primitive: P_DATA) -> None:
        message = self.message or self._new_message()
        whole = message.decode_msg(primitive, self.assoc)
        self._refuse_abuse(message)
        if whole:
            self.message = self._data = None
            self._queue(message)

    def _new_message(self) -> DIMSEMessage:
        self.message = DIMSEMessage()
        self.message.data_set = self._data = DataSet(self._limits)
        self._began = time.monotonic()
        return self.message

    def _refuse_abuse(self, message: DIMSEMessage) -> None:
        if message.encoded_command_set.tell() > self._limits.command_bytes:
            raise Abuse("a command set without end")
        size = self._data.size if self._data else 0
        allowed_s = self._limits.grace_s + size / self._limits.slowest_bytes_per_s
        if time.monotonic() - self._began > allowed_s:
            raise Abuse("a message came too slowly")

    def _queue(self, message: DIMSEMessage) -> None:
        request = message.message_to_primitive()
        if not isinstance(request, C_ECHO | C_STORE) or message.context_id is None:
            raise Abuse("a request that is not served")
        if self.msg_queue.qsize() > self._limits.waiting_messages:
            raise Abuse("requests ahead of their answers")
        self.msg_queue.put((message.context_id, request))


class Call(Association):
    """An association that somebody else began; says when it is over, in its own thread."""

    def __init__(self, ae: Any, limits: Limits, ended: Callable[[Call], None]) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self.dimse = GuardedMessages(self, limits)
        self.daemon = self.dul.daemon = True
        self._ended = ended

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        finally:
            self._ended(self)


class GuardedHandler(RequestHandler):
    """Makes the association of a connection."""

    server: GuardedServer

    def _create_association(self) -> Call:
        server = self.server
        call = Call(self.ae, server.limits, server.ended)
        call._server = server
        call.name = f"AcceptorThread of {server.ae_title}"  # pynetdicom finds its threads by this word
        call.set_socket(GuardedSocket(call, self.request, server.limits))
        call.acceptor.maximum_length = self.ae.maximum_pdu_size
        call.acceptor.ae_title = server.ae_title
        call.acceptor.address_info = self.local
        call.acceptor.implementation_class_uid = self.ae.implementation_class_uid
        call.acceptor.implementation_version_name = self.ae.implementation_version_name
        call.acceptor.supported_contexts = [copy(context) for context in server.contexts]
        call.requestor.address_info = self.remote
        for event, handlers in server._handlers.items():
            for handler in [handlers] if isinstance(handlers, tuple) else handlers:
                if handler[0] is not None:
                    call.bind(event, *handler)
        return call


class GuardedServer(ThreadedAssociationServer):
    """Accepts connections up to a number; whoever dawdles over a greeting keeps nobody else waiting."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *given: Any, limits: Limits, ended: Callable[[Call], None], **named: Any) -> None:
        self.limits = limits
        self.ended = ended
        self._open: set[socket.socket] = set()
        super().__init__(*given, **{**named, "request_handler": GuardedHandler})

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept without a handshake, which would wait for the caller."""
        return self.socket.accept()  # type: ignore[union-attr]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self._open = {one for one in self._open if one.fileno() >= 0}
        if len(self._open) >= self.limits.connections:
            logger.warning("a connection is refused: %d are open", len(self._open))
            return False
        request.settimeout(self.limits.greeting_s)
        self._open.add(request)
        return True

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Runs in a thread of its own."""
        if self.ssl_context is not None:
            request = self._secured(request, self.ssl_context)
        with suppress(OSError):
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().finish_request(request, client_address)

    def _secured(self, request: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        secured = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        self._open.add(secured)
        try:
            secured.do_handshake()
        except OSError:
            secured.close()
            raise
        return secured

    def shutdown(self) -> None:
        """End `serve_forever` and close the port (pynetdicom's own asks for a server of `start_server`)."""
        BaseServer.shutdown(self)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.warning("a connection ended before its association request")
        with suppress(OSError):
            request.close()
