pipeline.copy("saved_model", its_model, 'a \'b\' "c" \\ 😀')
