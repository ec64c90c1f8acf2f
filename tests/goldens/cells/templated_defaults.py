set_chat_template(pipeline, "templated", model=its_model)
