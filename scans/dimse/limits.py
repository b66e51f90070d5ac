"""How much one caller may ask of the listener: far above any scanner, far below what would bring it down."""

from __future__ import annotations

from dataclasses import dataclass

from scans.limits import LARGEST_INSTANCE_BYTES

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of the listener; tests make them small.

    Attributes
    ----------
    associations : at most so many at once; the next one is rejected (PS3.8 table 9-21, local limit exceeded).
    connections : at most so many sockets, those that have not said who they are among them.
    pdu_bytes : what we announce as our maximum length (PS3.8 D.1).
    longest_pdu_bytes : a longer announced length ends the connection before anything of it is read.
    command_bytes : longest command set of a message (PS3.7 section 6.3).
    instance_bytes : a longer data set is thrown away and answered with 0xA700; one twice as long is aborted.
    in_memory_bytes : of one data set; what is longer lies in a temporary file.
    waiting_messages : messages sent ahead of their answers; an honest caller sends none (PS3.7 D.3.3.3).
    greeting_s : time for the TLS handshake and for the association request.
    silence_s : a caller that says nothing for so long, inside or between messages, is cut off.
    pdu_s : time for one PDU.
    grace_s, slowest_bytes_per_s : a message may take its grace and its size divided by this rate.
    """

    associations: int = 16
    connections: int = 64
    pdu_bytes: int = 128 * KIB
    longest_pdu_bytes: int = 1 * MIB
    command_bytes: int = 64 * KIB
    instance_bytes: int = LARGEST_INSTANCE_BYTES
    in_memory_bytes: int = 4 * MIB
    waiting_messages: int = 1
    greeting_s: float = 10
    silence_s: float = 60
    pdu_s: float = 60
    grace_s: float = 60
    slowest_bytes_per_s: int = 16 * KIB
