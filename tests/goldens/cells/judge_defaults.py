# %% Train Reward Model 'judge'
def judge_config(output_dir: Path, **changes) -> RewardConfig:
    settings = dict(
        learning_rate=1e-5,
        per_device_train_batch_size=8,
        num_train_epochs=1.0,
    )
    return RewardConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "judge",
    RewardTrainer,
    judge_config,
    model=its_model,
    train_dataset=its_dataset,
)
