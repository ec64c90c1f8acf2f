# %% GRPO 'grpo'
def grpo_config(output_dir: Path, **changes) -> GRPOConfig:
    settings = dict(
        learning_rate=2e-6,
        epsilon=0.1,
        per_device_train_batch_size=8,
        num_generations=8,
        generation_batch_size=128,
    )
    return GRPOConfig(output_dir=str(output_dir), **with_global_batch(DEVICE | settings | changes, 64))

pipeline.train(
    "grpo",
    GRPOTrainer,
    grpo_config,
    model=its_model,
    reward_funcs=penalize_shortfall([its_reward], threshold=0.7),
    train_dataset=its_dataset,
)
