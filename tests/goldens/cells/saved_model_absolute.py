saved_model = copy_model(its_model, Path("/models/final").expanduser())
