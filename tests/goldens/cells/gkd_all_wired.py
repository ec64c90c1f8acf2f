# %% GKD 'gkd'
def gkd_config(output_dir: Path, **changes) -> GKDConfig:
    settings = dict(
        learning_rate=1e-6,
        lmbda=0.5,
        beta=0.5,
        max_new_tokens=128,
        per_device_train_batch_size=8,
        eval_strategy="epoch",
    )
    return GKDConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "gkd",
    GKDTrainer,
    gkd_config,
    model=its_model,
    teacher_model=partial(AutoModelForCausalLM.from_pretrained, its_teacher, dtype="float32"),
    processing_class=partial(padding_tokenizer, its_model),
    train_dataset=its_dataset,
    eval_dataset=its_eval_dataset,
    peft_config=its_adapter(),
    save=save_merged,
)
