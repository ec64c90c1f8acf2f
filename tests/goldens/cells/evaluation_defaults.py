make_report(pipeline, "evaluation", evaluate, model=its_model, rows=its_dataset)
