"""Flow files as a stranger could make them; ``guard.py`` sees what they do.

``files(seed, count)`` makes the same files for the same seed. Every one that would do something when it is read, such
as a pickle or code at module level, would make the file ``CANARY`` in the current folder.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import pickletools
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flows
from flows import BASE, FAST, REWARD, ROLLOUT, ROWS, draw, node

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    PPO,
    SFT,
    CombineRewards,
    ExportScript,
    LoadModel,
    LoRA,
    RewardFunction,
    RewardModel,
    SaveModel,
)
from ryven_llm_nodes.program.carried import OPENING, ROOT, flow_comment
from ryven_llm_nodes.program.pickles import PICKLED

CANARY = "canary"
EVIL = f"open({CANARY!r}, 'w').close()"
SHELL = f"touch {CANARY}"


# What is put in


class _Evil:
    def __reduce__(self) -> Any:
        return os.system, (SHELL,)


class _Exec:
    def __reduce__(self) -> Any:
        return exec, (EVIL,)


def _opcode(info: pickletools.OpcodeInfo) -> bytes:
    """A stream with this opcode and an argument that suits it, before and after what would run a command."""
    argument = b""
    if info.arg is not None:
        size = info.arg.n
        argument = {-1: b"os\nsystem\n", -2: b"\2os", -3: struct.pack("<i", 2) + b"os"}.get(size, b"\1" * max(size, 0))
        if info.arg.name.endswith("nl_noescape") or info.arg.name.endswith("nl"):
            argument = b"1\n"
        if info.arg.name == "stringnl_noescape_pair":
            argument = b"os\nsystem\n"
    return (
        b"\x80\x04("
        + info.code.encode("latin-1")
        + argument
        + b"cos\nsystem\n(X"
        + struct.pack("<i", len(SHELL))
        + SHELL.encode()
        + b"tR."
    )


PICKLES = [
    *(base64.b64encode(pickle.dumps(evil(), protocol)).decode() for evil in (_Evil, _Exec) for protocol in range(6)),
    *(base64.b64encode(_opcode(info)).decode() for info in pickletools.opcodes),
    *(base64.b64encode(pickle.dumps(value)).decode() for value in ({}, [1], "x", 10**400, (1, (2,)))),
    base64.b64encode(b"\x80\x04" + b"]" * 100_000 + b".").decode(),
    base64.b64encode(b"\x80\x04" + b"(" * 100_000 + b"t" * 100_000 + b".").decode(),
    base64.b64encode(b"\x80\x04\x8a\xff" + b"\xff" * 255 + b".").decode(),
    base64.b64encode(b"\x80\x04\x8e" + b"\xff" * 8 + b"x.").decode(),
    base64.b64encode(b"\x80\x04B\xff\xff\xff\x7fx.").decode(),
    base64.b64encode(b"I" + b"9" * 10_000 + b"\n.").decode(),
    base64.b64encode(b"L" + b"9" * 10_000 + b"L\n.").decode(),
    "",
    "!",
    "gAR9",
    "\0",
    "AAAA" * 10_000,
]
PATHS = [
    "../../x", "../" * 300 + "etc/passwd", "/etc/passwd", "/etc/shadow", "/dev/zero", "/dev/random", "/dev/tty",
    "/dev/stdin", "/proc/self/environ", "/proc/kmsg", "C:\\x", "C:/x", "C:x", "\\\\host\\share\\x", "//host/share/x",
    "~", "~/.ssh/authorized_keys", "~root/x", "~nobody-there/x", ".", "..", "/", "", " ", "-", "--help", "a/../../b",
    "x" * 300, "x/" * 3000, "\0", "a\0b", "\ud800", "\u202e", "CON", "NUL", "aux.json", "file:///etc/passwd",
    "https://example.com/x.jsonl", "http://169.254.169.254/latest", "s3://bucket/x.jsonl", "hf://a/b/x.jsonl",
    "zip://*::http://example.com/x.zip", "a::b", "/**/*.jsonl", "**/*", "/**/**/**/*.json", "[" * 1000, "*" * 1000,
    "{a,b}", "$HOME/x", "%APPDATA%\\x", "$(touch canary)", "`touch canary`", "; touch canary", "| touch canary",
    "pipe.jsonl", "loop.jsonl", "zero.jsonl", "loop", "pipe", "model\n", "a/b/../../../c", "./model/../../x",
]  # fmt: skip
CODE = [
    EVIL,
    f"{EVIL}\n{REWARD}",
    f"@{EVIL}\ndef f(completions, **kw): ...",
    f"def f(completions, x={EVIL}, **kw): ...",
    f"def f(completions, **kw) -> {EVIL}: ...",
    f"class C:\n    {EVIL}\n{REWARD}",
    f"class C(metaclass=lambda *a: {EVIL}): ...\n{REWARD}",
    f"X = [{EVIL} for _ in range(1)]\n{REWARD}",
    f"{REWARD}\nif True:\n    {EVIL}", f'"""\n{REWARD}"""; {EVIL}\n{REWARD}',
    f"'); {EVIL} #", f'"); {EVIL} #', f'"""\n{EVIL}\n"""', f"\n\n{EVIL}\n", f"{{{EVIL}}}",
    "{0.__class__.__init__.__globals__}",
    f"{{{{ cycler.__init__.__globals__.os.system('{SHELL}') }}}}",
    f"__import__('os').system('{SHELL}')",
    "import os as main\n" + REWARD,
    "(" * 500 + ")" * 500, "(" * 100_000, "x = " + "-" * 100_000 + "1",
    "if 1:\n" + "".join(" " * i + "if 1:\n" for i in range(1, 150)),
    "lambda: " * 10_000 + "0",
    "\0", "\ud800", "\x0c", "a\rb", "# coding: utf-7\n+AAo-", "# -*- coding: rot13 -*-\n",
    "9" * 10_000, "f'" * 1000, "\\N{" * 1000, "def " + "x" * 100_000 + "(**k): ...", "async def f(**k): await f",
    "from __future__ import braces", "from x import *\n" + REWARD, "# /// script\n# ///\n" + REWARD,
]  # fmt: skip
ODD = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 0.5, -0.0, float("nan"), float("inf"), float("-inf"),
    1e308, "", " ", "x", "0", "true", "x" * 1_000_000, "\n" * 1000, "é" * 1000, "\u2028", "\ud800", "%s%s%n", "{}",
    [], {}, [None], [[]], {"": {}}, {"x": [1, {"y": None}]}, [0] * 10_000, {str(i): i for i in range(5000)},
]  # fmt: skip


def nested(depth: int, kind: str = "[") -> Any:
    """Lists or dictionaries, one in the other."""
    value: Any = 0
    for _ in range(depth):
        value = [value] if kind == "[" else {"x": value}
    return value


ODD += [nested(15), nested(30), nested(500), nested(15, "{"), nested(900, "{")]
SECRETS = ["hf_" + "A" * 34, "https://me:word@example.com"]


# What it is put into


def _bases() -> list[dict[str, Any]]:
    """Flows with every kind of node, as Ryven itself saves them, with pickles at every place that has them."""
    rewards = {"score": node(RewardFunction, code=REWARD), "judge": node(RewardModel, path="a/b", revision="v1")}
    outputs = {"final": node(SaveModel, folder="final"), "script": node(ExportScript, path="p.py")}
    grpo = draw(
        "base -> grpo, rows -> grpo, score -> mix, judge -> mix, mix -> grpo, grpo -> final, grpo -> script",
        base=node(LoadModel, path="model", dtype="bfloat16"), rows=ROWS["grpo"], **rewards, mix=node(CombineRewards),
        grpo=node(GRPO, **ROLLOUT, num_generations=4), **outputs,
    )  # fmt: skip
    dpo = draw(
        "base -> sft, text -> sft, lora -> sft, sft -> dpo, base -> dpo.reference, pairs -> dpo, dpo -> final",
        base=BASE, text=ROWS["sft"], lora=node(LoRA, target_modules="q_proj, v_proj"),
        sft=node(SFT, **FAST, chat_template_path="a/b", run_name="r"), pairs=ROWS["dpo"], dpo=node(DPO, **FAST),
        final=outputs["final"],
    )  # fmt: skip
    ppo = draw(
        "base -> ppo, rows -> ppo, score -> ppo, ppo -> final",
        base=node(LoadModel, path="owner/name", revision="main", trust_remote_code=True, attn_implementation="a/b"),
        rows=ROWS["ppo"], score=rewards["score"], final=outputs["final"],
        ppo=node(PPO, **ROLLOUT, push_to_hub=True, hub_model_id="a/b", report_to="wandb", model_init_kwargs={"x": 1}),
    )  # fmt: skip
    return [_as_saved(drawn) for drawn in (grpo, dpo, ppo, flows.alone("sft"))]


def _as_saved(drawn: dict[str, Any]) -> dict[str, Any]:
    empty = base64.b64encode(pickle.dumps({})).decode()
    (flow,) = drawn["flows"].values()
    for placed in flow["nodes"]:
        placed["outputs"] = [{"type": "data", "label": "", "GID": 9, "data": {"serialized": empty, "identifier": "d"}}]
        placed["inputs"] = [{"type": "data", "label": "", "GID": 9, "has widget": True, "widget data": empty}]
        placed |= {"main widget data": empty, "display title": "x", "unconnected ports hidden": False}
    drawn[ROOT] = "."
    return drawn


BASES = [json.dumps(drawn) for drawn in _bases()]
Place = tuple[Any, Any]


def places(data: Any) -> list[Place]:
    """Every place of a tree: the container, and the key or index."""
    found: list[Place] = []
    todo = [data]
    while todo:
        item = todo.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        found += [(item, key) for key in keys]
        todo += [item[key] for key in keys]
    return found


def _nodes(data: Any) -> list[dict[str, Any]]:
    return [placed for flow in data["flows"].values() for placed in flow["nodes"]]


# The ways to spoil it. Each takes a random generator and gives the bytes of a file.


def flipped(rng: random.Random) -> bytes:
    """Bits, bytes and slices of a good file are changed, doubled, removed, or cut off."""
    text = bytearray(rng.choice(BASES).encode())
    for _ in range(rng.choice((1, 1, 2, 5, 50))):
        at = rng.randrange(len(text))
        end = min(at + rng.randrange(1, 40), len(text))
        kind = rng.randrange(6)
        if kind == 0:
            text[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            text[at] = rng.randrange(256)
        elif kind == 2:
            del text[at:end]
        elif kind == 3:
            text[at:at] = text[at:end]
        elif kind == 4:
            text[at:end] = rng.choice(
                (b'"', b"{", b"[", b"}", b"]", b"null", b"NaN", b"1e999", b"9" * 5000, b"\\ud800")
            )
        elif len(text) > 400:
            del text[at:]
            break
    return bytes(text or b"{")


def exchanged(rng: random.Random) -> bytes:
    """Something else stands at one to three places, whatever is wanted there."""
    data = json.loads(rng.choice(BASES))
    for _ in range(rng.choice((1, 1, 2, 3))):
        container, key = rng.choice(places(data))
        action = rng.randrange(10)
        if action == 0 and isinstance(container, dict):
            container.pop(key, None)
        elif action == 1 and isinstance(container, dict) and key in container:
            container[rng.choice((str(key).upper(), "", "\0", "x" * 1000, "__class__"))] = container.pop(key)
        else:
            container[key] = rng.choice(rng.choice((ODD, ODD, PATHS, CODE, PICKLES, SECRETS)))
    return _dump(data)


def doubled(rng: random.Random) -> bytes:
    """A key stands twice: the first one harmless, the second one not."""
    text = rng.choice(BASES)
    key = rng.choice(
        ('"state data": ', '"identifier": ', '"params": ', '"flows": ', '"nodes": ', '"name": ', '"path": ')
    )
    value = json.dumps(rng.choice(rng.choice((PICKLES, ODD[:20], CODE[:12], PATHS))))
    at = text.find(key) if rng.random() < 0.5 else text.rfind(key)
    return (
        f"{text[:at]}{key}{value}, {text[at:]}" if rng.random() < 0.5 else _after(text, at, f"{key}{value}")
    ).encode("utf-8", "surrogatepass")


def _after(text: str, at: int, more: str) -> str:
    end = text.find(", ", at)
    return f"{text[:end]}, {more}{text[end:]}"


def pickled(rng: random.Random) -> bytes:
    """A pickle at a place where Ryven keeps them, or anywhere."""
    data = json.loads(rng.choice(BASES))
    holders = [(c, k) for c, k in places(data) if k in PICKLED]
    for _ in range(rng.choice((1, 1, 3))):
        container, key = rng.choice(holders)
        container[key] = rng.choice(PICKLES)
    if rng.random() < 0.3:
        rng.choice(_nodes(data))[rng.choice(sorted(PICKLED))] = rng.choice(
            (*PICKLES, nested(50), [rng.choice(PICKLES)])
        )
    return _dump(data)


def led_astray(rng: random.Random) -> bytes:
    """Paths that lead elsewhere, in everything that is a path, a name, or a title."""
    data = json.loads(rng.choice(BASES))
    for _ in range(rng.choice((1, 2, 4))):
        path = rng.choice(PATHS)
        kind = rng.randrange(6)
        if kind == 0:
            data[ROOT] = path
        elif kind == 1:
            data["flows"] = {path: next(iter(data["flows"].values()))}
        elif kind == 2:
            rng.choice(_nodes(data))["additional data"]["name"] = path
        elif kind == 3:
            data["required packages"] = [{"name": path, "dir": path}]
        else:
            params = rng.choice(_nodes(data))["additional data"]["params"]
            texts = [name for name, value in params.items() if isinstance(value, str)]
            params[rng.choice([*texts, "path", "folder", "chat_template_path", "run_name", "logging_dir"])] = path
    return _dump(data)


def coded(rng: random.Random) -> bytes:
    """Code wherever a flow holds text, and most of all where it holds code."""
    data = json.loads(rng.choice(BASES))
    for placed in _nodes(data):
        params = placed["additional data"]["params"]
        for name in [name for name, value in params.items() if isinstance(value, str) and rng.random() < 0.4]:
            params[name] = rng.choice(CODE)
        if "code" in params:
            params["code"] = rng.choice(CODE)
        if rng.random() < 0.1:
            placed["additional data"]["name"] = rng.choice(CODE)
    return _dump(data)


def carried(rng: random.Random) -> bytes:
    """A script whose comment carries a flow, spoiled in one way or another."""
    project = json.loads(rng.choice(BASES))
    for container, key in rng.sample(places(project), rng.randrange(3)):
        container[key] = rng.choice(rng.choice((ODD, PATHS, CODE, PICKLES)))
    comment = rng.choice(
        (
            lambda: flow_comment(project),
            lambda: flow_comment(project)[: rng.randrange(len(OPENING), len(OPENING) + 900)],
            lambda: _bomb(rng),
            lambda: f"{OPENING}\n# {rng.choice(('', '!', 'AAAA', 'eJwDAAAAAAE=', 'é', chr(0)))}",
            lambda: _flipped_text(flow_comment(project), rng),
            lambda: f"{OPENING}\n{OPENING}\n{flow_comment(project)}\n{OPENING}",
            lambda: f"{flow_comment(project)}\n{EVIL}",
            lambda: (
                OPENING + "\n# " + base64.b64encode(zlib.compress(rng.choice((b"", b"[", b"null", b"\xff")))).decode()
            ),
        )
    )()
    before = rng.choice((EVIL, "", '"""', "import os\n", "\0", REWARD))
    return f"{before}\n{comment}\n".encode("utf-8", "surrogatepass")


def _bomb(rng: random.Random) -> str:
    plain = rng.choice((b"[", b'{"x":', b" ", b"\0")) * 40_000_000
    return f"{OPENING}\n# {base64.b64encode(zlib.compress(plain, 1)).decode()}"


def _flipped_text(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(OPENING) + 3, len(text))
    return text[:at] + rng.choice("A+/=\n#é") + text[at + rng.randrange(2) :]


def huge(rng: random.Random) -> bytes:
    """Little that means much, or nothing at all."""
    return rng.choice(
        (
            lambda: b"[" * 200_000,
            lambda: b'{"flows": ' * 50_000,
            lambda: b'{"flows": {"a": {"nodes": ' + b"[" * 900 + b"]" * 900 + b"}}}",
            lambda: b'{"flows": {"a": {"nodes": [' + b"{}, " * 20_000 + b"{}]}}}",
            lambda: _dump(_many_nodes(rng.randrange(100, 300))),
            lambda: b'{"flows": {"a": {"nodes": [], "x": ' + b"9" * rng.randrange(4000, 100_000) + b"}}}",
            lambda: b'{"flows": {' + b", ".join(b'"%d": {}' % i for i in range(5000)) + b"}}",
            lambda: rng.randbytes(rng.randrange(5000)),
            lambda: b"\x00" * 1_000_000,
            lambda: b"\xef\xbb\xbf{}",
            lambda: rng.choice(BASES).encode("utf-16"),
            lambda: b'"' + b"x" * 5_000_000 + b'"',
            lambda: b"",
        )
    )()


def _many_nodes(count: int) -> Any:
    nodes = {f"n{i}": BASE if i % 2 else node(SFT, **FAST) for i in range(count)}
    return draw(", ".join(f"n{i + 1} -> n{i}" for i in range(0, count - 1, 2)), **nodes)


def _dump(data: Any) -> bytes:
    return json.dumps(data).encode()


WAYS: dict[str, Callable[[random.Random], bytes]] = {
    way.__name__: way for way in (flipped, exchanged, doubled, pickled, led_astray, coded, carried, huge)
}
SHARES = {
    "flipped": 4,
    "exchanged": 6,
    "doubled": 2,
    "pickled": 4,
    "led_astray": 5,
    "coded": 3,
    "carried": 3,
    "huge": 1,
}


def files(seed: int, count: int, folder: Path, ways: tuple[str, ...] = tuple(SHARES)) -> Iterator[tuple[str, Path]]:
    """``count`` files, one after the other at the same place, with what was done to each."""
    rng = random.Random(f"hostile {seed}")
    for number in range(count):
        (way,) = rng.choices(ways, [SHARES[way] for way in ways])
        place = folder / ("flow.py" if way == "carried" else "flow.json")
        place.write_bytes(WAYS[way](rng))
        yield f"{way} {seed}.{number}", place
