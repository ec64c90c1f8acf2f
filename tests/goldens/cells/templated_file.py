set_chat_template(pipeline, "templated", model=its_model, template=str(ROOT / "chat.jinja"))
