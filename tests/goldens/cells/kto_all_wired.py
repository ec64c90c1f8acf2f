# %% KTO 'kto'
def kto_config(output_dir: Path, **changes) -> KTOConfig:
    settings = dict(
        learning_rate=1e-6,
        beta=0.1,
        desirable_weight=1.0,
        undesirable_weight=1.0,
        per_device_train_batch_size=8,
        eval_strategy="epoch",
    )
    return KTOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "kto",
    KTOTrainer,
    kto_config,
    model=its_model,
    ref_model=partial(AutoModelForCausalLM.from_pretrained, its_reference, dtype="float32"),
    train_dataset=its_dataset,
    eval_dataset=its_eval_dataset,
    peft_config=its_adapter(),
    save=save_merged,
)
