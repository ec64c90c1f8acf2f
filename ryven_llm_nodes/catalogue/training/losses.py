"""What the losses of DPO and GRPO are: one line for each, with its paper, shown where one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ryven_llm_nodes.catalogue.training.choices import compared
from ryven_llm_nodes.catalogue.training.limits import Limit

GRPO_LOSSES: Final[Mapping[str, str]] = {
    "grpo": "mean over the tokens of each completion, then over completions: favours short ones (arXiv 2402.03300)",
    "dr_grpo": "sum over tokens, divided by max_completion_length: no length bias (Dr. GRPO, arXiv 2503.20783)",
    "dapo": "mean over all tokens of the accumulated batch: no length bias (DAPO, arXiv 2503.14476)",
    "bnpo": "mean over all tokens of the local batch: depends on how the batch is divided (TRL)",
    "cispo": "clips the importance weights, and keeps the gradient of every token (MiniMax-M1, arXiv 2506.13585)",
    "sapo": "a smooth gate, with sapo_temperature_pos and _neg, in place of the clip (SAPO, arXiv 2511.20347)",
    "luspo": "scales each completion by its length; with importance_sampling_level 'sequence' (arXiv 2602.05261)",
    "vespo": "smooth weights of complete sequences in place of the clip (VESPO, arXiv 2602.10693)",
}
DPO_LOSSES: Final[Mapping[str, str]] = {
    "sigmoid": "the logistic loss of DPO itself (arXiv 2305.18290)",
    "sigmoid_norm": "the same, of log-probabilities per token",
    "hinge": "a hinge loss, as in SLiC (arXiv 2305.10425)",
    "ipo": "a squared loss that does not overfit certain preferences (IPO, arXiv 2310.12036)",
    "exo_pair": "the reverse KL from the preferences; needs label_smoothing (EXO, arXiv 2402.00856)",
    "nca_pair": "also keeps the likelihood of the chosen completion (NCA, arXiv 2402.05369)",
    "robust": "corrects for a share of wrong labels, label_smoothing (arXiv 2403.00409)",
    "bco_pair": "a binary classifier of chosen and rejected (BCO, arXiv 2404.04656)",
    "sppo_hard": "the Nash equilibrium of self-play (SPPO, arXiv 2405.00675)",
    "aot": "compares the sorted margins of policy and reference (AOT, arXiv 2406.05882)",
    "aot_unpaired": "the same for sorted chosen and rejected completions (AOT, arXiv 2406.05882)",
    "apo_zero": "raises chosen and lowers rejected completions (APO, arXiv 2408.06266)",
    "apo_down": "lowers both, rejected ones more: for a model better than the chosen ones (APO, arXiv 2408.06266)",
    "discopop": "a loss that was found by a language model (DiscoPOP, arXiv 2406.08414)",
    "sft": "the likelihood of the chosen completion, to be combined with another loss",
}


def losses_of(path: str, meanings: Mapping[str, str], **more: object) -> Callable[[], Limit]:
    """The losses that the installed TRL has, as its trainer in ``path`` says, each with its line in ``meanings``."""

    def limit() -> Limit:
        choices = compared(f"trl/{path}.py", "loss_type")
        known = {name: line for name, line in meanings.items() if name in choices}
        return {"choices": choices, "meanings": known, **more}

    return limit
