"""The vLLM server that a stage generates with: where it is, and how it is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

HERE: Final = ("0.0.0.0", "127.0.0.1", "localhost")
"""The names of the machine of the first process, which is the one that talks to the server."""
SYNCHRONIZED: Final = (
    *("--weight-transfer-config", '{"backend": "nccl"}'),
    *("--logprobs-mode", "processed_logprobs", "--max-logprobs", "-1"),
)
"""What TRL's VLLMClient needs: weights can be sent, and log-probabilities are those of sampling, as many as wanted."""
MODE: Final = "VLLM_SERVER_DEV_MODE"
"""The variable that, set to 1, makes the server take weights."""


@dataclass(frozen=True)
class Server:
    """A server at ``address``, on ``gpus`` GPUs of its own; ``options`` are further ones of ``vllm serve``."""

    address: str
    gpus: int = 1
    options: tuple[str, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether it is on the machine of the first process, so that what starts the stage starts it, too."""
        return urlsplit(self.address).hostname in HERE

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return urlsplit(self.address).port or 80

    @property
    def arguments(self) -> tuple[str, ...]:
        """Those of ``vllm serve`` after the model. The server listens on its own machine alone: who reaches it can
        replace its weights.
        """
        place = ("--host", "127.0.0.1", "--port", str(self.port))
        return (*place, "--tensor-parallel-size", str(self.gpus), *self.options, *SYNCHRONIZED)
