# %% RLOO 'rloo'
def rloo_config(output_dir: Path, **changes) -> RLOOConfig:
    settings = dict(
        learning_rate=1e-6,
        beta=0.05,
        epsilon=0.2,
        per_device_train_batch_size=8,
        num_generations=8,
    )
    return RLOOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "rloo",
    RLOOTrainer,
    rloo_config,
    model=its_model,
    reward_funcs=[its_reward],
    train_dataset=its_dataset,
)
