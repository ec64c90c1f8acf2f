"""A training step on tensors that have shapes and types, but no data: how much memory it would take.

It runs the forward and backward pass of the model's own class, and TRL's own head, so that attention, gradient
checkpointing, adapters and mixed precision need no formulas. No weights are loaded or allocated.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ryven_llm_nodes.catalogue.held import Head

FEW, MORE = 2, 4
"""Layers of the two shallow models from which a deep one is extrapolated."""
SCORES_OUTPUTS: Final = ("log_probs", "entropy", "mean_logits", "is_top1")
"""What TRL's trainers compute of each token; a few more or less cost little."""


@dataclass(frozen=True)
class Shape:
    """A batch: sequences of ``length`` tokens, after padding; ``is_padded`` if not all of them have that many."""

    sequences: int
    length: int
    is_padded: bool


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: its configuration and type, what is adapted, and how a step is computed."""

    config: Any
    dtype: torch.dtype
    head: Head = "log_probs"
    adapter: Any = None
    checkpointing: bool = False
    autocast: torch.dtype | None = None
    attention: str | None = None
    accumulates: bool = False
    on_gpu: bool = False
    critic: Any = None
    """The configuration of a second backbone, which is trained as well."""


@dataclass(frozen=True)
class Sizes:
    """Bytes. ``dynamic`` is the peak, on top of the weights, of what a step allocates, gradients included."""

    weights: int
    trained: int
    dynamic: int

    def extended(self, more: Sizes, steps: float) -> Sizes:
        """What lies ``steps`` times as far from this as ``more`` does."""
        pairs = ((own, other) for own, other in zip(self._all, more._all, strict=True))
        return Sizes(*(round(own + (other - own) * steps) for own, other in pairs))

    @property
    def _all(self) -> tuple[int, int, int]:
        return self.weights, self.trained, self.dynamic


def step_sizes(recipe: Recipe, shape: Shape) -> Sizes:
    """The memory of an optimizer step. Deep models are extrapolated from two shallow ones: layers are alike."""
    return _extrapolated(recipe.config, lambda config: _stepped(_with(recipe, config), shape))


def generation_bytes(recipe: Recipe, shape: Shape, new: int) -> int:
    """The memory, on top of the weights, in which ``new`` tokens are sampled after prompts of ``shape``."""
    return _extrapolated(recipe.config, lambda config: _generated(_with(recipe, config), shape, new)).dynamic


def weight_bytes(config: Any, dtype: torch.dtype, head: Head = "log_probs") -> int:
    """The bytes of the weights of a model."""
    return _bytes(_model(config, dtype, head).parameters())


def weight_count(config: Any) -> int:
    """The number of weights of a language model."""
    return sum(weight.numel() for weight in _model(config, torch.float32, "log_probs").parameters())


def saved_by_quantization(recipe: Recipe, bits: int | None) -> int:
    """By how many bytes weights in ``bits`` are smaller: those of the linear layers, but the head.

    Each block of 64 has a scale in float32.
    """
    if bits is None:
        return 0
    model = _model(recipe.config, recipe.dtype, recipe.head)
    heads = {id(model.get_output_embeddings())}
    linear = (one for one in model.modules() if isinstance(one, torch.nn.Linear) and id(one) not in heads)
    weights = sum(layer.weight.numel() for layer in linear)
    return round(weights * (recipe.dtype.itemsize - bits / 8 - 4 / 64))


def _with(recipe: Recipe, config: Any) -> Recipe:
    return replace(recipe, config=config)


def _extrapolated(config: Any, sizes: Any) -> Sizes:
    layers = config.get_text_config().num_hidden_layers
    if layers <= MORE + FEW:
        return sizes(config)
    few, more = sizes(shallow(config, FEW)), sizes(shallow(config, MORE))
    return few.extended(more, (layers - FEW) / (MORE - FEW))


def shallow(config: Any, layers: int) -> Any:
    """``config`` with fewer layers."""
    config = deepcopy(config)
    text = config.get_text_config()
    total = text.num_hidden_layers
    for name, value in list(vars(text).items()):
        if isinstance(value, list) and len(value) == total:  # such as layer_types
            setattr(text, name, value[:layers])
    text.num_hidden_layers = layers
    return config


# A step


def _stepped(recipe: Recipe, shape: Shape) -> Sizes:
    model = _trained_model(recipe)
    critic = _critic(recipe)
    parameters = [*model.parameters(), *(critic.parameters() if critic is not None else ())]
    weights, trained = _bytes(parameters), _bytes(p for p in parameters if p.requires_grad)
    with _shapes_only(model, critic, recipe) as watched:
        for _ in range(2 if recipe.accumulates else 1):
            _loss(model, critic, recipe.head, shape).backward()
        return Sizes(weights, trained, watched.peak)


def _loss(model: Any, critic: Any, head: Head, shape: Shape) -> torch.Tensor:
    ids = torch.zeros(shape.sequences, shape.length, dtype=torch.long)
    inputs = _inputs(ids, shape)
    loss: torch.Tensor
    if head == "scores":
        loss = model(**inputs).logits.sum()
    elif head == "logits":
        logits = model(**inputs, use_cache=False).logits
        half = logits[: max(shape.sequences // 2, 1)]  # of pairs, the chosen ones are also learned by heart
        loss = _log_probs(logits, ids).sum() + cross_entropy(
            half.reshape(-1, half.size(-1)), ids.new_zeros(half.shape[:2]).view(-1)
        )
    else:
        loss = model(**inputs, labels=ids, fused_lm_head=True).log_probs.sum()
    return loss if critic is None else loss + critic(**inputs, use_cache=False).last_hidden_state.sum()


def _inputs(ids: torch.Tensor, shape: Shape) -> dict[str, torch.Tensor]:
    """Models do without a mask where nothing is masked."""
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)} if shape.is_padded else {"input_ids": ids}


def _log_probs(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    from trl.trainer.utils import selective_log_softmax

    return selective_log_softmax(logits, ids)


# Sampling


def _generated(recipe: Recipe, shape: Shape, new: int) -> Sizes:
    model = _model(recipe.config, recipe.dtype, "log_probs", recipe.attention)
    with _shapes_only(model, None, recipe) as watched, torch.no_grad():
        ids = torch.zeros(shape.sequences, shape.length, dtype=torch.long)
        made = model(**_inputs(ids, shape), use_cache=True, logits_to_keep=1)
        layers = [(layer.keys, layer.values) for layer in made.past_key_values.layers]
        cache = sum(tensor.nbytes for layer in layers for tensor in layer) * (shape.length + new) // shape.length
        scores = made.logits.nbytes // made.logits.element_size() * 4
    grown = cache + cache // len(layers) + SAMPLED * scores  # one layer at a time is copied to its new length
    return Sizes(0, 0, max(watched.peak, grown))


SAMPLED: Final = 4
"""Copies of the scores of the next token: as float32, scaled, as probabilities, and their order."""


# Models without data


def _model(config: Any, dtype: torch.dtype, head: Head, attention: str | None = None) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    config = deepcopy(config)
    if head == "scores":
        config.num_labels = 1
        config.pad_token_id = 0  # a batch needs one
    kind = AutoModelForSequenceClassification if head == "scores" else AutoModelForCausalLM
    attention = "eager" if attention == "eager" else "sdpa"  # others need a GPU, and keep as little as sdpa
    with torch.device("meta"):
        try:
            return kind.from_config(config, dtype=dtype, attn_implementation=attention)
        except ValueError:  # the architecture has no sdpa
            return kind.from_config(config, dtype=dtype, attn_implementation="eager")


def _trained_model(recipe: Recipe) -> Any:
    from peft import get_peft_model
    from trl.trainer.utils import add_fused_lm_head

    model = _model(recipe.config, recipe.dtype, recipe.head, recipe.attention)
    if recipe.head == "log_probs":
        add_fused_lm_head(model, outputs=SCORES_OUTPUTS)
    if recipe.adapter is not None:
        adapter = deepcopy(recipe.adapter)
        adapter.task_type = "SEQ_CLS" if recipe.head == "scores" else "CAUSAL_LM"
        with torch.device("meta"):
            model = get_peft_model(model, adapter)
    if recipe.checkpointing:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # its next name is not there in all versions
            model.gradient_checkpointing_enable({"use_reentrant": False})
        if recipe.adapter is not None:
            model.enable_input_require_grads()
    return model.train()


def _critic(recipe: Recipe) -> Any:
    from transformers import AutoModel

    if recipe.critic is None:
        return None
    with torch.device("meta"):
        return AutoModel.from_config(recipe.critic, dtype=recipe.dtype).train()


def _bytes(parameters: Any) -> int:
    return sum(parameter.nbytes for parameter in parameters)


def _without_data(model: Any) -> None:
    """Replaces all tensors of a model by ones of the same shape on a CPU that allocates nothing. Ties stay."""
    known: dict[int, tuple[Any, Any]] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    known.setdefault(id(tensor), (_fake(tensor), tensor))
                    tensors[name] = known[id(tensor)][0]


def _fake(tensor: torch.Tensor) -> torch.Tensor:
    made = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
    is_parameter = isinstance(tensor, torch.nn.Parameter)
    return torch.nn.Parameter(made, requires_grad=tensor.requires_grad) if is_parameter else made


@contextmanager
def _shapes_only(model: Any, critic: Any, recipe: Recipe) -> Iterator[_Watched]:
    """Inside, operations on ``model`` compute shapes only, and what they would allocate is watched."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cpu"):
        watched = _Watched(recipe.on_gpu)
        for one in (model, critic):
            if one is not None:
                _without_data(one)
                watched.know([*one.parameters(), *one.buffers()])
        mixed = torch.autocast("cpu", recipe.autocast or torch.bfloat16, enabled=recipe.autocast is not None)
        with watched, _FlashAttention(recipe.on_gpu), mixed:
            yield watched


POOLS: Final = ("small", "large")
MAPPED: Final = 32 * 2**20
"""From this size on, the C library maps a block of its own, and gives it back when it is free."""
ROOM: Final = 1.2
"""How much more the blocks of a step take than their bytes, as measured (tests/benchmarks/fit.md)."""


class _Watched(TorchDispatchMode):
    """Follows the memory of tensors that are made. A value that a model asks for is False or 1.

    On a CPU, memory is taken when it is written: of an empty buffer only what is filled.
    """

    def __init__(self, on_gpu: bool) -> None:
        super().__init__()
        self._on_gpu = on_gpu
        self._now = dict.fromkeys(POOLS, 0)
        self._peaks = dict.fromkeys(POOLS, 0)
        self._both = 0
        self._sizes: dict[int, int] = {}
        self._empty: set[int] = set()
        self._alive: dict[int, Any] = {}

    def know(self, tensors: Sequence[torch.Tensor]) -> None:
        """Tensors that are counted elsewhere."""
        for tensor in tensors:
            key = tensor.untyped_storage()._cdata
            self._sizes[key], self._alive[key] = 0, tensor

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return False if args[0].dtype == torch.bool else 1
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._see(func, tensor)
        return made

    def _see(self, func: Any, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._alive:
            self._alive[key] = weakref.ref(storage, lambda _: self._remove(key))
            is_empty = not self._on_gpu and func is torch.ops.aten.empty.memory_format
            self._set(key, 0 if is_empty else storage.nbytes())
            if is_empty:
                self._empty.add(key)
        elif key in self._empty and _writes(func):
            self._set(key, max(self._sizes[key], tensor.numel() * tensor.element_size()))

    def _set(self, key: int, size: int) -> None:
        self._count(self._sizes.get(key, 0), -1)
        self._sizes[key] = size
        self._count(size, 1)

    def _count(self, size: int, sign: int) -> None:
        pool = POOLS[size >= MAPPED]
        self._now[pool] += sign * size
        self._peaks[pool] = max(self._peaks[pool], self._now[pool])
        self._both = max(self._both, sum(self._now.values()))

    def _remove(self, key: int) -> None:
        if self._alive.pop(key, None) is not None:
            self._count(self._sizes.pop(key), -1)
            self._empty.discard(key)

    @property
    def peak(self) -> int:
        """The most bytes that are in use at one time.

        The allocator of a CPU gives large blocks back, and keeps small ones, so that each kind has a peak of its own.
        """
        small, large = self._peaks.values()
        return self._both if self._on_gpu else round((small + large) * ROOM)


def _writes(func: Any) -> bool:
    """Whether an operation writes into what it returns, rather than being a view of it."""
    return any(made.alias_info is not None and made.alias_info.is_write for made in func._schema.returns)


class _FlashAttention(TorchFunctionMode):
    """Chooses the kernel of attention that does not keep all its scores, as torch does where there are data."""

    def __init__(self, on_gpu: bool) -> None:
        super().__init__()
        self._attend = partial(_attend, on_gpu)

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        return (self._attend if func is scaled_dot_product_attention else func)(*args, **(kwargs or {}))


def _attend(
    on_gpu: bool,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    if dropout_p > 0 and not on_gpu:  # with dropout, a CPU keeps all scores
        return torch.ops.aten._scaled_dot_product_attention_math(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )[0]
    mask = attn_mask.to(query.dtype) if attn_mask is not None and attn_mask.dtype == torch.bool else attn_mask
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, is_causal, attn_mask=mask, scale=scale
    )[0]
