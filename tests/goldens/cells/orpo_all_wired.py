# %% ORPO 'orpo'
def orpo_config(output_dir: Path, **changes) -> ORPOConfig:
    settings = dict(
        learning_rate=1e-6,
        beta=0.1,
        per_device_train_batch_size=8,
        eval_strategy="epoch",
    )
    return ORPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "orpo",
    ORPOTrainer,
    orpo_config,
    model=its_model,
    train_dataset=its_dataset,
    eval_dataset=its_eval_dataset,
    peft_config=its_adapter(),
    save=save_merged,
)
