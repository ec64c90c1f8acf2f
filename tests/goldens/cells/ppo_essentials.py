# %% PPO 'ppo'
def ppo_config(output_dir: Path, **changes) -> "PPOConfig":
    settings = dict(
        learning_rate=5e-6,
        epsilon=0.1,
        vf_coef=0.05,
        entropy_coef=0.005,
        gamma=0.495,
        lam=0.475,
        kl_coef=0.0005,
        per_device_train_batch_size=16,
    )
    return PPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "ppo",
    PPOTrainer,
    ppo_config,
    model=its_model,
    reward_funcs=[its_reward],
    train_dataset=its_dataset,
)
