"""PPO with weights that are spread over several processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from transformers import PreTrainedModel
from trl.models import prepare_deepspeed, prepare_fsdp

from .ppo import PPOTrainer
from .sharding import ShardedTrainer, gathered, set_gathered


class ShardedPPOTrainer(ShardedTrainer, PPOTrainer):
    """PPOTrainer whose reference is spread over the processes too, and whose value head is gathered for checkpoints.

    The bias of a calibrated value head is a buffer, of which every process has all.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.args.calibrate_values:
            bias = self.value_head._parameters.pop("bias")
            self.value_head.register_buffer("bias", bias.detach(), persistent=False)

    def _prepare_reference(self, ref_model: Any, policy: PreTrainedModel) -> nn.Module:
        model = super()._prepare_reference(ref_model, policy)
        if self.is_deepspeed_enabled:
            return prepare_deepspeed(model, self.accelerator)
        return prepare_fsdp(model, self.accelerator) if self.is_fsdp_enabled else model

    @contextmanager
    def _gathered_head(self) -> Iterator[None]:
        """Inside, the value head consists of gathered copies, whose values it takes over at the end."""
        own = self.value_head.learned()
        copies = [gathered(parameter) for parameter in own]
        self.value_head.learned = lambda: copies
        yield
        del self.value_head.learned
        for parameter, value in zip(own, copies, strict=True):
            set_gathered(parameter, value)

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        if state_dict is not None:  # DeepSpeed gathers all parameters, also those that are in no state dict
            state_dict = {name: tensor for name, tensor in state_dict.items() if "value_head." not in name}
        super()._save(output_dir, state_dict)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        with self._gathered_head():
            super()._save_optimizer_and_scheduler(output_dir)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with self._gathered_head():
            super()._load_optimizer_and_scheduler(checkpoint)
