"""Parts of the archive benchmark: instances to send, a peer to compare with, and roads in."""
