"""PPO for language models on top of TRL: one completion per prompt, a value head, per-token KL, GAE.

`PPOTrainer` is TRL's `GRPOTrainer` with PPO's rollout and PPO's loss; generation, reward functions and
models, LoRA, logging, callbacks and checkpoints are GRPO's. One round of training:

    1. generate     a completion per prompt, scored by the reward functions and models
    2. evaluate     log-probabilities under policy and reference, values of the value head
    3. reward       the score on the last token, a KL penalty on every token
    4. advantages   by GAE; the returns are the targets of the value head
    5. optimise     several passes over the rollout in minibatches: clipped losses, entropy bonus

Papers: PPO, arXiv 1707.06347. GAE, arXiv 1506.02438. InstructGPT, arXiv 2203.02155.
"""

import copy
import inspect
import os
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import PreTrainedModel
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head, create_model_from_path

from .ppo_config import PPOConfig
from .ppo_critic import FOLDS, ValueHead, fit, fold_products
from .ppo_math import (
    explained_variance,
    gae,
    length_adaptive_lam,
    masked_mean,
    masked_variance,
    masked_whiten,
    per_token_rewards,
    policy_loss,
    value_loss,
)
from .ppo_rewards import RunningScores


class PPOTrainer(GRPOTrainer):
    """Trains a language model with PPO against reward functions and reward models.

    The arguments are GRPOTrainer's (text only), with `args` a [`PPOConfig`], and `ref_model`: the model,
    folder or Hub id that the KL penalty compares with. By default a frozen copy of the initial
    policy; with LoRA the base model, i.e. the policy with its adapter disabled.

    A completion for which every reward function returned None is left out of the losses. A checkpoint also
    contains the value head and the current rollout: resuming from any step is bit-exact.

    Advantages are whitened over the rollouts of all processes, and a loss is the mean over all tokens of an optimizer
    step: neither gradient accumulation nor the number of processes changes what is learned.
    """

    _tag_names: ClassVar[list] = ["trl", "ppo"]
    _name = "PPO"
    _paper: ClassVar[dict] = {"title": "Proximal Policy Optimization Algorithms", "id": "1707.06347"}

    def __init__(
        self,
        model: str | os.PathLike | PreTrainedModel,
        reward_funcs: Any,
        args: PPOConfig | None = None,
        ref_model: str | os.PathLike | PreTrainedModel | None = None,
        **kwargs: Any,
    ) -> None:
        model = os.fspath(model) if isinstance(model, os.PathLike) else model
        super().__init__(model, reward_funcs, args or PPOConfig(), **kwargs)
        is_peft = hasattr(self.model, "get_base_model")
        policy = self.model.get_base_model() if is_peft else self.model
        ref_model = None if ref_model is model else ref_model  # freezing it would freeze the policy
        if ref_model is not None or not is_peft:
            self.ref_model = self._prepare_reference(ref_model, policy)
        if not hasattr(policy, "value_head"):
            policy.value_head = ValueHead(policy).to(self.accelerator.device)
        self.value_head = policy.value_head
        self.running_scores = RunningScores()
        self.takes_position_ids = "position_ids" in inspect.signature(policy.forward).parameters

    def _prepare_reference(self, ref_model: Any, policy: PreTrainedModel) -> nn.Module:
        if ref_model is None:
            ref_model = copy.deepcopy(policy)
            ref_model.__dict__.pop("forward", None)  # TRL's patched forward would still use the policy's weights
        elif not isinstance(ref_model, nn.Module):
            load_kwargs = {"trust_remote_code": self.args.trust_remote_code, **(self.args.model_init_kwargs or {})}
            load_kwargs["device_map"] = None
            ref_model = create_model_from_path(os.fspath(ref_model), **load_kwargs)
        ref_model.eval().requires_grad_(False)
        add_fused_lm_head(ref_model, self.temperature, self.args.cast_lm_head_to_fp32)
        return self.accelerator.prepare_model(ref_model, evaluation_mode=True)

    # Step 1: generate and score ---------------------------------------------------------------------------

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        rewards = super()._calculate_rewards(*args, **kwargs)  # (completions of all processes, functions)
        self._scores = (rewards * self.reward_weights.to(rewards.device)).nansum(dim=1)
        self._is_scored = ~rewards.isnan().all(dim=1)
        if self.args.normalize_scores:
            if self.model.training:
                self.running_scores.update(self._scores[self._is_scored])
            self._scores = self.running_scores.normalise(self._scores) * self._is_scored
        return rewards

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> tuple[None, None, None]:
        return None, None, None  # GRPO's own evaluation of a rollout, which step 2 replaces

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        rollout = super()._generate_and_score_completions(inputs)
        first = self.accelerator.process_index * len(inputs)
        mine = slice(first, first + len(inputs))
        rollout["completion_mask"] = rollout["completion_mask"] * self._is_scored[mine].unsqueeze(1)
        self._metrics[self._mode].pop("frac_reward_zero_std", None)  # TRL's are of groups, which PPO does not have
        return {**rollout, **self._estimate_advantages(rollout, self._scores[mine])}

    # Step 2: evaluate -------------------------------------------------------------------------------------

    def _score_tokens(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor | None, ...]:
        """Log-probabilities, entropies and (not of the reference) values of the completions, each (B, T).

        Last comes the load-balancing loss of a mixture of experts, a scalar, or None.
        """
        prompt_length, length = batch["prompt_ids"].size(1), batch["completion_ids"].size(1)
        input_ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        attention_mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        labels[:, :prompt_length] = -100
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        if self.takes_position_ids:  # prompts are padded on the left: count from their first token
            inputs["position_ids"] = (attention_mask.cumsum(1) - 1).clamp(min=0)
        if self.aux_loss_enabled:
            inputs["output_router_logits"] = True
        with self.accelerator.autocast():
            output = model(**inputs, fused_lm_head=True)
        parts = (output.get(key) for key in ("log_probs", "entropy", "values", "features"))
        return *(None if part is None else part[:, -length:] for part in parts), output.get("aux_loss")

    def _reference_logps(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if self.ref_model is not None:
            return self._score_tokens(self.ref_model, batch)[0]
        with self.accelerator.unwrap_model(self.model).disable_adapter():
            return self._score_tokens(self.model, batch)[0]

    @torch.no_grad()
    def _evaluate_rollout(self, rollout: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """Log-probabilities under policy and reference, and values, each (B, T), without dropout."""
        keys = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")
        size, was_training, parts = self.args.per_device_train_batch_size, self.model.training, []
        self.model.eval()
        for start in range(0, len(rollout["prompt_ids"]), size):
            batch = {key: rollout[key][start : start + size] for key in keys}
            logps, _, values, features, _ = self._score_tokens(self.model, batch)
            parts.append((logps, self._reference_logps(batch), values, features))
        self.model.train(was_training)
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    # Steps 3 and 4: rewards and advantages ----------------------------------------------------------------

    def _estimate_advantages(self, rollout: dict[str, torch.Tensor], scores: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the losses compare with, each (B, T), from the scores (B,) of the completions."""
        args, mask, total = self.args, rollout["completion_mask"].float(), self._total
        logps, ref_logps, values, features = self._evaluate_rollout(rollout)
        rewards, kl = per_token_rewards(scores, logps, ref_logps, mask, args.kl_coef, args.kl_estimator)
        if args.whiten_rewards:
            rewards = masked_whiten(rewards, mask, shift_mean=False, total=total)
        lam = length_adaptive_lam(mask, args.lam, args.lam_alpha) if args.lam_alpha else args.lam
        _, returns = gae(rewards, values, mask, args.gamma, args.critic_lam)
        unseen = values
        if args.calibrate_values:
            unseen, values = self._calibrate(features, values, returns, mask)
        advantages, _ = gae(rewards, unseen, mask, args.gamma, lam)
        self._record(
            kl=kl.sum(1).mean(),  # per completion
            rlhf_reward=(scores - args.kl_coef * kl.sum(1)).mean(),
            value_mean=masked_mean(values, mask, total),
            explained_variance=explained_variance(values, returns, mask, total),
        )
        parts = {"old_logps": logps, "old_values": values, "advantages": advantages, "returns": returns}
        if args.whiten_advantages:
            # Policy and head share the trunk: in the units of the reward, the value loss can be too small
            # to train it. With lam < 1, little of the reward then reaches early tokens.
            variance = masked_variance(returns, mask, total)
            parts["value_scale"] = (masked_mean(advantages**2, mask, total) + variance).clamp(min=1e-8)
            parts["advantages"] = masked_whiten(advantages, mask, total=total)
        return parts

    @torch.no_grad()
    def _calibrate(
        self, features: torch.Tensor, values: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Values (B, T) for the advantages, each by a fit that has not seen its completion; and those of the head."""
        first = self.accelerator.process_index * len(mask)
        folds = torch.arange(first, first + len(mask), device=mask.device) % FOLDS
        step, fold_steps = fit(self._total(fold_products(features, returns - values, mask, folds)))
        if self.model.training:
            self.value_head.move(step)
        change = fold_steps[folds].float()  # (B, H + 1)
        unseen = values + torch.einsum("bth,bh->bt", features.float(), change[:, :-1]) + change[:, -1:]
        return unseen, self.value_head(features) if self.model.training else values

    def _total(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of a scalar over all processes."""
        return self.accelerator.reduce(x, reduction="sum")

    # Step 5: optimise -------------------------------------------------------------------------------------

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor:
        """Policy loss + `vf_coef` * scaled value loss - `entropy_coef` * entropy of a minibatch, a scalar.

        A mixture of experts adds its load-balancing loss.
        """
        args, mask, count = self.args, inputs["completion_mask"].float(), self._tokens_a_call(inputs)
        logps, entropies, values, _, aux_loss = self._score_tokens(model, inputs)
        policy, clip_fraction = policy_loss(
            logps, inputs["old_logps"], inputs["advantages"], mask, self.epsilon_low, self.epsilon_high, count
        )
        value, value_clip_fraction = value_loss(
            values, inputs["old_values"], inputs["returns"], mask, args.cliprange_value, count
        )
        entropy = masked_mean(entropies, mask, count=count)
        self._record(policy_loss=policy, value_loss=value, entropy=entropy)
        self._record(clip_fraction=clip_fraction, value_clip_fraction=value_clip_fraction)
        value = value / inputs.get("value_scale", 1)
        loss = policy + args.vf_coef * value - args.entropy_coef * entropy
        if self.aux_loss_enabled:
            self._record(aux_loss=aux_loss)
            loss = loss + self.router_aux_loss_coef * aux_loss
        return loss / (self.current_gradient_accumulation_steps if self.model.training else 1)

    def _tokens_a_call(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean number of tokens per call of `compute_loss` in this optimizer step, over all processes."""
        calls = [inputs]
        if self.model.training:
            number = self.args.gradient_accumulation_steps
            first = self._step % self.args.steps_per_generation // number * number
            calls = self._buffered_inputs[first : first + number]
        tokens = sum(call["completion_mask"].sum() for call in calls).float()
        return self._total(tokens) / (len(calls) * self.accelerator.num_processes)

    @property
    def _mode(self) -> str:
        return "train" if self.model.training else "eval"

    def _record(self, **metrics: torch.Tensor) -> None:
        """Logs each metric as `ppo/<name>`, averaged over the processes."""
        local = torch.stack([metric.detach().float() for metric in metrics.values()])
        means = self.accelerator.gather(local.unsqueeze(0)).mean(dim=0).tolist()
        for name, mean in zip(metrics, means, strict=True):
            self._metrics[self._mode][f"ppo/{name}"].append(mean)

    # Checkpoints ------------------------------------------------------------------------------------------

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)
        if self.shuffle_dataset:  # TRL's order depends on the previous epochs, which a resumed run has not seen
            sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(self.args.seed + epoch)
        return sampler

    def _ppo_state_file(self, checkpoint: str) -> str:
        return os.path.join(checkpoint, f"ppo_state_{self.accelerator.process_index}.pt")

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        head = [parameter.detach() for parameter in self.value_head.parameters()]
        state = {"value_head": head, "step": self._step, "rollout": self._buffered_inputs}
        os.makedirs(output_dir, exist_ok=True)
        torch.save(state, self._ppo_state_file(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        path = self._ppo_state_file(checkpoint)
        if not os.path.exists(path):
            raise FileNotFoundError(
                f"PPOTrainer > resume_from_checkpoint: {path} is missing. "
                "Resume from a checkpoint of PPOTrainer, with as many processes as wrote it."
            )
        state = torch.load(path, map_location=self.accelerator.device.type, weights_only=True)
        for parameter, saved in zip(self.value_head.parameters(), state["value_head"], strict=True):
            parameter.data.copy_(saved)
        self._step, self._buffered_inputs = state["step"], state["rollout"]
