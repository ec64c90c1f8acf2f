class_2 = "owner/name"
