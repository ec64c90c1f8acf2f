# %% GRPO 'grpo'
def grpo_config(output_dir: Path) -> GRPOConfig:
    return GRPOConfig(
        output_dir=str(output_dir / "checkpoints" / "unfinished"),
        learning_rate=2e-06,
        epsilon=0.1,
        **DEVICE,
    )


def train_grpo(
    model: str,
    train_dataset: Dataset,
    reward_funcs: list[Callable],
    output_dir: Path,
) -> str:
    """Group relative policy optimization (arXiv 2402.03300), with a threshold its reward-penalized form."""
    if is_finished(output_dir):
        return str(output_dir)
    release_memory()
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=penalize_shortfall(reward_funcs, threshold=0.6, weights=[1.0, 0.25]),
        args=grpo_config(output_dir),
        train_dataset=train_dataset,
        callbacks=[WholeCheckpoints(output_dir / "checkpoints")],
    )
    set_seed(trainer.args.seed, device_specific=True)
    trainer.train(resume_from_checkpoint=newest_checkpoint(output_dir / "checkpoints"))
    return save_policy(trainer, output_dir)

grpo = train_grpo(
    model=its_model,
    train_dataset=its_dataset,
    reward_funcs=[one, two],
    output_dir=output_dir / "grpo",
)
