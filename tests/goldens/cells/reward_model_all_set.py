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
    PPOTrainer,
    ppo_config,
    model=its_model,
    reward_funcs=[
        RewardModel(
            "owner/judge",
            name="judge",
            revision='it\'s "odd" \\ {x} %s \u2028 é 😀',
            dtype="bfloat16",
            batch_size=16,
            max_length=512,
            add_eos=True,
            trust_remote_code=True,
        ),
    ],
    train_dataset=its_dataset,
)
