# %% Train Reward Model 'judge'
def judge_config(output_dir: Path, **changes) -> RewardConfig:
    settings = dict(
        learning_rate=1e-5,
        per_device_train_batch_size=8,
        num_train_epochs=1.0,
        eval_strategy="epoch",
    )
    return RewardConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "judge",
    RewardTrainer,
    judge_config,
    model=its_model,
    train_dataset=its_dataset,
    eval_dataset=its_eval_dataset,
    peft_config=with_score_head(its_adapter()),
    save=save_merged,
    compute_metrics=its_metrics,
)
