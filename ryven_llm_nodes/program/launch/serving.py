"""The vLLM servers of stages that generate with one: started before the stage, waited for, and stopped after it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.catalogue.serving import MODE, Server
from ryven_llm_nodes.program.build import Program
from ryven_llm_nodes.program.graph import Step


@dataclass(frozen=True)
class Serving:
    """A server and, as a word of a shell, the model that it starts with: the one that the stage starts from."""

    server: Server
    model: str


def servings(program: Program, folder: Path) -> dict[str, Serving]:
    """The servers that are to be started with stages, by the name of the stage, for a script in ``folder``."""
    found = {}
    for step in program.steps:
        server = step.node.server(program.context(step)) if step.node.is_stage else None
        if server and server.is_here:
            found[step.name] = Serving(server, _model(program, step, folder))
    return found


def _model(program: Program, step: Step, folder: Path) -> str:
    source = program.graph.by_name[step.wires["model"].step]
    if source.node.is_stage:
        return f'"$OUTPUT"/{quote(source.name)}'
    location = location_of(program, source)
    if is_local(location, program.graph.root):
        place = os.path.relpath(resolve(location, program.graph.root), folder.resolve())
        return quote(place)
    return quote(location)


def location_of(program: Program, source: Step) -> str:
    """The Hub id or path of the model that ``source`` stands for; a word in its place where it has none."""
    model = source.node.pretrained(program.context(source))
    return model.location if model else "MODEL"


def command(server: Server, model: str) -> str:
    """What starts a server by hand; ``model`` is a word of a shell."""
    return f"{MODE}=1 vllm serve {model} {' '.join(map(quote, server.arguments))}"


def functions() -> Iterator[str]:
    """The functions of a shell that start and stop a server. A server that ends early ends the script."""
    yield "SERVER="
    yield "serve() {  # GPUS OF PORT MODEL [ARGUMENTS]: on the last GPUS of OF, which no process of the stage uses"
    yield "    local all=${CUDA_VISIBLE_DEVICES:-$(seq -s , 0 $(($2 - 1)))} gpus=$1 port=$3; shift 3"
    yield '    CUDA_VISIBLE_DEVICES=$(tr , \'\\n\' <<< "$all" | tail -n "$gpus" | paste -s -d , -) \\'
    yield f'        {MODE}=1 vllm serve "$@" > "$OUTPUT/vllm.log" 2>&1 &'
    yield "    SERVER=$!"
    yield (
        "    until python -c 'import sys, urllib.request as web; web.urlopen(sys.argv[1], timeout=2)' "
        '"http://127.0.0.1:$port/health" 2> /dev/null; do'
    )
    yield '        kill -0 "$SERVER" 2> /dev/null || { echo "vLLM has ended: $OUTPUT/vllm.log" >&2; exit 1; }'
    yield "        sleep 2"
    yield "    done"
    yield "}"
    yield 'stop_server() { [ -z "$SERVER" ] || { kill "$SERVER" || true; wait "$SERVER" || true; SERVER=; }; }'
    yield "trap stop_server EXIT"


def served(stage: str, serving: Serving, processes: int, launches: Sequence[str]) -> Iterator[str]:
    """The lines that launch a stage while its server runs; nothing is started for a stage that is finished."""
    server = serving.server
    gpus = f"{server.gpus} {server.gpus + processes} {server.port}"
    yield f'if [ ! -e "$OUTPUT"/{quote(stage)}/finished ]; then'
    yield f"    serve {gpus} {serving.model} {' '.join(map(quote, server.arguments))}"
    yield from (f"    {line}" for line in launches)
    yield "    stop_server"
    yield "fi"
