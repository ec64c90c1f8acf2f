# %% Distillation 'distillation'
def distillation_config(output_dir: Path, **changes) -> DistillationConfig:
    settings = dict(
        learning_rate=1e-6,
        beta=1.0,
        max_completion_length=512,
        per_device_train_batch_size=8,
    )
    return DistillationConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "distillation",
    DistillationTrainer,
    distillation_config,
    model=its_model,
    teacher_model=partial(AutoModelForCausalLM.from_pretrained, its_teacher, dtype="float32"),
    train_dataset=its_dataset,
)
