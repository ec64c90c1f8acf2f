"""PPO for language models on top of TRL: one completion per prompt, a value head, per-token KL, GAE.

`PPOTrainer` is TRL's `GRPOTrainer` with PPO's rollout and PPO's loss; generation, reward functions and
models, LoRA, logging, callbacks and checkpoints are GRPO's. One round of training:

    1. generate     a completion per prompt, scored by the reward functions and models; scores are normalized
    2. evaluate     log-probabilities under policy and reference, values of the value head
    3. reward       the score on the last token, a KL penalty on every token
    4. calibrate    the value head is fitted to the returns of the rollout
    5. advantages   by GAE, from values that have not seen their completion
    6. optimise     several passes over the rollout in minibatches: clipped losses, entropy bonus

Papers: PPO, arXiv 1707.06347. GAE, arXiv 1506.02438. InstructGPT, arXiv 2203.02155. Value-Calibrated PPO, arXiv
2503.01491. VAPO, arXiv 2504.05118.
"""

import copy
import inspect
import os
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn.functional import pad
from transformers import AutoModel, PreTrainedModel
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head, create_model_from_path

from .ppo_config import PPOConfig
from .ppo_critic import ValueHead, calibration
from .ppo_math import (
    explained_variance,
    gae,
    k3,
    length_adaptive_lam,
    masked_mean,
    masked_variance,
    masked_whiten,
    means_by_third,
    per_token_rewards,
    policy_loss,
    value_loss,
)
from .ppo_rewards import RunningScores, adapted_kl_coef, scores_of_truncated
from .ppo_rollout import Rollout, Tokens, TokenScores


class PPOTrainer(GRPOTrainer):
    """Trains a language model with PPO against reward functions and reward models.

    The arguments are GRPOTrainer's (text only), with `args` a [`PPOConfig`], and `ref_model`: the model,
    folder or Hub id that the KL penalty compares with. By default a frozen copy of the initial
    policy; with LoRA the base model, i.e. the policy with its adapter disabled.

    A completion for which every reward function returned None is left out of the losses. A checkpoint also
    contains the value head, the current rollout and the running statistics: resuming from any step is bit-exact.

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
            policy.value_head = ValueHead(policy, self._trunk(policy)).to(self.accelerator.device)
        self.value_head = policy.value_head
        # Calibrated, the bias has no gradient but rounding errors, which Adam would make steps of.
        self.value_head.bias.requires_grad_(not self.args.calibrate_values)
        self.running_scores, self.kl_coef = RunningScores(), self.args.kl_coef
        self.takes_position_ids = "position_ids" in inspect.signature(policy.forward).parameters

    def _load_kwargs(self) -> dict[str, Any]:
        given = {"trust_remote_code": self.args.trust_remote_code, **(self.args.model_init_kwargs or {})}
        return {**given, "device_map": None}

    def _trunk(self, policy: PreTrainedModel) -> PreTrainedModel | None:
        """The critic's own backbone, with an adapter where the policy has one; None to share the policy's."""
        if self.args.value_model == "shared":
            return None
        if self.args.value_model == "separate":
            return copy.deepcopy(policy.base_model)
        kwargs = {"dtype": policy.dtype, **self._load_kwargs()}
        trunk = AutoModel.from_pretrained(self.args.value_model, **kwargs)
        if policy is not self.model:
            self._add_adapter(trunk, f"{policy.base_model_prefix}.")
        return trunk

    def _add_adapter(self, trunk: PreTrainedModel, prefix: str) -> None:
        """The policy's adapter, untrained, for a backbone: its names of layers lack the `prefix` of the policy's."""
        name = self.model.active_adapter
        config = copy.deepcopy(self.model.peft_config[name])
        if isinstance(config.target_modules, set):
            config.target_modules = {layer.removeprefix(prefix) for layer in config.target_modules}
        type(self.model.base_model)(trunk, {name: config}, name)  # such as LoraModel: it acts in place

    def _prepare_reference(self, ref_model: Any, policy: PreTrainedModel) -> nn.Module:
        if ref_model is None:
            ref_model = copy.deepcopy(policy)
            ref_model.__dict__.pop("forward", None)  # TRL's patched forward would still use the policy's weights
            if hasattr(ref_model, "value_head"):  # of a policy that PPO trained before
                ref_model.value_head.is_on = False
        elif not isinstance(ref_model, nn.Module):
            ref_model = create_model_from_path(os.fspath(ref_model), **self._load_kwargs())
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
            self._scores = self.running_scores.normalize(self._scores) * self._is_scored
        return rewards

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> tuple[None, None, None]:
        return None, None, None  # GRPO's own evaluation of a rollout, which step 2 replaces

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        rollout = super()._generate_and_score_completions(inputs)
        first = self.accelerator.process_index * len(inputs)
        mine = slice(first, first + len(inputs))
        rollout["completion_mask"] = rollout["completion_mask"] * self._is_scored[mine].unsqueeze(1)
        self._metrics[self._mode].pop("frac_reward_zero_std", None)  # TRL's are of groups, which PPO does not have
        return {**rollout, **self._estimate_advantages(Tokens.of(rollout), self._scores[mine])}

    # Step 2: evaluate -------------------------------------------------------------------------------------

    def _score_tokens(self, model: nn.Module, tokens: Tokens) -> TokenScores:
        """One forward pass of policy or reference over a batch, without its common padding."""
        length = tokens.completion_ids.size(1)
        tokens = tokens if self.args.pad_to_multiple_of else tokens.trimmed()
        kept = tokens.completion_ids.size(1)
        input_ids = torch.cat([tokens.prompt_ids, tokens.completion_ids], dim=1)
        attention_mask = torch.cat([tokens.prompt_mask, tokens.completion_mask], dim=1)
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        labels[:, :-kept] = -100
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        if self.takes_position_ids:  # prompts are padded on the left: count from their first token
            inputs["position_ids"] = (attention_mask.cumsum(1) - 1).clamp(min=0)
        if self.aux_loss_enabled:
            inputs["output_router_logits"] = True
        with self.accelerator.autocast():
            output = model(**inputs, fused_lm_head=True)
        padding = (0, length - kept)
        scores = TokenScores(pad(output["log_probs"][:, -kept:], padding), aux_loss=output.get("aux_loss"))
        if "values" in output:  # not of the reference
            values = output["values"][:, -kept - 1 :]  # one more than there are tokens
            scores.values = pad(values[:, :-1], padding)
            scores.last_values = values.gather(1, tokens.completion_mask.sum(1, keepdim=True))[:, 0]
            scores.entropies = pad(output["entropy"][:, -kept:], padding)
        return scores

    def _reference_logps(self, tokens: Tokens) -> torch.Tensor:
        if self.ref_model is not None:
            return self._score_tokens(self.ref_model, tokens).logps
        with self.accelerator.unwrap_model(self.model).disable_adapter(), self.value_head.off():
            return self._score_tokens(self.model, tokens).logps

    @torch.no_grad()
    def _evaluate_rollout(self, tokens: Tokens) -> tuple[torch.Tensor, ...]:
        """Log-probabilities under policy and reference and values, each (B, T), and the values (B,) behind them.

        Without dropout. Each batch is seen by the policy once: what a loss compares with comes from one pass.
        """
        was_training, parts = self.model.training, []
        self.model.eval()
        for batch in tokens.split(self.args.per_device_train_batch_size):
            policy = self._score_tokens(self.model, batch)
            parts.append((policy.logps, self._reference_logps(batch), policy.values, policy.last_values))
        self.model.train(was_training)
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    # Steps 3 to 5: rewards, calibration and advantages ----------------------------------------------------

    def _estimate_advantages(self, tokens: Tokens, scores: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the losses compare with, from the scores (B,) of the completions."""
        args, mask, total = self.args, tokens.completion_mask.float(), self._total
        logps, ref_logps, values, last_values = self._evaluate_rollout(tokens)
        ended = self._has_ended(tokens)
        scores = scores_of_truncated(
            scores, ended, last_values, args.truncated_completions, args.truncation_penalty, args.gamma
        )
        rewards, kl = per_token_rewards(scores, logps, ref_logps, mask, self.kl_coef, args.kl_estimator)
        if args.whiten_rewards:
            rewards = masked_whiten(rewards, mask, shift_mean=False, total=total)
        _, returns = gae(rewards, values, mask, args.gamma, args.critic_lam)
        unseen = values  # that know nothing of the completion's own return
        if args.calibrate_values:
            bias, without = calibration(returns - values, mask, total)
            unseen, values = values + without.unsqueeze(1), values + bias
            if self.model.training:
                self.value_head.bias.data += bias
        lam = length_adaptive_lam(mask, args.lam, args.lam_alpha) if args.lam_alpha else args.lam
        advantages, _ = gae(rewards, unseen, mask, args.gamma, lam)
        self._record_rollout(kl, scores, unseen, returns, advantages, mask, ended)
        self._adapt_kl_coef(kl)
        value_scale = torch.ones_like(returns[0, 0])
        if args.whiten_advantages:
            # Policy and head share the trunk: in the units of the reward, the value loss can be too small
            # to train it. With lam < 1, little of the reward then reaches early tokens.
            variance = masked_variance(returns, mask, total)
            value_scale = (masked_mean(advantages**2, mask, total) + variance).clamp(min=1e-8)
            advantages = masked_whiten(advantages, mask, total=total)
        found = {"old_logps": logps, "old_values": values, "advantages": advantages, "returns": returns}
        return {**found, "value_scale": value_scale}

    def _has_ended(self, tokens: Tokens) -> torch.Tensor:
        """Whether completions (B,) have an end token; not those that are masked."""
        ends = torch.tensor(self.eos_token_ids, device=tokens.completion_ids.device)
        return (torch.isin(tokens.completion_ids, ends) & tokens.completion_mask.bool()).any(1)

    def _adapt_kl_coef(self, kl: torch.Tensor) -> None:
        if self.args.kl_target is None or not self.model.training:
            return
        of_completions = self.accelerator.gather(kl.sum(1))
        self.kl_coef = adapted_kl_coef(
            self.kl_coef, of_completions.mean().item(), self.args.kl_target, len(of_completions), self.args.kl_horizon
        )

    def _total(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over all processes."""
        return self.accelerator.reduce(x, reduction="sum")

    # Step 6: optimise -------------------------------------------------------------------------------------

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor:
        """Policy loss + `vf_coef` * scaled value loss - `entropy_coef` * entropy of a minibatch, a scalar.

        A mixture of experts adds its load-balancing loss.
        """
        args, rollout, count = self.args, Rollout.of(inputs), self._tokens_a_call(inputs)
        mask, now = rollout.completion_mask.float(), self._score_tokens(model, rollout)
        policy, clip_fraction = policy_loss(
            now.logps, rollout.old_logps, rollout.advantages, mask, self.epsilon_low, self.epsilon_high, count
        )
        value, value_clip_fraction = value_loss(
            now.values, rollout.old_values, rollout.returns, mask, args.cliprange_value, count
        )
        entropy = masked_mean(now.entropies, mask, count=count)
        kl_old = masked_mean(k3(rollout.old_logps - now.logps), mask, count=count)
        self._record(policy_loss=policy, value_loss=value, entropy=entropy, kl_old=kl_old)
        self._record(clip_fraction=clip_fraction, value_clip_fraction=value_clip_fraction)
        value = value / rollout.value_scale
        loss = policy + args.vf_coef * value - args.entropy_coef * entropy
        if self.aux_loss_enabled:
            self._record(aux_loss=now.aux_loss)
            loss = loss + self.router_aux_loss_coef * now.aux_loss
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

    def _record_rollout(
        self,
        kl: torch.Tensor,
        scores: torch.Tensor,
        values: torch.Tensor,
        returns: torch.Tensor,
        advantages: torch.Tensor,
        mask: torch.Tensor,
        ended: torch.Tensor,
    ) -> None:
        """Logs what a rollout says about the health of a run; `values` are those that have not seen it."""
        total = self._total
        self._record(
            kl=kl.sum(1).mean(),  # per completion
            kl_coef=torch.tensor(self.kl_coef, device=kl.device),
            rlhf_reward=(scores - self.kl_coef * kl.sum(1)).mean(),
            ended=ended.float().mean(),
            value_mean=masked_mean(values, mask, total),
            value_bias=masked_mean(values - returns, mask, total),
            explained_variance=explained_variance(values, returns, mask, total),
        )
        thirds = means_by_third(advantages, mask, total)
        self._record(**dict(zip(("advantage_first", "advantage_middle", "advantage_last"), thirds, strict=True)))

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
        state = {
            "value_head": [parameter.detach() for parameter in self.value_head.learned()],
            "step": self._step,
            "rollout": self._buffered_inputs,
            "running_scores": self.running_scores.state(),
            "kl_coef": self.kl_coef,
        }
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
        for parameter, saved in zip(self.value_head.learned(), state["value_head"], strict=True):
            parameter.data.copy_(saved)
        self._step, self._buffered_inputs = state["step"], state["rollout"]
        self.running_scores, self.kl_coef = RunningScores(**state["running_scores"]), state["kl_coef"]
