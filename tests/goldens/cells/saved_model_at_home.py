pipeline.copy("saved_model", its_model, "~/models/final")
