# %% DPO 'dpo'
def dpo_config(output_dir: Path, **changes) -> DPOConfig:
    settings = dict(
        learning_rate=5e-6,
        beta=0.1,
        per_device_train_batch_size=8,
    )
    return DPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train(
    "dpo",
    DPOTrainer,
    dpo_config,
    model=its_model,
    quantization_config=BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype="bfloat16",
    ),
    ref_model=partial(
        AutoModelForCausalLM.from_pretrained,
        its_reference,
        dtype="float32",
        quantization_config=BitsAndBytesConfig(load_in_8bit=True),
    ),
    train_dataset=its_dataset,
    peft_config=its_adapter(),
    save=save_merged,
)
