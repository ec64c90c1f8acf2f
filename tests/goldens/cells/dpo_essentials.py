# %% DPO 'dpo'
def dpo_config(output_dir: Path) -> DPOConfig:
    return DPOConfig(
        output_dir=str(output_dir / "checkpoints" / "unfinished"),
        learning_rate=2.5e-06,
        beta=0.05,
        per_device_train_batch_size=16,
        **DEVICE,
    )


def train_dpo(model: str, train_dataset: Dataset, output_dir: Path) -> str:
    """Direct preference optimization (arXiv 2305.18290): learns from pairs of a chosen and a rejected completion."""
    if is_finished(output_dir):
        return str(output_dir)
    release_memory()
    trainer = DPOTrainer(
        model=model,
        args=dpo_config(output_dir),
        train_dataset=train_dataset,
        callbacks=[WholeCheckpoints(output_dir / "checkpoints")],
    )
    set_seed(trainer.args.seed)
    trainer.train(resume_from_checkpoint=newest_checkpoint(output_dir / "checkpoints"))
    return save_policy(trainer, output_dir)

dpo = train_dpo(model=its_model, train_dataset=its_dataset, output_dir=output_dir / "dpo")
