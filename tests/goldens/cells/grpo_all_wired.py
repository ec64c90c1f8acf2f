# %% GRPO 'grpo'
def grpo_config(output_dir: Path, **changes) -> GRPOConfig:
    settings = dict(
        learning_rate=2e-6,
        epsilon=0.1,
        per_device_train_batch_size=8,
        num_generations=8,
        eval_strategy="epoch",
    )
    return GRPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "grpo",
    GRPOTrainer,
    grpo_config,
    model=its_model,
    reward_funcs=penalize_shortfall([its_reward], threshold=0.7),
    tools=[calculate],
    environment_factory=Counter,
    train_dataset=its_dataset,
    eval_dataset=its_eval_dataset,
    peft_config=its_adapter(),
    save=save_merged,
    rollout_func=its_rollout,
)
