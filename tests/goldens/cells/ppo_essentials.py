# %% PPO 'ppo'
def ppo_config(output_dir: Path) -> "PPOConfig":
    return PPOConfig(
        output_dir=str(output_dir / "checkpoints" / "unfinished"),
        learning_rate=5e-06,
        epsilon=0.1,
        vf_coef=0.05,
        entropy_coef=0.005,
        gamma=0.495,
        lam=0.475,
        kl_coef=0.025,
        per_device_train_batch_size=16,
        **DEVICE,
    )


def train_ppo(
    model: str,
    train_dataset: Dataset,
    reward_funcs: list[Callable],
    output_dir: Path,
) -> str:
    """Proximal policy optimization (arXiv 1707.06347): raises the reward of sampled completions, near the reference."""
    if is_finished(output_dir):
        return str(output_dir)
    release_memory()
    trainer = PPOTrainer(
        model=model,
        reward_funcs=reward_funcs,
        args=ppo_config(output_dir),
        train_dataset=train_dataset,
        callbacks=[WholeCheckpoints(output_dir / "checkpoints")],
    )
    set_seed(trainer.args.seed, device_specific=True)
    trainer.train(resume_from_checkpoint=newest_checkpoint(output_dir / "checkpoints"))
    return save_policy(trainer, output_dir)

ppo = train_ppo(
    model=its_model,
    train_dataset=its_dataset,
    reward_funcs=[its_reward],
    output_dir=output_dir / "ppo",
)
