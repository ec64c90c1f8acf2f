"""Training with weights that are spread over several processes: generating and saving together."""

import shutil
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedModel, Trainer
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from .adapters import ADAPTER_FOLDER, fixed_logits, merge_adapter, on_original_weights, require_same_logits
from .stages import refuse_untrained


class ShardedTrainer(Trainer):
    """What a trainer does otherwise if its weights are spread over the processes by FSDP or DeepSpeed.

    Every process loads all weights first, and keeps its part of them when training begins: so models can be copied,
    merged and scored with as in a single process.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        unset_hf_deepspeed_config()  # or DeepSpeed would spread whatever is loaded from now on
        super().__init__(*args, **kwargs)

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_for_training(*args, **kwargs)
        unset_hf_deepspeed_config()  # which accelerate has set again
        # so that a process whose completions have ended takes part in those of the others
        self.accelerator.unwrap_model(self.model)._is_fsdp_managed_module = True
        return prepared

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the model, with all weights gathered; once it is trained, open the files and count the weights."""
        if _internal_call:  # of a checkpoint
            super().save_model(output_dir, _internal_call)
            return
        plugin = getattr(self.accelerator.state, "fsdp_plugin", None)
        kind = getattr(plugin, "state_dict_type", None)
        if plugin is not None:  # or nothing would be written
            plugin.set_state_dict_type("FULL_STATE_DICT")
        super().save_model(output_dir)
        if plugin is not None:
            plugin.state_dict_type = kind
        if self.accelerator.is_main_process:
            require_all_weights(self.accelerator.unwrap_model(self.model), Path(output_dir or self.args.output_dir))


def sharded(trainer_class: type[Trainer]) -> type[Trainer]:
    """The same trainer for weights that are spread over several processes."""
    return type(trainer_class.__name__, (ShardedTrainer, trainer_class), {})


def require_all_weights(model: PreTrainedModel, folder: Path) -> None:
    """Raise RuntimeError unless the files in `folder` hold as many weights as the model has on all processes."""
    tensors = {id(tensor): tensor for tensor in model.state_dict(keep_vars=True).values()}  # tied ones once
    wanted = sum(getattr(tensor, "ds_numel", tensor.numel()) for tensor in tensors.values())
    found = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            found += sum(torch.Size(opened.get_slice(name).get_shape()).numel() for name in list(opened.keys()))
    if found != wanted:
        raise RuntimeError(
            f"{folder} holds {found} weights, and the trained model has {wanted}: it was saved incompletely. Its last "
            "checkpoint is complete; run again to resume from it."
        )


def save_merged_sharded(trainer: Trainer, folder: Path, keep_adapter: bool = False) -> None:
    """Write the trained policy, its LoRA adapter merged into it, and its tokenizer.

    All processes give their parts of the adapter; the first one merges it into the weights that training started from.
    The stage is finished only if the model, reloaded from the folder, gives the logits of the trained policy.
    """
    refuse_untrained(trainer)
    policy = trainer.accelerator.unwrap_model(trainer.model).eval()
    expected = fixed_logits(policy)
    learned = {
        name.replace("_checkpoint_wrapped_module.", ""): gathered(parameter)
        for name, parameter in policy.named_parameters()
        if parameter.requires_grad
    }
    if PartialState().is_main_process:
        policy.save_pretrained(folder / ADAPTER_FOLDER, state_dict=learned)
        merged = merge_adapter(on_original_weights(policy, folder / ADAPTER_FOLDER, trainer.args))
        merged.save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
        require_same_logits(merged, folder, expected)
        if not keep_adapter:
            shutil.rmtree(folder / ADAPTER_FOLDER)


@torch.no_grad()
def gathered(parameter: nn.Parameter) -> torch.Tensor:
    """All of a parameter, on every process; all processes have to ask for it."""
    if hasattr(parameter, "ds_id"):  # DeepSpeed, stage 3
        import deepspeed

        with deepspeed.zero.GatheredParameters([parameter]):
            return parameter.detach().clone().cpu()
    whole = parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter
    return whole.detach().cpu()


@torch.no_grad()
def set_gathered(parameter: nn.Parameter, value: torch.Tensor) -> None:
    """Give a parameter the value of `gathered`; each process takes its own part of it."""
    if hasattr(parameter, "ds_id"):
        import deepspeed

        with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
            parameter.copy_(value)
    elif hasattr(parameter, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        value = value.to(parameter.device_mesh.device_type)
        parameter.copy_(distribute_tensor(value, parameter.device_mesh, parameter.placements))
    else:
        parameter.copy_(value)
