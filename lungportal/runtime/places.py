"""Where a data folder keeps its things, and where the sockets of its embedded services are."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SOCKET_LIMIT = 100  # sun_path holds 107 bytes on Linux and 103 on macOS
POSTGRES_SOCKET = ".s.PGSQL.5432"
CLOSED_DATA_HOME = Path("/var/lib/lungportal")
DATABASE = "lungportal"
ROLE = "lungportal"


@dataclass(frozen=True)
class Places:
    """The folders and files of one data folder."""

    data: Path
    database_home: Path
    """Holds the database's files; beside `data` only where its system user cannot reach that."""
    sockets: Path

    @classmethod
    def of(cls, data: str | os.PathLike[str]) -> Places:
        home = Path(data).expanduser().resolve()
        mark = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        database_home = home
        if os.geteuid() == 0 and not open_to_all(home.parent):
            database_home = CLOSED_DATA_HOME / mark
        sockets = database_home / "run"
        if len(os.fsencode(sockets / POSTGRES_SOCKET)) > SOCKET_LIMIT:
            sockets = Path(tempfile.gettempdir()) / f"lungportal-{os.geteuid()}-{mark}"
        return cls(home, database_home, sockets)

    @property
    def postgres(self) -> Path:
        return self.database_home / "postgres"

    @property
    def redis(self) -> Path:
        return self.data / "redis"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def storage(self) -> Path:
        return self.data / "storage"

    @property
    def tmp(self) -> Path:
        """Uploads on their way in, and whatever else lives shorter than its process."""
        return self.data / "tmp"

    @property
    def lock(self) -> Path:
        return self.data / "supervisor.lock"

    @property
    def state(self) -> Path:
        return self.data / "state.json"

    @property
    def secret_key(self) -> Path:
        return self.data / "secret-key"

    @property
    def demo_accounts(self) -> Path:
        return self.data / "demo-accounts.json"

    @property
    def demo_done(self) -> Path:
        return self.data / "demo-done"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def database_url(self) -> str:
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.sockets))}"

    @property
    def redis_url(self) -> str:
        return f"redis+socket://{self.redis_socket}"

    def make(self) -> None:
        """Make the folders, closed to other people.

        The data folder itself can be passed through, not listed: as root, Postgres runs as another user.
        """
        passable = 0o711 if os.geteuid() == 0 else 0o700
        if not self.data.exists():
            self.data.mkdir(parents=True)
            self.data.chmod(passable)
        elif os.geteuid() == 0:
            self.data.chmod(self.data.stat().st_mode | 0o011)
        for folder in (self.redis, self.logs, self.storage, self.tmp, self.data / "beat"):
            folder.mkdir(mode=0o700, exist_ok=True)


def open_to_all(folder: Path) -> bool:
    """Whether an ordinary user can pass through this folder and all above it."""
    return all(f.stat().st_mode & 0o001 for f in (folder, *folder.parents) if f.exists())
