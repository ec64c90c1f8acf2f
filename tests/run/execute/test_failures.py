"""What a user sees when the machine or the user's code fails, what is left, and that a second run makes it good.

Nothing is simulated: disks are full, folders cannot be written to, memory cannot be had, weights are not finite.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flows
import pytest
from children import run_with_little_memory
from flows import node
from rotation import turn

from ryven_llm_nodes.catalogue import DPO, GRPO, SFT, LoadModel, RewardFunction, SaveModel
from ryven_llm_nodes.errors import StageError
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.program.carried import OPENING
from ryven_llm_nodes.run import CancelToken, Event, Outcome, run_program
from ryven_llm_nodes.run.events import Log, Metrics, Progress, StageFailed, StageFinished, StageReused
from ryven_llm_nodes.run.store.keys import keys_of
from ryven_llm_nodes.system.causes import describe

STEPS = 4
SAVED: Mapping[str, Any] = {"max_steps": STEPS, "save_strategy": "steps", "save_steps": 1}
Listen = Callable[[Event], None]


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def at(step: str, done: int, act: Callable[[], Any]) -> Listen:
    """A listener that acts once, when ``step`` has done so many optimizer steps."""
    todo = [act]

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and (event.step, event.done) == (step, done) and todo:
            todo.pop()()

    return listen


def checkpoints(folder: Path) -> list[int]:
    found = (folder / "checkpoints").glob("checkpoint-*")
    return sorted(int(path.name.removeprefix("checkpoint-")) for path in found)


def is_one_line_at(outcome: Outcome, start: str) -> str:
    """The message of a run that failed, once its form is right."""
    assert outcome.status == "failed"
    message = str(outcome.error)
    assert message.startswith(start), message
    assert "\n" not in message
    assert "Traceback" not in message
    return message.removeprefix(start)


def goes_on(program: Program, output_dir: Path, stage: str, whole: Path) -> int:
    """Runs again, to the bits of an undisturbed run; from which step it went on."""
    events: list[Event] = []
    assert run_program(program, output_dir, events.append).error is None
    assert weights(output_dir / stage) == weights(whole / stage)
    leftovers = (output_dir / stage / "checkpoints" / "unfinished").glob("checkpoint-*")
    assert not list(leftovers), "what a failure has left is cleaned up"
    return next(event.done for event in events if isinstance(event, Progress) and event.step == stage)


@pytest.fixture(scope="module")
def sft(workspace: Path) -> Program:
    return flows.program(flows.alone("sft", **SAVED), workspace)


def undisturbed(program: Program, folder: Path) -> Path:
    """Where a run of ``program`` that nothing comes in the way of has written to."""
    import torch

    torch.set_num_threads(1)
    assert run_program(program, folder).error is None
    return folder


@pytest.fixture(scope="module")
def whole(sft: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an undisturbed run of ``sft`` has written to."""
    return undisturbed(sft, tmp_path_factory.mktemp("whole"))


# A reward function that hangs

HANGS = """import os
import time

def judge(completions, trainer_state=None, **kwargs):
    while os.path.exists({flag!r}[::-1]) and trainer_state.global_step == {step}:
        time.sleep(60)
    return [float(len(set(str(c)))) for c in completions]
"""


def judged(workspace: Path, flag: Path, step: int = 2, code: str = HANGS, **params: Any) -> Program:
    """GRPO on a reward that watches for ``flag``: spelled backwards, as a file that code names is part of its key."""
    drawn = flows.draw(
        "base -> grpo, rows -> grpo, judge -> grpo",
        base=flows.BASE,
        rows=flows.ROWS["grpo"],
        judge=node(RewardFunction, code=code.format(flag=str(flag)[::-1], step=step), **params),
        grpo=node(GRPO, **{**flows.ROLLOUT, **SAVED}, num_generations=4, reward_threshold=None),
    )
    return flows.program(drawn, workspace)


def run_in(thread: str, *arguments: Any) -> Outcome:
    """Runs a program in the main thread, as the command line does, or in another one, as the editor does."""
    if thread == "main":
        return run_program(*arguments)
    outcomes: list[Outcome] = []
    worker = threading.Thread(target=lambda: outcomes.append(run_program(*arguments)))
    worker.start()
    worker.join(60)
    return outcomes[0]


@pytest.mark.parametrize("thread", turn(["main", "worker"], 2))
class TestARewardFunctionThatHangs:
    def test_ends_its_stage_at_the_limit_and_is_named(self, thread: str, workspace: Path, tmp_path: Path) -> None:
        flag, out = tmp_path / "flag", tmp_path / "out"
        program = judged(workspace, flag, time_limit=1)
        assert run_program(program, tmp_path / "whole").error is None

        flag.touch()
        outcome = run_in(thread, program, out)
        assert str(outcome.error) == (
            "Reward Function 'judge' > time_limit: did not return within 1 s, and was at line 6 (while GRPO 'grpo' "
            "was running, step 3). Look for a request without a timeout, or raise time_limit."
        )
        assert isinstance(outcome.error, StageError)
        assert outcome.error.problem.step == "judge"
        assert checkpoints(out / "grpo") == [1, 2]

        flag.unlink()
        assert goes_on(program, out, "grpo", tmp_path / "whole") == 2

    def test_can_be_stopped(self, thread: str, workspace: Path, tmp_path: Path) -> None:
        (tmp_path / "flag").touch()
        token, asked = CancelToken(), []

        def stop() -> None:
            asked.append(time.monotonic())
            token.cancel()

        listen = at("grpo", 2, lambda: threading.Timer(0.3, stop).start())
        outcome = run_in(thread, judged(workspace, tmp_path / "flag"), tmp_path / "out", listen, token)
        assert time.monotonic() - asked[0] < 5  # the function sleeps for much longer
        assert outcome.status == "cancelled"
        assert checkpoints(tmp_path / "out/grpo") == [1, 2]

    def test_is_found_before_training(self, thread: str, workspace: Path, tmp_path: Path) -> None:
        (tmp_path / "flag").touch()
        outcome = run_in(thread, judged(workspace, tmp_path / "flag", step=0, time_limit=1), tmp_path / "out")
        assert str(outcome.error) == (
            "Reward Function 'judge' > time_limit: did not return within 1 s, and was at line 6 (tested with two rows "
            "of its dataset). Look for a request without a timeout, or raise time_limit."
        )
        assert not (tmp_path / "out/grpo").exists()

    def test_can_be_stopped_before_training(self, thread: str, workspace: Path, tmp_path: Path) -> None:
        (tmp_path / "flag").touch()
        token = CancelToken()

        def listen(event: Event) -> None:
            if isinstance(event, Log) and event.text.startswith("checking"):
                threading.Timer(0.3, token.cancel).start()

        outcome = run_in(thread, judged(workspace, tmp_path / "flag", step=0), tmp_path / "out", listen, token)
        assert outcome.status == "cancelled"

    def test_may_be_a_coroutine(self, thread: str, workspace: Path, tmp_path: Path) -> None:
        (tmp_path / "flag").touch()
        code = HANGS.replace("def judge", "async def judge").replace("time.sleep", "await asyncio.sleep")
        code = code.replace("import time", "import asyncio")
        program = judged(workspace, tmp_path / "flag", code=code, time_limit=1)
        outcome = run_in(thread, program, tmp_path / "out")
        assert "'judge' > time_limit: did not return within 1 s, and was at line 6 (while GRPO" in str(outcome.error)


def test_a_time_limit_is_no_part_of_script_and_key(workspace: Path, tmp_path: Path) -> None:
    short, long = (judged(workspace, tmp_path, time_limit=limit) for limit in (1, 2))
    texts = [program.script.text.partition(OPENING)[0] for program in (short, long)]
    assert texts[0] == texts[1]
    assert keys_of(short)["grpo"].digest == keys_of(long)["grpo"].digest


def test_a_reward_model_stops_between_two_batches() -> None:
    from ryven_llm_nodes.errors import Cancelled
    from ryven_llm_nodes.run.rewards.calls import Caller
    from ryven_llm_nodes.run.rewards.watched import _Wrapper

    class Scorer:
        def scores(self, texts: list[str]) -> list[float]:
            cancelled.set()
            return [1.0 for _ in texts]

    cancelled = threading.Event()
    wrapper = _Wrapper.__new__(_Wrapper)
    wrapper.caller = Caller(cancelled)
    scorer = wrapper._class(Scorer)()
    assert scorer.scores(["a"]) == [1.0]
    with pytest.raises(Cancelled):
        scorer.scores(["b"])


def test_an_infinite_reward_names_its_function(workspace: Path, tmp_path: Path) -> None:
    code = HANGS.replace("time.sleep(60)", "return [float('inf')] * len(completions)")
    (tmp_path / "flag").touch()
    outcome = run_program(judged(workspace, tmp_path / "flag", code=code), tmp_path / "out")
    assert str(outcome.error) == (
        "Reward Function 'judge' > code: returned inf as a reward (while GRPO 'grpo' was running, step 3); return "
        "finite numbers, or None."
    )
    assert checkpoints(tmp_path / "out/grpo") == [1, 2]


# Numbers that are not finite


def change_embedding(model_folder: Path, text: str, value: float) -> None:
    """Sets a number in the embedding of the token ``text``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(model_folder)
    (token,) = AutoTokenizer.from_pretrained(model_folder)(text, add_special_tokens=False).input_ids
    with torch.no_grad():
        model.model.embed_tokens.weight[token, 3] = value
    model.save_pretrained(model_folder)


def with_letter(work: Path, row: int) -> None:
    """Puts an X, which no other row holds, into a row of ``sft.jsonl``."""
    rows = [json.loads(line) for line in (work / "sft.jsonl").read_text().splitlines()]
    rows[row]["completion"] = " XX"
    (work / "sft.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


class TestNumbersThatAreNotFinite:
    @pytest.mark.parametrize("max_grad_norm", turn([1.0, 0.0], 2))
    def test_a_gradient_stops_training_before_it_is_applied(
        self, max_grad_norm: float, work: Path, tmp_path: Path
    ) -> None:
        drawn = flows.alone("sft", **SAVED, train_sampling_strategy="sequential", max_grad_norm=max_grad_norm)
        change_embedding(work / "model", "X", 3e38)  # whose square is infinite
        assert run_program(flows.program(drawn, work), tmp_path / "whole").error is None
        with_letter(work, 9)  # in the third batch of four
        outcome = run_program(flows.program(drawn, work), tmp_path / "out")
        clip = "" if max_grad_norm else ", or set max_grad_norm to 1"
        assert str(outcome.error) == (
            "SFT 'sft': the gradient is not a number (NaN) at step 3, so training stops before it corrupts the "
            f"weights. The last good checkpoint is of step 2, in {tmp_path}/out/sft/checkpoints/checkpoint-2. "
            f"Lower learning_rate (0.001){clip}."
        )
        lines = (tmp_path / "out/sft/metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [1, 2]
        good = tmp_path / "whole/sft/checkpoints/checkpoint-2"
        assert weights(tmp_path / "out/sft/checkpoints/checkpoint-2") == weights(good)
        assert not (tmp_path / "out/sft/model.safetensors").exists()

    def test_a_gradient_may_also_be_infinite(self, workspace: Path, tmp_path: Path) -> None:
        outcome = run_program(
            flows.program(flows.alone("dpo", **SAVED, loss_type=["sigmoid"], loss_weights=[1e30]), workspace), tmp_path
        )
        start = "DPO 'dpo': the gradient is infinite at step 1, so training stops before it corrupts the weights. "
        assert is_one_line_at(outcome, start) == "There is no checkpoint yet. Lower learning_rate (0.001)."

    def test_a_model_that_comes_with_them_is_refused(self, work: Path, tmp_path: Path) -> None:
        change_embedding(work / "model", "X", float("inf"))
        outcome = run_program(flows.program(flows.alone("sft", **SAVED), work), tmp_path)
        assert str(outcome.error) == (
            "SFT 'sft': model.embed_tokens.weight of the initial model contains values that are not finite. "
            "Use another model."
        )

    @pytest.mark.parametrize("save_strategy", turn(["steps", "no"], 2))
    def test_weights_that_the_optimizer_spoils_are_not_saved(
        self, save_strategy: str, workspace: Path, tmp_path: Path
    ) -> None:
        spoils = {**SAVED, "save_strategy": save_strategy, "max_steps": 1, "weight_decay": 1e45}
        outcome = run_program(flows.program(flows.alone("sft", **spoils), workspace), tmp_path)
        assert str(outcome.error) == (
            "SFT 'sft': model.embed_tokens.weight contains values that are not finite after step 1, so it is not "
            "saved. There is no checkpoint yet. Lower learning_rate (0.001), or weight_decay (1e+45)."
        )
        assert not list(tmp_path.glob("sft/**/*.safetensors"))

    def test_a_smaller_setting_retrains(self, workspace: Path, whole: Path, tmp_path: Path) -> None:
        steep = flows.program(flows.alone("sft", **SAVED, weight_decay=1e30), workspace)
        left = is_one_line_at(run_program(steep, tmp_path), "SFT 'sft': the gradient is not a number (NaN) at step 2, ")
        assert "Lower learning_rate (0.001), or weight_decay (1e+30)." in left
        usual = flows.program(flows.alone("sft", **SAVED), workspace)
        assert goes_on(usual, tmp_path, "sft", whole) == 0


# A full disk


class SmallDisk:
    """A folder on a disk that can be filled: one of its own where this process may mount one.

    Elsewhere the size of files is limited instead, at which writing fails in the same places with another reason.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.filler = folder, folder / "filler"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
        mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        self.is_mounted = bool(mounted)
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, left: int = 0) -> None:
        """Leaves so many bytes."""
        if self.is_mounted:
            self.filler.write_bytes(bytes(shutil.disk_usage(self.folder).free - left))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (min(left, 4096), self._limits[1]))

    def empty(self) -> None:
        self.filler.unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)

    def says(self, outcome: Outcome, start: str) -> str:
        """What comes after the reason, which is right."""
        rest = is_one_line_at(outcome, start)
        grew = r"a file in \S+ grew larger than allowed\. Raise the limit \(ulimit -f\)|a checkpoint cannot be written"
        place = re.escape(str(self.folder))
        full = rf"the disk is full: [\d.]+ (bytes|[kM]B) free in {place}/out\. Free some space there"
        reason = re.match(full if self.is_mounted else grew, rest)
        assert reason, rest
        return rest[reason.end() :]

    def unmount(self) -> None:
        self.empty()
        if self.is_mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "disk")
    try:
        yield disk
    finally:
        disk.unmount()


class TestAFullDisk:
    @pytest.mark.parametrize("left", turn([0, 50_000, 200_000, 400_000], 2))
    def test_while_a_checkpoint_is_written(self, left: int, disk: SmallDisk, sft: Program, whole: Path) -> None:
        """The four stop it in the model, in the optimizer's state, ..., which different libraries write."""
        out = disk.folder / "out"
        outcome = run_program(sft, out, at("sft", 3, lambda: disk.fill(left)))
        rest = disk.says(outcome, "SFT 'sft': ")
        assert rest == ", or choose another --output-dir. Then run again: training resumes from step 2."
        assert checkpoints(out / "sft") == [1, 2]
        for step in (1, 2):
            name = f"sft/checkpoints/checkpoint-{step}"
            assert weights(out / name) == weights(whole / name)

        disk.empty()
        assert goes_on(sft, out, "sft", whole) == 2

    def test_while_the_model_is_saved(self, disk: SmallDisk, sft: Program, whole: Path) -> None:
        def at_the_end(event: Event) -> None:
            if isinstance(event, Metrics) and "train_runtime" in event.values:
                disk.fill(60_000)  # less than half of the model

        out = disk.folder / "out"
        outcome = run_program(sft, out, at_the_end)
        assert disk.says(outcome, "SFT 'sft': ").endswith("Then run again: training resumes from step 4.")
        assert not (out / "sft" / "finished").exists(), "half a model must not pass for a finished one"
        disk.empty()
        assert goes_on(sft, out, "sft", whole) == 4

    def test_while_metrics_are_written(self, disk: SmallDisk, sft: Program, whole: Path) -> None:
        out = disk.folder / "out"
        outcome = run_program(sft, out, at("sft", 0, disk.fill))
        assert disk.says(outcome, "SFT 'sft': ").endswith("Then run again: finished stages are reused.")
        disk.empty()
        assert goes_on(sft, out, "sft", whole) == 0

    def test_before_anything_is_written(self, disk: SmallDisk, sft: Program, whole: Path) -> None:
        disk.fill()
        outcome = run_program(sft, disk.folder / "out")
        assert str(disk.folder) in is_one_line_at(outcome, "cannot write ")
        disk.empty()
        assert goes_on(sft, disk.folder / "out", "sft", whole) == 0

    def test_a_limit_on_the_size_of_files(self, tmp_path: Path, sft: Program, whole: Path) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = at("sft", 3, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1])))
        try:
            outcome = run_program(sft, tmp_path / "out", limit)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert is_one_line_at(outcome, f"SFT 'sft': a file in {tmp_path}/out grew larger than allowed. ") == (
            "Raise the limit (ulimit -f), or choose another --output-dir. Then run again: training resumes from step 2."
        )
        assert goes_on(sft, tmp_path / "out", "sft", whole) == 2


# Folders that cannot be written to


def run_without_privileges(*arguments: Any) -> Outcome:
    """Runs a program in a thread to which the permissions of files apply, even where the tests run as root."""
    outcomes: list[Outcome] = []

    def work() -> None:
        if os.geteuid() == 0:
            header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
            assert ctypes.CDLL(None, use_errno=True).capset(header, data) == 0, os.strerror(ctypes.get_errno())
        outcomes.append(run_program(*arguments))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    return outcomes[0]


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


class TestAFolderThatCannotBeWrittenTo:
    def test_the_output_folder(self, sft: Program, whole: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        events: list[Event] = []
        with read_only(tmp_path / "out"):
            outcome = run_without_privileges(sft, tmp_path / "out", events.append)
            assert not list((tmp_path / "out").iterdir())
        message = f"cannot write to {tmp_path}/out: Permission denied; choose another --output-dir."
        assert str(outcome.error) == message
        assert not [event for event in events if isinstance(event, Log)], "no library is loaded for that"
        assert goes_on(sft, tmp_path / "out", "sft", whole) == 0

    def test_one_that_is_to_be_made(self, sft: Program, tmp_path: Path) -> None:
        with read_only(tmp_path):
            outcome = run_without_privileges(sft, tmp_path / "some" / "out")
        message = f"cannot write to {tmp_path}/some/out: Permission denied; choose another --output-dir."
        assert str(outcome.error) == message

    def test_a_stage_of_it_is_found_before_training(self, sft: Program, tmp_path: Path) -> None:
        (tmp_path / "sft").mkdir()
        with read_only(tmp_path / "sft"):
            outcome = run_without_privileges(sft, tmp_path)
        assert str(outcome.error) == (
            f"SFT 'sft': cannot write to {tmp_path}/sft: {tmp_path}/sft is read-only; make it writable for this user, "
            "or choose another folder."
        )

    def test_where_a_model_is_to_be_saved_is_found_before_training(self, workspace: Path, tmp_path: Path) -> None:
        (tmp_path / "shelf").mkdir()
        (tmp_path / "file").touch()
        nodes = {"base": flows.BASE, "rows": flows.ROWS["sft"], "sft": flows.TRAINERS["sft"]}
        nodes |= {"shelf": node(SaveModel, folder=f"{tmp_path}/shelf/a/b"), "file": node(SaveModel, folder="../file/a")}
        drawn = flows.draw("base -> sft, rows -> sft, sft -> shelf, sft -> file", **nodes)
        with read_only(tmp_path / "shelf"):
            outcome = run_without_privileges(flows.program(drawn, workspace), tmp_path / "out")
        assert str(outcome.error).split("\n") == [
            f"Save Model 'shelf' > folder: cannot write to {tmp_path}/shelf/a/b: {tmp_path}/shelf is read-only; make "
            "it writable for this user, or choose another folder.",
            f"Save Model 'file' > folder: cannot write to {tmp_path}/out/../file/a: {tmp_path}/out/../file is a file; "
            "choose another folder.",
        ]
        assert not (tmp_path / "out" / "sft").exists()

    @pytest.mark.parametrize("name", turn(["checkpoints", "checkpoints/unfinished", "."], 3))
    def test_mid_run(self, name: str, sft: Program, whole: Path, tmp_path: Path) -> None:
        folder = tmp_path / "sft" / name
        try:
            outcome = run_without_privileges(sft, tmp_path, at("sft", 3, lambda: folder.chmod(0o555)))
        finally:
            folder.chmod(0o755)
        rest = is_one_line_at(outcome, "SFT 'sft': permission denied: ")
        assert rest.startswith(str(tmp_path))
        remedy = r".*, or choose another --output-dir. Then run again: training resumes from step (\d)."
        again = int(re.fullmatch(remedy, rest)[1])
        assert goes_on(sft, tmp_path, "sft", whole) == again


# Memory


class TestMemory:
    def test_that_cannot_be_had(self, workspace: Path, tmp_path: Path) -> None:
        drawn = flows.alone("sft", lora=True, **SAVED)
        (lora,) = (n for n in drawn["flows"]["sft"]["nodes"] if n["identifier"].endswith("LoRA"))
        lora["additional data"]["params"]["r"] = 10**12
        outcome = run_program(flows.program(drawn, workspace), tmp_path)
        assert str(outcome.error) == (
            "SFT 'sft': out of memory in this machine: 128 TB more were requested. Lower "
            "per_device_train_batch_size (4), connect a LoRA adapter, or close other programs. Then run again: "
            "finished stages are reused."
        )

    def test_that_is_short_for_a_while(self, work: Path, tmp_path: Path) -> None:
        """In a process of its own, whose memory is limited before the fourth batch, which has the long rows."""
        settings = {**SAVED, "train_sampling_strategy": "sequential"}
        long = [json.loads(line) for line in (work / "sft.jsonl").read_text().splitlines()]
        long[12:] = [row | {"completion": " yes" * 400} for row in long[12:]]
        (work / "sft.jsonl").write_text("".join(json.dumps(row) + "\n" for row in long))
        program = flows.program(flows.alone("sft", **settings), work)
        assert run_program(program, tmp_path / "whole").error is None

        server = multiprocessing.get_context("forkserver")
        receiver, sender = server.Pipe(duplex=False)
        child = server.Process(target=run_with_little_memory, args=(work, tmp_path / "out", settings, sender))
        child.start()
        message = receiver.recv()
        child.join()
        assert message.startswith("SFT 'sft': out of memory in this machine: "), message
        again = re.search(r"or close other programs\. Then run again: training resumes from step (\d)\.$", message)
        assert again, message
        assert goes_on(program, tmp_path / "out", "sft", tmp_path / "whole") == int(again[1]) >= 2

    def test_is_given_back_by_a_stage_that_failed(self, workspace: Path, tmp_path: Path) -> None:
        """Although the outcome holds the error, and that its traceback."""
        import gc

        from transformers import LlamaForCausalLM

        def models() -> int:
            return sum(type(found) is LlamaForCausalLM for found in gc.get_objects())

        gc.collect()
        before = models()
        outcome = run_program(judged(workspace, tmp_path, code=FAILS), tmp_path / "out")
        assert "ValueError: enough" in is_one_line_at(outcome, "Reward Function 'judge' > code: line 4: ")
        assert models() == before


FAILS = """
def judge(completions, trainer_state=None, **kwargs):
    if trainer_state.global_step == 2:  # {flag} {step}
        raise ValueError("enough")
    return [1.0 for _ in completions]
"""


# Folders that are deleted


@pytest.fixture(scope="module")
def pair(workspace: Path) -> Program:
    """SFT, and DPO on its model."""
    drawn = flows.draw(
        "base -> sft, rows -> sft, sft -> dpo, pairs -> dpo",
        base=node(LoadModel, path="model"),
        rows=flows.ROWS["sft"],
        pairs=flows.ROWS["dpo"],
        sft=node(SFT, **{**flows.FAST, **SAVED}),
        dpo=node(DPO, **{**flows.FAST, **SAVED}),
    )
    return flows.program(drawn, workspace)


@pytest.fixture(scope="module")
def whole_pair(pair: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(pair, tmp_path_factory.mktemp("pair"))


class TestAFolderThatIsDeletedAmidARun:
    @pytest.mark.parametrize("step", turn([0, 2], 2))
    def test_the_cache_of_data_sets_is_not_missed(
        self, step: int, pair: Program, whole_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import datasets

        cache = tmp_path / "cache"
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
        deleted: list[int] = []

        def delete() -> None:
            deleted.append(len(list(cache.rglob("*.arrow"))))
            shutil.rmtree(cache)

        assert run_program(pair, tmp_path / "out", at("sft", step, delete)).error is None
        assert deleted[0] > 0, "there was something to delete"
        for stage in ("sft", "dpo"):
            assert weights(tmp_path / "out" / stage) == weights(whole_pair / stage)

    def test_the_folder_of_the_stage(self, pair: Program, whole_pair: Path, tmp_path: Path) -> None:
        outcome = run_program(pair, tmp_path / "out", at("dpo", 1, lambda: shutil.rmtree(tmp_path / "out")))
        assert str(outcome.error) == (
            f"DPO 'dpo': its folder was deleted during the run: {tmp_path}/out/dpo. Run again: what is missing is "
            "trained again."
        )
        assert goes_on(pair, tmp_path / "out", "dpo", whole_pair) == 0

    @pytest.mark.parametrize("what", turn(["its name", "its folder", "its weights"], 3))
    def test_the_model_of_the_stage_before(self, what: str, pair: Program, whole_pair: Path, tmp_path: Path) -> None:
        def delete(event: Event) -> None:
            if isinstance(event, StageFinished) and event.step == "sft":
                if what == "its folder":
                    shutil.rmtree((tmp_path / "sft").resolve())
                else:
                    (tmp_path / ("sft" if what == "its name" else "sft/model.safetensors")).unlink()

        outcome = run_program(pair, tmp_path, delete)
        assert str(outcome.error) == (
            f"DPO 'dpo': the model of SFT 'sft' was deleted during the run: {tmp_path}/sft. Run again: what is "
            "missing is trained again."
        )
        goes_on(pair, tmp_path, "dpo", whole_pair)
        assert weights(tmp_path / "sft") == weights(whole_pair / "sft")

    def test_a_model_that_nobody_needs_any_more_is_said_to_be_gone(self, pair: Program, tmp_path: Path) -> None:
        events: list[Event] = []
        delete = at("dpo", 1, lambda: shutil.rmtree((tmp_path / "sft").resolve()))
        outcome = run_program(pair, tmp_path, lambda event: (events.append(event), delete(event)))
        assert list(outcome.models) == ["dpo"]
        lost = [event.text for event in events if isinstance(event, Log) and event.step == "sft"]
        assert lost == [f"sft: its model was deleted during the run: {tmp_path}/sft"]

    def test_a_finished_stage_between_two_runs(self, pair: Program, whole_pair: Path, tmp_path: Path) -> None:
        assert run_program(pair, tmp_path).error is None
        shutil.rmtree((tmp_path / "sft").resolve())
        events: list[Event] = []
        assert run_program(pair, tmp_path, events.append).error is None
        assert [event.step for event in events if isinstance(event, StageReused)] == ["dpo"]
        assert weights(tmp_path / "sft") == weights(whole_pair / "sft")


# What errors of libraries and users look like


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("topic"), "KeyError: 'topic'."),
        (ValueError("first line\n    second   line\n"), "ValueError: first line second line."),
        (RuntimeError("Is it so?"), "RuntimeError: Is it so?"),
        (ValueError("x" * 5000), f"ValueError: {'x' * 397}..."),
        (
            ModuleNotFoundError("No module named 'mathlib'"),
            "ModuleNotFoundError: No module named 'mathlib'. Install it where this runs, or correct the import.",
        ),
    ],
)
def test_an_error_is_one_line(error: Exception, text: str) -> None:
    assert describe(raised(error)) == text


def test_an_error_without_a_text_says_where_it_comes_from() -> None:
    line = raised.__code__.co_firstlineno + 2
    assert describe(raised(AssertionError())) == f"AssertionError: no message, from test_failures.py, line {line}."


def test_the_details_hold_what_the_line_leaves_out(workspace: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    run_program(judged(workspace, tmp_path, code=FAILS), tmp_path / "out", events.append)
    (failed,) = [event for event in events if isinstance(event, StageFailed)]
    assert failed.step == "judge"
    assert 'raise ValueError("enough")' in failed.details
