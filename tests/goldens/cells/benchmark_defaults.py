make_report(pipeline, "benchmark", measure_tasks, model=its_model, tasks=["owner/name"])
