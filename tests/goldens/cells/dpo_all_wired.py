# %% DPO 'dpo'
def dpo_config(output_dir: Path, **changes) -> DPOConfig:
    settings = dict(
        learning_rate=5e-6,
        beta=0.1,
        per_device_train_batch_size=8,
        eval_strategy="epoch",
    )
    return DPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "dpo",
    DPOTrainer,
    dpo_config,
    model=its_model,
    ref_model=partial(AutoModelForCausalLM.from_pretrained, its_reference, dtype="float32"),
    train_dataset=its_dataset,
    eval_dataset=its_eval_dataset,
    peft_config=its_adapter(),
    save=save_merged,
    compute_metrics=its_metrics,
)
