"""Where the study of a sweep lies: in a file of its folder, or in a database that several machines share."""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.secrets import MASK, passwords_in, without_passwords
from ryven_llm_nodes.errors import UsageError, one_line
from ryven_llm_nodes.system.files import write_whole

FILE: Final = "study.journal"
MEMBER: Final = "member"
"""The file with the name by which a folder takes part in a shared sweep."""
PACKAGES: Final = {"psycopg2": "psycopg2-binary", "psycopg": "'psycopg[binary]'", "MySQLdb": "mysqlclient"}
"""What to install for a module that a database is driven with, where the package has another name."""
EXAMPLE: Final = "write sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/NAME, or another URL of SQLAlchemy"
PATIENCE: Final = 60
"""Seconds to wait for another process that writes to the same SQLite file."""
OPENINGS: Final = 5
"""Processes that create the tables at the same time disturb each other; this often it is tried again."""


@dataclass(frozen=True)
class Database:
    """A database of Optuna's, by its URL. Wherever it is shown, the password is masked."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        return without_passwords(self.url)

    def opened(self) -> Any:
        """Its storage; missing tables are created. Raises UsageError where it cannot be opened."""
        for attempt in range(OPENINGS):
            try:
                return self._storage()
            except Exception as error:  # each of Optuna, SQLAlchemy and the drivers has its own kinds
                if not _is_created_meanwhile(error) or attempt == OPENINGS - 1:
                    raise self._refusal(error) from None  # the error may hold the password
                time.sleep(0.5 * (attempt + 1))
        raise AssertionError("the last attempt returns or raises")

    def _storage(self) -> Any:
        from optuna.storages import RDBStorage

        options: dict[str, Any] = {"pool_pre_ping": True}  # a connection rests while a trial trains
        if self.url.startswith("sqlite"):
            if not self.url.partition("///")[2].partition("?")[0] or ":memory:" in self.url:
                raise ValueError("a database in memory is forgotten at the end")
            options["connect_args"] = {"timeout": PATIENCE}
        return RDBStorage(self.url, engine_kwargs=options)

    def _refusal(self, error: Exception) -> UsageError:
        missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        if isinstance(missing, ModuleNotFoundError):
            package = PACKAGES.get(str(missing.name), missing.name)
            return UsageError(f"--storage {self}: its driver {missing.name} is not installed; pip install {package}.")
        return UsageError(f"--storage {self}: cannot be opened ({self._reason(error)}); {EXAMPLE}.")

    def _reason(self, error: BaseException) -> str:
        """The first line of what went wrong, without the password."""
        first = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        for password in passwords_in(self.url):
            first = first.replace(password, MASK)
        return one_line(first.rstrip(".")) or type(error).__name__

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Inside, a database that can no longer be used is one line. Raises UsageError."""
        internal = optuna_package().exceptions.StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (SQLAlchemyError, internal) as error:
            reason = self._reason(error.__cause__ or error)
            remedy = "nothing is lost; give the same command again when it can be reached"
            raise UsageError(f"--storage {self}: cannot be used any more ({reason}); {remedy}.") from None


def _is_created_meanwhile(error: Exception) -> bool:
    """Whether another process has just created the same tables."""
    from sqlalchemy.exc import IntegrityError  # which Optuna requires

    return isinstance(error, IntegrityError) or "already exists" in str(error)


def member_of(folder: Path) -> str:
    """The name by which ``folder`` takes part in a shared sweep: what it has left unfinished it continues itself."""
    file = folder / MEMBER
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, f"{platform.node()} {uuid.uuid4().hex[:12]}\n")
    return file.read_text(encoding="utf-8").strip()


def in_file(file: Path) -> Any:
    """The storage in ``file``, which no other process may use meanwhile."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(repaired(file))))


def repaired(file: Path) -> Path:
    """``file`` without what a process that was killed while writing has left: half a line, or a lock."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for left in file.parent.glob(f"{file.name}.*"):
        with suppress(FileNotFoundError):
            left.unlink()
    if file.is_file():
        content = file.read_bytes()
        if len(content) != (end := content.rfind(b"\n") + 1):
            os.truncate(file, end)
    return file


def optuna_package() -> Any:
    """The package, silenced. Raises UsageError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError("sweeps need Optuna: pip install 'ryven-llm-nodes[sweep]'.") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
