# %% PPO 'ppo'
def ppo_config(output_dir: Path, **changes) -> "PPOConfig":
    settings = dict(
        learning_rate=1e-5,
        epsilon=0.2,
        vf_coef=0.1,
        entropy_coef=0.01,
        gamma=0.99,
        lam=0.95,
        kl_coef=0.001,
        per_device_train_batch_size=8,
    )
    return PPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "ppo",
    ShardedPPOTrainer,
    ppo_config,
    model=its_model,
    reward_funcs=[its_reward],
    train_dataset=its_dataset,
)
