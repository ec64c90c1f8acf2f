"""Root 6: facts of the model were not read."""

from __future__ import annotations

from cases.case import Case, chats, each, pairs, preferences, prompts, said

LONG = " ".join(["river"] * 60)
MIDDLE = " ".join(["river"] * 12)
GROUPS = {"num_generations": 4}

CASES = [
    Case("16 no end token", "error", "has no end token", rows=pairs(), model="no-end"),
    Case(
        "17 tokens without an embedding",
        "error",
        "but the model embeddings for",
        rows=pairs(12, completion=" the quick brown fox answers what is a question yes no user assistant system note"),
        model="small",
    ),
    Case(
        "18 longer than the positions",
        "error",
        "has positions for 64 tokens, and fails",
        rows=each(pairs(), prompt=LONG),
        model="few",
    ),
    Case(
        "29 a classifier as the base",
        "error",
        "is a sequence classifier (LlamaForSequenceClassification)",
        rows=pairs(),
        model="classifier",
    ),
    Case(
        "30 an adapter as the base", "error", "contains a LoRA adapter of 'meta/llama'", rows=pairs(), model="adapter"
    ),
    Case(
        "43 another template, LoRA and tied embeddings",
        "error",
        "LoRA cannot train new tokens if the embeddings are tied",
        rows=chats(),
        model="tied",
        lora={"r": 4},
        settings={"chat_template_path": "./donor"},
    ),
    Case(
        "49 a package for the optimizer",
        "error",
        "needs the package bitsandbytes",
        rows=pairs(),
        settings={"optim": "paged_adamw_8bit"},
    ),
    Case(
        "49 a package for reports", "error", "needs the package wandb", rows=pairs(), settings={"report_to": ["wandb"]}
    ),
    Case(
        "55 names of another family",
        "error",
        "has no modules called q_proj, v_proj; it has c_attn",
        rows=pairs(),
        model="gpt2",
        lora={"r": 4, "target_modules": "q_proj, v_proj"},
    ),
    Case("56 T5", "error", "is an encoder-decoder (T5ForConditionalGeneration)", rows=pairs(), model="t5"),
    Case("56 BERT", "error", "is a masked language model", rows=pairs(), model="bert"),
    Case(
        "57 a quantized checkpoint",
        "error",
        "is quantized by bitsandbytes, which needs the package",
        rows=pairs(),
        model="quantized",
    ),
    Case(
        "63 a scorer of few positions",
        "error",
        "has positions for 32 tokens",
        rows=each(prompts(), prompt=MIDDLE),
        method="grpo",
        settings=GROUPS,
        scorer="few-scorer",
    ),
    Case(
        "66 a reference with another tokenizer",
        "error",
        "has another tokenizer ('words')",
        rows=preferences(),
        method="dpo",
        model="plain",
        reference="words",
    ),
    Case("67 saved over the base", "error", "overwrite", rows=pairs(), save="../chat"),
    Case(
        "a missing shard",
        "error",
        "model-00002-of-00002.safetensors of its weights is missing",
        rows=pairs(),
        model="torn",
    ),
    Case(
        "a model without a head",
        "warning",
        "saved without a language-model head (LlamaModel)",
        rows=chats(),
        model="headless",
    ),
    Case(
        "beyond the positions that were trained",
        "warning",
        "was not trained beyond them",
        rows=each(pairs(), prompt=LONG),
        model="short",
    ),
    Case(
        "completions beyond the positions",
        "error",
        "and completions up to 60",
        rows=prompts(),
        model="few",
        method="grpo",
        settings={**GROUPS, "max_completion_length": 60},
    ),
    Case(
        "one name, which is taken for a regular expression",
        "error",
        "whose full names match the regular expression c_attn",
        rows=pairs(),
        model="gpt2",
        lora={"r": 4, "target_modules": "c_attn"},
    ),
    Case(
        "one name of another family",
        "note",
        "has no modules called c_attn",
        rows=pairs(),
        model="plain",
        lora={"r": 4, "target_modules": "q_proj, c_attn"},
    ),
    Case(
        "a scorer that is a language model",
        "error",
        "is a language model (LlamaForCausalLM)",
        rows=each(prompts(), prompt=said("Hi")),
        method="ppo",
        scorer="chat",
    ),
    Case(
        "a setting of mixtures of experts", "error", "has none", rows=pairs(), settings={"router_aux_loss_coef": 0.01}
    ),
    Case(
        "a teacher with another tokenizer",
        "error",
        "has another tokenizer ('words')",
        rows=prompts(),
        method="distillation",
        model="plain",
        reference="words",
    ),
]
