# %% GRPO 'grpo'
def grpo_config(output_dir: Path, **changes) -> GRPOConfig:
    settings = dict(
        learning_rate=2e-6,
        epsilon=0.1,
        per_device_train_batch_size=8,
        num_generations=8,
    )
    return GRPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "grpo",
    GRPOTrainer,
    grpo_config,
    model=its_model,
    reward_funcs=[
        limit_reward(
            RewardModel("owner/judge", name="judge"),
            threshold=0.25,
            mode="penalize",
            name="limit",
        ),
    ],
    train_dataset=its_dataset,
)
