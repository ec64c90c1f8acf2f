"""By hand: `ryven-llm submit` on a Slurm of one node, which this starts: a job that is requeued gives the same weights.

    python tests/benchmarks/bench_slurm.py [FOLDER [CASE ...]]

It needs root, and Debian's packages slurm-wlm and munge; no systemd, no network, no GPU (the node has two that are
made up). A flow of two short stages on a tiny model is run undisturbed, then submitted: requeued while it trains, told
to stop before its time limit, shared by two processes, cancelled, and as an array of two seeds. Then the demo, requeued
in its middle. Each ends with a line: what was seen.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import flows
from flows import node

from ryven_llm_nodes.catalogue import GRPO, SFT, RewardFunction

PACKAGE = Path(__file__).parents[2]
REWARD = """import os
import time

def variety(completions, **kwargs):
    time.sleep(float(os.environ.get("SECONDS_PER_STEP", "0")))
    return [len(set(str(completion))) / 10 for completion in completions]
"""
STEPS = {
    **flows.FAST,
    "save_strategy": "steps",
    "save_steps": 2,
    "save_total_limit": 3,
    "per_device_train_batch_size": 4,
    "global_batch_size": 8,
}
CONF = """ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=1,sched_interval=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MailProg=/bin/true
ReturnToService=2
KillWait=5
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 Port={node} CPUs=2 Gres=gpu:2
PartitionName=main Nodes={host} Default=YES MaxTime=UNLIMITED
"""


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


class LocalSlurm:
    """Munge and the two daemons of Slurm, in a folder of their own; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> LocalSlurm:
        folder, host = self.folder, socket.gethostname().partition(".")[0]
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        settings = {"host": host, "folder": folder, "control": free_port(), "node": free_port()}
        (folder / "slurm.conf").write_text(CONF.format(**settings))
        for gpu in ("gpu0", "gpu1"):  # files that stand for devices
            (folder / gpu).touch()
        (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-1]\n")
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        munge = [f"--{name}={folder}/munge.{name.partition('-')[0]}" for name in ("socket", "pid-file", "log-file")]
        files = [f"--key-file={key}", f"--seed-file={folder}/munge.seed"]
        with ExitStack() as self._stack:
            for command in (["munged", "-F", "-f", *munge, *files], ["slurmctld", "-D", "-i"], ["slurmd", "-D"]):
                self._start(command)
            wait_until(lambda: "idle" in said("sinfo", "--noheader", "--format", "%t"), 60, "the node is not idle")
            self._stack = self._stack.pop_all()
        return self

    def _start(self, command: list[str]) -> None:
        with Path(self.folder, f"{command[0]}.out").open("w") as log:
            daemon = subprocess.Popen(command, stdout=log, stderr=log)
        self._stack.callback(daemon.wait, 30)
        self._stack.callback(daemon.terminate)
        time.sleep(1)

    def __exit__(self, *_: object) -> None:
        said("scancel", "--signal=KILL", "--user=root")
        time.sleep(2)
        self._stack.close()


def said(*command: str) -> str:
    """What a command of Slurm answers."""
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def wait_until(is_so: Callable[[], bool], seconds: float, otherwise: str) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        hasten()
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.2)


def draw(folder: Path) -> Path:
    """The flow, with the model and the rows that it reads."""
    flows.write_model(folder / "model")
    flows.write_data(folder)
    rollout = {"max_steps": 40, "max_completion_length": 8, "num_generations": 4}
    drawn = flows.draw(
        "base -> sft, sft_rows -> sft, sft -> grpo, grpo_rows -> grpo, variety -> grpo",
        "job",
        base=flows.BASE,
        sft_rows=flows.ROWS["sft"],
        sft=node(SFT, **{**STEPS, "max_steps": 20}),
        grpo_rows=flows.ROWS["grpo"],
        grpo=node(GRPO, **{**STEPS, **rollout}),
        variety=node(RewardFunction, code=REWARD),
    )
    return flows.save(drawn, folder / "flow.json")


def submitted(flow: Path, folder: str, *options: str, **env: str) -> subprocess.Popen[str]:
    """`ryven-llm submit`, whose output goes to a file in the folder of the job."""
    place = flow.parent / folder
    place.mkdir()
    command = [sys.executable, "-m", "ryven_llm_nodes.cli", "submit", str(flow), "-o", str(place / "job.py"), *options]
    with (place / "submit.txt").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment(env))


def environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONUNBUFFERED": "1", **more}


def job_of(submit: subprocess.Popen[str], place: Path) -> str:
    """The number of a job, once it is submitted."""

    def found() -> re.Match[str] | None:
        return re.search(r"^job (\d+) is submitted", (place / "submit.txt").read_text(), re.MULTILINE)

    wait_until(lambda: bool(found()) or submit.poll() is not None, 120, "the job was not submitted")
    match = found()
    if match is None:
        raise RuntimeError((place / "submit.txt").read_text())
    return match[1]


def digests(output: Path, stages: tuple[str, ...] = ("sft", "grpo")) -> dict[str, str]:
    """The sha256 of the weights that each stage has left."""
    files = (output / stage / "model.safetensors" for stage in stages)
    return {file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def undisturbed(flow: Path, stages: tuple[str, ...] = ("sft", "grpo")) -> dict[str, str]:
    """The script alone, without Slurm."""
    script, output = flow.parent / "alone.py", flow.parent / "alone"
    for arguments in (["-m", "ryven_llm_nodes.cli", "export", str(flow), "-o", str(script)], [str(script)]):
        more = ["--output-dir", str(output)] if arguments[0] == str(script) else []
        subprocess.run([sys.executable, *arguments, *more], env=environment({}), check=True, capture_output=True)
    return digests(output, stages)


def tested(place: Path) -> str:
    """What ``sbatch --test-only`` says about the job file."""
    done = subprocess.run(["sbatch", "--test-only", "job.sbatch"], cwd=place, capture_output=True, text=True)
    return f"{done.returncode}: {done.stderr.strip()}"


def requeued(flow: Path) -> str:
    """A job that is requeued when the first stage, and again when the second, has written a checkpoint."""
    place = flow.parent / "requeued"
    submit = submitted(flow, place.name, SECONDS_PER_STEP="0.3")
    job = job_of(submit, place)
    print(f"  sbatch --test-only: {tested(place)}", flush=True)
    for stage in ("sft", "grpo"):
        checkpoints = place / "outputs/job" / stage / "checkpoints"
        wait_until(lambda folder=checkpoints: any(folder.glob("checkpoint-*")), 600, f"no checkpoint of {stage}")
        subprocess.run(["scontrol", "requeue", job], check=True)
        print(f"  requeued at {stage}: {sorted(file.name for file in checkpoints.glob('checkpoint-*'))}", flush=True)
        wait_until(lambda: "RUNNING" not in states(), 60, "it still runs")
    end(submit, place)
    return same(place)


def limited(flow: Path) -> str:
    """A job whose limit ends before it does: it is told to stop, queues itself again, and resumes."""
    place = flow.parent / "limited"
    limits = {"SBATCH_TIMELIMIT": "2", "SBATCH_SIGNAL": "B:TERM@30"}
    end(submitted(flow, place.name, SECONDS_PER_STEP="2", **limits), place)
    return same(place)


def same(place: Path) -> str:
    """Whether a job has left the weights of the undisturbed script."""
    found, expected = digests(place / "outputs/job"), digests(place.parent / "alone")
    return f"{restarts(place)}, {'the same weights' if found == expected else f'OTHER WEIGHTS {found}'}"


def states() -> str:
    """The states of all jobs in the queue."""
    return said("squeue", "--noheader", "--format", "%T")


def hasten() -> None:
    """Lets jobs that were requeued begin in ten seconds; Slurm would wait for two minutes."""
    for line in said("squeue", "--noheader", "--states=PENDING", "--format", "%i %S").splitlines():
        job, _, start = line.partition(" ")
        if "N/A" not in start and datetime.fromisoformat(start) - datetime.now() > timedelta(seconds=30):
            said("scontrol", "update", f"JobId={job}", "StartTime=now+10")


def cancelled(flow: Path) -> str:
    """A job that is cancelled is not queued again; how the command tells its end."""
    place = flow.parent / "cancelled"
    submit = submitted(flow, place.name, SECONDS_PER_STEP="2")
    job = job_of(submit, place)
    wait_until(lambda: any(place.glob("outputs/job/sft/checkpoints/checkpoint-*")), 600, "no checkpoint")
    subprocess.run(["scancel", job], check=True)
    end(submit, place, status=1)
    return (place / "submit.txt").read_text().splitlines()[-1]


def seeded(flow: Path) -> str:
    """An array of two jobs, one for each seed."""
    place = flow.parent / "seeded"
    end(submitted(flow, place.name, "--seeds", "42,7"), place)
    alone = digests(flow.parent / "alone")["grpo"]
    first, second = (digests(place / f"outputs/job-seed-{seed}")["grpo"] for seed in (42, 7))
    return f"seed 42, the default: {'the same' if first == alone else 'OTHER'} weights; 7: others, {second != first}"


def shared(flow: Path) -> str:
    """A job of two processes, which share the batch; how far the first stage's weights are from those of one."""
    from safetensors.torch import load_file

    place = flow.parent / "shared"
    end(submitted(flow, place.name, "--launch", "processes=2"), place)
    folders = (flow.parent / "alone/sft", place / "outputs/job/sft", flow.parent / "model")
    one, two, before = (load_file(folder / "model.safetensors") for folder in folders)
    apart, moved = (max(float((one[name] - other[name]).abs().max()) for name in one) for other in (two, before))
    return f"at most {apart:.0e} apart, and {moved:.0e} from before training"


def demonstrated(flow: Path) -> str:
    """The demo of SmolLM2-135M, requeued while PPO trains, after SFT; it takes a quarter of an hour on two cores."""
    from ryven_llm_nodes.demo.story import prepare

    demo, stages = flow.parent / "demo", ("sft", "ppo", "dpo", "grpo")
    prepare(demo, print)
    alone = undisturbed(demo / "flow.json", stages)
    submit = submitted(demo / "flow.json", "job")
    job, store = job_of(submit, demo / "job"), demo / "job/outputs/job"
    print(f"  sbatch --test-only: {tested(demo / 'job')}", flush=True)
    wait_until(lambda: (store / "ppo").exists(), 1500, "PPO does not begin")
    time.sleep(20)
    subprocess.run(["scontrol", "requeue", job], check=True)
    end(submit, demo / "job")
    found = digests(store, stages)
    return f"{restarts(demo / 'job')}, {'the same weights' if found == alone else f'OTHER WEIGHTS {found} {alone}'}"


def end(submit: subprocess.Popen[str], place: Path, status: int = 0) -> None:
    """Waits for the end of a command and of its job."""
    wait_until(lambda: submit.poll() is not None, 1500, "submit does not end")
    if submit.returncode != status:
        raise RuntimeError(f"submit ended with {submit.returncode}: {(place / 'submit.txt').read_text()}")


def restarts(place: Path) -> str:
    job = re.search(r"job (\d+) is submitted", (place / "submit.txt").read_text())[1]
    return re.search(r"Restarts=\d+", said("scontrol", "show", "job", job))[0]


CASES = {case.__name__: case for case in (requeued, limited, cancelled, seeded, shared, demonstrated)}


def main(folder: str = "", *cases: str) -> None:
    """Prints what was seen of each job."""
    with ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory())).absolute()
        place.mkdir(parents=True, exist_ok=True)
        flow = draw(place)
        stack.enter_context(LocalSlurm(place / "slurm"))
        print(f"alone: {undisturbed(flow)}", flush=True)
        for case in cases or CASES:
            print(f"{case}: {CASES[case](flow)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
