"""What is written next to a script: job files that shell, Slurm and SkyPilot accept."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.program.launch.files import launch_files
from ryven_llm_nodes.program.launch.settings import Launch

DIRECTIVES = {
    *("job-name", "nodes", "ntasks-per-node", "gpus-per-node", "exclusive", "time", "signal", "requeue", "open-mode"),
    *("output", "array", "mem"),
}
"""Those of sbatch(1) that a job file may use; tests/benchmarks/bench_slurm.py asks Slurm itself."""
SKY = {
    *("name", "workdir", "num_nodes", "resources", "envs", "secrets", "file_mounts", "volumes", "setup", "run"),
    *("service", "config", "experimental"),
}
"""The fields of a task, as docs.skypilot.co/en/latest/reference/yaml-spec.html lists them."""
TWO = Launch({"processes": 8, "machines": 2, "strategy": "fsdp2"})


def files(data: Path, target: str, launch: Launch = TWO, **options: Any) -> dict[str, str]:
    """The files of the chain of four methods, by name."""
    program = flows.program(flows.chain(), data, launch=launch)
    made = launch_files(program, target, data / "job.py", **options)
    return {file.name: text for file, text in made.items()}


def test_accelerate_has_one_configuration_where_stages_are_launched_alike(data: Path) -> None:
    assert list(files(data, "accelerate")) == ["job.accelerate.yaml"]


def test_stages_that_differ_have_one_each_and_the_rest_comes_last(data: Path) -> None:
    launch = Launch({"processes": 2}, {"grpo": {"processes": 4, "strategy": "zero3"}})
    made = files(data, "slurm", launch)
    assert "job.sft.accelerate.yaml" in made
    assert "num_processes: 4" in made["job.grpo.accelerate.yaml"]
    launches = [line for line in made["job.sbatch"].splitlines() if line.startswith("launch job")]
    assert launches == [
        "launch job.sft.accelerate.yaml 1 2 --stage sft",
        "launch job.ppo.accelerate.yaml 1 2 --stage ppo",
        "launch job.dpo.accelerate.yaml 1 2 --stage dpo",
        "launch job.grpo.accelerate.yaml 1 4 --stage grpo",
        "launch job.accelerate.yaml 1 1",
    ]
    assert "#SBATCH --gpus-per-node=4" in made["job.sbatch"]


def test_a_job_file_of_slurm(data: Path, tmp_path: Path) -> None:
    text = files(data, "slurm", seeds=[1, 2, 3])["job.sbatch"]
    given = dict(re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", text, re.MULTILINE))
    assert set(given) <= DIRECTIVES
    assert (given["nodes"], given["gpus-per-node"], given["ntasks-per-node"]) == ("2", "8", "1")
    assert given["signal"] == "B:TERM@300"
    assert given["array"] == "0-2"
    assert text.index("#SBATCH") < text.index("set -euo"), "directives come before commands"
    assert "--resume" in text
    assert '--sft.seed "$SEED"' in text
    (tmp_path / "job.sbatch").write_text(text)
    subprocess.run(["bash", "-n", "job.sbatch"], cwd=tmp_path, check=True)


STANDINS = {
    "srun": 'while [ "${1#--}" != "$1" ]; do shift; done\nSLURM_NODEID=0 exec "$@"\n',
    "scontrol": 'echo "scontrol $*" >> calls\n[ "$1" = show ] && echo node1 || true\n',
    "accelerate": 'echo "accelerate $*" >> calls\n[ -e hang ] && exec sleep 30 || true\n',
    "squeue": "cat state\n",
}
"""Commands of a cluster of one node, which note how they were called."""


def run_job(folder: Path, text: str, **env: str) -> subprocess.Popen[str]:
    """Starts a job file as Slurm would."""
    (folder / "bin").mkdir(exist_ok=True)
    for name, body in STANDINS.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{body}")
        (folder / "bin" / name).chmod(0o755)
    (folder / "job.sbatch").write_text(text)
    slurm = {"SLURM_SUBMIT_DIR": str(folder), "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node1", **env}
    path = f"{folder / 'bin'}:/usr/bin:/bin"
    return subprocess.Popen(["bash", "job.sbatch"], cwd=folder, env={"PATH": path, **slurm}, text=True)


def test_a_job_launches_each_stage_and_ends(data: Path, tmp_path: Path) -> None:
    launch = Launch({"processes": 2, "strategy": "fsdp2"}, {"grpo": {"strategy": "ddp"}})
    assert run_job(tmp_path, files(data, "slurm", launch)["job.sbatch"]).wait(30) == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call for call in calls if call.startswith("accelerate")][:1] == [
        "accelerate launch --config_file job.sft.accelerate.yaml --num_machines 1 --num_processes 2 --machine_rank 0 "
        "--main_process_ip node1 --main_process_port 29500 job.py --output-dir outputs/job --resume --stage sft"
    ]
    assert len(calls) == 6
    assert not list((tmp_path / "outputs/job").iterdir()), "the mark of a shared folder is gone"


@pytest.mark.parametrize(("state", "status", "last"), [("RUNNING", 0, "scontrol requeue 7"), ("COMPLETING", 1, "")])
def test_a_job_that_is_told_to_stop_queues_itself_again_unless_it_was_cancelled(
    state: str, status: int, last: str, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "hang").touch()
    (tmp_path / "state").write_text(f"{state}\n")
    job = run_job(tmp_path, files(data, "slurm")["job.sbatch"])
    for _ in range(300):
        if (tmp_path / "calls").exists() and "accelerate" in (tmp_path / "calls").read_text():
            break
        with pytest.raises(subprocess.TimeoutExpired):
            job.wait(0.05)
    job.terminate()
    assert job.wait(10) == status
    assert (last or "accelerate launch") in (tmp_path / "calls").read_text().splitlines()[-1]


SERVED = {"use_vllm": True, "vllm_mode": "server", "vllm_tensor_parallel_size": 2}
SERVER = {
    "vllm": 'echo "vllm on $CUDA_VISIBLE_DEVICES: $*" >> calls\ntouch serving\n'
    "trap 'echo vllm stops >> calls; exit 0' TERM\nwhile true; do sleep 1; done\n",
    "python": '[ -e serving ] && echo "waited for ${@: -1}" >> calls && exit 0\nexit 1\n',
    "accelerate": 'echo "accelerate $*" >> calls\n[ "${@: -1}" != "$FAILS" ]\n',
    "sleep": "exec /bin/sleep 0.05\n",
}
"""Stand-ins for a server, for the question whether it is ready, and for what trains."""


def served(data: Path, **launch: Any) -> Program:
    """SFT, and GRPO on its model with a server."""
    drawn = flows.draw(
        "base -> sft, rows -> sft, sft -> grpo, chats -> grpo, variety -> grpo",
        base=flows.BASE,
        rows=flows.ROWS["sft"],
        sft=flows.TRAINERS["sft"],
        chats=flows.ROWS["grpo"],
        variety=flows.node(flows.RewardFunction, code=flows.REWARD),
        grpo=flows.node(flows.GRPO, **SERVED),
    )
    return flows.program(flows.launched(drawn, **launch), data)


def run_shell(data: Path, folder: Path, fails: str = "") -> tuple[int, list[str]]:
    """Exit status of the script for a shell, a stage of which ``fails``, and what it called: stand-ins."""
    for file, text in launch_files(served(data, processes=6), "accelerate", folder / "job.py").items():
        file.write_text(text)
    (folder / "bin").mkdir(exist_ok=True)
    for name, body in SERVER.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{body}")
        (folder / "bin" / name).chmod(0o755)
    env = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "FAILS": fails}
    done = subprocess.run(["bash", "job.sh"], cwd=folder, env=env, capture_output=True, timeout=60, check=False)
    return done.returncode, (folder / "calls").read_text().splitlines()


def test_a_server_is_started_waited_for_and_stopped(data: Path, tmp_path: Path) -> None:
    status, calls = run_shell(data, tmp_path)
    assert status == 0
    assert calls[:2] == [
        "accelerate launch --config_file job.accelerate.yaml job.py --output-dir outputs/job --resume --stage sft",
        "vllm on 6,7: serve outputs/job/sft --host 127.0.0.1 --port 8000 --tensor-parallel-size 2 "
        '--weight-transfer-config {"backend": "nccl"} --logprobs-mode processed_logprobs --max-logprobs -1',
    ]
    assert calls[2] == "waited for http://127.0.0.1:8000/health"
    assert calls[3].endswith("--resume --stage grpo")
    assert calls[4] == "vllm stops"
    assert calls[5].endswith("--output-dir outputs/job --resume"), "what belongs to no stage comes last"


def test_a_server_does_not_outlive_a_stage_that_fails_and_none_is_for_a_finished_one(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "outputs/job/grpo").mkdir(parents=True)
    (tmp_path / "outputs/job/grpo/finished").touch()
    status, calls = run_shell(data, tmp_path)
    assert (status, [call for call in calls if call.startswith("vllm")]) == (0, [])
    (tmp_path / "outputs/job/grpo/finished").unlink()
    status, calls = run_shell(data, tmp_path, fails="grpo")
    assert (status, calls[-1]) == (1, "vllm stops")


def test_a_job_has_gpus_for_the_server(data: Path) -> None:
    made = launch_files(served(data, processes=6), "slurm", data / "job.py")
    text = next(text for file, text in made.items() if file.suffix == ".sbatch")
    assert "#SBATCH --gpus-per-node=8" in text
    assert 'serve 2 8 8000 "$OUTPUT"/sft' in text
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_what_does_not_start_servers_says_so(data: Path) -> None:
    with pytest.raises(UsageError, match=r"grpo generates with a vLLM server, which only slurm and accelerate start"):
        launch_files(served(data), "skypilot", data / "job.py")
    with pytest.raises(UsageError, match=r"there are 2 machines, each of which has to be started; use --launch slurm"):
        launch_files(served(data, machines=2), "accelerate", data / "job.py")


def test_a_task_of_skypilot(data: Path) -> None:
    import yaml

    task = yaml.safe_load(files(data, "skypilot", gpu="A100-80GB", seeds=[1, 2])["job.sky.yaml"])
    assert set(task) <= SKY
    assert task["num_nodes"] == 2
    assert task["resources"]["accelerators"] == "A100-80GB:8"
    assert "trl>=" in task["setup"]
    lines = task["run"].splitlines()
    assert len(lines) == 3
    assert '--machine_rank "$SKYPILOT_NODE_RANK"' in lines[1]
    assert "--output-dir /outputs/seed-1 --resume --sft.seed 1" in lines[1]
    subprocess.run(["bash", "-n"], input=task["run"] + task["setup"], text=True, check=True)


def fetching(data: Path, **rows: Any) -> str:
    """The job file of SFT with a model and rows of the Hub."""
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=flows.node(flows.LoadModel, path="owner/model", revision="v2"),
        rows=flows.node(flows.LoadDataset, path="owner/rows", **rows),
        sft=flows.node(flows.SFT),
    )
    made = launch_files(flows.program(flows.launched(drawn, processes=2), data), "slurm", data / "job.py")
    return next(text for file, text in made.items() if file.suffix == ".sbatch")


def test_what_is_of_the_hub_is_loaded_before_and_the_rest_needs_no_network(data: Path) -> None:
    own = files(data, "slurm")["job.sbatch"]
    assert "hf download" not in own
    assert "python -c" not in own
    assert "export HF_HUB_OFFLINE=1" in own
    lines = fetching(data, config="small").splitlines()
    start = lines.index("hf download owner/model --revision v2 > /dev/null")
    assert lines[start + 1 : start + 4] == [
        "python -c 'from datasets import load_dataset",
        """load_dataset("owner/rows", "small", split="train")' > /dev/null""",
        "export HF_HUB_OFFLINE=1",
    ]


def test_rows_that_are_streamed_need_a_network(data: Path) -> None:
    text = fetching(data, streaming=True, limit=100)
    assert "hf download owner/model" in text
    assert "HF_HUB_OFFLINE" not in text


def test_there_are_three_targets(data: Path) -> None:
    with pytest.raises(UsageError, match="there are accelerate, slurm, skypilot"):
        files(data, "slrm")
