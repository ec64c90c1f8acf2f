# %% SFT 'sft'
def sft_config(output_dir: Path, **changes) -> SFTConfig:
    settings = dict(
        learning_rate=5e-5,
        per_device_train_batch_size=8,
        num_train_epochs=3.0,
        weight_decay=0.01,
        warmup_steps=500,
        ddp_timeout=7200,
    )
    return SFTConfig(output_dir=str(output_dir), **with_timeout(DEVICE | settings | changes))

pipeline.train("sft", SFTTrainer, sft_config, model=its_model, train_dataset=its_dataset)
