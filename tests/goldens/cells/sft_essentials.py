# %% SFT 'sft'
def sft_config(output_dir: Path, **changes) -> SFTConfig:
    settings = dict(
        learning_rate=2.5e-5,
        per_device_train_batch_size=16,
        num_train_epochs=1.5,
        weight_decay=0.005,
        warmup_steps=1000,
    )
    return SFTConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train("sft", SFTTrainer, sft_config, model=its_model, train_dataset=its_dataset)
