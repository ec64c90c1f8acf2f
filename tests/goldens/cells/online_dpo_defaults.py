# %% Online DPO 'online_dpo'
def online_dpo_config(output_dir: Path, **changes) -> OnlineDPOConfig:
    settings = dict(
        learning_rate=5e-7,
        beta=0.1,
        max_new_tokens=64,
        per_device_train_batch_size=8,
        model_init_kwargs={"dtype": "float32", "device_map": None},
    )
    return OnlineDPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "online_dpo",
    OnlineDPOTrainer,
    online_dpo_config,
    model=its_model,
    reward_funcs=[its_reward],
    processing_class=partial(padding_tokenizer, its_model),
    train_dataset=its_dataset,
)
