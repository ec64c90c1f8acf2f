# %% CPO / SimPO 'cpo'
def cpo_config(output_dir: Path, **changes) -> CPOConfig:
    settings = dict(
        learning_rate=1e-6,
        loss_type="sigmoid",
        beta=0.1,
        cpo_alpha=1.0,
        per_device_train_batch_size=8,
    )
    return CPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)

pipeline.train("cpo", CPOTrainer, cpo_config, model=its_model, train_dataset=its_dataset)
