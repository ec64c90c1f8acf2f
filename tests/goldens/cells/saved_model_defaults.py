saved_model = copy_model(its_model, output_dir / "final-model")
