# %% SFT 'sft'
def sft_config(output_dir: Path, **changes) -> SFTConfig:
    settings = dict(
        learning_rate=5e-5,
        per_device_train_batch_size=8,
        num_train_epochs=3.0,
        weight_decay=0.01,
        warmup_steps=500,
        eval_strategy="epoch",
    )
    return SFTConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "sft",
    SFTTrainer,
    sft_config,
    model=its_model,
    train_dataset=its_dataset,
    eval_dataset=its_eval_dataset,
    peft_config=its_adapter(),
    save=save_merged,
    compute_metrics=its_metrics,
)
