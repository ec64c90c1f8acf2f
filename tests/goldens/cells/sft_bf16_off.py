# %% SFT 'sft'
def sft_config(output_dir: Path) -> SFTConfig:
    return SFTConfig(
        output_dir=str(output_dir / "checkpoints" / "unfinished"),
        learning_rate=5e-05,
        weight_decay=0.01,
        warmup_steps=500,
        **DEVICE | {"bf16": False},
    )


def train_sft(model: str, train_dataset: Dataset, output_dir: Path) -> str:
    """Supervised fine-tuning: the model learns to continue prompts as the data set does."""
    if is_finished(output_dir):
        return str(output_dir)
    release_memory()
    trainer = SFTTrainer(
        model=model,
        args=sft_config(output_dir),
        train_dataset=train_dataset,
        callbacks=[WholeCheckpoints(output_dir / "checkpoints")],
    )
    set_seed(trainer.args.seed)
    trainer.train(resume_from_checkpoint=newest_checkpoint(output_dir / "checkpoints"))
    return save_policy(trainer, output_dir)

sft = train_sft(model=its_model, train_dataset=its_dataset, output_dir=output_dir / "sft")
