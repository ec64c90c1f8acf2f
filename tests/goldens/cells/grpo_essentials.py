# %% GRPO 'grpo'
def grpo_config(output_dir: Path, **changes) -> GRPOConfig:
    settings = dict(
        learning_rate=1e-6,
        epsilon=0.05,
        per_device_train_batch_size=16,
        num_generations=4,
    )
    return GRPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "grpo",
    GRPOTrainer,
    grpo_config,
    model=its_model,
    reward_funcs=penalize_shortfall([its_reward], threshold=0.35),
    train_dataset=its_dataset,
)
