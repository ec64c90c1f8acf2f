pipeline.copy("saved_model", its_model, "final-model")
