"""By hand: SkyPilot itself reads the task file of `export --launch skypilot`, without a network or a cloud.

    python tests/benchmarks/bench_skypilot.py SKY

SKY is the Python of an environment that has SkyPilot, which this one need not have. Its ``Task.from_yaml`` is asked
what it has understood, and then ``sky launch --dryrun`` what it would start, with a home folder of its own; the latter
needs a cloud that is set up.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import flows

from ryven_llm_nodes.program.launch.files import launch_files
from ryven_llm_nodes.program.launch.settings import Launch

READ = """
import sys
import sky
task = sky.Task.from_yaml(sys.argv[1])
(resources,) = task.resources
print("SkyPilot", sky.__version__, "reads", task.name, "on", task.num_nodes, "nodes with", resources.accelerators)
print("mounts", list(task.storage_mounts or {}), "setup", bool(task.setup), "run", len(task.run.splitlines()), "lines")
"""


def write_task(folder: Path) -> Path:
    """The task of four methods on two machines of eight GPUs, with all that its working folder holds."""
    flows.write_data(folder)
    flows.write_hollow_model(folder / "model")
    launch = Launch({"processes": 8, "machines": 2, "strategy": "fsdp2"})
    program = flows.program(flows.chain(), folder, launch=launch)
    files = launch_files(program, "skypilot", folder / "job.py", seeds=[1, 2])
    for file, text in files.items():
        file.write_text(text)
    (folder / "job.py").write_text(program.script_for(folder).text)
    return list(files)[-1]


def main(python: str) -> None:
    """Prints what SkyPilot says."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "work")
        place.mkdir()
        task = write_task(place)
        env = {**os.environ, "HOME": folder, "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
        sky = str(Path(python).with_name("sky"))
        commands = {
            "Task.from_yaml": [python, "-c", READ, task.name],
            "sky launch --dryrun": [sky, "launch", "--dryrun", "--yes", task.name],
            "sky api stop": [sky, "api", "stop"],  # the server that the one before has started
        }
        for name, command in commands.items():
            done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, timeout=300, check=False)
            print(f"{name}: exit status {done.returncode}\n{(done.stdout + done.stderr).strip()}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
