"""The stages of one output folder, for the run that has locked it: where each lies, and how it is updated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.store.decisions import Decision, decide, finish, prepare
from ryven_llm_nodes.run.store.kept import FINISHED, ending, kept_in
from ryven_llm_nodes.run.store.keys import Key
from ryven_llm_nodes.run.store.links import entry_name, entry_of, lead, mend_names, set_aside, why_no_links
from ryven_llm_nodes.run.store.migration import Say, adopt_all, migrate


class Stages:
    """The stages of an output folder: each lies under its key, in ``store``; its name is a link there.

    Without symbolic links, a stage lies under its name. Nothing is written here, so that it can be asked at any time.
    """

    def __init__(self, output_dir: Path, has_links: bool) -> None:
        self.folder, self.has_links = output_dir, has_links

    def place_of(self, step: str, key: Key) -> Path:
        """The folder of the stage ``step`` that has ``key``."""
        return entry_of(self.folder, key.digest) if self.has_links else self.folder / step

    def ending(self, step: str, key: Key) -> str:
        """How the training of ``key`` ended, if it was ended early; else nothing."""
        return ending(self.place_of(step, key), key)

    def decide(self, step: str, key: Key, fresh: bool) -> Decision:
        """What a run does with the stage ``step``."""
        first_part = self.place_of(step, key.first_part) if key.first_part else None
        return decide(self.place_of(step, key), key, fresh, kept_in(self.folder / step), first_part)


class Output(Stages):
    """The same for a run: the text of a stage writes to its name.

    Without symbolic links, what was there before is overwritten.
    """

    def __init__(self, output_dir: Path, say: Say) -> None:
        super().__init__(output_dir, has_links=True)
        self.say = say
        self._trained: set[str] = set()
        try:
            self.has_links = self._is_linked()
            if self.has_links:
                mend_names(output_dir)
                migrate(output_dir, say)
            else:
                adopt_all(output_dir)
        except OSError as error:
            raise self._unwritable(error) from error

    def _is_linked(self) -> bool:
        if reason := why_no_links(self.folder):
            text = "so each stage's folder holds its latest model only, and other settings overwrite it"
            self.say(f"{self.folder} does not support symbolic links ({reason}), {text}")
        return not reason

    def _unwritable(self, error: OSError) -> UsageError:
        place = error.filename or self.folder
        return UsageError(f"cannot write to {place}: {error.strerror}; choose another --output-dir.")

    def decide(self, step: str, key: Key, fresh: bool) -> Decision:
        """What to do with the stage ``step``. What this run has trained is not trained twice, ``fresh`` or not."""
        return super().decide(step, key, fresh and key.digest not in self._trained)

    def begin(self, step: str, key: Key, decision: Decision, record: str) -> None:
        """Prepares the stage's folder for what was decided, and makes its name lead there. Raises UsageError."""
        place = self.place_of(step, key)
        try:
            if decision.action != "reuse" and self.has_links and _is_of_others(place):
                decision = self._spare(step, place, decision)
            prepare(place, key, decision, record, step)
            if self.has_links and (moved := lead(self.folder, step, key.digest)):
                self.say(f"{step}: {self.folder / step}, which no run had made, was renamed to {moved.name}")
        except OSError as error:
            raise self._unwritable(error) from error
        self._trained.add(key.digest)

    def _spare(self, step: str, place: Path, decision: Decision) -> Decision:
        """Renames what was not made by a run in ``place``; a resumed stage takes its checkpoints."""
        aside = set_aside(place, self.folder / step)
        self.say(f"{step}: the model there was not saved by a run; it was renamed to {aside.name}")
        return replace(decision, source=decision.source or aside) if decision.action == "resume" else decision

    def finish(self, step: str) -> None:
        """Notes that the stage ``step`` is finished."""
        finish(self.folder / step)

    def free(self, place: Path) -> None:
        """Removes a name that something else is about to be written to, as Save Model does."""
        if place.parent == self.folder and entry_name(place):
            place.unlink()


def _is_of_others(place: Path) -> bool:
    """Whether a finished model is there that was not saved by a run, but by a script or a user."""
    kept = kept_in(place)
    return (place / FINISHED).is_file() and not (kept is not None and kept.finished)
