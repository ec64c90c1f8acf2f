make_report(pipeline, "comparison", compare, its_report_1=its_report_1)
